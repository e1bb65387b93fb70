"""What a write is about to replace: noted with the link before it is sent, told by the audit once it is settled.

An attempt that is cut off in between leaves the note. The next one finds the two sides equal, and tells from the note
what gave way; what is still there has not given way, and is decided upon as ever. What is neither the one nor the
other was typed since (`Pair.typed_since`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sagezoho_pipelines.domain.mapping import FieldRule
from sagezoho_pipelines.domain.pairing import Comparison
from sagezoho_pipelines.domain.reconcile import NAMES, SAGE, ZOHO, Decision, Finding, same, shown
from sagezoho_pipelines.domain.records import FieldChange, GivesWay, Link, Outcome, System
from sagezoho_pipelines.domain.settled_pairs import ATTEMPTED, GIVING_WAY
from sagezoho_pipelines.engine.settling import Movement

_OPERATIONS = {Finding.PUT_BACK: "put back", Finding.OVERRIDDEN: "conflict", Finding.EDITED: "edit"}
_IN_ORDER = ("conflict", "put back", "edit", "first contact", "update")
_LATE = "an earlier attempt was cut off before it could tell of this"


def by_operation(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    """The decisions by what the audit calls them."""
    found: dict[str, list[Decision]] = {}
    for one in decisions:
        first = one.finding is Finding.OVERRIDDEN and not one.changed
        found.setdefault("first contact" if first else _OPERATIONS.get(one.finding, "update"), []).append(one)
    return {name: found[name] for name in _IN_ORDER if name in found}


def in_zoho(comparison: Comparison) -> list[GivesWay]:
    return [
        GivesWay(ZOHO, one.field, operation, one.zoho, one.value)
        for operation, decisions in by_operation(comparison.towards(ZOHO)).items()
        for one in decisions
    ]


def in_sage(comparison: Comparison, sending: Mapping[str, Any]) -> list[GivesWay]:
    """In Sage's own fields: those that are sent, and as they stay those that tell of the same field of Zoho's."""
    found = []
    beside = {
        rule.target
        for rule in comparison.pair.sage_rules
        if any(one.field in rule.sources for name in sending for one in comparison.fields_behind(name))
    }
    for name in sorted({*sending, *beside}):
        operation = next(iter(by_operation(comparison.fields_behind(name))), "update")
        held = comparison.sage.get(name)
        found.append(GivesWay(SAGE, name, operation, held, sending.get(name, held)))
    return found


def remembered(link: Link, sent: Iterable[GivesWay]) -> dict[str, Any]:
    """For the details of a link whose last write has no known end: what was sent, told of already."""
    noted = [*link.details.get(ATTEMPTED, ()), *link.details.get(GIVING_WAY, ()), *map(list, sent)]
    return {ATTEMPTED: noted} if noted else {}


def told_late(comparison: Comparison, link: Link, sage: tuple[str, str], zoho: tuple[str, str]) -> list[Movement]:
    """What earlier attempts noted and is gone by now. `sage` and `zoho` name the records by entity and id."""
    found: dict[tuple[System, str], dict[str, FieldChange]] = {}
    for one in map(GivesWay.of, link.details.get(GIVING_WAY, ())):
        held = comparison.sage if one.system is SAGE else comparison.zoho
        if same(held.get(one.field), one.before) or same(one.before, one.after):
            continue
        rule = _rule(comparison, one)
        sources, expression = (rule.sources, rule.expression) if rule is not None else ((), "inbox edit")
        told = FieldChange(one.field, sources, expression, one.before, one.after)
        found.setdefault((one.system, one.operation), {})[f"{one.field} {one.before}"] = told
    return [
        Movement(
            system, *(sage if system is SAGE else zoho), operation, Outcome.UPDATED, list(fields.values()),
            {"told_late": _LATE, "decided": _sentences(system, operation, fields.values())},
            source=(ZOHO, *zoho) if system is SAGE else (SAGE, *sage),
        )
        for (system, operation), fields in found.items()
    ]  # fmt: skip


def _sentences(system: System, operation: str, fields: Iterable[FieldChange]) -> dict[str, str]:
    if operation == "update":
        return {}
    return {
        one.target: f"{operation}: {shown(one.before)} in {NAMES[system]} gave way to {shown(one.after)}; {_LATE}"
        for one in fields
    }


def _rule(comparison: Comparison, one: GivesWay) -> FieldRule | None:
    rules: Sequence[FieldRule] = comparison.pair.sage_rules if one.system is SAGE else comparison.pair.to_zoho.rules
    return next((rule for rule in rules if rule.target == one.field), None)
