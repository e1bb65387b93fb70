"""What either vendor is sure to refuse, as far as its own data shows before anything is sent.

A plan tells it, and the run that carries the plan out refuses the same in the same words.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine import sage_codes
from sagezoho_pipelines.engine.planning import faults
from sagezoho_pipelines.engine.planning.writes import is_placeholder
from sagezoho_pipelines.engine.ports import Sage300, ZohoCrm
from sagezoho_pipelines.engine.sage_codes import CodeSet


class Foresight:
    """Asks either vendor once for each thing it must know, aside from what the flows ask. Thread-safe."""

    def __init__(self, sage: Sage300, zoho: ZohoCrm) -> None:
        self._sage = sage
        self._zoho = zoho
        self._fields: dict[str, list[Row]] = {}
        self._codes: dict[tuple[CodeSet, str], bool] = {}
        self._there: dict[tuple[str, str], bool] = {}
        self._lock = threading.RLock()
        self.sage_reads = self.zoho_reads = self.zoho_credits = 0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Counts what is asked here for planning's own sake: a sync would not ask it."""
        sage, zoho = self._sage.usage, self._zoho.usage
        before = sage.needed_calls, zoho.needed_calls, zoho.needed_credits
        yield
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

    def of_zoho(self, module: str, row: Row, *, creating: bool) -> VendorError | None:
        """The refusal that the module's field metadata promises, or that of a record which points at none."""
        fault = faults.of_zoho_row(row, self.fields(module), creating=creating)
        if fault is not None:
            return fault
        self.look_up(module, [row])
        pointers = self._pointers(module, row)
        return next((faults.dangling(name) for name, target, key in pointers if not self._there[target, key]), None)

    def look_up(self, module: str, rows: Sequence[Row]) -> None:
        """Ask, all at once, for the records that these rows point at."""
        with self._lock:
            wanted: dict[str, set[str]] = defaultdict(set)
            for _, target, key in (pointer for row in rows for pointer in self._pointers(module, row)):
                if (target, key) not in self._there:
                    wanted[target].add(key)
            for target, keys in sorted(wanted.items()):
                with self.aside():
                    found = {str(row["id"]) for row in self._zoho.get_many(target, sorted(keys), fields=["id"])}
                self._there.update({(target, key): key in found for key in keys})

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
