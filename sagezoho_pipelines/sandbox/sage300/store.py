"""The company's tables: rows by key, in key order, with answers to repeated filters kept until the next write."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sagezoho_pipelines.sandbox.sage300.catalog import EntitySet
from sagezoho_pipelines.sandbox.sage300.keys import Key
from sagezoho_pipelines.sandbox.sage300.schema import Row

Predicate = Callable[[Row], bool]
_CACHED_FILTERS = 32


class Table:
    """Rows of one entity set. A stored row is never changed in place: put a new dict instead."""

    def __init__(self, entity: EntitySet) -> None:
        self.entity = entity
        self.version = 0
        self._rows: dict[Key, Row] = {}
        self._keys: list[Key] = []
        self._answers: dict[str, tuple[int, list[Key]]] = {}
        self._indexes: dict[str, dict[Any, set[Key]]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Row]:
        return (self._rows[key] for key in list(self._keys))

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    @property
    def keys(self) -> list[Key]:
        return self._keys

    def key_of(self, row: Row) -> Key:
        get = self.entity.type.get
        return tuple(value.rstrip() if isinstance(value := get(row, name), str) else value for name in self.entity.key)

    def get(self, *key: Any) -> Row | None:
        return self._rows.get(key)

    def put(self, row: Row) -> Row:
        key = self.key_of(row)
        if self.entity.twin:
            row = {**row, self.entity.twin: row[self.entity.key[0]]}
        old = self._rows.get(key)
        if old is None:
            # Seeding comes in key order, which makes the append the usual case.
            if not self._keys or key > self._keys[-1]:
                self._keys.append(key)
            else:
                insort(self._keys, key)
        self._rows[key] = row
        self._reindex(key, old, row)
        self.version += 1
        return row

    def change(self, row: Row, **values: Any) -> Row:
        """Stores a copy of the row with these values changed."""
        return self.put({**row, **values})

    def delete(self, key: Key) -> None:
        old = self._rows.pop(key)
        del self._keys[bisect_left(self._keys, key)]
        self._reindex(key, old, None)
        self.version += 1

    def where(self, **values: Any) -> list[Row]:
        """Rows whose properties equal the values, in key order."""
        (first, value), *rest = values.items()
        get = self.entity.type.get
        found = (self._rows[key] for key in sorted(self._index(first).get(value, ())))
        return [row for row in found if all(get(row, name) == wanted for name, wanted in rest)]

    def matching(self, text: str, predicate: Predicate, equal: tuple[tuple[str, Any], ...]) -> list[Key]:
        """Keys of the rows a filter lets through; `equal` are equalities that any such row must meet."""
        held = self._answers.get(text)
        if held is not None and held[0] == self.version:
            return held[1]
        candidates: Iterable[Key] = self._keys
        if equal:
            name, value = equal[0]
            candidates = sorted(self._index(name).get(value, ()))
        rows = self._rows
        keys = [key for key in candidates if predicate(rows[key])]
        if len(self._answers) >= _CACHED_FILTERS:
            self._answers.pop(next(iter(self._answers)))
        self._answers[text] = (self.version, keys)
        return keys

    def rows(self, keys: Iterable[Key]) -> list[Row]:
        return [self._rows[key] for key in keys]

    def _index(self, name: str) -> dict[Any, set[Key]]:
        index = self._indexes.get(name)
        if index is None:
            index = self._indexes[name] = {}
            for key, row in self._rows.items():
                index.setdefault(self._indexed(row, name), set()).add(key)
        return index

    def _indexed(self, row: Row, name: str) -> Any:
        value = self.entity.type.get(row, name)
        return value.rstrip() if isinstance(value, str) else value

    def _reindex(self, key: Key, old: Row | None, new: Row | None) -> None:
        for name, index in self._indexes.items():
            if old is not None:
                index.get(self._indexed(old, name), set()).discard(key)
            if new is not None:
                index.setdefault(self._indexed(new, name), set()).add(key)
