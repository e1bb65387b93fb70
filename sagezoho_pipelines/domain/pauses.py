"""A connection at rest: one of its systems will not serve it for a while, so nothing is tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sagezoho_pipelines.domain.errors import addressed
from sagezoho_pipelines.domain.records import System


@dataclass(frozen=True, slots=True)
class Pause:
    """`code`, `text` and `advice` are those of the error that began it. It is tried again after `until`.

    `news` says that it has just begun, rather than been drawn out.
    """

    connection: str
    system: System
    code: str
    text: str
    advice: str
    since: datetime
    until: datetime
    news: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        told = addressed(f"{self.code}: {self.text} {self.advice}".strip(), self.connection)
        until = f"{self.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"{self.connection} is paused until {until}, or until 'sagezoho check' finds it mended. {told}"
