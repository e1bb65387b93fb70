"""What one run did, counted while it happens: the figures of the command, the run's metadata and the tests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sagezoho_pipelines.domain.holds import Hold
from sagezoho_pipelines.domain.records import Outcome, System
from sagezoho_pipelines.domain.settlement import CaptureResult, Settlement

#: At most this many records are shown as a sample in a run's metadata.
SAMPLE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Sample:
    """One delivered record as shown in a run: source id, target id, what happened, and the vendor's words if any."""

    source: str
    target: str
    name: str
    outcome: str
    note: str


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one entity: the windows in order, and its watermark before the first and after the last."""

    windows: tuple[str, ...]
    watermark_before: Mapping[str, Any]
    watermark_after: Mapping[str, Any]

    def then(self, later: Read) -> Read:
        return Read(self.windows + later.windows, self.watermark_before, later.watermark_after)


class Event(StrEnum):
    """What the alert hook is called for."""

    DEGRADED = "degraded"
    PAUSED = "paused"
    HELD = "held"
    FAILED = "failed"


@dataclass(slots=True)
class Tally:
    """Thread-safe counters of one flow. `captured` counts records read, `outcomes` counts deliveries.

    `targets` counts records of the other side by entity (`contacts`), since one delivery may write several.
    `held` counts changes that were not taken up, since a guard stopped the flow; `resting`: nothing was, since the
    connection is paused. `alarms` are news that somebody should hear of, however few records it concerns.
    """

    captured: int = 0
    unchanged: int = 0
    changed: int = 0
    held: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    targets: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    reads: dict[str, Read] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    alarms: list[tuple[Event, str]] = field(default_factory=list)
    resting: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def captured_page(self, result: CaptureResult) -> None:
        with self._lock:
            self.captured += result.captured
            self.unchanged += result.unchanged
            self.changed += result.changed

    def has_read(self, entity: str, read: Read) -> None:
        with self._lock:
            self._read(entity, read)

    def settled(self, settlements: Iterable[Settlement]) -> None:
        settlements = list(settlements)
        with self._lock:
            self.targets.update(_targets(settlements))
            for settlement in settlements:
                self.outcomes[settlement.outcome] += 1
                if len(self.samples) < SAMPLE_ROWS and settlement.outcome not in (Outcome.NOOP, Outcome.SKIPPED):
                    self.samples.append(_sample(settlement))

    def note(self, text: str) -> None:
        """Say something once, however often it happens."""
        with self._lock:
            if text not in self.notes:
                self.notes.append(text)

    def stopped(self, hold: Hold, changes: int) -> None:
        """Nothing of so many changes is taken up; a note says why and what to do."""
        with self._lock:
            self.held += max(1, changes)
        self.note(str(hold))
        if hold.news:
            self.alarm(Event.HELD, str(hold))

    def rests(self, why: str) -> None:
        """Nothing is tried while the connection is paused."""
        self.resting = True
        self.note(why)

    def alarm(self, event: Event, text: str) -> None:
        with self._lock:
            self.alarms.append((event, text))

    def count(self, outcome: Outcome) -> int:
        return self.outcomes[outcome]

    @property
    def left_over(self) -> int:
        """What did not reach the other side: refused, in conflict, still to be tried again, or held by a guard."""
        waiting = (Outcome.REFUSED, Outcome.CONFLICTED, Outcome.RETRYING)
        return self.held + sum(self.outcomes[outcome] for outcome in waiting)

    def of_target(self, entity: str) -> dict[str, int]:
        """What became of one entity's records on the other side."""
        return {str(outcome): self.targets[entity, outcome] for outcome in Outcome}

    def figures(self) -> dict[str, int]:
        return {
            "captured": self.captured,
            "unchanged": self.unchanged,
            **{str(outcome): self.outcomes[outcome] for outcome in Outcome if outcome is not Outcome.SKIPPED},
            "skipped": self.outcomes[Outcome.SKIPPED],
            "held": self.held,
        }

    def add(self, other: Tally) -> None:
        with self._lock:
            self.captured += other.captured
            self.unchanged += other.unchanged
            self.changed += other.changed
            self.held += other.held
            self.outcomes.update(other.outcomes)
            self.targets.update(other.targets)
            self.samples = (self.samples + other.samples)[:SAMPLE_ROWS]
            for entity, read in other.reads.items():
                self._read(entity, read)
            self.notes.extend(note for note in other.notes if note not in self.notes)
            self.alarms.extend(other.alarms)
            self.resting |= other.resting

    def _read(self, entity: str, read: Read) -> None:
        before = self.reads.get(entity)
        self.reads[entity] = before.then(read) if before else read


def _targets(settlements: Iterable[Settlement]) -> Iterator[tuple[str, Outcome]]:
    """Each movement's target and outcome; a linked record that nothing was sent to is one that was fine as it was."""
    moved: set[tuple[str, str]] = set()
    linked: set[tuple[str, str]] = set()
    for settlement in settlements:
        for entry in settlement.audit:
            target = entry.target_entity.lower()
            moved.add((target, entry.target_id))
            yield target, Outcome(entry.outcome)
        to_zoho = settlement.change.entity.system is System.SAGE300
        for link in settlement.links:
            linked.add((link.zoho_entity.lower(), link.zoho_id) if to_zoho else (link.sage_entity, link.sage_id))
    for target, _ in linked - moved:
        yield target, Outcome.NOOP


def _sample(settlement: Settlement) -> Sample:
    target = ", ".join(f"{entry.target_entity} {entry.target_id}" for entry in settlement.audit if entry.target_id)
    note = str(settlement.error.get("text", "")) if settlement.error else ""
    change = settlement.change
    return Sample(f"{change.entity.entity} {change.key}", target, change.name, str(settlement.outcome), note[:200])
