"""A shadow of the queue: starts as the real one, then lives in memory by the same rules (see `ledger/queue.py`)."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sagezoho_pipelines.domain.planned import OpenChange
from sagezoho_pipelines.domain.records import (
    GONE_FROM_SOURCE,
    CapturedRecord,
    Cause,
    Change,
    ChangeState,
    EntityRef,
    Look,
)
from sagezoho_pipelines.domain.settlement import CaptureResult, Settlement
from sagezoho_pipelines.domain.write_backs import Standing
from sagezoho_pipelines.engine.ports import LedgerView

#: Changes that exist in memory only are numbered from here: newer than any in the ledger.
_FIRST_ID = 1 << 60
_IN_INBOX = (ChangeState.REFUSED, ChangeState.CONFLICTED)


@dataclass(frozen=True, slots=True)
class _Ended:
    state: ChangeState
    digest: str | None
    error: Mapping[str, Any]


class _Line:
    """One entity's open changes: each record's own, oldest first, of which only the first can be claimed."""

    def __init__(self, opened: Iterable[OpenChange]) -> None:
        self.records: dict[str, list[OpenChange]] = {}
        self.claimed: dict[int, OpenChange] = {}
        self._due: list[tuple[int, str]] = []
        for one in opened:
            self.add(one)

    def add(self, one: OpenChange) -> None:
        self.records.setdefault(one.change.key, []).append(one)
        self.records[one.change.key].sort(key=lambda each: each.change.id)
        self._offer(one.change.key)

    def remove(self, one: OpenChange) -> None:
        key = one.change.key
        left = [each for each in self.records[key] if each.change.id != one.change.id]
        if left:
            self.records[key] = left
            self._offer(key)
        else:
            del self.records[key]

    def queued(self, key: str) -> OpenChange | None:
        """The one change of a record that nobody holds."""
        held = self.claimed
        return next((each for each in self.records.get(key, ()) if each.queued and each.change.id not in held), None)

    def take(self, limit: int) -> list[OpenChange]:
        taken: list[OpenChange] = []
        while self._due and len(taken) < limit:
            number, key = heapq.heappop(self._due)
            first = next(iter(self.records.get(key, ())), None)
            if first is not None and first.change.id == number and first.due and number not in self.claimed:
                self.claimed[number] = first
                taken.append(first)
        return taken

    def give_back(self, number: int) -> OpenChange | None:
        held = self.claimed.pop(number, None)
        if held is not None:
            self._offer(held.change.key)
        return held

    def _offer(self, key: str) -> None:
        first = self.records[key][0]
        if first.due:
            heapq.heappush(self._due, (first.change.id, key))

    def __len__(self) -> int:
        return sum(len(each) for each in self.records.values())


class ShadowQueue:
    """Captures, queues, claims and settles in memory, as at one moment. Not thread-safe: the ledger around it is."""

    def __init__(self, real: LedgerView, *, at: datetime) -> None:
        self._real = real
        self._at = at
        self._lines: dict[EntityRef, _Line] = {}
        self._digests: dict[EntityRef, dict[str, str | None]] = defaultdict(dict)
        self._ended: dict[tuple[EntityRef, str], _Ended] = {}
        self._ids = itertools.count(_FIRST_ID)

    def capture(
        self, entity: EntityRef, records: Sequence[CapturedRecord], *, cause: Cause, force: bool
    ) -> CaptureResult:
        page = {record.key: record for record in records}
        versions = [record for record in page.values() if record.digest is not None]
        known = self._known(entity, [record.key for record in versions])
        changed = [
            record
            for record in versions
            if not record.settled and (force or record.key not in known or known[record.key] != record.digest)
        ]
        self._digests[entity].update({record.key: record.digest for record in versions})
        for record in sorted(changed, key=lambda each: each.key):
            stale = self._supersede(entity, record.key)
            payload = None if stale is not None and stale.payload is None else record.payload
            self._insert(entity, record.key, cause=cause, name=record.name, digest=record.digest, payload=payload)
        asked = [Look(entity, record.key, cause) for record in page.values() if record.digest is None]
        self.enqueue(asked)
        new = len(changed) + len(asked)
        return CaptureResult(captured=len(records), changed=new, unchanged=len(records) - new)

    def enqueue(self, looks: Iterable[Look]) -> int:
        wanted: dict[tuple[EntityRef, str], Look] = {}
        for look in looks:
            wanted.setdefault((look.entity, look.key), look)
        new = 0
        for entity, key in sorted(wanted):
            waiting = self._line(entity).queued(key)
            if waiting is not None and waiting.change.payload is None:
                continue
            self._supersede(entity, key)
            look = wanted[entity, key]
            self._insert(entity, key, cause=look.cause, reason=look.reason)
            new += 1
        return new

    def mark_missing(self, entity: EntityRef) -> int:
        gone = sorted(self._real.seen(entity, None).keys() - self._digests[entity].keys())
        self.enqueue([Look(entity, key, Cause.SWEEP, GONE_FROM_SOURCE) for key in gone])
        return len(gone)

    def claim(self, entity: EntityRef, *, limit: int) -> list[Change]:
        taken = self._line(entity).take(limit)
        return [replace(one.change, attempt=one.change.attempt + 1) for one in taken]

    def release(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._lines[change.entity].give_back(change.id)

    def settle(self, settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            change = settlement.change
            line = self._lines[change.entity]
            held = line.give_back(change.id)
            if held is None:
                continue
            line.remove(held)
            if settlement.state is ChangeState.QUEUED:
                if line.queued(change.key) is None:
                    line.add(OpenChange(replace(change, payload=held.change.payload), due=False, queued=True))
                continue
            if settlement.state is not ChangeState.SUPERSEDED:
                self._ended[change.entity, change.key] = _Ended(settlement.state, change.digest, settlement.error)
            fetched = held.change.payload is None and change.digest is not None
            learnt = settlement.state is ChangeState.DELIVERED and fetched and not settlement.forgotten
            if learnt and change.key not in line.records:
                self._digests[change.entity][change.key] = change.digest

    def due(self, entity: EntityRef) -> list[Change]:
        """What could be claimed now, but for what waits behind it."""
        records = self._line(entity).records
        return [one.change for opened in records.values() for one in opened if one.due]

    def open_changes(self, entity: EntityRef) -> int:
        return len(self._line(entity))

    def last_error(self, entity: EntityRef, key: str) -> tuple[bool, Mapping[str, Any] | None]:
        """Whether the shadow knows the answer, and the answer."""
        if entity in self._lines and key in self._lines[entity].records:
            return True, None
        ended = self._ended.get((entity, key))
        if ended is None:
            return False, None
        return True, ended.error if ended.state in _IN_INBOX else None

    def refused_with(
        self,
        entity: EntityRef,
        known: Mapping[str, Sequence[str]],
        codes: Sequence[str],
        name: str,
        values: Sequence[str] | None,
    ) -> dict[str, list[str]]:
        """`known` is the real ledger's answer, which what happened here corrects."""
        mine = {key: ended for (whose, key), ended in self._ended.items() if whose == entity}
        waiting = self._lines[entity].records if entity in self._lines else {}
        found = [(value, key) for value, keys in known.items() for key in keys if key not in mine]
        for key, ended in mine.items():
            value = (ended.error.get("details") or {}).get(name)
            if ended.state is not ChangeState.REFUSED or ended.error.get("code") not in codes or value is None:
                continue
            if values is None or str(value) in values:
                found.append((str(value), key))
        told: dict[str, list[str]] = {}
        for value, key in sorted(found):
            if key not in waiting:
                told.setdefault(value, []).append(key)
        return told

    def standing(self, entity: EntityRef, known: Mapping[str, Standing], keys: Sequence[str]) -> dict[str, Standing]:
        found = dict(known)
        for key in keys:
            ended = self._ended.get((entity, key))
            if ended is None:
                continue
            found.pop(key, None)
            if ended.state in _IN_INBOX:
                found[key] = Standing(str(ended.state), ended.digest, ended.error, self._at)
        return found

    def _known(self, entity: EntityRef, keys: Sequence[str]) -> dict[str, str | None]:
        mine = self._digests[entity]
        asked = [key for key in keys if key not in mine]
        real = self._real.seen(entity, asked) if asked else {}
        return {**real, **{key: mine[key] for key in keys if key in mine}}

    def _line(self, entity: EntityRef) -> _Line:
        if entity not in self._lines:
            self._lines[entity] = _Line(self._real.open(entity, at=self._at))
        return self._lines[entity]

    def _supersede(self, entity: EntityRef, key: str) -> Change | None:
        line = self._line(entity)
        waiting = line.queued(key)
        if waiting is None:
            return None
        line.remove(waiting)
        return waiting.change

    def _insert(
        self,
        entity: EntityRef,
        key: str,
        *,
        cause: Cause,
        name: str = "",
        reason: str = "",
        digest: str | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        change = Change(next(self._ids), entity, key, digest, payload, cause, 0, self._at, name, reason)
        self._line(entity).add(OpenChange(change, due=True, queued=True))
