"""A Sage that takes its time, so that a run is met in the middle of its work, however late the test looks."""

from __future__ import annotations

from sagezoho_pipelines.sandbox.faults import ActionName
from sagezoho_pipelines.sandbox.sage300.world import SageWorld

#: More orders than any of these tests has.
_MANY = 50


def orders_after(world: SageWorld, made: int, *, action: ActionName = "latency", seconds: float = 3) -> None:
    """So many orders are made as they come; each further one takes `seconds` more, or is never made where it hangs."""
    for nth in range(made + 1, made + 1 + _MANY):
        world.faults.add(action, method="POST", path="/OEOrders", nth=nth, seconds=seconds)
