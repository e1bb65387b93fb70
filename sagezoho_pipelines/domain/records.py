"""The nouns of the integration: systems, entities, records as captured, changes waiting to be delivered, links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

#: A record or payload as JSON: str, Decimal/int, bool, None, lists and dicts of these. Instants and dates are ISO text.
Row = Mapping[str, Any]


class System(StrEnum):
    SAGE300 = "sage300"
    ZOHO_CRM = "zoho_crm"


class Authority(StrEnum):
    """Which side of a link leads. `newest`: the side that was edited last, where both tell the time."""

    SAGE300 = "sage300"
    ZOHO_CRM = "zoho_crm"
    NEWEST = "newest"


class Cause(StrEnum):
    """Why a change was captured."""

    POLL = "poll"
    NOTIFICATION = "notification"
    SWEEP = "sweep"
    BACKFILL = "backfill"
    RETRY = "retry"


#: Why a record is looked at that a whole sweep did not meet: by these words a plan counts deletions.
GONE_FROM_SOURCE = "no longer in the source"


class ChangeState(StrEnum):
    """`queued` and `claimed` are open; all others are final until a person or a newer version re-opens the record."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    REFUSED = "refused"
    CONFLICTED = "conflicted"
    SUPERSEDED = "superseded"
    DISMISSED = "dismissed"


class Outcome(StrEnum):
    """What one delivery did. The first four settle a change; `retrying` leaves it queued."""

    CREATED = "created"
    UPDATED = "updated"
    NOOP = "noop"
    SKIPPED = "skipped"
    REFUSED = "refused"
    CONFLICTED = "conflicted"
    RETRYING = "retrying"


@dataclass(frozen=True, slots=True, order=True)
class EntityRef:
    """One entity of one system in one connection, e.g. saminc / sage300 / vendors."""

    connection: str
    system: System
    entity: str

    def __str__(self) -> str:
        return f"{self.connection}/{self.system}/{self.entity}"


@dataclass(frozen=True, slots=True)
class CapturedRecord:
    """A source record as read: `digest` covers the mapped source fields, `payload` is what will be mapped.

    `payload` None means "look at this record": it is fetched when it is delivered.
    `name` is the record's human name, for links and for explaining. `settled`: the record holds what its pair has
    settled on, as after a write of our own; it is noted as seen, and there is nothing to deliver.
    """

    key: str
    digest: str | None
    payload: Row | None
    name: str = ""
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """A request to look at one record: inserted by notifications and by records that point at another one."""

    entity: EntityRef
    key: str
    cause: Cause
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Override:
    """Target fields that a person set for one change: they win over the mapping when it is delivered."""

    fields: Row
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Change:
    """One captured version of one source record, claimed by a worker for delivery."""

    id: int
    entity: EntityRef
    key: str
    digest: str | None
    payload: Row | None
    cause: Cause
    attempt: int
    captured_at: datetime
    name: str = ""
    reason: str = ""
    override: Override | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """This Sage record and this Zoho record are the same thing.

    `written` is the payload last written to the target side, field by field: the base of changed-fields-only updates
    and of recognising our own echo. `target_time` is the target's own modified time of that write, where it has one.
    `details` holds further ids, e.g. an order's uniquifier, and `giving_way`: what writes under way override. `made_by`
    is `created`, `matched: RULE`, `by hand`, `imported`, `read back` after a lost answer, or `re-linked: WHY`.
    `exceptions` are Zoho fields whose authority differs from the link's own. `agreed` holds, for each Zoho field that
    both sides know, the pair [value seen from Sage, value in Zoho] that the two last settled on: the base of three-way
    comparison. `seen_equal_at` is when both sides were last found to agree. `unsettled` names the fields of an update
    that was sent and whose end was never noted: what the target holds there is not known. `read_at` is the link's last
    change as it was read: whether another delivery has settled it since.
    """

    connection: str
    sage_entity: str
    sage_id: str
    zoho_entity: str
    zoho_id: str
    sage_name: str = ""
    zoho_name: str = ""
    authority: Authority = Authority.SAGE300
    made_by: str = "created"
    source_digest: str | None = None
    written: Row = field(default_factory=dict)
    target_time: datetime | None = None
    details: Row = field(default_factory=dict)
    exceptions: Mapping[str, str] = field(default_factory=dict)
    agreed: Row = field(default_factory=dict)
    seen_equal_at: datetime | None = None
    unsettled: tuple[str, ...] = ()
    read_at: datetime | None = field(default=None, compare=False)

    def wrote(self, sent: Row) -> Link:
        """The link once the target is known to have taken these fields."""
        unsettled = tuple(name for name in self.unsettled if name not in sent)
        return replace(self, written={**self.written, **sent}, unsettled=unsettled)


class GivesWay(NamedTuple):
    """A value that a write is about to override: where it stands, what the audit calls that, and what takes its place.

    `field` is the field of the system that is written.
    """

    system: System
    field: str
    operation: str
    before: Any
    after: Any

    @classmethod
    def of(cls, stored: Sequence[Any]) -> GivesWay:
        system, *rest = stored
        return cls(System(system), *rest)


class FieldChange(NamedTuple):
    """One target field of a delivery: where its value came from and what it was before.

    A tuple, since a first sync makes one for every field of every record.
    """

    target: str
    sources: Sequence[str]
    expression: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One immutable line per movement. `answer` is the vendor's own answer: code, field, text, id.

    `fields` may be read more than once: a transaction that lost a race runs again.
    """

    at: datetime
    actor: str
    connection: str
    flow: str
    direction: str
    source_system: str
    source_entity: str
    source_id: str
    target_system: str
    target_entity: str
    target_id: str
    operation: str
    outcome: str
    fields: Iterable[FieldChange] = ()
    answer: Row = field(default_factory=dict)
    cause: str = ""
    run_id: str = ""
    change_id: int | None = None
