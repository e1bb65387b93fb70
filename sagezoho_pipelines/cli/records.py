"""Records in words: which one is meant, and which ones did not reach the other side."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

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
    "write_backs": "status of",
    "vendor_accounts": "account",
    "customer_records": "customer",
}


def record(system_name: str, entity: str, key: str) -> str:
    """One record as people call it: `Zoho CRM deal 437…`, `Sage 300 order ORD…`."""
    name = _ONE.get(entity) or entity.casefold().removesuffix("s")
    return f"{system(system_name)} {name} {key}".rstrip()


def moment(at: datetime) -> str:
    from datetime import UTC

    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def unsettled(engine: Engine, run_ids: Collection[str], *, now: datetime) -> list[dict[str, Any]]:
    """What these runs left behind: refused or in conflict, or waiting for another attempt; oldest first."""
    from sagezoho_pipelines.ledger.reports import inbox, stuck

    lines = [*inbox(engine), *stuck(engine, captured_before=now)]
    return [_left(line) for line in lines if line.run_id in run_ids]


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
