"""What the ledger keeps beside a sync: applied plans, the vendors' field lists, notification channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from sagezoho_pipelines.domain.channels import Channel, Unannounced
from sagezoho_pipelines.domain.planned import Applied
from sagezoho_pipelines.domain.records import AuditEntry, Row


class PlanStore(Protocol):
    """Plans that were applied, in the ledger."""

    def begin(
        self,
        connection: str,
        flows: Sequence[str],
        *,
        digest: str,
        document: Mapping[str, Any],
        actor: str,
        at: datetime,
    ) -> int:
        """Note that a plan is being carried out; its number, the earlier one where it was begun before."""
        ...

    def end(self, plan_id: int, *, state: str, at: datetime) -> None:
        """`done`, or `failed` where something of it is still to do."""
        ...

    def read(self, plan_id: int) -> Applied | None: ...

    def find(self, connection: str, digest: str) -> Applied | None: ...


class MetadataStore(Protocol):
    """The vendors' descriptions of their fields as last seen, in the ledger."""

    def seen(self, connection: str) -> Mapping[tuple[str, str], Row]:
        """By system and entity: each field's description."""
        ...

    def remember(
        self,
        connection: str,
        fields: Mapping[tuple[str, str], Row],
        *,
        at: datetime,
        audit_entries: Sequence[AuditEntry],
    ) -> None:
        """The descriptions and the audit of what changed in them, in one transaction."""
        ...


class ChannelStore(Protocol):
    """Notification channels and their tokens, in the ledger."""

    def turn(self, connection: str) -> AbstractContextManager[bool]:
        """Whether this process may work on the channel now: one at a time does."""
        ...

    def read(self, connection: str) -> Channel | None: ...

    def read_all(self) -> list[Channel]: ...

    def save(self, channel: Channel, audit_entries: Sequence[AuditEntry] = ()) -> None:
        """The channel and the audit of what happened to it, in one transaction."""
        ...

    def forget(self, connection: str, audit_entries: Sequence[AuditEntry]) -> None:
        """The connection has no channel any more; said in the audit, in one transaction."""
        ...

    def heard(self, at: Mapping[str, datetime]) -> None:
        """When each connection's channel last told anything."""
        ...

    def unannounced(
        self, connection: str, *, since: datetime, after: datetime, until: datetime, ahead: timedelta, limit: int
    ) -> list[Unannounced]:
        """Records that polls captured between `after` and `until`, edited after `since`, in modules heard nothing of.

        Zoho tells of edits by its own clock, which is so far `ahead` of that of the moments."""
        ...
