"""How a target field is made from source fields: written once, and named by every audit line that used it.

The name is the digest of what it says, so a line's hash covers it, and a changed definition no longer fits its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from sagezoho_pipelines.domain.records import FieldChange
from sagezoho_pipelines.ledger.sqljson import to_json

_KNOWN = text("SELECT id FROM sagezoho.transformations WHERE id = ANY (CAST(:ids AS text[]))")

_ADD = text("""
INSERT INTO sagezoho.transformations (id, target, sources, expression)
SELECT id, target, CAST(sources AS json), expression
FROM unnest(CAST(:ids AS text[]), CAST(:targets AS text[]), CAST(:sources AS text[]), CAST(:expressions AS text[]))
     AS t (id, target, sources, expression)
ON CONFLICT (id) DO NOTHING
""")

_ALL = text(
    "SELECT id, target, CAST(sources AS text) AS sources_text, sources, expression FROM sagezoho.transformations"
)


#: Transformations and their names. A plain tuple of the same parts finds one, too.
Used = dict[tuple[Any, ...], str]


class Transformation(NamedTuple):
    """One target field's rule. `sources` are the paths it reads."""

    target: str
    sources: tuple[str, ...]
    expression: str


@lru_cache(maxsize=10_000)
def identity(transformation: Transformation) -> str:
    said = to_json([transformation.target, transformation.sources, transformation.expression])
    return hashlib.sha256(said.encode()).hexdigest()[:20]


def store(connection: Connection, used: Used) -> None:
    """Make sure that each is there, in a fixed order so that writers cannot wait for each other in a ring."""
    wanted = {name: Transformation(*parts) for parts, name in used.items()}
    if not wanted:
        return
    known = set(connection.execute(_KNOWN, {"ids": sorted(wanted)}).scalars())
    new = [(name, wanted[name]) for name in sorted(wanted) if name not in known]
    if new:
        connection.execute(
            _ADD,
            {
                "ids": [name for name, _ in new],
                "targets": [one.target for _, one in new],
                "sources": [to_json(one.sources) for _, one in new],
                "expressions": [one.expression for _, one in new],
            },
        )


def compact(fields: Iterable[FieldChange], used: Used) -> str:
    """The fields of one line as stored: `[[transformation id, before, after], …]`; adds what they name to `used`.

    A batch names the same few again and again, so `used` is asked first.
    """
    stored = []
    for field in fields:
        target, sources, expression, before, after = field
        name = used.get(field[:3]) if type(sources) is tuple else None
        if name is None:
            rule = Transformation(target, tuple(sources), expression)
            name = used[rule] = identity(rule)
        stored.append((name, before, after))
    return to_json(stored)


def known(connection: Connection) -> Mapping[str, Transformation]:
    """All of them, by id: a few for every field that was ever mapped."""
    return {row.id: Transformation(row.target, tuple(row.sources), row.expression) for row in connection.execute(_ALL)}


def expanded(stored: Iterable[Sequence[Any]], rules: Mapping[str, Transformation]) -> list[FieldChange]:
    """The fields of one line with what their transformations say."""
    return [
        FieldChange(rules[name].target, rules[name].sources, rules[name].expression, before, after)
        for name, before, after in stored
    ]
