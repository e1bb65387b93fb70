"""What a callback of Zoho means: records to look at. Its values are never used, the records are read at delivery."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagezoho_pipelines.config import Connection
from sagezoho_pipelines.domain.records import Cause, EntityRef, Look, System
from sagezoho_pipelines.engine.flows import customer_ground, identity
from sagezoho_pipelines.engine.ports import Ledger

_RECORD_ID = re.compile(r"\d{1,20}")

DEALS, ACCOUNTS = "Deals", "Accounts"


@dataclass(frozen=True, slots=True)
class Notification:
    """One callback, its proof apart: which records of which module were touched, and how."""

    connection: str
    module: str
    operation: str
    ids: Sequence[str]

    @classmethod
    def parse(cls, connection: str, body: Mapping[str, Any]) -> Notification:
        """Raises ValueError for what is no callback.

        Only `ids` names the records: `affected_values` is empty for new ones, and names those of one call only.
        """
        module, ids = body.get("module"), body.get("ids")
        if not isinstance(module, str) or not module:
            raise ValueError("no module")
        texts = [str(each) for each in ids] if isinstance(ids, list) else [""]
        if not all(_RECORD_ID.fullmatch(each) for each in texts):
            raise ValueError("ids are not a list of record ids")
        operation = body.get("operation")
        told = operation if operation in ("insert", "update", "delete") else "a change"
        return cls(connection, module, told, tuple(dict.fromkeys(texts)))


def watched_modules(settings: Connection) -> tuple[str, ...]:
    """The Zoho modules whose changes the enabled flows want to hear of."""
    flows = settings.flows
    deals = (DEALS,) if flows.orders.enabled or flows.customers.enabled else ()
    return deals + ((ACCOUNTS,) if flows.customers.enabled or _pairs_vendors(settings) else ())


def _pairs_vendors(settings: Connection) -> bool:
    return settings.flows.identity.enabled and settings.flows.vendors.enabled


def looks_of(
    ledger: Ledger, notifications: Sequence[Notification], connections: Mapping[str, Connection]
) -> list[Look]:
    """The records to look at. An account counts once it is a customer or a vendor: others become a customer when a deal
    is won."""
    looks: list[Look] = []
    accounts: dict[str, dict[str, str]] = {}
    for each in notifications:
        reason = f"Zoho told of {each.operation}"
        if each.module == DEALS:
            deals = EntityRef(each.connection, System.ZOHO_CRM, "deals")
            looks += [Look(deals, key, Cause.NOTIFICATION, reason) for key in each.ids]
        elif each.module == ACCOUNTS:
            accounts.setdefault(each.connection, {}).update(dict.fromkeys(each.ids, reason))
    for connection in sorted(accounts):
        entity = EntityRef(connection, System.ZOHO_CRM, customer_ground.SOURCE)
        linked = ledger.links_by_zoho(connection, ACCOUNTS, "customers", sorted(accounts[connection]))
        looks += [Look(entity, key, Cause.NOTIFICATION, accounts[connection][key]) for key in sorted(linked)]
        if connection in connections and _pairs_vendors(connections[connection]):
            entity = EntityRef(connection, System.ZOHO_CRM, identity.VENDOR_ACCOUNTS)
            linked = ledger.links_by_zoho(connection, ACCOUNTS, "vendors", sorted(accounts[connection]))
            looks += [Look(entity, key, Cause.NOTIFICATION, accounts[connection][key]) for key in sorted(linked)]
    return looks
