"""A plan as a file: canonical JSON without a clock, so that the same input gives the same bytes.

A redacted plan shows no value of any record: each is replaced by a keyed digest. It can be applied all the same, since
a plan is carried out only when planning again gives the same one. `digest` names a plan whether redacted or not.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.digest import canonical_json
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.planned import Cost, FieldPlan, Made, Pin, PlanItem, PlannedWrite

FORMAT = 1
_ITEM = tuple(one.name for one in fields(PlanItem))
_WRITE = tuple(one.name for one in fields(PlannedWrite))
#: Outcomes in the order that people ask for them.
OUTCOMES = ("created", "updated", "noop", "skipped", "refused", "conflicted", "retrying")


@dataclass(frozen=True, slots=True)
class Seal:
    """The installation's key for digests in redacted plans. `name` tells two keys apart."""

    name: str
    key: bytes

    def of(self, value: Any, length: int = 16) -> str:
        return "#" + hmac.digest(self.key, canonical_json(value).encode(), "sha256").hex()[:length]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sync of these flows would do now. Everything is sorted; `seal` is set once values are redacted."""

    connection: str
    flows: Sequence[str]
    configuration: str
    mappings: Mapping[str, str]
    items: Sequence[PlanItem]
    writes: Sequence[PlannedWrite]
    made: Sequence[Made]
    pins: Sequence[Pin]
    numbers: Mapping[str, int]
    notes: Sequence[str] = ()
    cost: Cost = field(default_factory=Cost)
    seal: str = ""

    @property
    def totals(self) -> dict[str, int]:
        """Items by outcome."""
        counted = Counter(item.outcome for item in self.items)
        return {outcome: counted[outcome] for outcome in OUTCOMES}

    @property
    def pinned(self) -> dict[tuple[str, str, str], str]:
        """Business keys by target entity, source entity and source key."""
        return {(pin.target_entity, pin.source_entity, pin.source_key): pin.business_key for pin in self.pins}

    def redacted(self, seal: Seal) -> Plan:
        """The same plan without a value of any record. A redacted plan comes back as it is."""
        if self.seal:
            return self
        return Plan(
            self.connection,
            self.flows,
            self.configuration,
            self.mappings,
            [_hidden(item, seal) for item in self.items],
            sorted(
                (PlannedWrite(one.call, seal.of(one.key), seal.of(one.digest, 32), one.makes) for one in self.writes),
                key=_order_of_write,
            ),
            self.made,
            self.pins,
            self.numbers,
            [],
            self.cost,
            seal.name,
        )

    def digest(self, seal: Seal) -> str:
        """Names what the plan would do; its notes and its cost are no part of that."""
        said = self.redacted(seal).document(cost=False)
        return hashlib.sha256(canonical_json(said).encode()).hexdigest()

    def document(self, *, cost: bool = True) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "connection": self.connection,
            "flows": list(self.flows),
            "configuration": self.configuration,
            "mappings": dict(self.mappings),
            "redacted": self.seal,
            "totals": self.totals,
            "items": [_short(item) for item in self.items],
            "writes": [{name: getattr(one, name) for name in _WRITE} for one in self.writes],
            "made": [asdict(one) for one in self.made],
            "pins": [asdict(one) for one in self.pins],
            "numbers": dict(self.numbers),
            **({"cost": asdict(self.cost), "notes": list(self.notes)} if cost else {}),
        }


def to_text(plan: Plan, seal: Seal) -> str:
    """The file, a line for each item. Numbers stay exact; the same plan gives the same bytes."""
    whole = {**plan.document(), "digest": plan.digest(seal)}
    whole["signature"] = _signature(whole, seal)
    return "{\n" + ",\n".join(f"{canonical_json(name)}: {_part(whole[name])}" for name in sorted(whole)) + "\n}\n"


def _signature(whole: Mapping[str, Any], seal: Seal) -> str:
    """Covers all that a person reads in the file, totals, cost and notes too."""
    return seal.of({name: value for name, value in whole.items() if name != "signature"}, 64)


def _part(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return canonical_json(value)
    return "[\n" + ",\n".join(canonical_json(one) for one in value) + "\n]"


def from_document(data: Any, name: str) -> Plan:
    """Read a plan. Raises ConfigurationError, naming the file, for anything that is none."""
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise ConfigurationError(f"{name} is not a plan: make one with 'sagezoho plan --out FILE'")
    try:
        return Plan(
            connection=str(data["connection"]),
            flows=[str(flow) for flow in data["flows"]],
            configuration=str(data["configuration"]),
            mappings=dict(data["mappings"]),
            items=[_item(one) for one in data["items"]],
            writes=[PlannedWrite(**one) for one in data["writes"]],
            made=[Made(**one) for one in data["made"]],
            pins=[Pin(**one) for one in data["pins"]],
            numbers=dict(data["numbers"]),
            notes=list(data.get("notes") or ()),
            cost=Cost(**(data.get("cost") or {})),
            seal=str(data["redacted"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{name} is not a whole plan ({error}): make one anew") from None


def from_text(text: str, name: str, seal: Seal) -> Plan:
    """Read a plan file. Raises ConfigurationError when it is none, was changed, or was redacted elsewhere."""
    try:
        data = json.loads(text)
    except ValueError:
        raise ConfigurationError(f"{name} is not a plan: it is not JSON") from None
    plan = from_document(data, name)
    if plan.seal and plan.seal != seal.name:
        raise ConfigurationError(
            f"{name} was redacted under master key {plan.seal}, and this installation has {seal.name}: make a new plan"
        )
    if data.get("digest") != plan.digest(seal) or data.get("signature") != _signature(data, seal):
        raise ConfigurationError(f"{name} was changed after it was made: make a new plan")
    return plan


def order_of(flows: Sequence[str]) -> Any:
    """Sorts items: by flow, then by source and target."""
    place = {flow: index for index, flow in enumerate(flows)}

    def key(item: PlanItem) -> tuple[Any, ...]:
        return (
            place.get(item.flow, len(place)),
            *item.place,
            item.operation,
            item.target_id,
            canonical_json([list(one) for one in item.fields]),
        )

    return key


def _order_of_write(write: PlannedWrite) -> tuple[str, ...]:
    return write.call, write.key, write.digest, write.makes


def sorted_writes(writes: Sequence[PlannedWrite]) -> list[PlannedWrite]:
    return sorted(writes, key=_order_of_write)


def _hidden(item: PlanItem, seal: Seal) -> PlanItem:
    """Ids and codes stay, so that a person can find the record; what it says does not."""

    def hide(value: Any) -> Any:
        return None if value in (None, "") else seal.of(value)

    kept = ("system", "code", "field", "verdict", "advice", "status")
    return PlanItem(
        flow=item.flow,
        source_system=item.source_system,
        source_entity=item.source_entity,
        source_id=item.source_id,
        source_name=hide(item.source_name) or "",
        source_digest=hide(item.source_digest) or "",
        operation=item.operation,
        outcome=item.outcome,
        target_system=item.target_system,
        target_entity=item.target_entity,
        target_id=item.target_id,
        target_digest=hide(item.target_digest) or "",
        fields=[FieldPlan(one.name, hide(one.old), hide(one.new)) for one in item.fields],
        error={name: value if name in kept else hide(value) for name, value in item.error.items()},
    )


def _short(item: PlanItem) -> dict[str, Any]:
    """Without what is empty; the fields as [name, old, new]."""
    kept = {name: value for name in _ITEM if (value := getattr(item, name))}
    if "fields" in kept:
        kept["fields"] = [list(one) for one in kept["fields"]]
    return kept


def _item(given: Mapping[str, Any]) -> PlanItem:
    return PlanItem(**{**given, "fields": [FieldPlan(*one) for one in given.get("fields") or ()]})
