"""The mapping table, what people keep out of it, and what linked records were told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sagezoho_pipelines.ledger.models.base import Base


class LinkRow(Base):
    """The mapping table: this Sage record and this Zoho record are the same thing, and nothing else is either."""

    __tablename__ = "links"
    __table_args__ = (
        UniqueConstraint("connection", "sage_entity", "sage_id", "zoho_entity", name="links_sage_side"),
        UniqueConstraint("connection", "zoho_entity", "zoho_id", "sage_entity", name="links_zoho_side"),
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


class WriteBackRow(Base):
    """What a Zoho record was last told about its other side, and the modified time Zoho gave that write."""

    __tablename__ = "write_backs"

    connection: Mapped[str] = mapped_column(primary_key=True)
    module: Mapped[str] = mapped_column(primary_key=True)
    record_id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    modified_time: Mapped[datetime | None]
