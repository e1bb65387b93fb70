"""Reading many records: COQL by keyset, so that no row is missed or skipped whatever Zoho's page limits are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sagezoho_pipelines.domain.criteria import Condition, Criteria
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.domain.zoho import ZohoPage
from sagezoho_pipelines.zoho_crm import coql, limits
from sagezoho_pipelines.zoho_crm.transport import Call, Reply, Transport

_PATH = f"/crm/{limits.API_VERSION}/coql"
_BY_TIME = "Modified_Time asc, id asc"
_BY_ID = "id asc"


class Reader:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def changed_since(
        self,
        module: str,
        *,
        fields: Sequence[str],
        since: datetime,
        where: Criteria = (),
        until: datetime | None = None,
    ) -> Iterator[ZohoPage]:
        """Pages in (Modified_Time, id) order. There is always a first page, though it be empty: it tells Zoho's time.

        A row changed while the read goes on may come twice, with its newer time the second time.
        """
        if coql.matches_nothing(where):
            return
        blocks = coql.split_columns(("id", "Modified_Time"), [*fields, *_tested(where)])
        base = [*coql.all_of([] if until is None else [Condition("Modified_Time", "lt", until)]), *coql.all_of(where)]
        start = f"Modified_Time >= '{coql.instant(since)}'"
        place = _Place()
        while True:
            reply = self._page(module, blocks[0], [start, *base], _BY_TIME)
            rows = _rows(reply)
            fresh = [row for row in rows if (str(row["id"]), row["Modified_Time"]) not in place.seen]
            if fresh or place.first:
                yield ZohoPage(self._whole(module, blocks, fresh, where), reply.server_time)
            if not _more(reply, rows):
                return
            if fresh:
                place = place.moved(rows)
                start = coql.after(place.time, place.id)
                continue
            # A full page of rows already read: Zoho keeps fractions of a second that it does not show, so that "later
            # than this second" began the second anew. The second is finished by id, and the read goes on after it.
            yield from self._rest_of_second(module, blocks, base, where, place)
            start = coql.after_second(place.time)
            place = _Place(first=False, time=place.time)

    def _rest_of_second(
        self, module: str, blocks: Sequence[Sequence[str]], base: Sequence[str], where: Criteria, place: _Place
    ) -> Iterator[ZohoPage]:
        last = "0"
        while True:
            reply = self._page(module, blocks[0], [coql.within_second(place.time, last), *base], _BY_ID)
            rows = _rows(reply)
            fresh = [row for row in rows if (str(row["id"]), row["Modified_Time"]) not in place.seen]
            if fresh:
                yield ZohoPage(self._whole(module, blocks, fresh, where), reply.server_time)
            if not _more(reply, rows):
                return
            last = str(rows[-1]["id"])

    def find(self, module: str, *, where: Criteria, fields: Sequence[str], limit: int | None = None) -> list[Row]:
        """All rows that match, in id order within each part of a long `in`. Zoho may compare texts without regard to
        case: whoever looks for an exact key compares again."""
        if coql.matches_nothing(where) or limit == 0:
            return []
        parts = list(coql.split_in(where))
        if len(parts) == 1:
            return self._find(module, where, fields, limit)
        found: dict[str, Row] = {}
        for rows in self._each(parts, lambda part: self._find(module, part, fields, limit)):
            found.update((str(row["id"]), row) for row in rows)
        return list(found.values())[:limit]

    def _find(self, module: str, where: Criteria, fields: Sequence[str], limit: int | None) -> list[Row]:
        blocks = coql.split_columns(("id",), [*fields, *_tested(where)])
        base = coql.all_of(where)
        found: list[Row] = []
        last = ""
        while limit is None or len(found) < limit:
            size = limits.COQL_ROWS if limit is None else min(limits.COQL_ROWS, limit - len(found))
            after = [f"id > {coql.text(last)}"] if last else []
            reply = self._page(module, blocks[0], [*base, *after] or ["id is not null"], _BY_ID, size)
            rows = _rows(reply)
            found.extend(self._whole(module, blocks, rows, where))
            if not _more(reply, rows, size):
                break
            last = str(rows[-1]["id"])
        return found[:limit]

    def _each(self, parts: Sequence[Any], read: Callable[[Any], list[Row]]) -> list[list[Row]]:
        with ThreadPoolExecutor(max_workers=min(len(parts), self._transport.concurrency)) as pool:
            return list(pool.map(read, parts))

    def _whole(self, module: str, blocks: Sequence[Sequence[str]], rows: Sequence[Row], where: Criteria) -> list[Row]:
        """The rows with the columns that did not fit into the first query. One deleted in between is left out: half a
        row would look like emptied fields."""
        kept = [row for row in rows if coql.prefix_matches(row, where)]
        for block in blocks[1:]:
            if not kept:
                break
            more: dict[str, Row] = {}
            for ids in coql.chunked([str(row["id"]) for row in kept], limits.COQL_IN_VALUES):
                test = coql.condition(Condition("id", "in", list(ids)))
                more.update((str(row["id"]), row) for row in _rows(self._page(module, block, [test], _BY_ID)))
            kept = [{**more[str(row["id"])], **row} for row in kept if str(row["id"]) in more]
        return kept

    def _page(
        self, module: str, columns: Sequence[str], tests: Sequence[str], order: str, limit: int = limits.COQL_ROWS
    ) -> Reply:
        query = coql.select(columns, module, coql.pair(tests), order, limit)
        return self._transport.send(
            Call(
                name=f"coql {module}", method="POST", path=_PATH, body={"select_query": query}, heavy=True,
                credits=limits.coql_credits(limit), module=module,
            )
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a read has come: the last row's second and id, and the rows of that second already handed out."""

    first: bool = True
    time: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    id: str = ""
    seen: frozenset[tuple[str, Any]] = frozenset()

    def moved(self, rows: Sequence[Row]) -> _Place:
        last = rows[-1]
        time = modified_time(last)
        same = frozenset((str(row["id"]), row["Modified_Time"]) for row in rows if modified_time(row) == time)
        return _Place(False, time, str(last["id"]), same | self.seen if time == self.time else same)


def modified_time(row: Row) -> datetime:
    """The instant of a row; Zoho writes it in the token user's own zone."""
    return instant(str(row["Modified_Time"]))


def instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _tested(where: Criteria) -> list[str]:
    return [each.field for each in where if each.operator == "starts_with"]


def _rows(reply: Reply) -> list[Row]:
    data = reply.body.get("data") if reply.body else None
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []


def _more(reply: Reply, rows: Sequence[Row], limit: int = limits.COQL_ROWS) -> bool:
    """Full pages are followed even where Zoho says that was all, and shorter ones where it says there is more."""
    info = reply.body.get("info") if reply.body else None
    told = bool(info.get("more_records")) if isinstance(info, dict) else False
    return bool(rows) and (told or len(rows) >= limit)
