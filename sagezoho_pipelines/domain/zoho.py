"""What the Zoho CRM client hands to the engine: pages in reading order, and one answer per written row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.records import Row


@dataclass(frozen=True, slots=True)
class ZohoPage:
    """Rows in (Modified_Time, id) order. `server_time` is Zoho's own clock when the page was read."""

    rows: Sequence[Row]
    server_time: datetime


@dataclass(frozen=True, slots=True)
class RowResult:
    """Zoho's answer for one input row, matched to the input by position. `expires_at` is a notification channel's."""

    id: str | None = None
    created: bool = False
    modified_time: datetime | None = None
    expires_at: datetime | None = None
    error: VendorError | None = None
