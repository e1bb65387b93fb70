"""What keeps changes waiting: a system at rest, a vendor that pushed back, a person who has yet to look."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from sagezoho_pipelines.ledger.models.base import Base


class PauseRow(Base):
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
