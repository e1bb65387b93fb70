"""The rows of one module, with the orders and indexes that keep reads and duplicate checks cheap."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Field, Module

Row = dict[str, Any]


@dataclass(frozen=True)
class Deleted:
    """What /deleted tells about a row that is gone."""

    id: int
    display_name: str | None
    deleted_by: int | None
    created_by: int | None
    at: int
    permanent: bool = False


def index_key(field: Field, value: Any) -> Any:
    """Text compares without case, as Zoho's database does, unless the field says otherwise."""
    if isinstance(value, str) and not (field.unique and field.case_sensitive):
        return value.casefold()
    return value


class Table:
    """Rows by id. A stored row is never changed in place: `put` replaces it, so readers may keep one."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.rows: dict[int, Row] = {}
        self.ids: list[int] = []
        self.by_modified: list[tuple[int, int]] = []
        self.deleted: list[Deleted] = []
        self.stale: dict[int, tuple[int, Row | None]] = {}
        """Per id: until when search still shows the row as it was (None: not at all)."""
        self._indexes: dict[str, dict[Any, set[int]]] = {}

    def put(self, row: Row) -> None:
        row_id: int = row["id"]
        old = self.rows.get(row_id)
        if old is None:
            insort(self.ids, row_id)
        else:
            del self.by_modified[bisect_left(self.by_modified, (old["Modified_Time"], row_id))]
        insort(self.by_modified, (row["Modified_Time"], row_id))
        self.rows[row_id] = row
        for name, index in self._indexes.items():
            field = self.module.fields[name]
            before = index_key(field, old.get(name)) if old else None
            after = index_key(field, row.get(name))
            if before == after:
                continue
            if before is not None:
                index[before].discard(row_id)
            if after is not None:
                index.setdefault(after, set()).add(row_id)

    def remove(self, row_id: int, gone: Deleted) -> Row:
        row = self.rows.pop(row_id)
        del self.ids[bisect_left(self.ids, row_id)]
        del self.by_modified[bisect_left(self.by_modified, (row["Modified_Time"], row_id))]
        self.stale.pop(row_id, None)
        for name, index in self._indexes.items():
            key = index_key(self.module.fields[name], row.get(name))
            if key is not None:
                index[key].discard(row_id)
        self.deleted.append(gone)
        return row

    def matching(self, name: str, value: Any) -> list[int]:
        """Ids of the rows whose field equals `value`, ascending; the index is built at the first question."""
        field = self.module.fields[name]
        index = self._indexes.get(name)
        if index is None:
            index = {}
            for row_id, row in self.rows.items():
                key = index_key(field, row.get(name))
                if key is not None:
                    index.setdefault(key, set()).add(row_id)
            self._indexes[name] = index
        return sorted(index.get(index_key(field, value), ()))

    def drop_index(self, name: str) -> None:
        self._indexes.pop(name, None)

    def modified_between(self, low: int | None, high: int | None, *, descending: bool = False) -> Iterator[int]:
        """Ids by (Modified_Time, id) within the inclusive bounds."""
        start = 0 if low is None else bisect_left(self.by_modified, (low, 0))
        stop = len(self.by_modified) if high is None else bisect_right(self.by_modified, (high, 1 << 70))
        window = range(start, stop)
        for at in reversed(window) if descending else window:
            yield self.by_modified[at][1]

    def ids_between(self, low: int | None, high: int | None, *, descending: bool = False) -> Iterator[int]:
        """Ids in order within the inclusive bounds."""
        start = 0 if low is None else bisect_left(self.ids, low)
        stop = len(self.ids) if high is None else bisect_right(self.ids, high)
        window = range(start, stop)
        for at in reversed(window) if descending else window:
            yield self.ids[at]
