"""What the vendors were last known to be: their fields, and the channel they notify on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sagezoho_pipelines.ledger.models.base import Base


class SeenMetadataRow(Base):
    """A vendor's description of one entity as last seen: what schema drift is measured against."""

    __tablename__ = "seen_metadata"

    connection: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    entity: Mapped[str] = mapped_column(primary_key=True)
    fields: Mapped[dict[str, Any]]
    seen_at: Mapped[datetime]


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
