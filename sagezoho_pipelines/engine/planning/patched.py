"""What would have been written to records that are there: whatever reads them later in a plan reads that."""

from __future__ import annotations

from typing import Any

from sagezoho_pipelines.domain.records import Row

#: What Zoho works out of other fields, and nobody else knows before.
SUMMED_UP = frozenset({"Grand_Total", "Sub_Total"})


class Patched:
    """The fields that a plan would have written by now, of records that are there already."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, entity: str, key: str, values: Row) -> None:
        """Of subforms nothing: what becomes of their rows only the vendor knows."""
        plain = {name: value for name, value in values.items() if name != "id" and not isinstance(value, list | tuple)}
        self._values.setdefault((entity, key), {}).update(plain)

    def over(self, entity: str, key: str, row: Row) -> Row:
        """A row as it was read, with what would have been written to its record since; none of what Zoho sums up."""
        written = self._values.get((entity, key), {})
        if not written:
            return row
        known = {name: value for name, value in row.items() if name not in SUMMED_UP}
        return {**known, **{name: value for name, value in written.items() if name in row}}
