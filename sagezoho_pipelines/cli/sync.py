"""`sagezoho sync`: run flows now, in this process, as Dagster runs that the UI shows."""

from __future__ import annotations

import getpass
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import options, output, progress
from sagezoho_pipelines.cli.errors import INTERRUPTED, Failed
from sagezoho_pipelines.domain.errors import addressed

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from sagezoho_pipelines.cli.runs import RunReport
    from sagezoho_pipelines.domain.holds import Hold
    from sagezoho_pipelines.wiring import Installation

FIGURES = ("captured", "unchanged", "created", "updated", "noop", "refused", "conflicted", "retrying", "held")
_MOST_SHOWN = 25
DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("flows", nargs=-1, metavar="[FLOW]...")
@options.connection
@click.option("--sweep", is_flag=True, help="Read every record again: finds deletions and back-dated edits.")
@click.option("--from", "start", type=DAY, metavar="DATE", help="Re-read and re-deliver what changed since this day …")
@click.option("--to", "end", type=DAY, metavar="DATE", help="… up to this one (default: today).")
@options.as_json
def sync(
    flows: tuple[str, ...],
    connection: str | None,
    sweep: bool,
    start: datetime | None,
    end: datetime | None,
    as_json: bool,
) -> None:
    """Run flows now: vendors, customers, orders, invoices, identity (default: all of them, in this order).

    Exit code 0 only if everything that was read has reached the other side.
    """
    days = _days(start, end)
    if sweep and days is not None:
        raise click.UsageError("--sweep reads everything: it takes no --from and --to")
    from sagezoho_pipelines.cli.processes import interruptible

    with interruptible(repeatedly=True), options.installation() as installation:
        wanted = named_flows(flows)
        connections, broken = options.able(installation, connection)
        _ = installation.database
        with dagster_instance() as instance:
            reports = []
            for name in connections:
                for flow in wanted or enabled_flows(installation, name):
                    with progress.of_run(installation, name, flow, shown=not as_json) as tick:
                        report = run(flow, name, instance, installation, days=days, sweep=sweep, tick=tick)
                    reports.append(report)
        refused = left_behind(installation, reports)
        resting = at_rest(installation, connections)
        holds = [hold for name in connections for hold in installation.ledger.holds(name)]
    done = not refused and not resting and not broken and all(clean(report) for report in reports)
    show_errors(reports)
    options.tell_broken(broken)
    if as_json:
        told = {"flows": by_flow(reports), "left_behind": list(refused), "paused": list(resting)}
        stopped = {"broken": {name: str(error) for name, error in broken.items()}} if broken else {}
        output.emit_json({"ok": done, **told, **stopped})
    else:
        show(reports, holds)
        show_left_behind(refused)
        runs = ", ".join(f"{report.flow} {report.run_id}" for report in reports)
        output.say(f"What a run moved: sagezoho audit export --run …   ({runs})", output.DIM)
    if not done:
        raise Failed("not everything reached the other side")


def run(
    flow: str,
    connection: str,
    instance: DagsterInstance,
    installation: Installation,
    *,
    days: tuple[date, date] | None = None,
    sweep: bool = False,
    tick: Callable[[], None] = lambda: None,
    by: str = "sagezoho sync",
    tags: Mapping[str, str] | None = None,
) -> RunReport:
    """One run. When it is interrupted, what is under way is settled first; then KeyboardInterrupt is raised."""
    from sagezoho_pipelines.cli.runs import run_flow_job

    def work() -> RunReport:
        return run_flow_job(
            flow, connection, instance=instance, installation=installation, days=days, sweep=sweep, actor=actor(by),
            tags=tags,
        )  # fmt: skip

    return _attended(work, installation.interrupted, tick)


def _attended(work: Callable[[], RunReport], interrupted: threading.Event, tick: Callable[[], None]) -> RunReport:
    """Work in another thread: in the main one Dagster holds signals back, and Ctrl-C would do nothing."""
    with ThreadPoolExecutor(1, thread_name_prefix="sync") as pool:
        future = pool.submit(work)
        try:
            _wait(future, tick)
        except KeyboardInterrupt:
            interrupted.set()
            output.warn("Stopping: what is under way is finished first. Once more ends it at once.")
            try:
                _wait(future, tick)
            except KeyboardInterrupt:
                os._exit(INTERRUPTED)  # as safe as a crash: what was sent is read back by the next run
            raise
        return future.result()


def _wait(future: Future[RunReport], tick: Callable[[], None]) -> None:
    """In short turns, so that signals get in on every platform."""
    while not wait([future], timeout=0.2).done:
        tick()


def actor(by: str = "sagezoho sync") -> str:
    """Who asked, and with which command, as the audit names it."""
    try:
        return f"{os.environ.get('SUDO_USER') or getpass.getuser()}, {by}"
    except (OSError, KeyError):  # an account without a name, as in some containers
        return by


def clean(report: RunReport) -> bool:
    return report.success and report.left_over == 0


@contextmanager
def dagster_instance() -> Iterator[DagsterInstance]:
    """The instance that the UI looks at too. Raises SagezohoError when its storage cannot be reached."""
    from sagezoho_pipelines.cli import dagster_home

    dagster_home.ensure(os.environ)
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        yield instance


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
    from sagezoho_pipelines.cli.records import gathered

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
    from sagezoho_pipelines.cli.records import unsettled

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
    from sagezoho_pipelines.cli.records import record

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


def named_flows(given: tuple[str, ...]) -> list[str]:
    from sagezoho_pipelines.config import FLOWS

    unknown = sorted(set(given) - set(FLOWS))
    if unknown:
        raise click.UsageError(f"there is no flow {unknown[0]!r}; there are {', '.join(FLOWS)}")
    return [flow for flow in FLOWS if flow in given]


def enabled_flows(installation: Installation, connection: str) -> list[str]:
    from sagezoho_pipelines.config import FLOWS

    flows = installation.settings.connection(connection).flows
    return [flow for flow in FLOWS if getattr(flows, flow).enabled]


def _days(start: datetime | None, end: datetime | None) -> tuple[date, date] | None:
    if start is None and end is None:
        return None
    if start is None:
        raise click.UsageError("--to needs --from")
    last = end.date() if end else date.today()  # noqa: DTZ011 - the day it is for the person who types
    if last < start.date():
        raise click.UsageError("--to is before --from")
    return start.date(), last
