"""Fields that an organisation wants to be unique, besides our own key.

An upsert finds its record by the field it names, and where that finds none, by every other unique field: a new vendor
with the tax number of an account that is there would be written over that account. An insert is refused instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine.context import Context


def to_insert(ctx: Context, module: str, rows: Mapping[int, Row], *, key: str, others: Iterable[str]) -> Sequence[int]:
    """Of new records, by place, those that an upsert might write over another one's: they hold something in a unique
    field besides `key`, and no record carries their key yet."""
    names = sorted(others)
    risky = {place: _folded(row, key) for place, row in rows.items() if any(_folded(row, name) for name in names)}
    if not risky:
        return []
    keys = sorted({str(rows[place][key]) for place in risky})
    found = ctx.zoho.find(module, where=[where(key, "in", keys)], fields=[key])
    there = {_folded(record, key) for record in found}
    return [place for place, mine in risky.items() if mine not in there]


def _folded(row: Row, name: str) -> str:
    """Zoho compares without regard to case."""
    return str(row.get(name) or "").strip().casefold()
