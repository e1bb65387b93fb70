"""What is sealed: credentials and tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from sagezoho_pipelines.ledger.models.base import Base


class SecretRow(Base):
    """One version of one system's credentials, sealed by the vault."""

    __tablename__ = "secrets"

    connection: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    wrapped_key: Mapped[bytes]
    ciphertext: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class TokenRow(Base):
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
