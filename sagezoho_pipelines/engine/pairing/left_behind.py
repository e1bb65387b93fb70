"""Zoho records that an earlier attempt made and was cut off before it could link: found by the unique Sage key.

The upsert of the next attempt would find them by itself, and write over what people have typed there since. Of a record
that nobody has touched that does no harm, and completes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.records import Change, Row
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.pairing import pairs

_TIMES = ("Created_Time", "Modified_Time", "Modified_By")


def edited_since(ctx: Context, module: str, unique: str, new: Mapping[str, Change]) -> dict[str, Row]:
    """Of records without a link, by their unique Sage key, those that are in Zoho already and that somebody has edited.

    A first sync into an organisation where no record carries a key asks only once.
    """
    asked = [key for key, change in new.items() if change.attempt > 1 or _any(ctx, module, unique)]
    if not asked:
        return {}
    rows = ctx.zoho.find(module, where=[where(unique, "in", sorted(asked))], fields=[unique, *_TIMES])
    found = {str(row[unique]): row for row in rows if not _is_untouched(ctx, row)}
    return {key: found[key] for key in asked if key in found}


def _any(ctx: Context, module: str, unique: str) -> bool:
    """Whether any record carried a key when this run began to make some."""

    def ask() -> Sequence[Row]:
        return ctx.zoho.find(module, where=[where(unique, "not_null")], fields=[unique], limit=1)

    return bool(ctx.facts.get(f"{module} with a {unique}", ask))


def _is_untouched(ctx: Context, row: Row) -> bool:
    created, modified = (datetime.fromisoformat(str(row[name])) for name in _TIMES[:2])
    return created == modified and pairs.is_ours(ctx, row)
