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


def ordered(desk: Bench) -> str:
    """A delivered order with two item lines; its number."""
    account = desk.act(
        "zoho_crm", "add_account", name="Harbour Lights Ltd",
        values={"Billing_Street": "1 Quay", "Billing_City": "Vancouver", "Billing_State": "BC", "Billing_Code": "V6B",
                "Billing_Country": "Canada"},
    )  # fmt: skip
    deal = desk.act("zoho_crm", "add_deal", name="Refit", account_id=account["id"], amount="100", stage="Closed Won")
    lines = [
        {"product_code": "A1-105/0", "quantity": 4, "price": 25},
        {"product_code": "A1-105/0", "quantity": 2, "price": 10},
    ]
    desk.act("zoho_crm", "add_quote", deal_id=deal["id"], lines=lines, stage="Closed Won")
    tally = desk.sync("customers", "orders")
    assert tally.left_over == 0
    [link] = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'orders'")
    return str(link["sage_id"])


def invoices(desk: Bench) -> list[dict[str, Any]]:
    return desk.state("zoho_crm", "Invoices")
