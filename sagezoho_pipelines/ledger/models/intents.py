"""What is about to be created, and under which number."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sagezoho_pipelines.ledger.models.base import Base


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
    run_id: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class SequenceRow(Base):
    """Numbers handed out once, e.g. for customers. A gap is possible, a repetition is not."""

    __tablename__ = "sequences"

    connection: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]
