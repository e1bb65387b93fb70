"""Value maps: two columns that say what one side's code is called on the other, e.g. terms, countries, stages."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.errors import ConfigurationError

HEADER = ("from", "to")


@dataclass(frozen=True)
class ValueMap:
    """`entries` by what the source says, `lines` where each stands in the file `where`."""

    name: str
    where: str
    entries: Mapping[str, str]
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    @cached_property
    def fingerprint(self) -> str:
        return digest(self.entries)

    def find(self, value: Any) -> str | None:
        """What the map says for a value, blanks at its ends left out; None where it has no entry."""
        return self.entries.get(str(value).strip())


def read(text: str, name: str, where: str) -> ValueMap:
    """Read a CSV file with the header `from,to` (or `from;to`). Raises ConfigurationError naming file and line."""
    head = text.splitlines()[0] if text.strip() else ""
    delimiter = ";" if ";" in head and "," not in head else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    entries: dict[str, str] = {}
    lines: dict[str, int] = {}
    try:
        for number, row in enumerate(rows):
            cells = [cell.strip() for cell in row]
            if number == 0:
                _require_header(cells, where)
            elif any(cells):
                _add(cells, rows.line_num, where, entries, lines)
    except csv.Error as error:
        raise ConfigurationError(f"{where}:{rows.line_num}: not valid CSV: {error}") from None
    if not lines and not head:
        _require_header([], where)
    return ValueMap(name, where, entries, lines)


def _require_header(cells: list[str], where: str) -> None:
    if tuple(cell.casefold() for cell in cells) != HEADER:
        raise ConfigurationError(f"{where}:1: the first line must be the header 'from,to', not {','.join(cells)!r}")


def _add(cells: list[str], line: int, where: str, entries: dict[str, str], lines: dict[str, int]) -> None:
    if len(cells) != len(HEADER):
        raise ConfigurationError(
            f"{where}:{line}: two columns are expected, from and to, not {len(cells)}; quote a value that holds a comma"
        )
    source, target = cells
    if not source:
        raise ConfigurationError(f"{where}:{line}: the column 'from' is empty")
    if source in lines:
        raise ConfigurationError(f"{where}:{line}: {source!r} is there twice (first in line {lines[source]})")
    entries[source], lines[source] = target, line
