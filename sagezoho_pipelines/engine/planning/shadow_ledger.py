"""The planning ledger: reads through to the real one, keeps everything that would be written in memory."""

# A shadow takes what the port it implements is given, and needs less of it.
# ruff: noqa: ARG002

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.domain.holds import Hold, Weight
from sagezoho_pipelines.domain.links import LeftAlone, LinkEdits
from sagezoho_pipelines.domain.pauses import Pause
from sagezoho_pipelines.domain.records import (
    GONE_FROM_SOURCE,
    CapturedRecord,
    Cause,
    Change,
    EntityRef,
    GivesWay,
    Link,
    Look,
    Row,
    System,
)
from sagezoho_pipelines.domain.settlement import CaptureResult, Intent, IntentRequest, Settlement
from sagezoho_pipelines.domain.write_backs import Standing, Told
from sagezoho_pipelines.engine.planning.shadow_intents import ShadowIntents
from sagezoho_pipelines.engine.planning.shadow_links import ShadowLinks
from sagezoho_pipelines.engine.planning.shadow_queue import ShadowQueue
from sagezoho_pipelines.engine.ports import ReadableLedger


class ShadowLedger:
    """Implements the engine's `Ledger` port over a real one that is only read. Thread-safe.

    `at` is the moment planned for, `settled` hears of every settlement. `numbers` holds the last number of each
    sequence used.
    """

    def __init__(
        self,
        real: ReadableLedger,
        *,
        at: datetime,
        settled: Callable[[Settlement], None] = lambda _settlement: None,
    ) -> None:
        self._real = real
        self._settled = settled
        self._queue = ShadowQueue(real, at=at)
        self._links = ShadowLinks(real)
        self._marks: dict[EntityRef, Row] = {}
        self._intents = ShadowIntents(real)
        self._told: dict[tuple[str, str, str], Told] = {}
        self._lock = threading.RLock()
        self.numbers: dict[str, int] = {}

    @property
    def begun(self) -> Sequence[IntentRequest]:
        """The intents that were opened, as asked for last."""
        return list(self._intents.begun.values())

    # watermarks

    def watermark(self, entity: EntityRef) -> Row | None:
        return self._marks.get(entity) or self._real.watermark(entity)

    # capture and queue

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
        with self._lock:
            result = self._queue.capture(entity, records, cause=cause, force=force)
            self._queue.enqueue(looks)
            if watermark is not None:
                self._marks[entity] = dict(watermark)
            return result

    def enqueue(self, looks: Sequence[Look], *, at: datetime, run_id: str = "") -> int:
        with self._lock:
            return self._queue.enqueue(looks)

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
        with self._lock:
            return self._queue.claim(entity, limit=limit)

    def extend(self, changes: Sequence[Change], *, lease_seconds: float, at: datetime) -> set[int]:
        return {change.id for change in changes}

    def release(self, changes: Sequence[Change], *, retry_at: datetime) -> None:
        with self._lock:
            self._queue.release(changes)

    def settle(self, settlements: Sequence[Settlement], *, at: datetime) -> None:
        with self._lock:
            for link in (link for s in settlements for link in s.ended):
                self._links.end(link)
            for source in System:
                found = [link for s in settlements if s.change.entity.system is source for link in s.links]
                self._links.check(found, source)
            self._queue.settle(settlements)
            for settlement in settlements:
                for link in settlement.links:
                    self._links.bind(link, settlement.change.entity.system)
                for intent_id, state, _ in settlement.intents:
                    self._intents.close(intent_id, settled=state == "settled")
                self._settled(settlement)
            self._queue.enqueue([look for s in settlements for look in s.looks])

    def attempting(self, changes: Sequence[Change]) -> None:
        """A plan is never cut off between a write and its settlement."""

    def tried(self, entity: EntityRef, held: Sequence[Change]) -> dict[str, list[Change]]:
        return self._real.tried(entity, held)

    def open_changes(self, entity: EntityRef) -> int:
        with self._lock:
            return self._queue.open_changes(entity)

    def mark_missing(self, entity: EntityRef, *, not_seen_since: datetime, at: datetime, run_id: str = "") -> int:
        with self._lock:
            return self._queue.mark_missing(entity)

    def refused_with(
        self, entity: EntityRef, *, codes: Sequence[str], name: str, values: Sequence[str] | None = None
    ) -> dict[str, list[str]]:
        with self._lock:
            known = self._real.refused_with(entity, codes=codes, name=name, values=values)
            return self._queue.refused_with(entity, known, codes, name, values)

    def last_error(self, entity: EntityRef, key: str) -> Mapping[str, Any] | None:
        with self._lock:
            knows, error = self._queue.last_error(entity, key)
            return error if knows else self._real.last_error(entity, key)

    # links

    def links_by_name(
        self, connection: str, sage_entity: str, zoho_entity: str, names: Sequence[str], *, before: datetime
    ) -> list[Link]:
        with self._lock:
            return self._links.by_name(connection, sage_entity, zoho_entity, names, before=before)

    def links_by_sage(self, connection: str, sage_entity: str, zoho_entity: str, ids: Sequence[str]) -> dict[str, Link]:
        with self._lock:
            return self._links.by_sage(connection, sage_entity, zoho_entity, ids)

    def links_by_zoho(self, connection: str, zoho_entity: str, sage_entity: str, ids: Sequence[str]) -> dict[str, Link]:
        with self._lock:
            return self._links.by_zoho(connection, zoho_entity, sage_entity, ids)

    def unsettle(self, sent: Sequence[tuple[Link, Iterable[str]]]) -> None:
        with self._lock:
            for link, names in sent:
                self._links.unsettle(link, names)

    def give_way(self, noted: Sequence[tuple[Link, Sequence[GivesWay]]]) -> None:
        """A plan is never cut off between a write and its settlement."""

    def edit_links(self, edits: LinkEdits, *, at: datetime) -> None:
        raise NotImplementedError("a plan runs the flows only: people edit links elsewhere")

    def left_alone(self, entity: EntityRef, keys: Sequence[str] | None = None) -> dict[str, LeftAlone]:
        return self._real.left_alone(entity, keys)

    # intents

    def begin_intents(
        self,
        connection: str,
        requests: Sequence[IntentRequest],
        *,
        at: datetime,
        run_id: str = "",
    ) -> dict[str, Intent]:
        with self._lock:
            return self._intents.begin(connection, requests)

    def intent_of(
        self, connection: str, target_system: str, target_entity: str, source_entity: str, source_key: str
    ) -> Intent | None:
        with self._lock:
            return self._intents.of(connection, (target_system, target_entity, source_entity, source_key))

    def made_elsewhere(self, connection: str, request: IntentRequest, zoho_entity: str, *, before: int) -> str | None:
        return self._real.made_elsewhere(connection, request, zoho_entity, before=before)

    def sending(self, intent_id: int, payload_digest: str) -> None:
        with self._lock:
            self._intents.sending(intent_id, payload_digest)

    # pauses

    def pause(self, rest: Pause) -> bool:
        """A plan is not half a plan: what would let the connection rest ends it."""
        raise SagezohoError(f"{rest.connection}: nothing was planned. {rest.code}: {rest.text} {rest.advice}".strip())

    def pauses(self, connection: str | None = None) -> list[Pause]:
        return self._real.pauses(connection)

    def lift(self, connection: str, system: System) -> None:
        """A plan changes nothing about a pause."""

    # holds

    def hold(self, one: Hold) -> None:
        """A plan holds nothing up, and nothing holds up a plan."""

    def holds(self, connection: str | None = None) -> list[Hold]:
        return []

    def let_go(self, entity: EntityRef) -> None:
        """A plan changes nothing about a hold."""

    def weigh(self, entity: EntityRef, sage_entity: str, zoho_entity: str, *, at: datetime) -> Weight:
        """As the guards would find the queue and the links when a sync has come so far."""
        with self._lock:
            due = self._queue.due(entity)
            keys = sorted({change.key for change in due})
            if entity.system is System.SAGE300:
                linked = {*self._links.by_sage(entity.connection, sage_entity, zoho_entity, keys)}
            else:
                linked = {*self._links.by_zoho(entity.connection, zoho_entity, sage_entity, keys)}
            known = [change for change in due if change.key in linked]
            gone = sum(change.reason == GONE_FROM_SOURCE for change in known)
            total = self._real.weigh(entity, sage_entity, zoho_entity, at=at).linked
            creates = sum(change.key not in linked and change.reason != GONE_FROM_SOURCE for change in due)
            return Weight(creates, len(known) - gone, gone, total)

    def has_made(self, connection: str, sage_entity: str, zoho_entity: str) -> bool:
        return self._real.has_made(connection, sage_entity, zoho_entity)

    def has_applied(self, connection: str, flow: str) -> bool:
        return self._real.has_applied(connection, flow)

    # write-backs

    def standing(self, entity: EntityRef, keys: Sequence[str], *, or_dismissed: bool = False) -> dict[str, Standing]:
        with self._lock:
            return self._queue.standing(entity, self._real.standing(entity, keys, or_dismissed=or_dismissed), keys)

    def dismissed(self, entity: EntityRef, keys: Sequence[str], *, code: str) -> dict[str, Row]:
        return self._real.dismissed(entity, keys, code=code)

    def told(self, connection: str, module: str, ids: Sequence[str]) -> dict[str, Told]:
        mine = {one: self._told[connection, module, one] for one in ids if (connection, module, one) in self._told}
        return {**self._real.told(connection, module, ids), **mine}

    def tell(self, connection: str, module: str, rows: Sequence[Told]) -> None:
        self._told.update({(connection, module, row.record_id): row for row in rows})

    # sequences

    def next_number(self, connection: str, sequence: str, *, start: int = 1) -> int:
        with self._lock:
            last = self.numbers.get(sequence, self._real.sequence(connection, sequence))
            self.numbers[sequence] = start if last is None else max(last + 1, start)
            return self.numbers[sequence]
