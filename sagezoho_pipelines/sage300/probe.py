"""What `sagezoho check` asks of a Sage 300 company: which applications answer, and which properties are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.sage300.client import Sage300Client
from sagezoho_pipelines.sage300.entities import APPLICATIONS, Application
from sagezoho_pipelines.sage300.metadata import Metadata


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing checked. `remedy` says what to do where it is not ok."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def probe_applications(client: Sage300Client) -> list[Finding]:
    """One cheap read per application. What concerns all of them alike (no connection, no sign-on) ends the round."""
    findings: list[Finding] = []
    for application in APPLICATIONS:
        finding, hopeless = _probe(client, application)
        findings.append(finding)
        if hopeless:
            break
    return [_company(findings, client)] if len(findings) > 1 and all(_forbidden(one) for one in findings) else findings


def missing_properties(metadata: Metadata, entity_set: str, names: Sequence[str]) -> Finding:
    """Whether the properties that a mapping reads or writes exist in this release."""
    missing = metadata.missing(entity_set, names)
    if not missing:
        return Finding(entity_set, True, f"{len(names)} properties found")
    return Finding(
        entity_set,
        False,
        f"this release of Sage 300 has no {', '.join(missing)}",
        "Override these fields in the connection's mapping, or update the Web API on the Sage server.",
    )


def _probe(client: Sage300Client, application: Application) -> tuple[Finding, bool]:
    name = f"{application.code} {application.name}"
    try:
        client.find(application.entity_set, where=(), select=(application.column,), limit=1)
    except VendorError as error:
        hopeless = error.code in ("Unauthorized", "Unreachable", "NotTheWebApi", "SessionError", "Timeout")
        return Finding(name, False, f"{error.code}: {error.text}", _remedy(error, application, client)), hopeless
    return Finding(name, True, f"{application.entity_set} can be read"), False


def _forbidden(finding: Finding) -> bool:
    return finding.detail.startswith("Forbidden")


def _company(findings: Sequence[Finding], client: Sage300Client) -> Finding:
    """Every application is refused: the company, or the user as a whole, is the trouble, and it is said once."""
    return Finding(
        f"company {client.company}",
        False,
        findings[0].detail,
        "Correct `company` in sagezoho.yaml if it is the wrong one; else let the user sign on to this company, and "
        "give its security group the right 'Sage 300 Web API' for every application that the flows use. ADMIN is "
        "refused by default: use a user of its own.",
    )


def _remedy(error: VendorError, application: Application, client: Sage300Client) -> str:
    if error.code == "Forbidden":
        return (
            f"Give the user's security group the right 'Sage 300 Web API' for {application.name} "
            f"({application.code}) in company {client.company}, or correct `company` in sagezoho.yaml if that is the "
            "wrong one. ADMIN is refused by default: use a user of its own."
        )
    return error.advice
