"""What an audit works with: raw rows of both vendors and of the ledger's tables, and the findings it comes to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, text

Row = Mapping[str, Any]
Read = Callable[[str, str], Sequence[Row]]
"""(vendor, collection) -> its raw rows."""
Tables = Mapping[str, Sequence[Row]]
"""The ledger's tables by name, in the order of their making."""

KINDS = ("lost", "duplicated", "wrong", "unexplained", "mislinked")
_TABLES = {"changes": "id", "links": "id", "intents": "id", "audit": "connection, seq"}


@dataclass(frozen=True, slots=True)
class Finding:
    kind: str
    record: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.record}: {self.text}"


@dataclass(frozen=True)
class Verdict:
    """`expected` counts the records that the sources ask for: an audit of nothing proves nothing."""

    expected: int
    findings: Sequence[Finding]

    def figures(self) -> dict[str, int]:
        return {kind: sum(finding.kind == kind for finding in self.findings) for kind in KINDS}

    @property
    def clean(self) -> bool:
        return not self.findings

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings)) or "nothing to object to"


def tables_of(engine: Engine) -> Tables:
    with engine.connect() as connection:
        return {
            name: [
                dict(row)
                for row in connection.execute(text(f"SELECT * FROM sagezoho.{name} ORDER BY {order}")).mappings()
            ]
            for name, order in _TABLES.items()
        }


def once(record: str, what: str, found: Sequence[Row], asked: bool) -> Iterator[Finding]:
    if not found:
        yield from unless(asked, "lost", record, f"no {what}")
    elif len(found) > 1:
        yield Finding("duplicated", record, f"{len(found)} times as {what}")


def differing(record: str, asked: bool, row: Row, expected: Row) -> Iterator[Finding]:
    for name, value in expected.items():
        found: Any = amount(row.get(name)) if isinstance(value, Decimal) else plain(row.get(name))
        if found != value:
            yield from unless(asked, "wrong", record, f"{name} is {found!r} instead of {value!r}")


def unless(asked: bool, kind: str, record: str, words: str) -> Iterator[Finding]:
    if not asked:
        yield Finding(kind, record, words)


def grouped(rows: Iterable[Row], field: str) -> defaultdict[str, list[Row]]:
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if plain(row.get(field)):
            groups[plain(row[field])].append(row)
    return groups


def repeated(values: Iterable[Any]) -> list[Any]:
    seen: set[Any] = set()
    twice: dict[Any, None] = {}
    for value in values:
        if value in seen:
            twice[value] = None
        seen.add(value)
    return list(twice)


def looked_up(lookup: Any) -> str:
    """The id inside a lookup field."""
    return str((lookup or {}).get("id") or "")


def plain(value: Any) -> str:
    return str(value if value is not None else "").strip()


def amount(value: Any) -> Decimal:
    return Decimal(str(value)) if value not in (None, "") else Decimal(0)
