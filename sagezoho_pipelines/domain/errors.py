"""Errors the engine acts on, and what each asks it to do.

SagezohoError                 something a person must know; the message says what to do
├── ConfigurationError        sagezoho.yaml or a mapping file: names the file, the line and the key
├── LedgerUnavailable         Postgres cannot be reached
├── CredentialsMissing        the vault holds no secret for this connection and system
├── VaultError                a secret cannot be opened with the master key at hand
├── MappingFailed             an expression cannot be applied to this record
├── LinkTaken                 the target record is linked to another source record already
├── LinkBusy                  a worker delivers the record of a link right now
├── LinkGone                  the link is no longer in the mapping table
├── BusinessKeyTaken          another source record is about to be created under the same business key
└── VendorError               a vendor answered with an error, or did not answer
    └── OutcomeUnknown        the request may have been carried out: read back before sending again
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sagezoho_pipelines.domain.records import Link, System


class Verdict(StrEnum):
    """What an error means for the engine."""

    RETRY = "retry"  # try the same again later
    REFUSE = "refuse"  # this record cannot be delivered until a person changes something
    SKIP = "skip"  # nothing to do for this record, and that is fine
    CONFLICT = "conflict"  # both sides disagree; a person decides
    FATAL = "fatal"  # stop work on this connection: credentials, rights, configuration


class SagezohoError(Exception):
    """Base of every error that reaches a person: one clear message with the remedy, never a secret."""


class ConfigurationError(SagezohoError):
    """The configuration or a mapping file cannot be used."""


class LedgerUnavailable(SagezohoError):
    """The Postgres database cannot be reached."""


class CredentialsMissing(SagezohoError):
    """The vault holds no credentials for a connection's system."""


class VaultError(SagezohoError):
    """A secret cannot be opened or sealed: the master key is missing, malformed or not the one that sealed it."""


class MappingFailed(SagezohoError):
    """A mapping expression cannot be applied to a record: names the target field and the expression."""


class LinkTaken(SagezohoError):
    """A record cannot be linked, since the record on the other side belongs to another one. Nothing was committed.

    `link` is the one that was asked for, `held` the one that stands in its way.
    """

    def __init__(self, link: Link, held: Link) -> None:
        self.link = link
        self.held = held
        super().__init__(
            f"{link.connection}: Sage {link.sage_entity} {link.sage_id} and Zoho {link.zoho_entity} {link.zoho_id} "
            f"cannot be linked: Sage {held.sage_entity} {held.sage_id} and Zoho {held.zoho_entity} {held.zoho_id} "
            "are. Decide which two records belong together, and remove the wrong link or merge the duplicates."
        )


class LinkBusy(SagezohoError):
    """A link cannot be made or removed while a worker delivers its record. Nothing was committed."""

    def __init__(self, link: Link) -> None:
        self.link = link
        super().__init__(
            f"{link.connection}: Sage {link.sage_entity} {link.sage_id} and Zoho {link.zoho_entity} {link.zoho_id}: "
            "one of them is being delivered at this moment. Nothing was done; try again in a minute."
        )


class LinkGone(SagezohoError):
    """A link that is to be changed or removed is not in the mapping table any more. Nothing was committed."""

    def __init__(self, link: Link) -> None:
        self.link = link
        super().__init__(
            f"{link.connection}: Sage {link.sage_entity} {link.sage_id} and Zoho {link.zoho_entity} {link.zoho_id} are "
            "no longer linked: somebody changed the mapping table meanwhile. Nothing was done; look again."
        )


class BusinessKeyTaken(SagezohoError):
    """Another source record has an open intent for the same business key, or this one has it for another key."""


class VendorError(SagezohoError):
    """A vendor's error, in the vendor's own words, with what it means for us.

    `code`, `field` and `text` are the vendor's; `advice` is ours, in plain words. `retry_after` is in seconds.
    """

    def __init__(
        self,
        *,
        system: System,
        code: str,
        text: str,
        verdict: Verdict,
        field: str = "",
        status: int | None = None,
        advice: str = "",
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.system = system
        self.code = code
        self.text = text
        self.verdict = verdict
        self.field = field
        self.status = status
        self.advice = advice
        self.retry_after = retry_after
        self.details: Mapping[str, Any] = details or {}
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        advice = f" {self.advice}" if self.advice else ""
        return f"{self.system} {self.code}{where}: {self.text}{advice}"

    def answer(self) -> dict[str, Any]:
        """The vendor's answer as stored in the audit and shown in the inbox."""
        facts = {
            "system": str(self.system), "code": self.code, "field": self.field, "text": self.text,
            "status": self.status, "verdict": str(self.verdict), "advice": self.advice,
        }  # fmt: skip
        return {name: value for name, value in facts.items() if value not in (None, "")}


class OutcomeUnknown(VendorError):
    """No answer, or half an answer, to a request that writes: it may have been carried out."""


def addressed(told: str, connection: str) -> str:
    """Advice as it can be typed: what a client says of any connection, with the name of this one."""
    return told.replace(" CONNECTION ", f" {connection} ")
