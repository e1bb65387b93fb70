"""The ledger as the engine sees it: one transaction per call, over the modules beside this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from sagezoho_pipelines.domain.errors import BusinessKeyTaken
from sagezoho_pipelines.domain.holds import Hold, Weight
from sagezoho_pipelines.domain.links import LeftAlone, LinkEdits
from sagezoho_pipelines.domain.pauses import Pause
from sagezoho_pipelines.domain.planned import OpenChange
from sagezoho_pipelines.domain.records import (
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
from sagezoho_pipelines.ledger import (
    capture,
    holds,
    intents,
    link_table,
    links,
    pauses,
    plans,
    queue,
    settling,
    view,
    watermarks,
    write_backs,
)
from sagezoho_pipelines.ledger.transactions import UNIQUE, Result, in_transaction, sqlstate


class PostgresLedger:
    """Implements the engine's `Ledger` port. Thread-safe; `engine` is for the modules that only read."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def close(self) -> None:
        self.engine.dispose()

    # watermarks

    def watermark(self, entity: EntityRef) -> Row | None:
        return self._in_transaction(lambda c: watermarks.read(c, entity))

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
        return self._in_transaction(
            lambda c: capture.capture(
                c,
                entity,
                records,
                cause=cause,
                at=at,
                run_id=run_id,
                looks=looks,
                watermark=watermark,
                force=force,
            )
        )

    def mark_missing(self, entity: EntityRef, *, not_seen_since: datetime, at: datetime, run_id: str = "") -> int:
        return self._in_transaction(
            lambda c: capture.mark_missing(c, entity, not_seen_since=not_seen_since, at=at, run_id=run_id)
        )

    def enqueue(self, looks: Sequence[Look], *, at: datetime, run_id: str = "") -> int:
        return self._in_transaction(lambda c: capture.enqueue(c, looks, at=at, run_id=run_id))

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
        return self._in_transaction(
            lambda c: queue.claim(
                c, entity, worker=worker, limit=limit, lease_seconds=lease_seconds, at=at, run_id=run_id
            )
        )

    def extend(self, changes: Sequence[Change], *, lease_seconds: float, at: datetime) -> set[int]:
        """Hold claimed changes longer; returns the ids still held. The others were taken by another worker."""
        return self._in_transaction(lambda c: queue.extend(c, changes, lease_seconds=lease_seconds, at=at))

    def release(self, changes: Sequence[Change], *, retry_at: datetime) -> None:
        self._in_transaction(lambda c: queue.release(c, changes, retry_at=retry_at))

    def settle(self, settlements: Sequence[Settlement], *, at: datetime) -> None:
        """Everything commits together. Raises LinkTaken, with nothing committed, for a link that cannot be made.

        A change whose lease ran out and which another worker took keeps the state that worker gives it; what this
        one found is kept all the same: audit, closed intents, and links where there are none. Nobody knows which of
        the two writes came last, so such a record is looked at once more, and what this one wrote is written again;
        likewise where a delivery of another record has settled the same link since it was read.
        """
        if settlements:
            self._in_transaction(lambda c: settling.settle(c, settlements, at=at))

    def attempting(self, changes: Sequence[Change]) -> None:
        """Note, before a creation is sent, what was read of records that were only looked at."""
        self._in_transaction(lambda c: queue.attempting(c, changes))

    def tried(self, entity: EntityRef, held: Sequence[Change]) -> dict[str, list[Change]]:
        return self._in_transaction(lambda c: queue.tried(c, entity, held))

    def open_changes(self, entity: EntityRef) -> int:
        return self._in_transaction(lambda c: queue.open_changes(c, entity))

    def refused_with(
        self, entity: EntityRef, *, codes: Sequence[str], name: str, values: Sequence[str] | None = None
    ) -> dict[str, list[str]]:
        return self._in_transaction(lambda c: queue.refused_with(c, entity, codes=codes, name=name, values=values))

    def last_error(self, entity: EntityRef, key: str) -> Mapping[str, Any] | None:
        return self._in_transaction(lambda c: queue.last_error(c, entity, key))

    # links

    def links_by_sage(self, connection: str, sage_entity: str, zoho_entity: str, ids: Sequence[str]) -> dict[str, Link]:
        return self._in_transaction(lambda c: links.by_sage(c, connection, sage_entity, zoho_entity, ids))

    def links_by_zoho(self, connection: str, zoho_entity: str, sage_entity: str, ids: Sequence[str]) -> dict[str, Link]:
        return self._in_transaction(lambda c: links.by_zoho(c, connection, zoho_entity, sage_entity, ids))

    def links_by_name(
        self, connection: str, sage_entity: str, zoho_entity: str, names: Sequence[str], *, before: datetime
    ) -> list[Link]:
        return self._in_transaction(
            lambda c: links.by_name(c, connection, sage_entity, zoho_entity, names, before=before)
        )

    def unsettle(self, sent: Sequence[tuple[Link, Iterable[str]]]) -> None:
        """Note, before an update is sent, which fields it writes: until it is settled they count as unknown."""
        self._in_transaction(lambda c: links.unsettle(c, sent))

    def give_way(self, noted: Sequence[tuple[Link, Sequence[GivesWay]]]) -> None:
        """Note, before an update is sent, what it overrides: kept until the link is settled."""
        self._in_transaction(lambda c: links.give_way(c, noted))

    def edit_links(self, edits: LinkEdits, *, at: datetime) -> None:
        self._in_transaction(lambda c: link_table.edit(c, edits, at=at))

    def left_alone(self, entity: EntityRef, keys: Sequence[str] | None = None) -> dict[str, LeftAlone]:
        return self._in_transaction(lambda c: link_table.left_alone(c, entity, keys))

    # intents

    def begin_intents(
        self, connection: str, requests: Sequence[IntentRequest], *, at: datetime, run_id: str = ""
    ) -> dict[str, Intent]:
        """Raises BusinessKeyTaken, with nothing committed, when a key belongs to another source record."""
        try:
            return self._in_transaction(lambda c: intents.begin(c, connection, requests, at=at, run_id=run_id))
        except DBAPIError as error:
            if sqlstate(error) != UNIQUE:
                raise
            raise BusinessKeyTaken(
                f"{connection}: one of {', '.join(f'{r.source_entity} {r.source_key}' for r in requests)} has an open "
                "intent under another business key. Deliver that one first."
            ) from None

    def intent_of(
        self, connection: str, target_system: str, target_entity: str, source_entity: str, source_key: str
    ) -> Intent | None:
        return self._in_transaction(
            lambda c: intents.open_of(c, connection, target_system, target_entity, source_entity, source_key)
        )

    def made_elsewhere(self, connection: str, request: IntentRequest, zoho_entity: str, *, before: int) -> str | None:
        return self._in_transaction(
            lambda c: intents.made_elsewhere(c, connection, request, zoho_entity, before=before)
        )

    def sending(self, intent_id: int, payload_digest: str) -> None:
        self._in_transaction(lambda c: intents.sending(c, intent_id, payload_digest))

    # pauses

    def pause(self, rest: Pause) -> bool:
        return self._in_transaction(lambda c: pauses.pause(c, rest))

    def pauses(self, connection: str | None = None) -> list[Pause]:
        return self._in_transaction(lambda c: pauses.pauses(c, connection))

    def lift(self, connection: str, system: System) -> None:
        self._in_transaction(lambda c: pauses.lift(c, connection, system))

    # holds

    def hold(self, one: Hold) -> None:
        self._in_transaction(lambda c: holds.hold(c, one))

    def holds(self, connection: str | None = None) -> list[Hold]:
        return self._in_transaction(lambda c: holds.holds(c, connection))

    def let_go(self, entity: EntityRef) -> None:
        self._in_transaction(lambda c: holds.let_go(c, entity))

    def weigh(self, entity: EntityRef, sage_entity: str, zoho_entity: str, *, at: datetime) -> Weight:
        return self._in_transaction(lambda c: holds.weigh(c, entity, sage_entity, zoho_entity, at=at))

    def has_made(self, connection: str, sage_entity: str, zoho_entity: str) -> bool:
        return self._in_transaction(lambda c: holds.has_made(c, connection, sage_entity, zoho_entity))

    def has_applied(self, connection: str, flow: str) -> bool:
        return self._in_transaction(lambda c: plans.has_applied(c, connection, flow))

    # write-backs

    def standing(self, entity: EntityRef, keys: Sequence[str], *, or_dismissed: bool = False) -> dict[str, Standing]:
        return self._in_transaction(lambda c: write_backs.standing(c, entity, keys, or_dismissed=or_dismissed))

    def dismissed(self, entity: EntityRef, keys: Sequence[str], *, code: str) -> dict[str, Row]:
        return self._in_transaction(lambda c: write_backs.dismissed(c, entity, keys, code))

    def told(self, connection: str, module: str, ids: Sequence[str]) -> dict[str, Told]:
        return self._in_transaction(lambda c: write_backs.told(c, connection, module, ids))

    def tell(self, connection: str, module: str, rows: Sequence[Told]) -> None:
        self._in_transaction(lambda c: write_backs.tell(c, connection, module, rows))

    # sequences

    def next_number(self, connection: str, sequence: str, *, start: int = 1) -> int:
        return self._in_transaction(lambda c: intents.next_number(c, connection, sequence, start=start))

    # what planning reads

    def open(self, entity: EntityRef, *, at: datetime) -> list[OpenChange]:
        return self._in_transaction(lambda c: view.open_changes(c, entity, at=at))

    def seen(self, entity: EntityRef, keys: Sequence[str] | None) -> dict[str, str | None]:
        return self._in_transaction(lambda c: view.seen(c, entity, keys))

    def sequence(self, connection: str, sequence: str) -> int | None:
        return self._in_transaction(lambda c: view.sequence(c, connection, sequence))

    def intents_as_begun(self, connection: str, requests: Sequence[IntentRequest]) -> dict[str, Intent]:
        return self._in_transaction(lambda c: view.intents_as_begun(c, connection, requests))

    def _in_transaction(self, work: Callable[[Connection], Result]) -> Result:
        return in_transaction(self.engine, work)
