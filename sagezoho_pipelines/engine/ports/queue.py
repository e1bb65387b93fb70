"""Changes on their way: captured, queued, claimed, settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sagezoho_pipelines.domain.records import CapturedRecord, Cause, Change, EntityRef, Look, Row
from sagezoho_pipelines.domain.settlement import CaptureResult, Settlement


class Queue(Protocol):
    """The changes of every entity, and how far each was polled."""

    def watermark(self, entity: EntityRef) -> Row | None: ...

    def capture(
        self,
        entity: EntityRef,
        records: Sequence[CapturedRecord],
        *,
        cause: Cause,
        at: datetime,
        run_id: str = "",
        looks: Sequence[Look] = (),
        watermark: Row | None = None,
        force: bool = False,
    ) -> CaptureResult:
        """One page, set-based: unknown digests become changes (superseding queued ones of the same record),
        looks are queued, and the watermark moves, all in one transaction. `force` makes changes of known ones too
        (a backfill re-delivers)."""
        ...

    def enqueue(self, looks: Sequence[Look], *, at: datetime, run_id: str = "") -> int:
        """Queue looks, one for a record however many are asked for or queued already; returns how many were new."""
        ...

    def claim(
        self,
        entity: EntityRef,
        *,
        worker: str,
        limit: int,
        lease_seconds: float,
        at: datetime,
        run_id: str = "",
    ) -> list[Change]:
        """Take due changes, oldest first, at most one per record, skipping records that another worker holds."""
        ...

    def extend(self, changes: Sequence[Change], *, lease_seconds: float, at: datetime) -> set[int]:
        """Renew the lease before a send that may take long; returns the ids this worker still holds."""
        ...

    def release(self, changes: Sequence[Change], *, retry_at: datetime) -> None:
        """Give claimed changes back untouched, e.g. when the connection must pause."""
        ...

    def settle(self, settlements: Sequence[Settlement], *, at: datetime) -> None:
        """Change states, links, intents, follow-up looks and audit entries commit together."""
        ...

    def attempting(self, changes: Sequence[Change]) -> None:
        """Say that creations from these looks are about to be sent, and from what: `tried` then knows it."""
        ...

    def tried(self, entity: EntityRef, held: Sequence[Change]) -> dict[str, list[Change]]:
        """Of the records of these claimed changes: the versions that earlier attempts may have sent since one ended
        well, oldest first, by key."""
        ...

    def open_changes(self, entity: EntityRef) -> int:
        """Changes still to be delivered: queued (due or not) and claimed."""
        ...

    def mark_missing(self, entity: EntityRef, *, not_seen_since: datetime, at: datetime, run_id: str = "") -> int:
        """After a full sweep: records not seen by it are marked deleted and a look at each is queued, in one
        transaction; returns how many."""
        ...

    def refused_with(
        self, entity: EntityRef, *, codes: Sequence[str], name: str, values: Sequence[str] | None = None
    ) -> dict[str, list[str]]:
        """What waits for something: records whose last change was refused with one of these codes, by the value of
        `error.details[name]`, the keys sorted. Of all values, where none are named."""
        ...

    def last_error(self, entity: EntityRef, key: str) -> Mapping[str, Any] | None:
        """The error of the record's newest change, when that change was refused or is in conflict."""
        ...
