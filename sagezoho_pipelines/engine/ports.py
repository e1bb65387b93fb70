"""What the engine needs from the vendors and the ledger. The rooms behind these protocols are reached no other way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from sagezoho_pipelines.domain.channels import Channel as Channel
from sagezoho_pipelines.domain.channels import Unannounced as Unannounced
from sagezoho_pipelines.domain.channels import Watch as Watch
from sagezoho_pipelines.domain.channels import Watched as Watched
from sagezoho_pipelines.domain.criteria import Criteria
from sagezoho_pipelines.domain.holds import Hold, Weight
from sagezoho_pipelines.domain.links import LeftAlone, LinkEdits
from sagezoho_pipelines.domain.metadata import FieldInfo
from sagezoho_pipelines.domain.pauses import Pause
from sagezoho_pipelines.domain.planned import Applied, OpenChange
from sagezoho_pipelines.domain.records import (
    AuditEntry,
    CapturedRecord,
    Cause,
    Change,
    EntityRef,
    GivesWay,
    Link,
    Look,
    Row,
    System,
)
from sagezoho_pipelines.domain.settlement import CaptureResult as CaptureResult
from sagezoho_pipelines.domain.settlement import Intent as Intent
from sagezoho_pipelines.domain.settlement import IntentRequest as IntentRequest
from sagezoho_pipelines.domain.settlement import Settlement as Settlement
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.domain.write_backs import Standing, Told
from sagezoho_pipelines.domain.zoho import RowResult as RowResult
from sagezoho_pipelines.domain.zoho import ZohoPage as ZohoPage


class Sage300(Protocol):
    """The Sage 300 Web API of one company. Entity sets are named `AP/APVendors`."""

    usage: Usage

    def pages(
        self, entity_set: str, *, select: Sequence[str], where: Criteria = (), page_size: int | None = None
    ) -> Iterator[Sequence[Row]]:
        """Stream a set in primary-key order; no row is missed when rows are inserted or deleted meanwhile."""
        ...

    def find(self, entity_set: str, *, where: Criteria, select: Sequence[str], limit: int | None = None) -> list[Row]:
        """All rows that match; an `in` condition is split so that no request has more than ten terms."""
        ...

    def get(self, entity_set: str, key: str | int, *, select: Sequence[str] = ()) -> Row | None: ...

    def create(self, entity_set: str, body: Row) -> Row:
        """POST once: never sent again by the client. Raises OutcomeUnknown when no answer proves what happened."""
        ...

    def patch(self, entity_set: str, key: str | int, body: Row) -> None: ...

    def described(self, entity_sets: Sequence[str]) -> dict[str, dict[str, FieldInfo]]:
        """The fields of each set as the server itself describes them; an unknown set has none."""
        ...

    def exists(self, entity_set: str, *, where: Criteria) -> bool:
        """The cheapest question: one row, one column."""
        ...


class ZohoCrm(Protocol):
    """Zoho CRM of one organisation. Modules and fields go by their API names."""

    usage: Usage

    def changed_since(
        self,
        module: str,
        *,
        fields: Sequence[str],
        since: datetime,
        where: Criteria = (),
        until: datetime | None = None,
    ) -> Iterator[ZohoPage]:
        """COQL keyset paging over (Modified_Time, id), `since` inclusive, `until` exclusive."""
        ...

    def find(self, module: str, *, where: Criteria, fields: Sequence[str], limit: int | None = None) -> list[Row]: ...

    def get(self, module: str, record_id: str) -> Row | None:
        """One whole record with its subforms, or None."""
        ...

    def get_many(self, module: str, ids: Sequence[str], *, fields: Sequence[str]) -> list[Row]: ...

    def deleted_since(self, module: str, since: datetime) -> Iterator[Row]: ...

    def insert(self, module: str, rows: Sequence[Row], *, trigger: Sequence[str] = ()) -> list[RowResult]:
        """Never sent again by the client after an unknown outcome: raises OutcomeUnknown."""
        ...

    def update(
        self,
        module: str,
        rows: Sequence[Row],
        *,
        trigger: Sequence[str] = (),
        unmodified_since: datetime | None = None,
    ) -> list[RowResult]:
        """A row whose record was modified after `unmodified_since` is refused with ALREADY_MODIFIED."""
        ...

    def upsert(
        self, module: str, rows: Sequence[Row], *, duplicate_check: Sequence[str], trigger: Sequence[str] = ()
    ) -> list[RowResult]: ...

    def write_cost(self, rows: int) -> tuple[int, int]:
        """Calls and credits that a write of so many rows takes."""
        ...

    def modules(self) -> list[Row]: ...

    def fields(self, module: str) -> list[Row]: ...

    def create_fields(self, module: str, fields: Sequence[Row]) -> list[RowResult]: ...

    def org(self) -> Row: ...

    def current_user(self) -> Row: ...

    def server_time(self) -> datetime: ...

    def enable_channels(self, wanted: Sequence[Watch]) -> list[RowResult]: ...

    def replace_channels(self, wanted: Sequence[Watch]) -> list[RowResult]: ...

    def renew_channels(self, wanted: Sequence[Watch]) -> list[RowResult]: ...

    def channel(self, channel_id: int) -> list[Watched]:
        """A channel as Zoho has it, one entry per module; empty when Zoho knows none."""
        ...

    def disable_channel(self, channel_id: int) -> None: ...


class Ledger(Protocol):
    """Postgres: one transaction per call."""

    # watermarks
    def watermark(self, entity: EntityRef) -> Row | None: ...

    def set_watermark(self, entity: EntityRef, value: Row, *, run_id: str = "") -> None: ...

    # capture and queue
    def capture(
        self,
        entity: EntityRef,
        records: Sequence[CapturedRecord],
        *,
        cause: Cause,
        at: datetime,
        run_id: str = "",
        looks: Sequence[Look] = (),
        watermark: Row | None = None,
        force: bool = False,
    ) -> CaptureResult:
        """One page, set-based: unknown digests become changes (superseding older open ones of the same record),
        looks are queued, and the watermark moves, all in one transaction. `force` makes changes of known ones too
        (a backfill re-delivers)."""
        ...

    def enqueue(self, looks: Sequence[Look], *, at: datetime, run_id: str = "") -> int:
        """Queue looks, collapsing those already open for the same record; returns how many were new."""
        ...

    def claim(
        self,
        entity: EntityRef,
        *,
        worker: str,
        limit: int,
        lease_seconds: float,
        at: datetime,
        run_id: str = "",
    ) -> list[Change]:
        """Take due changes, oldest first, at most one per record, skipping records that another worker holds."""
        ...

    def extend(self, changes: Sequence[Change], *, lease_seconds: float, at: datetime) -> set[int]:
        """Renew the lease before a send that may take long; returns the ids this worker still holds."""
        ...

    def release(self, changes: Sequence[Change], *, retry_at: datetime) -> None:
        """Give claimed changes back untouched, e.g. when the connection must pause."""
        ...

    def settle(self, settlements: Sequence[Settlement], *, at: datetime) -> None:
        """Change states, links, intents, follow-up looks and audit entries commit together."""
        ...

    def open_changes(self, entity: EntityRef) -> int:
        """Changes still to be delivered: queued (due or not) and claimed."""
        ...

    def mark_missing(self, entity: EntityRef, *, not_seen_since: datetime, at: datetime, run_id: str = "") -> int:
        """After a full sweep: records not seen by it are marked deleted and a look at each is queued, in one
        transaction; returns how many."""
        ...

    def refused_with(self, entity: EntityRef, *, code: str, name: str, values: Sequence[str]) -> list[str]:
        """Keys of records whose last change was refused with `error.code == code` and `error.details[name]` in
        `values`: what waits for something that has come."""
        ...

    def last_error(self, entity: EntityRef, key: str) -> Mapping[str, Any] | None:
        """The error of the record's newest change, when that change was refused or is in conflict."""
        ...

    # links
    def links_by_sage(
        self, connection: str, sage_entity: str, zoho_entity: str, ids: Sequence[str]
    ) -> dict[str, Link]: ...

    def links_by_zoho(
        self, connection: str, zoho_entity: str, sage_entity: str, ids: Sequence[str]
    ) -> dict[str, Link]: ...

    def links_by_detail(
        self, connection: str, sage_entity: str, name: str, values: Sequence[str]
    ) -> dict[str, Link]: ...

    def links_by_name(
        self, connection: str, sage_entity: str, zoho_entity: str, names: Sequence[str], *, before: datetime
    ) -> list[Link]:
        """Links whose Sage record was last seen under one of these names, and equal to its pair not since `before`."""
        ...

    def unsettle(self, sent: Sequence[tuple[Link, Iterable[str]]]) -> None:
        """Note, before an update is sent, which fields it writes: until the link is settled they count as unknown."""
        ...

    def give_way(self, noted: Sequence[tuple[Link, Sequence[GivesWay]]]) -> None:
        """Note, before an update is sent, what people typed and it overrides: kept until the link is settled."""
        ...

    def edit_links(self, edits: LinkEdits, *, at: datetime) -> None:
        """Change the mapping table as a person asked, with looks and audit: all of it, or nothing.

        Raises LinkTaken where a record is bound already, LinkBusy while one is being delivered, and LinkGone for a
        link that is no longer there."""
        ...

    def left_alone(self, entity: EntityRef, keys: Sequence[str] | None = None) -> dict[str, LeftAlone]:
        """Of these records (of all, where none are named), those that a person decided not to bring over."""
        ...

    # intents
    def begin_intents(
        self, connection: str, requests: Sequence[IntentRequest], *, at: datetime, run_id: str = ""
    ) -> dict[str, Intent]:
        """Write or re-open the intent of each business key before anything is sent; keyed by business key."""
        ...

    def intent_of(
        self, connection: str, target_system: str, target_entity: str, source_entity: str, source_key: str
    ) -> Intent | None:
        """The open intent made earlier for this source record, so that a number once chosen stays chosen."""
        ...

    def sending(self, intent_id: int, payload_digest: str) -> None:
        """Note what an intent that an earlier attempt left open is about to be sent with."""
        ...

    def abandon_intent(self, intent_id: int, *, reason: str, at: datetime) -> None: ...

    # pauses
    def pause(self, rest: Pause) -> bool:
        """Begin a connection's rest, or draw it out; whether it was known already for the same reason."""
        ...

    def pauses(self, connection: str | None = None) -> list[Pause]:
        """The rests of a connection, those that are over but not lifted yet included."""
        ...

    def lift(self, connection: str, system: System) -> None: ...

    # holds
    def hold(self, one: Hold) -> None:
        """Let an entity's changes wait for a person."""
        ...

    def holds(self, connection: str | None = None) -> list[Hold]: ...

    def let_go(self, entity: EntityRef) -> None: ...

    def weigh(self, entity: EntityRef, sage_entity: str, zoho_entity: str, *, at: datetime) -> Weight:
        """What the entity's due changes would do, at most, by the queue and the links of this pair."""
        ...

    def has_made(self, connection: str, sage_entity: str, zoho_entity: str) -> bool:
        """Whether a sync has ever created a record of this pair."""
        ...

    def has_applied(self, connection: str, flow: str) -> bool:
        """Whether a plan of this flow was carried out to its end, ever."""
        ...

    # write-backs
    def standing(self, entity: EntityRef, keys: Sequence[str]) -> dict[str, Standing]:
        """Of these records, those in the inbox."""
        ...

    def dismissed(self, entity: EntityRef, keys: Sequence[str], *, code: str) -> dict[str, Row]:
        """Of these records, the errors of this code that a person took out of the inbox last."""
        ...

    def told(self, connection: str, module: str, ids: Sequence[str]) -> dict[str, Told]:
        """What these Zoho records were told last about their other side."""
        ...

    def tell(self, connection: str, module: str, rows: Sequence[Told]) -> None: ...

    # sequences, audit
    def next_number(self, connection: str, sequence: str, *, start: int = 1) -> int: ...

    def append_audit(self, entries: Sequence[AuditEntry]) -> None: ...


class LedgerView(Protocol):
    """What planning reads of the ledger beyond what a sync reads. Nothing is written, claimed or locked."""

    def open(self, entity: EntityRef, *, at: datetime) -> list[OpenChange]:
        """The queue of one entity, oldest first."""
        ...

    def seen(self, entity: EntityRef, keys: Sequence[str] | None) -> dict[str, str | None]:
        """Digests of the records that are known and not deleted; all of them where no keys are given."""
        ...

    def sequence(self, connection: str, sequence: str) -> int | None:
        """The last number handed out."""
        ...

    def intents_as_begun(self, connection: str, requests: Sequence[IntentRequest]) -> dict[str, Intent]:
        """What `begin_intents` would give; id 0 for an intent that is not open yet."""
        ...


class ReadableLedger(Ledger, LedgerView, Protocol):
    """A ledger that a plan can be made of."""


class PlanStore(Protocol):
    """Plans that were applied, in the ledger."""

    def begin(
        self,
        connection: str,
        flows: Sequence[str],
        *,
        digest: str,
        document: Mapping[str, Any],
        actor: str,
        at: datetime,
    ) -> int:
        """Note that a plan is being carried out; its number, the earlier one where it was begun before."""
        ...

    def end(self, plan_id: int, *, state: str, at: datetime) -> None:
        """`done`, or `failed` where something of it is still to do."""
        ...

    def read(self, plan_id: int) -> Applied | None: ...

    def find(self, connection: str, digest: str) -> Applied | None: ...


class MetadataStore(Protocol):
    """The vendors' descriptions of their fields as last seen, in the ledger."""

    def seen(self, connection: str) -> Mapping[tuple[str, str], Row]:
        """By system and entity: each field's description."""
        ...

    def remember(
        self,
        connection: str,
        fields: Mapping[tuple[str, str], Row],
        *,
        at: datetime,
        audit_entries: Sequence[AuditEntry] = (),
    ) -> None:
        """The descriptions and the audit of what changed in them, in one transaction."""
        ...


class ChannelStore(Protocol):
    """Notification channels and their tokens, in the ledger."""

    def turn(self, connection: str) -> AbstractContextManager[bool]:
        """Whether this process may work on the channel now: one at a time does."""
        ...

    def read(self, connection: str) -> Channel | None: ...

    def read_all(self) -> list[Channel]: ...

    def save(self, channel: Channel, audit_entries: Sequence[AuditEntry] = ()) -> None:
        """The channel and the audit of what happened to it, in one transaction."""
        ...

    def forget(self, connection: str, audit_entries: Sequence[AuditEntry] = ()) -> None:
        """The connection has no channel any more; said in the audit, in one transaction."""
        ...

    def heard(self, at: Mapping[str, datetime]) -> None:
        """When each connection's channel last told anything."""
        ...

    def unannounced(self, connection: str, *, since: datetime, until: datetime, limit: int) -> list[Unannounced]:
        """Records that polls captured between these moments, edited after `since`, in modules heard nothing of."""
        ...
