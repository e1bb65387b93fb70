"""What is known of the sources, and what of it waits to be delivered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sagezoho_pipelines.ledger.models.base import Base

OPEN = "state IN ('queued', 'claimed')"
INBOX = "state IN ('refused', 'conflicted')"
HEARD = "cause = 'notification'"


class WatermarkRow(Base):
    """How far an entity has been polled: moves in the transaction that makes the page's changes durable."""

    __tablename__ = "watermarks"

    connection: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    entity: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
    run_id: Mapped[str]
    moved_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class RecordRow(Base):
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
    """One captured version of one record, and what became of it. `payload` null means: fetch at delivery; `attempted`
    is then what attempts have read, in their order, before they sent a creation of it.

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
        Index("changes_heard", "connection", "system", "entity", "captured_at", postgresql_where=text(HEARD)),
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
    attempted: Mapped[list[Any]] = mapped_column(JSONB(), server_default=text("'[]'"))
