"""The ledger that a sync works on, and what planning reads of it besides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sagezoho_pipelines.domain.planned import OpenChange
from sagezoho_pipelines.domain.records import EntityRef
from sagezoho_pipelines.domain.settlement import Intent, IntentRequest
from sagezoho_pipelines.engine.ports.intents import Intents
from sagezoho_pipelines.engine.ports.links import Links
from sagezoho_pipelines.engine.ports.queue import Queue
from sagezoho_pipelines.engine.ports.waiting import Holds, Pauses
from sagezoho_pipelines.engine.ports.write_backs import WriteBacks


class Ledger(Queue, Links, Intents, Pauses, Holds, WriteBacks, Protocol):
    """Postgres: one transaction per call."""


class LedgerView(Protocol):
    """What planning reads of the ledger beyond what a sync reads. Nothing is written, claimed or locked."""

    def open(self, entity: EntityRef, *, at: datetime) -> list[OpenChange]:
        """The queue of one entity, oldest first."""
        ...

    def seen(self, entity: EntityRef, keys: Sequence[str] | None) -> dict[str, str | None]:
        """Digests of the records that are known and not deleted; all of them where no keys are given."""
        ...

    def sequence(self, connection: str, sequence: str) -> int | None:
        """The last number handed out."""
        ...

    def intents_as_begun(self, connection: str, requests: Sequence[IntentRequest]) -> dict[str, Intent]:
        """What `begin_intents` would give; id 0 for an intent that is not open yet."""
        ...


class ReadableLedger(Ledger, LedgerView, Protocol):
    """A ledger that a plan can be made of."""
