"""Schema drift of a connection: both systems' descriptions against those last seen, before a sync meets the change.

A change that breaks what the sync uses stays an error until somebody accepts it; every other one is told once and
remembered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sagezoho_pipelines.domain import drift
from sagezoho_pipelines.domain.mapping import FieldRule
from sagezoho_pipelines.domain.records import AuditEntry, Row, System
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import SageDateFeed, ZohoFeed
from sagezoho_pipelines.engine.mapped.blanks import may_give_nothing
from sagezoho_pipelines.engine.mapped.descriptions import describe
from sagezoho_pipelines.engine.mapped.ends import Ends, Entity, ends_of
from sagezoho_pipelines.engine.mapped.inference import paths
from sagezoho_pipelines.engine.ports import MetadataStore
from sagezoho_pipelines.engine.run import FLOWS

FLOW = "metadata"
_WHOLE = "*"
#: By feed: fields that decide whether a record flows at all, and what it is worth.
_DECIDING = {"deals": ("Account_Name", "Amount", "Stage")}
_LISTED = 50

_NAMES = {System.SAGE300: "Sage 300", System.ZOHO_CRM: "Zoho CRM"}


class Severity(StrEnum):
    """`error`: a sync would break or lose values. `information`: nothing that is used is concerned."""

    ERROR = "error"
    INFORMATION = "information"


@dataclass(frozen=True, slots=True)
class Drift:
    """One change of one field since it was last seen. `used_by` names the mapping fields and feeds it concerns."""

    severity: Severity
    system: System
    entity: str
    field: str
    what: str
    used_by: Sequence[str]

    def __str__(self) -> str:
        subject = self.entity if self.field == _WHOLE else f"{self.entity}.{self.field}"
        users = f" It concerns {', '.join(self.used_by)}." if self.used_by else ""
        return f"{_NAMES[self.system]}: {subject} {self.what}.{users}"


@dataclass(frozen=True, slots=True)
class DriftReport:
    """`first` are entities that were described for the first time, `accepted` says that all changes are remembered."""

    first: Sequence[str]
    found: Sequence[Drift]
    accepted: bool

    @property
    def errors(self) -> list[Drift]:
        return [one for one in self.found if one.severity is Severity.ERROR]

    @property
    def ok(self) -> bool:
        return self.accepted or not self.errors


def look(ctx: Context, store: MetadataStore, *, accept: bool = False) -> DriftReport:
    """Compare, audit what changed, and remember what does no harm; everything with `accept`. Raises VendorError."""
    uses, demanded = _uses(ctx), _demands(ctx)
    described = describe(ctx, uses)
    seen = store.seen(ctx.connection)
    first: list[str] = []
    found: list[Drift] = []
    remembered: dict[tuple[str, str], Row] = {}
    entries: list[AuditEntry] = []
    for entity in sorted(uses):
        now = {name: info.as_row() for name, info in described.get(entity, {}).items()}
        before = seen.get((entity.system, entity.name))
        if before is None:
            if now:
                first.append(str(entity))
                remembered[entity.system, entity.name] = now
                entries.append(_entry(ctx, entity, "first look", "noop", {"fields": len(now)}))
            continue
        changes = list(_drifts(entity, before, now, uses[entity], demanded))
        if not changes:
            continue
        found += changes
        kept = now if accept else _harmless(before, now, changes)
        if kept != before:
            remembered[entity.system, entity.name] = kept
        entries.append(_told(ctx, entity, changes, accept=accept))
    store.remember(ctx.connection, remembered, at=ctx.clock(), audit_entries=entries)
    return DriftReport(first, found, accept)


def _drifts(
    entity: Entity,
    before: Mapping[str, Row],
    now: Mapping[str, Row],
    used: Mapping[str, Sequence[str]],
    demands: Sequence[tuple[Ends, Mapping[str, FieldRule]]],
) -> Iterator[Drift]:
    if not now:
        everybody = sorted({user for users in used.values() for user in users})
        yield Drift(Severity.ERROR, entity.system, entity.name, _WHOLE, "is no longer offered", everybody)
        return
    for change in drift.compare(before, now):
        if change.what == drift.BECAME_MANDATORY:
            users = [
                user for ends, rules in demands if ends.into == entity for user in _broken(ends, rules, change.field)
            ]
        else:
            users = _users(change.field, used)
        severity = Severity.ERROR if change.harmful and users else Severity.INFORMATION
        yield Drift(severity, entity.system, entity.name, change.field, change.what, users)


def _users(field: str, used: Mapping[str, Sequence[str]]) -> list[str]:
    """Who uses a field, or anything within its rows."""
    return sorted({user for path, by in used.items() if f"{path}.".startswith(f"{field}.") for user in by})


def _demands(ctx: Context) -> list[tuple[Ends, Mapping[str, FieldRule]]]:
    """The targets that make new records, with their rules by the field that each fills."""
    return [
        (ends, {rule.target: rule for rule in ctx.mappings[ends.flow][ends.target].rules})
        for ends in ends_of(ctx)
        if ends.creates
    ]


def _broken(ends: Ends, rules: Mapping[str, FieldRule], field: str) -> list[str]:
    """Who makes records without a field that has become mandatory, or with nothing in it."""
    if field in ends.filled:
        return []
    if field not in rules:
        return [str(ends)]
    return [f"{ends}.{field}"] if may_give_nothing(rules[field]) else []


def _harmless(before: Mapping[str, Row], now: Mapping[str, Row], changes: Sequence[Drift]) -> Row:
    """What is remembered without anybody's word: the fields with an error stay as they were."""
    disputed = {one.field.partition(".")[0] for one in changes if one.severity is Severity.ERROR}
    if _WHOLE in disputed:
        return before
    names = {*(name for name in now if name not in disputed), *(name for name in before if name in disputed)}
    return {name: before[name] if name in disputed and name in before else now[name] for name in sorted(names)}


def _uses(ctx: Context) -> dict[Entity, dict[str, list[str]]]:
    """Entity -> dotted field -> who reads or writes it."""
    uses: dict[Entity, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for ends in ends_of(ctx):
        for entity in ends.entities:
            _ = uses[_base(entity)]
        for rule in ctx.mappings[ends.flow][ends.target].rules:
            user = f"{ends}.{rule.target}"
            _note(uses, ends.into, rule.target, user)
            for path in paths(rule.compiled.parsed):
                _note_source(uses, ends, path, user)
    for flow in {ends.flow for ends in ends_of(ctx)} & set(FLOWS):
        for name, feed in FLOWS[flow].feeds.items():
            for entity, field in _fed(feed):
                _note(uses, entity, field, f"the feed {name}")
    return {entity: dict(fields) for entity, fields in uses.items()}


def _note(uses: dict[Entity, dict[str, list[str]]], entity: Entity, field: str, user: str) -> None:
    users = uses[_base(entity)][f"{entity.rows}.{field}" if entity.rows else field]
    if user not in users:
        users.append(user)


def _note_source(uses: dict[Entity, dict[str, list[str]]], ends: Ends, path: str, user: str) -> None:
    first, _, rest = path.partition(".")
    named: Any = ends.names.get(first)
    if isinstance(named, Entity) and rest:
        _note(uses, named, rest, user)
    elif named is None and first != "config" and not ends.only_names:
        _note(uses, ends.source, path, user)


def _fed(feed: Any) -> Iterator[tuple[Entity, str]]:
    """What a feed itself cannot do without: key, marker of change, and what tells whether a record is wanted."""
    if isinstance(feed, SageDateFeed):
        entity = Entity(System.SAGE300, feed.entity_set)
        yield from ((entity, name) for name in (feed.key, feed.marker))
    elif isinstance(feed, ZohoFeed):
        entity = Entity(System.ZOHO_CRM, feed.module)
        yield from ((entity, name) for name in ("Modified_Time", *_DECIDING.get(feed.name, ())))


def _base(entity: Entity) -> Entity:
    return entity._replace(rows="")


def _told(ctx: Context, entity: Entity, changes: Sequence[Drift], *, accept: bool) -> AuditEntry:
    harmful = any(one.severity is Severity.ERROR for one in changes)
    operation = "accept drift" if accept else "drift"
    lines = [f"{one.severity}: {one.field} {one.what}" for one in changes]
    answer = {"changes": lines[:_LISTED], "count": len(lines)}
    return _entry(ctx, entity, operation, "refused" if harmful and not accept else "noop", answer)


def _entry(ctx: Context, entity: Entity, operation: str, outcome: str, answer: Row) -> AuditEntry:
    return AuditEntry(
        at=ctx.clock(),
        actor=ctx.actor,
        connection=ctx.connection,
        flow=FLOW,
        direction=f"{entity.system}->sagezoho",
        source_system=str(entity.system),
        source_entity=FLOW,
        source_id=entity.name,
        target_system="sagezoho",
        target_entity=FLOW,
        target_id=entity.name,
        operation=operation,
        outcome=outcome,
        answer=answer,
        run_id=ctx.run_id,
    )
