"""The ledger's tables. All live in the schema `sagezoho`; every row belongs to a connection.

Written to by set-based SQL (`queue.py`, `links.py`, ...); the migrations are held equal to these models by a test.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Identity, Index, LargeBinary, MetaData, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = "sagezoho"

OPEN = "state IN ('queued', 'claimed')"
INBOX = "state IN ('refused', 'conflicted')"


class Base(DeclarativeBase):
    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={"pk": "%(table_name)s_pkey", "uq": "%(table_name)s_%(column_0_N_name)s_key"},
    )
    type_annotation_map = {  # noqa: RUF012
        str: Text(),
        int: BigInteger(),
        bytes: LargeBinary(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
    }


class Watermark(Base):
    """How far an entity has been polled: moves in the transaction that makes the page's changes durable."""

    __tablename__ = "watermarks"

    connection: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    entity: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
    run_id: Mapped[str]
    moved_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Record(Base):
    """One source record as last seen: its digest decides whether a captured version is news."""

    __tablename__ = "records"

    connection: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    entity: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    digest: Mapped[str | None]
    first_seen_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class ChangeRow(Base):
    """One captured version of one record, and what became of it. `payload` null means: fetch at delivery.

    The two unique partial indexes are the queue's guard: whatever races, a record has at most one queued change and
    at most one that a worker holds.
    """

    __tablename__ = "changes"
    __table_args__ = (
        Index("changes_open", "connection", "system", "entity", "id", postgresql_where=text(OPEN)),
        Index(
            "changes_one_queued", "connection", "system", "entity", "key",
            unique=True, postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "changes_one_claimed", "connection", "system", "entity", "key",
            unique=True, postgresql_where=text("state = 'claimed'"),
        ),
        Index("changes_of_record", "key", "entity", "connection", "id"),
        Index("changes_inbox", "connection", "id", postgresql_where=text(INBOX)),
        Index("changes_by_time", "captured_at", postgresql_using="brin"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    connection: Mapped[str]
    system: Mapped[str]
    entity: Mapped[str]
    key: Mapped[str]
    name: Mapped[str]
    digest: Mapped[str | None]
    payload: Mapped[dict[str, Any] | None]
    cause: Mapped[str]
    reason: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime]
    claimed_by: Mapped[str] = mapped_column(server_default=text("''"))
    lease_until: Mapped[datetime | None]
    outcome: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    captured_run_id: Mapped[str]
    run_id: Mapped[str] = mapped_column(server_default=text("''"))
    captured_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    override: Mapped[dict[str, Any] | None]


class Pause(Base):
    """A connection at rest for one system's sake: until then, and until that system has answered again."""

    __tablename__ = "pauses"

    connection: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str]
    text: Mapped[str]
    advice: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime]


class PressureRow(Base):
    """Until when, by the database's clock, no process sends to a vendor that pushed back."""

    __tablename__ = "pressure"

    connection: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]


class HoldRow(Base):
    """An entity whose changes wait for a person: a guard would be crossed, or the first sync needs a plan."""

    __tablename__ = "holds"

    connection: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    entity: Mapped[str] = mapped_column(primary_key=True)
    flow: Mapped[str]
    code: Mapped[str]
    text: Mapped[str]
    advice: Mapped[str]
    since: Mapped[datetime]


class WriteBack(Base):
    """What a Zoho record was last told about its other side, and the modified time Zoho gave that write."""

    __tablename__ = "write_backs"

    connection: Mapped[str] = mapped_column(primary_key=True)
    module: Mapped[str] = mapped_column(primary_key=True)
    record_id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    modified_time: Mapped[datetime | None]


class LinkRow(Base):
    """The mapping table: this Sage record and this Zoho record are the same thing, and nothing else is either."""

    __tablename__ = "links"
    __table_args__ = (
        UniqueConstraint("connection", "sage_entity", "sage_id", "zoho_entity", name="links_sage_side"),
        UniqueConstraint("connection", "zoho_entity", "zoho_id", "sage_entity", name="links_zoho_side"),
        Index("links_order_number", text("(details ->> 'order_number')"), "connection", "sage_entity"),
        Index("links_sage_name", "connection", "sage_entity", "sage_name"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    connection: Mapped[str]
    sage_entity: Mapped[str]
    sage_id: Mapped[str]
    zoho_entity: Mapped[str]
    zoho_id: Mapped[str]
    sage_name: Mapped[str]
    zoho_name: Mapped[str]
    authority: Mapped[str]
    made_by: Mapped[str]
    source_digest: Mapped[str | None]
    written: Mapped[dict[str, Any]]
    target_time: Mapped[datetime | None]
    details: Mapped[dict[str, Any]]
    exceptions: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    agreed: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    seen_equal_at: Mapped[datetime | None]
    unsettled: Mapped[list[str]] = mapped_column(JSONB(), server_default=text("'[]'"))
    linked_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class LeftAloneRow(Base):
    """A record that is not brought to the other side, since a person decided so, or has yet to decide what it is."""

    __tablename__ = "left_alone"

    connection: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    entity: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    who: Mapped[str]
    why: Mapped[str]
    at: Mapped[datetime]
    decided: Mapped[bool]


class PlanRow(Base):
    """A plan that was applied, without values of records: what was agreed to, by whom, and how far it got.

    `state` is `begun`, `done` or `failed`; `digest` names the plan, redacted or not.
    """

    __tablename__ = "plans"
    __table_args__ = (Index("plans_of_connection", "connection", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    connection: Mapped[str]
    flows: Mapped[list[str]] = mapped_column(JSONB())
    digest: Mapped[str]
    document: Mapped[dict[str, Any]]
    actor: Mapped[str]
    state: Mapped[str]
    begun_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SeenMetadata(Base):
    """A vendor's description of one entity as last seen: what schema drift is measured against."""

    __tablename__ = "seen_metadata"

    connection: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    entity: Mapped[str] = mapped_column(primary_key=True)
    fields: Mapped[dict[str, Any]]
    seen_at: Mapped[datetime]


class IntentRow(Base):
    """Written before a create is sent, closed by its answer or by reading the target back."""

    __tablename__ = "intents"
    __table_args__ = (
        Index(
            "intents_one_open_per_key", "connection", "target_system", "target_entity", "business_key",
            unique=True, postgresql_where=text("state = 'open'"),
        ),
        Index(
            "intents_one_open_per_source",
            "connection", "target_system", "target_entity", "source_entity", "source_key",
            unique=True, postgresql_where=text("state = 'open'"),
        ),
        Index("intents_by_key", "business_key"),
        Index("intents_by_source", "source_key"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    connection: Mapped[str]
    target_system: Mapped[str]
    target_entity: Mapped[str]
    business_key: Mapped[str]
    source_entity: Mapped[str]
    source_key: Mapped[str]
    payload_digest: Mapped[str]
    names: Mapped[list[str]] = mapped_column(JSONB(), server_default=text("'[]'"))
    state: Mapped[str]
    attempts: Mapped[int]
    target_id: Mapped[str] = mapped_column(server_default=text("''"))
    reason: Mapped[str] = mapped_column(server_default=text("''"))
    run_id: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class AuditRow(Base):
    """One immutable line per movement, chained by hash within its connection. A trigger refuses UPDATE and DELETE.

    `fields` and `answer` are JSON, not JSONB: the hash covers their exact text. `fields` holds, for each target field,
    the id of its transformation and the values before and after.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index("audit_by_source", "source_id"),
        Index("audit_by_target", "target_id"),
        Index("audit_by_run", "run_id"),
        Index("audit_by_time", "connection", "at"),
    )

    connection: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    flow: Mapped[str]
    direction: Mapped[str]
    source_system: Mapped[str]
    source_entity: Mapped[str]
    source_id: Mapped[str]
    target_system: Mapped[str]
    target_entity: Mapped[str]
    target_id: Mapped[str]
    operation: Mapped[str]
    outcome: Mapped[str]
    fields: Mapped[list[list[Any]]] = mapped_column(JSON())
    answer: Mapped[dict[str, Any]] = mapped_column(JSON())
    cause: Mapped[str]
    run_id: Mapped[str]
    change_id: Mapped[int | None]
    prev_hash: Mapped[str]
    hash: Mapped[str]


class TransformationRow(Base):
    """How one target field is made: named by the digest of what it says. A trigger refuses UPDATE and DELETE."""

    __tablename__ = "transformations"

    id: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str]
    sources: Mapped[list[str]] = mapped_column(JSON())
    expression: Mapped[str]


class AuditHead(Base):
    """The last line of a connection's chain: locked while lines are added, and proof that none was cut off the end."""

    __tablename__ = "audit_heads"

    connection: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    hash: Mapped[str]


class Secret(Base):
    """One version of one system's credentials, sealed by the vault."""

    __tablename__ = "secrets"

    connection: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    wrapped_key: Mapped[bytes]
    ciphertext: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Token(Base):
    """The OAuth access token shared by all processes of a connection, sealed by the vault."""

    __tablename__ = "tokens"

    connection: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str | None]
    wrapped_key: Mapped[bytes | None]
    ciphertext: Mapped[bytes | None]
    api_domain: Mapped[str] = mapped_column(server_default=text("''"))
    expires_at: Mapped[datetime | None]
    obtained_at: Mapped[datetime | None]
    blocked_until: Mapped[datetime | None]


class ChannelRow(Base):
    """A connection's Zoho notification channel: what Zoho was asked for, and when it was last known to work.

    The ciphertext holds the channel's token and the one before it. `previous_until` is when the older one stops being
    honoured; null while a renewal is under way, since either may then be the one that Zoho sends. `catch_up_from` is
    set from the moment a lapse is found until a poll has covered it.
    """

    __tablename__ = "channels"

    connection: Mapped[str] = mapped_column(primary_key=True)
    channel_id: Mapped[int] = mapped_column(unique=True)
    notify_url: Mapped[str]
    events: Mapped[list[str]] = mapped_column(JSONB())
    key_id: Mapped[str]
    wrapped_key: Mapped[bytes]
    ciphertext: Mapped[bytes]
    previous_until: Mapped[datetime | None]
    state: Mapped[str]
    problem: Mapped[str] = mapped_column(server_default=text("''"))
    subscribed_at: Mapped[datetime | None]
    renewed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    known_good_at: Mapped[datetime | None]
    catch_up_from: Mapped[datetime | None]
    last_notification_at: Mapped[datetime | None]


class Sequence(Base):
    """Numbers handed out once, e.g. for customers. A gap is possible, a repetition is not."""

    __tablename__ = "sequences"

    connection: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]
