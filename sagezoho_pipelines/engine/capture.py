"""Capture: stream a source, turn what is new into changes, and move the watermark only over what is durable."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sagezoho_pipelines.domain.records import CapturedRecord, EntityRef, Look, Row
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.tally import Read, Tally
from sagezoho_pipelines.engine.windows import Window

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CapturedPage:
    """One page of a source. `watermark` is where the next poll may start once this page is durable."""

    records: Sequence[CapturedRecord]
    looks: Sequence[Look] = ()
    watermark: Row | None = None


class Feed(Protocol):
    """One source of changes: an entity, how it is read, and the cheapest question whether it has anything new."""

    @property
    def flow(self) -> str: ...

    @property
    def deletions(self) -> bool:
        """Whether a record that a whole sweep does not meet is gone from its source."""
        ...

    def entity(self, ctx: Context) -> EntityRef: ...

    def pages(self, ctx: Context, window: Window) -> Iterator[CapturedPage]: ...

    def news_token(self, ctx: Context) -> str | None:
        """What there is beyond the watermark, as a short stable text; None when there is nothing.

        One cheap call. A marker that is only a date keeps saying "something" all day: whoever asks again and again
        compares the answer with the one it acted on last.
        """
        ...


def capture(ctx: Context, feed: Feed, window: Window, tally: Tally | None = None) -> Tally:
    """Read one feed to its end, counted in `tally`. Each page's changes and its watermark commit in one transaction.

    A crash loses nothing: the watermark never passed an uncommitted page, and known digests are not captured twice.
    """
    entity = feed.entity(ctx)
    tally = Tally() if tally is None else tally
    earliest = ctx.clock()  # of the moments at which this read saw records: the clock may be put back meanwhile
    before = ctx.ledger.watermark(entity)
    for page in feed.pages(ctx, window):
        at = ctx.clock()
        earliest = min(earliest, at)
        result = ctx.ledger.capture(
            entity,
            page.records,
            cause=window.cause,
            at=at,
            run_id=ctx.run_id,
            looks=page.looks,
            watermark=None if window.is_range else page.watermark,
            force=window.is_range,
        )
        tally.captured_page(result)
    if window.is_sweep and feed.deletions:
        missing = ctx.ledger.mark_missing(entity, not_seen_since=earliest, at=ctx.clock(), run_id=ctx.run_id)
        if missing:
            tally.note(f"{entity.entity}: {missing} no longer in the source")
    after = ctx.ledger.watermark(entity)
    tally.has_read(str(entity), Read((str(window),), dict(before or {}), dict(after or {})))
    log.info("captured %s: %s", entity, {k: v for k, v in tally.figures().items() if v})
    return tally
