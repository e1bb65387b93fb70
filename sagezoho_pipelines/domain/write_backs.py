"""What sales people read on a Zoho record about its other side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sagezoho_pipelines.domain.records import Row


@dataclass(frozen=True, slots=True)
class Standing:
    """A record in the inbox, or dismissed from it: its state, which version of it, why, and since when."""

    state: str
    digest: str | None
    error: Row
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a Zoho record was told last, and the modified time that Zoho gave that write."""

    record_id: str
    digest: str
    modified_time: datetime | None
