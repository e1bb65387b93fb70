"""What happened and how it was made, which is never changed; and the plans that people agreed to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Identity, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sagezoho_pipelines.ledger.models.base import Base


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


class AuditHeadRow(Base):
    """The last line of a connection's chain: locked while lines are added, and proof that none was cut off the end."""

    __tablename__ = "audit_heads"

    connection: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    hash: Mapped[str]


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
