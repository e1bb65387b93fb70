"""Everything one run works with: settings, vendors, ledger, clock, and what was learnt once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sagezoho_pipelines.config import Connection
from sagezoho_pipelines.domain.holds import Hold
from sagezoho_pipelines.domain.mapping import FlowMapping
from sagezoho_pipelines.domain.records import EntityRef, System
from sagezoho_pipelines.engine.ports import Ledger, Sage300, ZohoCrm


class Facts:
    """What a run asks a vendor once and then knows, e.g. the stages that count as won. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}
        self._lock = threading.RLock()  # what is asked may need another fact

    def get(self, name: str, ask: Callable[[], Any]) -> Any:
        with self._lock:
            if name not in self._known:
                self._known[name] = ask()
            return self._known[name]


@dataclass(frozen=True)
class Context:
    """`actor` is who asked (a user, a sensor), `worker` is this process, `random` gives [0, 1).

    A plan that is carried out sets the last two: `pins` are the business keys it chose, by target entity, source entity
    and source key, and `approved` says that a person has seen what is about to be written. Where a plan is made,
    `foresees` hears of the guards that a sync would stop at, and nothing stops.
    """

    connection: str
    settings: Connection
    sage: Sage300
    zoho: ZohoCrm
    ledger: Ledger
    mappings: Mapping[str, FlowMapping]
    clock: Callable[[], datetime]
    random: Callable[[], float]
    run_id: str
    actor: str
    worker: str
    facts: Facts = field(default_factory=Facts)
    stop: threading.Event = field(default_factory=threading.Event)
    pins: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    approved: bool = False
    foresees: Callable[[Hold], None] | None = None

    @property
    def zone(self) -> ZoneInfo:
        """Where the connection's days begin and end."""
        return ZoneInfo(self.settings.timezone)

    @property
    def today(self) -> date:
        return self.clock().astimezone(self.zone).date()

    def sage_entity(self, entity: str) -> EntityRef:
        return EntityRef(self.connection, System.SAGE300, entity)

    def zoho_entity(self, entity: str) -> EntityRef:
        return EntityRef(self.connection, System.ZOHO_CRM, entity)

    def sage_key(self, *parts: str) -> str:
        """The text that a unique Zoho field carries: company and Sage key, since one organisation may serve several."""
        return "/".join((self.settings.sage300.company, *parts))
