"""A Sage 300 company as the sandbox opens it: seeded, with people who can work in it."""

from __future__ import annotations

from sagezoho_pipelines.sandbox.clock import SandboxClock
from sagezoho_pipelines.sandbox.sage300.people import people_actions
from sagezoho_pipelines.sandbox.sage300.seed import seed_company
from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
from sagezoho_pipelines.sandbox.sage300.world import SageWorld


def founded(
    *,
    seed: int = 1,
    vendors: int = 50,
    clock: SandboxClock | None = None,
    company: str = "SAMINC",
    switches: SageSwitches | None = None,
) -> SageWorld:
    """A company with `vendors` vendors; the same seed gives the same data."""
    world = SageWorld(clock=clock, company=company, switches=switches)
    world.actions = people_actions(world)
    seed_company(world, seed=seed, vendors=vendors)
    return world
