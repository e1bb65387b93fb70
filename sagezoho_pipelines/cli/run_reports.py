"""What runs did, in words and in JSON: figures, errors, and what has not reached the other side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sagezoho_pipelines.cli import output
from sagezoho_pipelines.cli.records import gathered, record, unsettled
from sagezoho_pipelines.domain.errors import addressed

if TYPE_CHECKING:
    from sagezoho_pipelines.cli.runs import RunReport
    from sagezoho_pipelines.domain.holds import Hold
    from sagezoho_pipelines.wiring import Installation

FIGURES = ("captured", "unchanged", "created", "updated", "noop", "refused", "conflicted", "retrying", "held")
_MOST_SHOWN = 25


def clean(report: RunReport) -> bool:
    return report.success and report.left_over == 0


def show(reports: Sequence[RunReport], holds: Sequence[Hold] = ()) -> None:
    """A column for each flow, so that it fits a narrow terminal; a table for each connection.

    `holds` are what stands: of several flows that wait for their first sync, one note tells.
    """
    for connection in dict.fromkeys(report.connection for report in reports):
        mine = [report for report in reports if report.connection == connection]
        flows = [report.flow for report in mine]
        rows: list[list[Any]] = [[name, *(_figure(report, name) for report in mine)] for name in FIGURES]
        rows.append(["calls", *(sum(report.calls.values()) for report in mine)])
        rows.append(["credits", *(report.credits for report in mine)])
        rows.append(["run", *((report.run_id[:8], output.DIM) for report in mine)])
        if not all(report.success for report in mine):
            rows.append(["", *(("", "") if report.success else ("failed", output.BAD) for report in mine)])
        output.table([connection, *flows], rows, numbers=flows)
    said = [addressed(report.error, report.connection) for report in reports if report.error]
    notes = list(dict.fromkeys(note for report in reports for note in report.notes))
    for note in gathered(notes, holds):
        output.say(f"Note: {_unsaid(note, said)}", output.WARN)


def _unsaid(note: str, said: Sequence[str]) -> str:
    """The note without an ending that an error has told already, word for word."""
    sentences = note.split(". ")
    for at in range(1, len(sentences)):
        if any(". ".join(sentences[at:]) in told for told in said):
            return f"{'. '.join(sentences[:at])}."
    return note


def _figure(report: RunReport, name: str) -> tuple[int, str]:
    styles = {
        "refused": output.BAD,
        "conflicted": output.BAD,
        "retrying": output.WARN,
        "held": output.BAD,
        "created": output.GOOD,
    }
    count = report.figures[name]
    return count, styles.get(name, "") if count else output.DIM


def show_errors(reports: Sequence[RunReport]) -> None:
    """What failed, on standard error; what stopped several flows is said once."""
    stopped: dict[str, list[str]] = {}
    for report in reports:
        if report.error:
            told = addressed(report.error, report.connection).removeprefix(f"{report.connection}: ")
            stopped.setdefault(f"{report.connection}: {told}", []).append(report.flow)
    for told, flows in stopped.items():
        output.warn(
            f"Error: {told}\n  This stopped: {', '.join(flows)}. Nothing is lost: run it again when it is mended."
        )


def left_behind(installation: Installation, reports: Sequence[RunReport]) -> list[dict[str, Any]]:
    """The records of these flows that have not reached the other side, with the vendor's words.

    What these runs refused, and whatever waits for another attempt, also where an earlier run had made the last one.
    """
    runs = {report.run_id for report in reports if report.left_over}
    tried: dict[str, set[str]] = {}
    for report in reports:
        tried.setdefault(report.connection, set()).update(_sources(installation, report))
    return unsettled(installation.database, runs, now=installation.clock(), tried=tried)


def _sources(installation: Installation, report: RunReport) -> set[str]:
    from sagezoho_pipelines.engine.run import FLOWS

    ctx = installation.context(report.connection, run_id="", actor="")
    return {
        handler.source(ctx).entity for handler in FLOWS[report.flow].handlers.values() if handler.flow == report.flow
    }


def at_rest(installation: Installation, connections: Sequence[str]) -> list[str]:
    """The connections of which nothing is tried for now, each with the reason and how it ends."""
    now = installation.clock()
    return [str(rest) for name in connections for rest in installation.ledger.pauses(name) if rest.until > now]


def show_left_behind(refused: Sequence[Mapping[str, Any]]) -> None:
    """Each record with the other side's words, and how to see all about it."""
    if not refused:
        return
    output.say("Did not reach the other side", output.STRONG)
    for one in refused[:_MOST_SHOWN]:
        output.say(
            f"  {one['state']}  {record(one['system'], one['entity'], one['record'])}  {one['name']}", output.BAD
        )
        output.say(f"           {_words(one['error'])}")
    if len(refused) > _MOST_SHOWN:
        output.say(f"  … and {len(refused) - _MOST_SHOWN} more: --json lists them all")
    output.say(f"All about one of them: sagezoho explain {refused[0]['record']}")


def _words(error: Mapping[str, Any]) -> str:
    told = " ".join(str(error[name]) for name in ("code", "field") if error.get(name))
    advice = f" – {error['advice']}" if error.get("advice") else ""
    text = " ".join(str(error.get("text", "")).split())  # Sage joins its messages by line breaks
    return f"{told}: {text}{advice}"


def by_flow(reports: Sequence[RunReport]) -> dict[str, Any]:
    """Figures by flow; by `connection/flow` where there are several connections."""
    several = len({report.connection for report in reports}) > 1
    return {
        f"{report.connection}/{report.flow}" if several else report.flow: {
            **{name: report.figures[name] for name in FIGURES},
            "skipped": report.figures.get("skipped", 0),
            "connection": report.connection,
            "calls": dict(report.calls),
            "credits": report.credits,
            "credits_left": report.credits_left,
            "notes": list(report.notes),
            "run_id": report.run_id,
            "success": report.success,
            "error": report.error,
        }
        for report in reports
    }
