"""What keeps changes waiting: a connection at rest, and what only a person decides."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sagezoho_pipelines.domain.holds import Hold, Weight
from sagezoho_pipelines.domain.pauses import Pause
from sagezoho_pipelines.domain.records import EntityRef, System


class Pauses(Protocol):
    """Connections at rest for one system's sake."""

    def pause(self, rest: Pause) -> bool:
        """Begin a connection's rest, or draw it out; whether it was known already for the same reason."""
        ...

    def pauses(self, connection: str | None = None) -> list[Pause]:
        """The rests of a connection, those that are over but not lifted yet included."""
        ...

    def lift(self, connection: str, system: System) -> None: ...


class Holds(Protocol):
    """Entities whose changes wait for a person, and what tells whether they must."""

    def hold(self, one: Hold) -> None:
        """Let an entity's changes wait for a person."""
        ...

    def holds(self, connection: str | None = None) -> list[Hold]: ...

    def let_go(self, entity: EntityRef) -> None: ...

    def weigh(self, entity: EntityRef, sage_entity: str, zoho_entity: str, *, at: datetime) -> Weight:
        """What the entity's due changes would do, at most, by the queue and the links of this pair."""
        ...

    def has_made(self, connection: str, sage_entity: str, zoho_entity: str) -> bool:
        """Whether a sync has ever created a record of this pair."""
        ...

    def has_applied(self, connection: str, flow: str) -> bool:
        """Whether a plan of this flow was carried out to its end, ever."""
        ...
