"""What a simulated vendor offers to the infrastructure both vendors share.

A world holds everything a vendor's side of the sandbox knows: its records, its clock, its faults, its counters, and
what people at that vendor's screens can do. The control routes and the server speak to worlds through this protocol
only, so neither knows which vendor it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sagezoho_pipelines.sandbox.clock import SandboxClock
from sagezoho_pipelines.sandbox.counters import Counters
from sagezoho_pipelines.sandbox.faults import FaultBook

Action = Callable[[dict[str, Any]], dict[str, Any]]
"""Something a person does in the vendor's own screens: takes a JSON object, answers one.

Refuses bad arguments with ValueError or KeyError, which the control API answers as 400 with the text.
"""


class World(Protocol):
    """One vendor's side of the sandbox."""

    @property
    def clock(self) -> SandboxClock: ...

    @property
    def faults(self) -> FaultBook: ...

    @property
    def counters(self) -> Counters: ...

    @property
    def actions(self) -> dict[str, Action]:
        """People's actions by name, as `POST /__sandbox__/act/{name}` calls them."""
        ...

    @property
    def switches(self) -> Any:
        """A mutable dataclass of the vendor's undecided behaviours; the control API reads and sets its fields."""
        ...

    def state(self, collection: str) -> Iterable[dict[str, Any]]:
        """The raw rows of one collection in key order, for auditors.

        Raises KeyError for a collection that does not exist. Values may be Decimal, date and datetime.
        """
        ...
