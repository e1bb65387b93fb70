"""What the engine needs of Zoho CRM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from sagezoho_pipelines.domain.channels import Watch, Watched
from sagezoho_pipelines.domain.criteria import Criteria
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.domain.zoho import RowResult, ZohoPage


class ZohoCrm(Protocol):
    """Zoho CRM of one organisation. Modules and fields go by their API names."""

    usage: Usage

    def changed_since(
        self,
        module: str,
        *,
        fields: Sequence[str],
        since: datetime,
        where: Criteria = (),
        until: datetime | None = None,
    ) -> Iterator[ZohoPage]:
        """COQL keyset paging over (Modified_Time, id), `since` inclusive, `until` exclusive."""
        ...

    def find(self, module: str, *, where: Criteria, fields: Sequence[str], limit: int | None = None) -> list[Row]: ...

    def get(self, module: str, record_id: str) -> Row | None:
        """One whole record with its subforms, or None."""
        ...

    def get_many(self, module: str, ids: Sequence[str], *, fields: Sequence[str]) -> list[Row]: ...

    def deleted_since(self, module: str, since: datetime) -> Iterator[Row]: ...

    def insert(self, module: str, rows: Sequence[Row], *, trigger: Sequence[str] = ()) -> list[RowResult]:
        """Never sent again by the client after an unknown outcome: raises OutcomeUnknown."""
        ...

    def update(
        self,
        module: str,
        rows: Sequence[Row],
        *,
        trigger: Sequence[str] = (),
        unmodified_since: datetime | None = None,
    ) -> list[RowResult]:
        """A row whose record was modified after `unmodified_since` is refused with ALREADY_MODIFIED."""
        ...

    def upsert(
        self, module: str, rows: Sequence[Row], *, duplicate_check: Sequence[str], trigger: Sequence[str] = ()
    ) -> list[RowResult]: ...

    def write_cost(self, rows: int) -> tuple[int, int]:
        """Calls and credits that a write of so many rows takes."""
        ...

    def modules(self) -> list[Row]: ...

    def fields(self, module: str) -> list[Row]: ...

    def create_fields(self, module: str, fields: Sequence[Row]) -> list[RowResult]: ...

    def org(self) -> Row: ...

    def current_user(self) -> Row: ...

    def server_time(self) -> datetime: ...

    def enable_channels(self, wanted: Sequence[Watch]) -> list[RowResult]: ...

    def replace_channels(self, wanted: Sequence[Watch]) -> list[RowResult]: ...

    def renew_channels(self, wanted: Sequence[Watch]) -> list[RowResult]: ...

    def channel(self, channel_id: int) -> list[Watched]:
        """A channel as Zoho has it, one entry per module; empty when Zoho knows none."""
        ...

    def disable_channel(self, channel_id: int) -> None: ...
