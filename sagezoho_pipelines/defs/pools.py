"""Concurrency pools: one for each vendor's API in each connection."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
from sqlalchemy.exc import DBAPIError

from sagezoho_pipelines.domain.records import System


def pool_of(connection: str, system: System) -> str:
    return f"{system}_{connection}"


def pools_of(connections: Sequence[str]) -> list[str]:
    return [pool_of(connection, system) for connection in sorted(connections) for system in System]


def declare(instance: dg.DagsterInstance, pools: Sequence[str]) -> None:
    """Give new pools the instance's default limit before a step needs them.

    Dagster does so at a pool's first use, and two runs that start together on a new database trip over one another:
    one of them fails (`initialize_concurrency_limit_to_default` goes on in a transaction its own insert has aborted).
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits or instance.global_op_concurrency_default_limit is None:
        return
    for pool in sorted(set(pools) - storage.get_concurrency_keys()):
        try:
            storage.initialize_concurrency_limit_to_default(pool)
        except DBAPIError:
            if pool not in storage.get_concurrency_keys():
                raise
