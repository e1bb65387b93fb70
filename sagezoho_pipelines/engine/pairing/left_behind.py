"""Zoho records that an earlier attempt made and was cut off before it could link: found by the unique Sage key.

The upsert of the next attempt would find them by itself, and write over what people have typed there since. Of a record
that nobody has touched that does no harm, and completes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.reconcile import same
from sagezoho_pipelines.domain.records import Change, Link, Row
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.pairing import pairs

_TIMES = ("Created_Time", "Modified_Time", "Modified_By")


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A record without a link that was written to after it was made: by a person, or by the attempt sending it again.

    `written` is what the last attempt said, empty where nobody knows. `unsettled` names the fields of which several
    attempts said different things: which of these arrived last is not known.
    """

    record_id: str
    written: Row = field(default_factory=dict)
    unsettled: tuple[str, ...] = ()

    def link(self, fresh: Link) -> Link:
        """The link that its next comparison starts from."""
        return replace(fresh, zoho_id=self.record_id, written=self.written, unsettled=self.unsettled)


def edited_since(
    ctx: Context, module: str, unique: str, new: Mapping[str, Change], mapped: Callable[[Change], dict[str, Any]]
) -> dict[str, LeftBehind]:
    """Of records without a link, by their unique Sage key, those that are in Zoho already and were written to there.

    `mapped` gives what a version of the source record becomes in Zoho. A first sync into an organisation where no
    record carries a key asks only once.
    """
    asked = [key for key, change in new.items() if change.attempt > 1 or _any(ctx, module, unique)]
    if not asked:
        return {}
    rows = ctx.zoho.find(module, where=[where(unique, "in", sorted(asked))], fields=[unique, *_TIMES])
    found = {str(row[unique]): row for row in rows if not _is_untouched(ctx, row)}
    if not found:
        return {}
    held = [new[key] for key in asked if key in found]
    tried = ctx.ledger.tried(held[0].entity, held)
    said = {key: [mapped(version) for version in tried.get(new[key].key, ())] for key in found}
    return {key: _left_behind(str(found[key]["id"]), said[key]) for key in asked if key in found}


def _left_behind(record_id: str, said: Sequence[dict[str, Any]]) -> LeftBehind:
    if not said:
        return LeftBehind(record_id)
    *earlier, last = said
    differing = {name for one in earlier for name in one if not same(one[name], last.get(name))}
    return LeftBehind(record_id, last, tuple(sorted(differing)))


def _any(ctx: Context, module: str, unique: str) -> bool:
    """Whether any record carried a key when this run began to make some."""

    def ask() -> Sequence[Row]:
        return ctx.zoho.find(module, where=[where(unique, "not_null")], fields=[unique], limit=1)

    return bool(ctx.facts.get(f"{module} with a {unique}", ask))


def _is_untouched(ctx: Context, row: Row) -> bool:
    created, modified = (datetime.fromisoformat(str(row[name])) for name in _TIMES[:2])
    return created == modified and pairs.is_ours(ctx, row)
