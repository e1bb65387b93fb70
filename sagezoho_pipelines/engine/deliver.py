"""Delivery: claim due changes, hand them to the flow's handler, settle them. The one path for every cause."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from sagezoho_pipelines.domain.errors import MappingFailed, SagezohoError, VendorError, Verdict
from sagezoho_pipelines.domain.records import Change, EntityRef, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import guards, left_alone, pausing, settling
from sagezoho_pipelines.engine import write_back as write_backs
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.pairing import questions
from sagezoho_pipelines.engine.tally import Tally

log = logging.getLogger(__name__)


class Handler(Protocol):
    """How one source entity's changes reach the other side."""

    @property
    def flow(self) -> str: ...

    @property
    def target(self) -> tuple[System, str]: ...

    @property
    def batch(self) -> int:
        """How many changes one worker claims at once."""
        ...

    def source(self, ctx: Context) -> EntityRef: ...

    def workers(self, ctx: Context) -> int:
        """How many batches may be under way at once in this process."""
        ...

    def prepare(self, ctx: Context) -> None:
        """Ask once, before anything is claimed, for what the whole run needs; raises what a person must mend."""
        ...

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        """Deliver a batch: one settlement for each change. A VendorError concerns the whole batch."""
        ...


def deliver(ctx: Context, handler: Handler, *, write_back: bool = True, tally: Tally | None = None) -> Tally:
    """Deliver until nothing is due, unless a guard stops it before the first write: everything is captured by then.

    A fatal error stops the run; what was claimed is given back untouched. What is done is counted in `tally` while it
    happens, so that it holds what came before an error.
    Then what became of the records is written back to them. That fails without harm: it is a note, and tried again.
    """
    tally = Tally() if tally is None else tally
    _drain(ctx, handler, tally)
    if not write_back or not write_backs.concerns(handler.source(ctx)):
        return tally
    try:
        told = Tally()
        _drain(replace(ctx, stop=threading.Event()), write_backs.WriteBackHandler(), told)
    except VendorError as error:
        tally.note(f"Zoho was not told what became of its records, which is tried again: {error}")
        return tally
    if told.left_over:
        tally.note(f"{told.left_over} records of Zoho were not told what became of them: 'sagezoho inbox' says why")
    return tally


def _drain(ctx: Context, handler: Handler, tally: Tally) -> None:
    hold = guards.held_back(ctx, handler.flow, handler.source(ctx))
    waiting = ctx.ledger.open_changes(handler.source(ctx))
    if hold is not None:
        tally.stopped(hold, waiting)
    if hold is not None or waiting == 0:
        return
    handler.prepare(ctx)
    with ThreadPoolExecutor(handler.workers(ctx), thread_name_prefix=handler.flow) as pool:
        futures = [pool.submit(_work, ctx, handler, tally) for _ in range(handler.workers(ctx))]
        problems = [problem for problem in (future.exception() for future in futures) if problem is not None]
    if problems:
        raise problems[0]
    log.info("delivered %s: %s", handler.source(ctx), {k: v for k, v in tally.figures().items() if v})


def _work(ctx: Context, handler: Handler, tally: Tally) -> None:
    source = handler.source(ctx)
    while not ctx.stop.is_set():
        changes = ctx.ledger.claim(
            source,
            worker=ctx.worker,
            limit=handler.batch,
            lease_seconds=ctx.settings.lease_seconds,
            at=ctx.clock(),
            run_id=ctx.run_id,
        )
        if not changes:
            return
        try:
            wanted, passed = left_alone.passed_over(ctx, source, handler.flow, handler.target, changes)
            done = _attempt(ctx, handler, wanted) if wanted else []
            done = questions.answered(ctx, source, handler.flow, handler.target, done)
            settlements = write_backs.announced(ctx, source, [*passed, *done])
            settling.settle(ctx, settlements, handler.flow, target=handler.target)
        except BaseException:
            ctx.stop.set()
            _give_back(ctx, changes)
            raise
        tally.settled(settlements)


def _attempt(ctx: Context, handler: Handler, changes: Sequence[Change]) -> list[Settlement]:
    """Deliver a batch. One record that breaks the handler is refused by itself; the others still go through.

    Raises what concerns the whole connection: fatal vendor errors, a vendor that turns every call away, a database
    that is gone, a missing credential.
    """
    try:
        return list(handler.deliver(ctx, changes))
    except VendorError as error:
        if error.verdict is Verdict.FATAL or pausing.concerns_all(error):
            raise
        return [settling.failed(ctx, handler.flow, change, error, target=handler.target) for change in changes]
    except Exception as error:
        if isinstance(error, SagezohoError) and not isinstance(error, MappingFailed):
            raise
        if len(changes) > 1:
            # Halves, since a batch of hundreds with one bad record should not become hundreds of calls.
            middle = len(changes) // 2
            return [*_attempt(ctx, handler, changes[:middle]), *_attempt(ctx, handler, changes[middle:])]
        log.exception("%s %s could not be delivered", changes[0].entity, changes[0].key)
        return [settling.failed(ctx, handler.flow, changes[0], _unexpected(error), target=handler.target)]


def _unexpected(error: Exception) -> VendorError:
    if isinstance(error, MappingFailed):
        advice = "correct the source record or the mapping, then retry it"
        return settling.refusal("MAPPING_FAILED", str(error), advice=advice)
    advice = "this is a fault of ours: the run's log has the details; please report it"
    return settling.refusal("UNEXPECTED", f"{type(error).__name__}: {error}", advice=advice)


def _give_back(ctx: Context, changes: Sequence[Change]) -> None:
    ctx.ledger.release(changes, retry_at=ctx.clock() + timedelta(seconds=1))
