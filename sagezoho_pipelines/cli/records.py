"""Records in words: which one is meant, and which ones did not reach the other side."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sagezoho_pipelines.domain.holds import Hold
    from sagezoho_pipelines.ledger.reports import ChangeLine

SYSTEMS = {"sage300": "Sage 300", "zoho_crm": "Zoho CRM"}


def system(name: str) -> str:
    return SYSTEMS.get(name, name)


#: Entities as people call one of them.
_ONE = {
    "deal_accounts": "account",
    "posted_documents": "posted document",
    "ar_batches": "A/R invoice batch",
    "ap_batches": "A/P invoice batch",
    "vendor_accounts": "account",
    "customer_records": "customer",
}


def record(system_name: str, entity: str, key: str) -> str:
    """One record as people call it: `Zoho CRM deal 437…`, `Sage 300 order ORD…`."""
    if entity == "write_backs":  # what a record of Zoho's is told is a record of ours
        told, _, own = key.partition("/")
        return f"status on {record(system_name, told, own)}"
    name = _ONE.get(entity) or entity.casefold().removesuffix("s")
    return f"{system(system_name)} {name} {key}".rstrip()


def said(error: Mapping[str, Any]) -> str:
    """Who refused it, where that was the other side's own answer; what we refuse ourselves nobody said."""
    return f"{system(str(error['system']))} said " if error.get("system") and error.get("status") else ""


def moment(at: datetime) -> str:
    from datetime import UTC

    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def unsettled(
    engine: Engine, run_ids: Collection[str], *, now: datetime, tried: Mapping[str, Collection[str]]
) -> list[dict[str, Any]]:
    """What these runs left behind: refused or in conflict, or waiting for another attempt; oldest first.

    `tried` gives for each connection the source entities of which whatever waits for another attempt counts, also
    what an earlier run had tried.
    """
    from sagezoho_pipelines.ledger.inbox import entries
    from sagezoho_pipelines.ledger.reports import retrying, stuck

    left: dict[int, ChangeLine] = {line.id: line for line in entries(engine, run_ids=run_ids)}
    left |= {line.id: line for line in stuck(engine, captured_before=now, run_ids=run_ids)}
    for connection, entities in tried.items():
        left |= {line.id: line for line in retrying(engine, connection, entities)}
    return [_left(left[key]) for key in sorted(left)]


def _left(line: ChangeLine) -> dict[str, Any]:
    return {
        "state": "retrying" if line.state in ("queued", "claimed") else line.state,
        "connection": line.connection,
        "system": line.system,
        "entity": line.entity,
        "record": line.key,
        "name": line.name,
        "error": dict(line.error or {}),
    }


def gathered(notes: Sequence[str], holds: Sequence[Hold]) -> list[str]:
    """The notes, with those of first syncs that wait made one for each connection."""
    from sagezoho_pipelines.engine.guards import first_syncs

    waiting = {str(hold): hold for hold in holds if hold.first_sync and str(hold) in notes}
    told = [note for note in notes if note not in waiting]
    for connection in dict.fromkeys(hold.entity.connection for hold in waiting.values()):
        flows = {hold.flow for hold in waiting.values() if hold.entity.connection == connection}
        told.append(" ".join(first_syncs(connection, flows)))
    return told
