"""Schema drift: two descriptions of an entity compared, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sagezoho_pipelines.domain.records import Row

#: What harms those who make records without the field, rather than those who use it.
BECAME_MANDATORY = "became mandatory"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one field (dotted within rows). `harmful`: what used the field may break."""

    field: str
    what: str
    harmful: bool


def compare(before: Mapping[str, Row], after: Mapping[str, Row]) -> Iterator[Change]:
    """Differences by field name: `as_row()` of each field's description, as remembered and as it is now."""
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None:
            yield Change(name, "appeared", harmful=False)
        elif new is None:
            yield Change(name, "vanished", harmful=True)
        elif old != new:
            yield from _changes(name, old, new)


def _changes(name: str, old: Row, new: Row) -> Iterator[Change]:
    if old["type"] != new["type"]:
        yield Change(name, f"changed its type from {old['type']} to {new['type']}", harmful=True)
    yield from _length(name, old.get("length"), new.get("length"))
    for flag, words in (("mandatory", "mandatory"), ("read_only", "read-only")):
        if bool(old.get(flag)) != bool(new.get(flag)):
            became = bool(new.get(flag))
            yield Change(name, f"{'became' if became else 'is no longer'} {words}", harmful=became)
    yield from _values(name, old.get("values", ()), new.get("values", ()))
    for change in compare(old.get("rows", {}), new.get("rows", {})):
        yield Change(f"{name}.{change.field}", change.what, change.harmful)


def _length(name: str, old: Any, new: Any) -> Iterator[Change]:
    if old is None or new is None or old == new:
        return
    shrank = new < old
    yield Change(name, f"{'shrank' if shrank else 'grew'} from {old} to {new} characters", harmful=shrank)


def _values(name: str, old: Any, new: Any) -> Iterator[Change]:
    gone, come = [one for one in old if one not in new], [one for one in new if one not in old]
    if gone:
        yield Change(name, f"lost the values {', '.join(map(repr, gone))}", harmful=True)
    if come:
        yield Change(name, f"got the values {', '.join(map(repr, come))}", harmful=False)
