"""What a plan notes while the flows run on shadows."""

from __future__ import annotations

from typing import Any

from sagezoho_pipelines.domain.planned import PlannedWrite
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.engine.planning import writes


class Notebook:
    """What would be written, in the order it would be, and what the records concerned hold now.

    `names` tells records by the placeholders they had in a plan that was begun earlier.
    """

    def __init__(self, names: writes.Names) -> None:
        self.names = names
        self.writes: list[PlannedWrite] = []
        self.held: dict[tuple[System, str], dict[str, Any]] = {}
        self.notes: list[str] = []

    def holds(self, system: System, record_id: str, values: Row) -> None:
        self.held.setdefault((system, record_id), {}).update(values)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
