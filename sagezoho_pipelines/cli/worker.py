"""`sagezoho worker`: waits for changes and delivers them at once, as Dagster runs in this warm process."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.errors import INTERRUPTED

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from sagezoho_pipelines.cli.runs import Drain, RunReport
    from sagezoho_pipelines.ledger.due import Listener
    from sagezoho_pipelines.wiring import Installation

log = logging.getLogger(__name__)

#: How long the queue may hold something due without anybody having said so: retries, expired leases, lost words.
POLL_SECONDS = 1.0
#: Changes that come together are delivered together.
LINGER_SECONDS = 0.015
#: A lane whose last run failed or left everything rests before its next one, twice as long each time.
REST_SECONDS, LONGEST_REST_SECONDS = 0.5, 60.0
#: Lanes at work at once. There are three in a connection.
_THREADS = 32

_HANDLED = ("created", "updated", "noop", "skipped", "refused", "conflicted", "retrying")


@click.command()
@options.as_json
def worker(as_json: bool) -> None:
    """Wait for changes and deliver them at once, until SIGTERM or Ctrl-C.

    Any number of workers, on any machines, share the queue. Each run shows in the Dagster UI. A stop finishes what
    is under way; what a killed worker held is taken by another one when its lease is over.
    """
    from sagezoho_pipelines.cli.sync import dagster_instance
    from sagezoho_pipelines.ledger.due import Listener
    from sagezoho_pipelines.ledger.postgres import database_url

    with options.installation() as installation, dagster_instance() as instance:
        _, broken = options.able(installation, None)
        options.tell_broken(broken)
        listener = Listener(database_url(installation.env))
        resident = Worker(installation, instance, listener, told=_as_line if as_json else _say)
        with _stopped_by_signals(resident):
            resident.warm_up()
            _announce(as_json)
            resident.work()
        listener.close()
    if not as_json:
        output.say("Stopped: nothing is held.")


class Worker:
    """Delivers what is due until told to stop: a thread for each lane that has something, one run of a lane at a time.

    `told` is called with each run's report and the seconds it took.
    """

    def __init__(
        self,
        installation: Installation,
        instance: DagsterInstance,
        listener: Listener,
        *,
        told: Callable[[RunReport, float], None] = lambda _report, _seconds: None,
    ) -> None:
        self._installation = installation
        self._instance = instance
        self._listener = listener
        self._told = told
        self._lanes: dict[str, _Lane] = {}
        self._stopping = False  # not an Event: setting one in a signal handler can wait for the very code it interrupts
        self._lost = False
        self._actor = f"sagezoho worker on {socket.gethostname()}"

    def warm_up(self) -> None:
        from sagezoho_pipelines.cli.runs import warm_up

        warm_up(self._instance, self._installation)

    def stop(self) -> None:
        """Claim nothing more; `work` returns when what is held is settled. For any thread, and for signal handlers."""
        self._stopping = True
        self._listener.wake()

    def work(self) -> None:
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="lane") as pool:
            try:
                while not self._stopping:
                    self._turn(pool)
            finally:
                self._installation.draining.set()

    def _turn(self, pool: ThreadPoolExecutor) -> None:
        reached = self._listener.wait(POLL_SECONDS)
        if reached is self._lost:
            self._lost = not reached
            output.warn("Postgres is back." if reached else "Postgres cannot be reached; waiting for it to come back.")
        if reached and not self._stopping:
            time.sleep(LINGER_SECONDS)
            self._finish()
            self._begin(pool)

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        from sagezoho_pipelines.cli.runs import drains_due
        from sagezoho_pipelines.domain.errors import LedgerUnavailable

        try:
            wanted = drains_due(self._installation, now=self._installation.clock())
        except LedgerUnavailable:
            return  # the listener meets the same at its next wait, and says so
        for drain in wanted:
            lane = self._lanes.setdefault(drain.name, _Lane())
            if lane.is_free() and self._is_ours(drain, lane):
                lane.run = pool.submit(self._run, drain)

    def _is_ours(self, drain: Drain, lane: _Lane) -> bool:
        """What is urgent is taken at once, by one worker. What another one, or a run elsewhere, seems to be at is
        left to it for a while; then every worker helps."""
        from sagezoho_pipelines.cli.runs import is_under_way

        now = self._installation.clock()
        waited = (now - drain.since).total_seconds() >= self._installation.settings.worker_patience_seconds
        if drain.urgent:
            lane.held = self._listener.hold(drain.name)
            return lane.held or waited
        return waited and not is_under_way(drain, instance=self._instance, installation=self._installation)

    def _run(self, drain: Drain) -> bool:
        """Whether it moved anything."""
        from sagezoho_pipelines.cli.runs import run_drain

        began = time.monotonic()
        try:
            report = run_drain(drain, instance=self._instance, installation=self._installation, actor=self._actor)
            self._told(report, time.monotonic() - began)
            return report.success and any(report.figures.get(name) for name in _HANDLED)
        except Exception as error:
            log.exception("%s: the run could not be executed", drain.name)
            output.warn(f"{drain.name}: the run could not be executed: {type(error).__name__}. It will be tried again.")
            return False
        finally:
            self._listener.wake()

    def _finish(self) -> None:
        """See which lanes are done: they may be taken again, here or by another worker."""
        for name, lane in self._lanes.items():
            if lane.run is not None and lane.run.done():
                lane.ended(moved=lane.run.result())
                if lane.held:
                    self._listener.let_go(name)
                    lane.held = False


@dataclass
class _Lane:
    """One lane's run, and until when it rests."""

    run: Future[bool] | None = None
    held: bool = False
    idle: int = 0
    rests_until: float = 0.0

    def is_free(self) -> bool:
        return self.run is None and time.monotonic() >= self.rests_until

    def ended(self, *, moved: bool) -> None:
        self.run = None
        self.idle = 0 if moved else self.idle + 1
        rest = min(REST_SECONDS * 2 ** (self.idle - 1), LONGEST_REST_SECONDS) if self.idle else 0.0
        self.rests_until = time.monotonic() + rest


@contextmanager
def _stopped_by_signals(resident: Worker) -> Iterator[None]:
    """The first signal ends it gracefully, the second at once: as safe as a crash."""

    def handle(*_: object) -> None:
        for number in before:
            signal.signal(number, lambda *_: os._exit(INTERRUPTED))
        resident.stop()

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _announce(as_json: bool) -> None:
    if as_json:
        _line({"event": "ready", "process": os.getpid()})
    else:
        output.say("Waiting for changes. Ctrl-C ends it when what is under way is settled.")


def _as_line(report: RunReport, seconds: float) -> None:
    _line(
        {
            "event": "run",
            "connection": report.connection,
            "flow": report.flow,
            "run_id": report.run_id,
            "success": report.success,
            "seconds": round(seconds, 3),
            **{name: report.figures.get(name, 0) for name in (*_HANDLED, "held")},
            "calls": dict(report.calls),
            "error": report.error,
        }
    )


def _line(told: dict[str, Any]) -> None:
    from sagezoho_pipelines.domain import json

    click.echo(json.dumps(told))


def _say(report: RunReport, seconds: float) -> None:
    told_of = (*_HANDLED, "held")
    figures = ", ".join(f"{report.figures[name]} {name}" for name in told_of if report.figures.get(name))
    told = report.error or figures or "nothing left to do"
    style = "" if report.success else output.BAD
    output.say(f"{report.connection} {report.flow}: {told}   (run {report.run_id[:8]}, {seconds:.2f} s)", style)
