"""The two ways a source can be read for changes: by a Sage date marker, and by Zoho's Modified_Time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain

from sagezoho_pipelines.domain.criteria import Criteria, where
from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.records import CapturedRecord, EntityRef, Look, Row
from sagezoho_pipelines.domain.zoho import ZohoPage
from sagezoho_pipelines.engine.capture import CapturedPage
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.windows import Window

#: Zoho shows a write in COQL only after its transaction: a poll starts this long before Zoho's own clock at the last.
ZOHO_SETTLING = timedelta(seconds=60)

#: How far back Zoho tells of recycled records.
ZOHO_TELLS_DELETIONS = timedelta(days=60)

#: How many of the newer rows a sensor's question looks at: what one credit buys.
_NEWS_ROWS = 200


@dataclass(frozen=True)
class SageDateFeed:
    """A Sage entity set with a date-only change marker.

    The marker is the session date of whoever saved, so it can be set back: every poll re-reads `overlap_days`, and
    digests tell what is new. Pages come in key order, not by date, so the watermark moves once, after the last page,
    and never past today: a post-dated session would hide everything until that day.

    `deletions`: what a whole sweep does not meet is gone from Sage; of posted documents nothing goes, and some are
    captured in another way. `overlooked` makes looks of what a sweep meets and no poll can have seen to.
    """

    flow: str
    name: str
    entity_set: str
    key: str
    marker: str
    label: str
    select: Callable[[Context], Sequence[str]]
    digested: Callable[[Context], Sequence[str]]
    overlap_days: Callable[[Context], int]
    wanted: Callable[[Context, Sequence[Row]], Sequence[Row]] = lambda _ctx, rows: rows
    keep_payload: bool = True
    record_key: Callable[[Row], str] | None = None
    settled: Callable[[Context, Sequence[Row]], Collection[str]] = lambda _ctx, _rows: ()
    deletions: bool = True
    overlooked: Callable[[Context, Sequence[Row]], Sequence[Look]] = lambda _ctx, _rows: ()

    def entity(self, ctx: Context) -> EntityRef:
        return ctx.sage_entity(self.name)

    def pages(self, ctx: Context, window: Window) -> Iterator[CapturedPage]:
        newest = self._watermark(ctx)
        columns = sorted({*self.select(ctx), self.key, self.marker})
        digested = self.digested(ctx)
        today = ctx.today
        for rows in ctx.sage.pages(self.entity_set, select=columns, where=self._where(ctx, window)):
            for row in rows:
                marked = as_date(row.get(self.marker))
                if marked is not None and marked <= today and (newest is None or marked > newest):
                    newest = marked
            kept = self.wanted(ctx, rows)
            settled = self.settled(ctx, kept)
            looks = self.overlooked(ctx, rows) if window.is_sweep else ()
            yield CapturedPage([self._record(row, digested, settled) for row in kept], looks)
        if newest is not None:
            yield CapturedPage([], watermark={"date": newest.isoformat()})

    def news_token(self, ctx: Context) -> str | None:
        """Tells the rows at or after the watermark's own day apart, up to one page of them: a poll finds the rest."""
        mark = self._watermark(ctx)
        since = [] if mark is None else [where(self.marker, "ge", mark)]
        columns = sorted({*self.digested(ctx), self.key, self.marker})
        return _token(ctx.sage.find(self.entity_set, where=since, select=columns, limit=ctx.settings.sage300.page_size))

    def _where(self, ctx: Context, window: Window) -> Criteria:
        if window.start is not None and window.end is not None:
            return [where(self.marker, "ge", window.start), where(self.marker, "le", window.end)]
        mark = self._watermark(ctx)
        if window.is_sweep or mark is None:
            return []
        return [where(self.marker, "ge", mark - timedelta(days=self.overlap_days(ctx)))]

    def _watermark(self, ctx: Context) -> date | None:
        """No later than today: a clock that was ahead may have let it pass the date of a post-dated session."""
        mark = ctx.ledger.watermark(self.entity(ctx))
        return min(date.fromisoformat(str(mark["date"])), ctx.today) if mark else None

    def _record(self, row: Row, digested: Sequence[str], settled: Collection[str]) -> CapturedRecord:
        key = self.record_key(row) if self.record_key else str(row[self.key])
        name = str(row.get(self.label) or "")
        payload = row if self.keep_payload else None
        return CapturedRecord(key, digest(row, digested), payload, name, key in settled)


@dataclass(frozen=True)
class ZohoFeed:
    """A Zoho module read by keyset over (Modified_Time, id), from a little before Zoho's own clock at the last poll.

    `deleted` makes looks of the ids that were deleted since, `waiting` of records that waited for something that has
    come, or that something else was changed for since then.
    """

    flow: str
    name: str
    module: str
    label: str
    select: Callable[[Context], Sequence[str]]
    digested: Callable[[Context], Sequence[str]]
    conditions: Callable[[Context], Criteria]
    overlap: Callable[[Context], timedelta]
    looks: Callable[[Context, Sequence[Row], Window], Sequence[Look]] = lambda _ctx, _rows, _window: ()
    wanted: Callable[[Context, Sequence[Row]], Sequence[Row]] = lambda _ctx, rows: rows
    first: Callable[[Context], datetime] = lambda _ctx: datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    settled: Callable[[Context, Sequence[Row]], Collection[str]] = lambda _ctx, _rows: ()
    deleted: Callable[[Context, Sequence[str]], Sequence[Look]] | None = None
    waiting: Callable[[Context, datetime], Sequence[Look]] | None = None
    deletions: bool = True

    def entity(self, ctx: Context) -> EntityRef:
        return ctx.zoho_entity(self.name)

    def pages(self, ctx: Context, window: Window) -> Iterator[CapturedPage]:
        since, until = self._bounds(ctx, window)
        newest = self._watermark(ctx)
        digested = self.digested(ctx)
        reads_deletions = self.deleted is not None and not window.is_range
        told_at: datetime | None = None  # Zoho's clock before it was asked for deletions
        pages = self._read(ctx, since, until)
        first = next(pages, None)
        if first is not None and newest is not None and first.server_time < newest and not window.is_range:
            # Zoho's clock was put back: nobody knows how far back the times of later edits begin.
            since, newest = self.first(ctx), None
            pages, first = self._read(ctx, since, until), None
        for page in pages if first is None else chain([first], pages):
            if reads_deletions and told_at is None:
                # Before anything moves the watermark: a deletion has no row whose time would hold it back.
                told_at = page.server_time
                yield self._deletions(ctx, since)
            seen = [datetime.fromisoformat(str(row["Modified_Time"])) for row in page.rows]
            reached = min([max(seen), (told_at or page.server_time) - ZOHO_SETTLING]) if seen else None
            if reached is not None and (newest is None or reached > newest):
                newest = reached
            mark = {"modified_time": newest.isoformat()} if newest else None
            kept = self.wanted(ctx, page.rows)
            settled = self.settled(ctx, kept)
            records = [self._record(row, digested, settled) for row in kept]
            yield CapturedPage(records, self.looks(ctx, kept, window), mark)
        if self.waiting is not None and not window.is_range:
            yield CapturedPage([], self.waiting(ctx, since))

    def _read(self, ctx: Context, since: datetime, until: datetime | None) -> Iterator[ZohoPage]:
        columns = sorted({*self.select(ctx), "id", "Modified_Time"})
        return ctx.zoho.changed_since(self.module, fields=columns, since=since, until=until, where=self.conditions(ctx))

    def _deletions(self, ctx: Context, since: datetime) -> CapturedPage:
        """What Zoho tells of deletions, which no query shows; merged records are not among them."""
        assert self.deleted is not None
        rows = ctx.zoho.deleted_since(self.module, max(since, ctx.clock() - ZOHO_TELLS_DELETIONS))
        return CapturedPage([], self.deleted(ctx, [str(row["id"]) for row in rows]))

    def news_token(self, ctx: Context) -> str | None:
        mark = self._watermark(ctx) or self.first(ctx)
        newer = [where("Modified_Time", "gt", mark), *self.conditions(ctx)]
        return _token(ctx.zoho.find(self.module, where=newer, fields=["id", "Modified_Time"], limit=_NEWS_ROWS))

    def _bounds(self, ctx: Context, window: Window) -> tuple[datetime, datetime | None]:
        if window.is_range:
            return window.instants(ctx.zone)
        mark = self._watermark(ctx)
        if mark is None or window.is_sweep:
            return self.first(ctx), None
        usual = mark - self.overlap(ctx)
        return (usual if window.since is None else min(usual, window.since)), None

    def _watermark(self, ctx: Context) -> datetime | None:
        mark = ctx.ledger.watermark(self.entity(ctx))
        return datetime.fromisoformat(str(mark["modified_time"])) if mark else None

    def _record(self, row: Row, digested: Sequence[str], settled: Collection[str]) -> CapturedRecord:
        key, name = str(row["id"]), str(row.get(self.label) or "")
        return CapturedRecord(key, digest(row, digested), row, name, key in settled)


def _token(rows: Sequence[Row]) -> str | None:
    """A digest of the rows, whatever their order."""
    return digest({"rows": sorted(digest(row) for row in rows)})[:16] if rows else None


def as_date(value: object) -> date | None:
    """A Sage date (`2026-01-31T00:00:00Z`) as the day it names, whatever the zone."""
    text = str(value or "")[:10]
    return date.fromisoformat(text) if text else None
