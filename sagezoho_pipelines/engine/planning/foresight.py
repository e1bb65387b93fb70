"""What either vendor is sure to refuse, as far as its own data shows before anything is sent.

A plan tells it, and the run that carries the plan out refuses the same in the same words.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine import sage_codes
from sagezoho_pipelines.engine.planning import faults
from sagezoho_pipelines.engine.planning.writes import is_placeholder
from sagezoho_pipelines.engine.ports import Sage300, ZohoCrm
from sagezoho_pipelines.engine.sage_codes import CodeSet

#: Module, unique field, and what it holds: Zoho compares without regard to case.
_Value = tuple[str, str, str]


class Foresight:
    """Asks either vendor once for each thing it must know, aside from what the flows ask. Thread-safe."""

    def __init__(self, sage: Sage300, zoho: ZohoCrm) -> None:
        self._sage = sage
        self._zoho = zoho
        self._fields: dict[str, list[Row]] = {}
        self._codes: dict[tuple[CodeSet, str], bool] = {}
        self._there: dict[tuple[str, str], bool] = {}
        self._owners: dict[_Value, str] = {}
        self._planned: dict[_Value, str] = {}
        self._given_up: set[tuple[str, str, str]] = set()
        self._lock = threading.RLock()
        self._aside = False
        self.sage_reads = self.zoho_reads = self.zoho_credits = 0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Counts what is asked here for planning's own sake: a sync would not ask it."""
        if self._aside:
            yield
            return
        self._aside, sage, zoho = True, self._sage.usage, self._zoho.usage
        before = sage.needed_calls, zoho.needed_calls, zoho.needed_credits
        try:
            yield
        finally:
            self._aside = False
        self.sage_reads += sage.needed_calls - before[0]
        self.zoho_reads += zoho.needed_calls - before[1]
        self.zoho_credits += zoho.needed_credits - before[2]

    def of_sage(self, entity_set: str, body: Row) -> VendorError | None:
        """The refusal of a text that is too wide, or of a code that the company does not have."""
        fault = faults.of_sage_row(entity_set, body)
        if fault is not None:
            return fault
        for field, (title, codes) in sage_codes.REFERENCES.get(entity_set, {}).items():
            value = str(body.get(field) or "").strip().upper()
            if value and not self._knows(codes, value):
                return faults.unknown_code(field, title, value)
        return None

    def of_zoho(self, module: str, row: Row, *, record_id: str, known_by: Sequence[str] = ()) -> VendorError | None:
        """The refusal that the module's field metadata promises, of a record that points at none, or of a value that
        another record holds in a unique field.

        `record_id` is empty for a new record; `known_by` are the fields that an upsert finds its record by.
        """
        fault = faults.of_zoho_row(row, self.fields(module), creating=not record_id)
        if fault is not None:
            return fault
        self.look_up(module, [row], known_by=known_by)
        for name, target, key in self._pointers(module, row):
            if not self._there[target, key]:
                return faults.dangling(name)
        for value, _ in self._unique(module, row, known_by):
            if self._is_taken(value, record_id):
                return faults.duplicate(value[1])
        return None

    def look_up(self, module: str, rows: Sequence[Row], *, known_by: Sequence[str] = ()) -> None:
        """Ask, all at once, for the records that these rows point at, and for those that hold their unique values."""
        with self._lock, self.aside():
            wanted: dict[str, set[str]] = defaultdict(set)
            for _, target, key in (pointer for row in rows for pointer in self._pointers(module, row)):
                if (target, key) not in self._there:
                    wanted[target].add(key)
            for target, keys in sorted(wanted.items()):
                found = {str(row["id"]) for row in self._zoho.get_many(target, sorted(keys), fields=["id"])}
                self._there.update({(target, key): key in found for key in keys})
            values: dict[str, set[str]] = defaultdict(set)
            for value, text in (value for row in rows for value in self._unique(module, row, known_by)):
                if value not in self._owners:
                    values[value[1]].add(text)
                    self._owners[value] = ""
            for name, texts in sorted(values.items()):
                for row in self._zoho.find(module, where=[where(name, "in", sorted(texts))], fields=[name]):
                    self._owners[module, name, str(row[name]).casefold()] = str(row["id"])

    def took(self, module: str, record_id: str, row: Row) -> None:
        """A planned write gives a record these values, in place of those it had."""
        with self._lock:
            for value, _ in self._unique(module, row, ()):
                self._given_up.add((module, record_id, value[1]))
                self._planned[value] = record_id

    def _is_taken(self, value: _Value, own: str) -> bool:
        module, name, _ = value
        owner, planned = self._owners[value], self._planned.get(value, "")
        held = owner not in ("", own) and (module, owner, name) not in self._given_up
        return held or planned not in ("", own)

    def _unique(self, module: str, row: Row, known_by: Sequence[str]) -> Iterator[tuple[_Value, str]]:
        """The values of a row that no other record may hold, and each as it is written."""
        for field in self.fields(module):
            name = str(field.get("api_name"))
            if field.get("unique") and name not in known_by and isinstance(row.get(name), str) and row[name].strip():
                yield (module, name, row[name].strip().casefold()), row[name].strip()

    def _pointers(self, module: str, row: Row) -> Iterator[tuple[str, str, str]]:
        """Where a row, or a line in it, points at another record: the path, the module and the id."""
        for field in self.fields(module):
            name, value = str(field.get("api_name")), row.get(str(field.get("api_name")))
            target, lines = _module_of(field.get("lookup")), _module_of(field.get("associated_module"))
            if target and isinstance(value, Mapping) and value.get("id") and not is_placeholder(value["id"]):
                yield f"{name}.id", target, str(value["id"])
            elif lines and isinstance(value, list | tuple):
                for at, line in enumerate(one for one in value if isinstance(one, Mapping)):
                    for path, pointed, key in self._pointers(lines, line):
                        yield f"{name}[{at}].{path}", pointed, key

    def unlisted(self, module: str, row: Row) -> list[tuple[str, str]]:
        return faults.unlisted(row, self.fields(module))

    def fields(self, module: str) -> list[Row]:
        with self._lock:
            if module not in self._fields:
                with self.aside():
                    self._fields[module] = self._zoho.fields(module)
            return self._fields[module]

    def _knows(self, codes: CodeSet, value: str) -> bool:
        """What cannot be looked up is not doubted: Sage will say."""
        with self._lock:
            if (codes, value) not in self._codes:
                with self.aside():
                    self._codes[codes, value] = self._asked(codes, value)
            return self._codes[codes, value]

    def _asked(self, codes: CodeSet, value: str) -> bool:
        try:
            answer = sage_codes.ask(self._sage, codes, value)
        except VendorError as error:
            if error.code != "Forbidden":
                raise
            return True
        return answer is None or answer.exists


def _module_of(told: Any) -> str:
    """The module that field metadata names: as itself, or by its names and id."""
    module = told.get("module") if isinstance(told, Mapping) else None
    return str(module.get("api_name") or "") if isinstance(module, Mapping) else str(module or "")
