"""A match as a table that a person reviews in a spreadsheet, and the decisions as they come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sagezoho_pipelines.cli import sheets
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.engine.matching.deciding import Decide, Decision
from sagezoho_pipelines.engine.matching.match import FLOWS, Flow, MatchReport

if TYPE_CHECKING:
    from sagezoho_pipelines.domain.matching.rules import Pair

#: `decision` is for the person; `found` is the account that the match itself found, so that another choice is known as
#: a person's.
COLUMNS = (
    "kind", "status", "decision", "sage_id", "sage_name", "sage_city", "zoho_id", "zoho_name", "zoho_city", "rule",
    "score", "evidence", "why", "found",
)  # fmt: skip
MATCHED, AMBIGUOUS, ONLY_SAGE, ONLY_ZOHO, LEFT = (
    "matched", "ambiguous", "only in Sage 300", "only in Zoho CRM", "left alone",
)  # fmt: skip


def rows(report: MatchReport) -> Iterator[dict[str, str]]:
    """The table, what needs a person first after what is matched."""
    matching, creates = report.matching, report.flow == "vendors"
    for pair in matching.matched:
        yield _pair(report, pair, MATCHED, str(Decide.LINK), found=pair.right)
    for question in matching.ambiguous:
        for pair in question.candidates:
            yield _pair(report, pair, AMBIGUOUS, "", why=question.why)
    for key in matching.only_left:
        yield _one(report, ONLY_SAGE, str(Decide.CREATE) if creates else "", sage=key)
    for key in matching.only_right:
        yield _one(report, ONLY_ZOHO, "", zoho=key)
    for key, one in sorted(report.left_alone.items()):
        side = {"sage_id": key, "sage_name": one.name} if creates else {"zoho_id": key, "zoho_name": one.name}
        yield {"kind": report.flow, "status": LEFT, "decision": str(Decide.SKIP), "why": one.why, **side}


def read(path: Path) -> tuple[dict[Flow, list[Decision]], list[tuple[str, str]]]:
    """The decisions of a reviewed file, and the lines that cannot be understood. Raises SagezohoError for no table."""
    found: dict[Flow, list[Decision]] = {}
    bad: list[tuple[str, str]] = []
    for line in sheets.read(path, needed=("kind", "decision", "sage_id", "zoho_id")):
        place = f"line {line.number}"
        try:
            flow = _flow(line.get("kind"))
            decide = _decide(line.get("decision"))
        except SagezohoError as error:
            bad.append((place, str(error)))
            continue
        if decide is None and not _waits(line, flow):
            continue
        proved = decide is Decide.LINK and line.get("status") == MATCHED and line.get("found") == line.get("zoho_id")
        name = line.get("sage_name") if flow == "vendors" else line.get("zoho_name")
        rule = line.get("rule") if proved else ""
        found.setdefault(flow, []).append(
            Decision(line.get("sage_id").upper(), line.get("zoho_id"), decide, rule, name, place)
        )
    return found, bad


def _waits(line: sheets.Line, flow: Flow) -> bool:
    """Whether a line without a decision holds a record back: a vendor, which the sync would make an account for, and an
    account that may be a customer. One that was left alone stays so."""
    asked = ("sage_id",) if flow == "vendors" else ("sage_id", "zoho_id")
    return all(map(line.get, asked)) and line.get("status") != LEFT


def _pair(
    report: MatchReport, pair: Pair, status: str, decision: str, *, why: str = "", found: str = ""
) -> dict[str, str]:
    return {
        **_one(report, status, decision, sage=pair.left, zoho=pair.right),
        "rule": str(pair.rule),
        "score": str(pair.score),
        "evidence": "; ".join(map(str, pair.evidence)),
        "why": why,
        "found": found,
    }


def _one(report: MatchReport, status: str, decision: str, *, sage: str = "", zoho: str = "") -> dict[str, str]:
    ours, theirs = report.sage.get(sage), report.zoho.get(zoho)
    return {
        "kind": report.flow, "status": status, "decision": decision, "sage_id": sage, "zoho_id": zoho,
        "sage_name": ours.name if ours else "", "sage_city": ours.city if ours else "",
        "zoho_name": theirs.name if theirs else "", "zoho_city": theirs.city if theirs else "",
    }  # fmt: skip


def _flow(text: str) -> Flow:
    for flow in FLOWS:
        if flow == text.casefold():
            return flow
    raise SagezohoError(f"kind {text!r} is none of {', '.join(FLOWS)}")


def _decide(text: str) -> Decide | None:
    try:
        return Decide(text.casefold()) if text else None
    except ValueError:
        raise SagezohoError(f"decision {text!r} is none of {', '.join(Decide)}, or empty") from None
