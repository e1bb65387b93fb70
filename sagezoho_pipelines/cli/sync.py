"""`sagezoho sync`: run flows now, in this process, as Dagster runs that the UI shows."""

from __future__ import annotations

import getpass
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from sagezoho_pipelines.cli import options, output, progress
from sagezoho_pipelines.cli.errors import INTERRUPTED, Failed
from sagezoho_pipelines.cli.run_reports import (
    at_rest,
    by_flow,
    clean,
    left_behind,
    show,
    show_errors,
    show_left_behind,
)

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from sagezoho_pipelines.cli.runs import RunReport
    from sagezoho_pipelines.wiring import Installation

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
    _require_order(start, end)
    if sweep and start is not None:
        raise click.UsageError("--sweep reads everything: it takes no --from and --to")
    from sagezoho_pipelines.cli.processes import interruptible

    with interruptible(repeatedly=True), options.installation() as installation:
        wanted = named_flows(flows)
        connections, broken = options.able(installation, connection)
        _ = installation.database
        from sagezoho_pipelines.cli.runs import day_in

        with dagster_instance() as instance:
            reports = []
            for name in connections:
                days = _days(start, end, day_in(installation, name))
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


def actor(by: str) -> str:
    """Who asked, and with which command, as the audit names it."""
    try:
        return f"{os.environ.get('SUDO_USER') or getpass.getuser()}, {by}"
    except (OSError, KeyError):  # an account without a name, as in some containers
        return by


@contextmanager
def dagster_instance() -> Iterator[DagsterInstance]:
    """The instance that the UI looks at too. Raises SagezohoError when its storage cannot be reached.

    What the process says is not captured as a run's own: runs that overlap in one process, a worker's, would capture
    each other's, and leave the process mute when the later one ends.
    """
    from sagezoho_pipelines.cli import dagster_home

    home = dagster_home.ensure(os.environ)
    from dagster import DagsterInstance
    from dagster._core.instance.ref import InstanceRef

    silent = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    with DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides={"compute_logs": silent})) as instance:
        yield instance


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


def _require_order(start: datetime | None, end: datetime | None) -> None:
    if end is not None and start is None:
        raise click.UsageError("--to needs --from")
    if start is not None and end is not None and end < start:
        raise click.UsageError("--to is before --from")


def _days(start: datetime | None, end: datetime | None, today: date) -> tuple[date, date] | None:
    """`today` is the connection's, whatever day it is where the person sits who types."""
    if start is None:
        return None
    return start.date(), end.date() if end else max(today, start.date())
