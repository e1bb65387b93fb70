"""A plan in lines that a person reads: what needs attention first, then what would be made, then what would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.planned import FieldPlan, PlanItem
from sagezoho_pipelines.engine.planning.document import Plan

_ORDER = ("refused", "conflicted", "retrying", "created", "updated")
_WORDS = {
    "refused": "would be refused", "conflicted": "conflict", "retrying": "would wait", "created": "create",
    "updated": "update",
}  # fmt: skip
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Line:
    """`details` are the fields, old -> new, or the refusal and what to do about it."""

    flow: str
    what: str
    outcome: str
    source: str
    target: str
    details: tuple[str, ...]


def lines(plan: Plan) -> Iterator[Line]:
    """One for each item that moves or stands still for a reason; those with nothing to do are only counted."""
    for outcome in _ORDER:
        for item in plan.items:
            if item.outcome == outcome:
                yield _line(item)


def cost(plan: Plan) -> str:
    spent = plan.cost
    return (
        f"Sage 300: {spent.sage300_reads} reads, {spent.sage300_writes} writes; "
        f"Zoho CRM: {spent.zoho_crm_reads} reads, {spent.zoho_crm_writes} writes, {spent.zoho_crm_credits} credits. "
        f"To see first that nothing has moved: {spent.sage300_looks} calls of Sage 300, "
        f"{spent.zoho_crm_looks} credits"
    )


def by_flow(plan: Plan) -> dict[str, dict[str, int]]:
    """Items of each flow by outcome."""
    counted: dict[str, dict[str, int]] = {flow: dict.fromkeys(plan.totals, 0) for flow in plan.flows}
    for item in plan.items:
        counts = counted.setdefault(item.flow, dict.fromkeys(plan.totals, 0))
        counts[item.outcome] = counts.get(item.outcome, 0) + 1
    return counted


def by_target(plan: Plan) -> str:
    """What would be made and changed, by what it is: a source record may move several, on either side."""
    counted = Counter(
        (item.target_entity, item.outcome) for item in plan.items if item.outcome in ("created", "updated")
    )
    entities = dict.fromkeys(entity for entity, _ in counted)
    return "; ".join(
        f"{entity} "
        + ", ".join(f"{counted[entity, one]} {one}" for one in ("created", "updated") if counted[entity, one])
        for entity in entities
    )


def _line(item: PlanItem) -> Line:
    source = f"{item.source_entity} {item.source_id}"
    named = f"{source} {item.source_name}".strip()
    target = " ".join(part for part in (item.target_entity, item.target_id) if part)
    told = item.operation == "write back"
    what = "tell" if told else _WORDS[item.outcome]
    return Line(item.flow, what, item.outcome, named, target, tuple(_details(item)))


def _details(item: PlanItem) -> Iterator[str]:
    if item.error:
        words = " ".join(str(item.error[name]) for name in ("code", "field") if item.error.get(name))
        advice = f" - {item.error['advice']}" if item.error.get("advice") else ""
        yield f"{words}: {item.error.get('text', '')}{advice}"
        return  # what was to be written is in the file
    for field in item.fields:
        if field.new is not None or field.old is not None:
            yield _field(field, creating=item.outcome == "created")


def _field(field: FieldPlan, *, creating: bool) -> str:
    new = _shown(field.new)
    return f"{field.name}: {new}" if creating else f"{field.name}: {_shown(field.old)} -> {new}"


def _shown(value: Any) -> str:
    """A lookup by the id it names, lines and other structures as JSON."""
    if isinstance(value, dict) and set(value) == {"id"}:
        value = value["id"]
    elif isinstance(value, dict | list):
        value = json.dumps(value)
    text = "(empty)" if value in (None, "") else " / ".join(str(value).splitlines())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
