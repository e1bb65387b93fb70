"""What both simulated vendors hold, kept in a file, so that a sandbox can be ended and served again.

Kept: records, custom fields, number sequences, edition. Not kept: access tokens, channels, faults, counters, clock.
The file is a pickle and as trusted as the code: read only files that this sandbox wrote on this machine.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagezoho_pipelines.sandbox.sage300.store import Table as SageTable
from sagezoho_pipelines.sandbox.sage300.world import SageWorld
from sagezoho_pipelines.sandbox.zoho_crm.switches import EDITIONS
from sagezoho_pipelines.sandbox.zoho_crm.table import Table as ZohoTable
from sagezoho_pipelines.sandbox.zoho_crm.world import ZohoWorld

FORMAT = "sagezoho sandbox 1"


class NotASavedSandbox(ValueError):
    """The file holds something else, or was written by another version."""


def save(path: Path, *, seed: int, sage: SageWorld, zoho: ZohoWorld) -> None:
    """Write whole or not at all. `seed` is kept, since the secrets come from it."""
    with sage.lock, zoho.lock:
        state = {"format": FORMAT, "seed": seed, "sage300": _sage(sage), "zoho_crm": _zoho(zoho)}
        content = pickle.dumps(state)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(content)
    part.replace(path)


def load(path: Path) -> Mapping[str, Any]:
    """The saved state, to be given to `restore`; its `seed` makes the sandbox that it fits. Raises NotASavedSandbox."""
    try:
        state = pickle.loads(path.read_bytes())
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, ValueError):
        state = None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise NotASavedSandbox(f"{path} is no saved sandbox of this version")
    return state


def restore(state: Mapping[str, Any], *, sage: SageWorld, zoho: ZohoWorld) -> None:
    """Put back what was saved, into worlds made from the same seed."""
    with sage.lock, zoho.lock:
        _restore_sage(sage, state["sage300"])
        _restore_zoho(zoho, state["zoho_crm"])


def _sage(world: SageWorld) -> dict[str, Any]:
    return {
        "tables": {name: list(table) for name, table in world.tables.items()},
        "sequences": dict(world._sequences),
        "setup": world.setup,
        "closed_periods": set(world.closed_periods),
        "session": world.session,
    }


def _restore_sage(world: SageWorld, state: Mapping[str, Any]) -> None:
    for name, rows in state["tables"].items():
        table = world.tables[name] = SageTable(world.tables[name].entity)
        for row in rows:
            table.put(row)
    world._sequences.clear()
    world._sequences.update(state["sequences"])
    world.setup, world.closed_periods, world.session = state["setup"], state["closed_periods"], state["session"]


def _zoho(world: ZohoWorld) -> dict[str, Any]:
    org = world.org
    return {
        "edition": org.edition.name,
        "user_licenses": org.user_licenses,
        "counter": org._counter,
        "random": org.random.getstate(),
        "known_vendors": list(world.known_vendors),
        "fields": {name: dict(module.fields) for name, module in org.modules.items()},
        "tables": {
            name: {"rows": [table.rows[one] for one in table.ids], "deleted": list(table.deleted)}
            for name, table in org.tables.items()
        },
    }


def _restore_zoho(world: ZohoWorld, state: Mapping[str, Any]) -> None:
    org = world.org
    org.edition, org.user_licenses = EDITIONS[state["edition"]], state["user_licenses"]
    org._counter = state["counter"]
    org.random.setstate(state["random"])
    world.known_vendors = list(state.get("known_vendors", ()))
    for name, fields in state["fields"].items():
        module = org.modules[name]
        module.fields.clear()
        module.fields.update(fields)
    for name, kept in state["tables"].items():
        table = org.tables[name] = ZohoTable(org.modules[name])
        for row in kept["rows"]:
            table.put(row)
        table.deleted.extend(kept["deleted"])
