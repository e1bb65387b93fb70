"""Errors the engine acts on, and what each asks it to do.

SagezohoError                 something a person must know; the message says what to do
├── ConfigurationError        sagezoho.yaml or a mapping file: names the file, the line and the key
├── LedgerUnavailable         Postgres cannot be reached
├── CredentialsMissing        the vault holds no secret for this connection and system
└── VendorError               a vendor answered with an error, or did not answer
    └── OutcomeUnknown        the request may have been carried out: read back before sending again
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sagezoho_pipelines.domain.records import System


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
