"""What tests of sales need: accounts and won deals in Zoho, and what became of them in Sage."""

from __future__ import annotations

from typing import Any

from sagezoho_pipelines_tests.bench import Bench

ADDRESS = {
    "Billing_Street": "12 Harbour Road\nSuite 4", "Billing_City": "Vancouver", "Billing_State": "BC",
    "Billing_Code": "V6B 1A1", "Billing_Country": "Canada", "Phone": "604-555-0100",
}  # fmt: skip


def new_account(desk: Bench, name: str = "Harbour Lights Ltd", **values: Any) -> str:
    return str(desk.act("zoho_crm", "add_account", name=name, values={**ADDRESS, **values})["id"])


def won_deal(desk: Bench, account: str | None, name: str = "Refit", amount: str | None = "1250.00", **more: Any) -> str:
    return str(
        desk.act("zoho_crm", "add_deal", name=name, account_id=account, amount=amount, stage="Closed Won", **more)["id"]
    )


def orders(desk: Bench) -> list[dict[str, Any]]:
    """The orders that carry a deal's id as reference."""
    return [row for row in desk.state("sage300", "OEOrders") if str(row["OrderReference"]).strip().isdigit()]


def customers(desk: Bench) -> list[dict[str, Any]]:
    return [row for row in desk.state("sage300", "ARCustomers") if str(row["CustomerNumber"]).startswith("Z0")]


def inbox(desk: Bench) -> list[Any]:
    return list(
        desk.query("SELECT key, error FROM sagezoho.changes WHERE state IN ('refused', 'conflicted') ORDER BY id")
    )
