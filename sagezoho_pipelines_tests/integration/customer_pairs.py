"""A customer and the account it was made from: edited on either side, settled, looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import AuditEntry, Link
from sagezoho_pipelines.ledger import reports
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench

WHOLE = {
    "Phone": "555 0001",
    "Billing_Street": "1 Pier",
    "Billing_City": "Berkeley",
    "Billing_State": "CA",
    "Billing_Code": "94710",
    "Billing_Country": "USA",
}
FLOWS = ("vendors", "customers", "orders", "identity")


@contextmanager
def at_desk(engine: Engine, **identity: Any) -> Iterator[Bench]:
    """One won deal whose account is a customer now."""
    with bench(engine, vendors=4, deals=0, flows={"identity": identity}) as desk:
        made = desk.act("zoho_crm", "add_account", name="Harbor Books", values=WHOLE)
        deal = desk.act("zoho_crm", "add_deal", name="Shelves", account_id=made["id"], amount="100")
        desk.act("zoho_crm", "close_deal", deal_id=deal["id"])
        desk.sync(*FLOWS)
        desk.account_id = made["id"]  # type: ignore[attr-defined]
        yield desk


def link(desk: Bench) -> Link:
    key = desk.account_id  # type: ignore[attr-defined]
    return desk.ledger.links_by_zoho(CONNECTION, "Accounts", "customers", [key])[key]


def account(desk: Bench) -> dict[str, Any]:
    return next(row for row in desk.state("zoho_crm", "Accounts") if str(row["id"]) == link(desk).zoho_id)


def customer(desk: Bench) -> dict[str, Any]:
    return next(
        row for row in desk.state("sage300", "ARCustomers") if row["CustomerNumber"].strip() == link(desk).sage_id
    )


def in_sage(desk: Bench, **fields: Any) -> None:
    desk.act("sage300", "edit_customer", customer=link(desk).sage_id, fields=fields)


def in_zoho(desk: Bench, **values: Any) -> None:
    desk.act("zoho_crm", "edit_account", account_id=link(desk).zoho_id, values=values)


def settle(desk: Bench) -> None:
    desk.sync(*FLOWS)
    desk.reset_counters()
    desk.sync(*FLOWS)
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}


def audited(desk: Bench, operation: str) -> list[AuditEntry]:
    lines = [line.entry for line in reports.audit_entries(desk.engine, record_id=link(desk).sage_id)]
    return [entry for entry in lines if entry.operation == operation]
