"""Reading records by id, and what was deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.zoho_crm import coql, limits
from sagezoho_pipelines.zoho_crm.errors import refused_here
from sagezoho_pipelines.zoho_crm.transport import Call, Reply, Transport


class Records:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, module: str, record_id: str) -> Row | None:
        """The whole record: only this call gives subforms, multi-select lookups and long texts uncut."""
        reply = self._read(f"get {module}", module, f"/{_id(record_id)}")
        rows = _data(reply)
        return rows[0] if rows else None

    def get_many(self, module: str, ids: Sequence[str], *, fields: Sequence[str]) -> list[Row]:
        """Those that exist, in the order of `ids`, without subforms. More than 50 fields are read in several calls; a
        record deleted between them is left out."""
        wanted = list(dict.fromkeys(_id(each) for each in ids))
        names = [name for name in dict.fromkeys(coql.name(field) for field in fields) if name != "id"] or [
            "Modified_Time"
        ]
        jobs = [
            (chunk, columns)
            for chunk in coql.chunked(wanted, limits.IDS_PER_GET)
            for columns in coql.chunked(names, limits.FIELDS_PER_GET)
        ]
        if not jobs:
            return []
        blocks = -(-len(names) // limits.FIELDS_PER_GET)
        found: dict[str, list[Row]] = {}
        for rows in self._each(module, jobs):
            for row in rows:
                found.setdefault(str(row["id"]), []).append(row)
        whole = [found[each] for each in wanted if len(found.get(each, ())) == blocks]
        return [{name: value for part in parts for name, value in part.items()} for parts in whole]

    def deleted_since(self, module: str, since: datetime) -> Iterator[Row]:
        """Recycled and purged records, whose `deleted_time` is at or after `since`; merges and restores leave no trace.

        Zoho keeps recycled ones for 60 days and tells of purged ones for about 120. One may come twice when records
        are deleted while this reads.
        """
        # Whether the header's own second is included is not documented: asking from the second before is right anyway.
        headers = {"If-Modified-Since": coql.instant(since - timedelta(seconds=1))}
        page, before = 1, frozenset[str]()
        while True:
            params = {"type": "all", "page": str(page), "per_page": str(limits.DELETED_PER_PAGE)}
            reply = self._read(f"deleted {module}", module, "/deleted", params, headers)
            rows = _data(reply)
            yield from (row for row in rows if str(row.get("id")) not in before)
            if not rows or not (_more(reply) or len(rows) >= limits.DELETED_PER_PAGE):
                return
            page, before = page + 1, frozenset(str(row.get("id")) for row in rows)

    def _each(self, module: str, jobs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> list[list[Row]]:
        def one(job: tuple[Sequence[str], Sequence[str]]) -> list[Row]:
            ids, columns = job
            params = {"ids": ",".join(ids), "fields": ",".join(columns), "per_page": "200"}
            return _data(self._read(f"get_many {module}", module, "", params))

        if len(jobs) == 1:
            return [one(jobs[0])]
        with ThreadPoolExecutor(max_workers=min(len(jobs), self._transport.concurrency)) as pool:
            return list(pool.map(one, jobs))

    def _read(
        self,
        name: str,
        module: str,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        return self._transport.send(
            Call(
                name=name, method="GET", path=f"/crm/{limits.API_VERSION}/{coql.module_name(module)}{path}",
                params=params or {}, headers=headers or {}, module=module,
            )
        )  # fmt: skip


def _id(record_id: str) -> str:
    """Ids come from notifications too, so nothing but digits may reach the address."""
    if not (record_id.isascii() and record_id.isdigit()):
        raise refused_here(f"{record_id!r} is not the id of a Zoho record.", field="id")
    return record_id


def _data(reply: Reply) -> list[Row]:
    data: Any = reply.body.get("data") if reply.body else None
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []


def _more(reply: Reply) -> bool:
    info = reply.body.get("info") if reply.body else None
    return isinstance(info, dict) and bool(info.get("more_records"))
