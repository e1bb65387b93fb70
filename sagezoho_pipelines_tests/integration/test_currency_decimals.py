"""Money with no decimals, with three, or of many digits goes through unchanged, or what changed is told."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import inbox, invoices, new_account, orders, won_deal

ITEM = "A1-105/0"


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        made.act("zoho_crm", "use_currencies")
        for code, decimals in (("JPY", 0), ("KWD", 3)):
            made.act("sage300", "add_currency", code=code, decimals=decimals)
        for module in ("Deals", "Quotes", "Invoices", "Accounts"):
            made.act("zoho_crm", "change_field", module=module, field="Currency", values=["USD", "JPY", "KWD"])
        yield made


def _three_decimals(desk: Bench) -> None:
    """The administrator of Zoho has its currency fields keep three decimals."""
    fields = {
        "Deals": ["Amount"], "Quotes": ["Discount", "Adjustment"], "Quoted_Items": ["List_Price", "Discount"],
        "Invoices": ["Discount", "Adjustment"], "Invoiced_Items": ["List_Price", "Discount"],
    }  # fmt: skip
    for module, names in fields.items():
        for name in names:
            desk.act("zoho_crm", "change_field", module=module, field=name, decimals=3)


def _deal(desk: Bench, currency: str, amount: str, *lines: dict[str, Any]) -> str:
    group = "CALIF" if currency == "JPY" else "WASH"
    account = new_account(desk, Sage_Customer_Currency=currency, Sage_Customer_Tax_Group=group)
    deal = won_deal(desk, account, amount=amount, values={"Currency": currency})
    if lines:
        quote = desk.act("zoho_crm", "add_quote", deal_id=deal, lines=list(lines), stage="Closed Won")
        desk.act("zoho_crm", "edit_record", module="Quotes", id=quote["id"], values={"Currency": currency})
    return deal


def _order(desk: Bench) -> dict[str, Any]:
    assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
    [order] = orders(desk)
    return order


def _invoice(desk: Bench) -> dict[str, Any]:
    desk.act("sage300", "ship_and_invoice_order", order=str(_order(desk)["OrderNumber"]).strip())
    assert desk.sync("invoices").left_over == 0, inbox(desk)
    [invoice] = invoices(desk)
    assert invoice["Grand_Total"] == invoice["Sage_Total"] == invoice["Sage_Open_Amount"]
    return invoice


def test_yen_are_whole_from_the_deal_to_the_invoice(desk: Bench) -> None:
    _deal(desk, "JPY", "12345")
    invoice = _invoice(desk)
    assert (invoice["Sub_Total"], invoice["Sage_Tax"], invoice["Sage_Total"]) == (12345, 1018, 13363)
    desk.act("sage300", "receive_payment", document=invoice["Sage_Invoice_Number"], amount="3363")
    assert desk.sync("invoices").left_over == 0
    [invoice] = invoices(desk)
    assert invoice["Sage_Open_Amount"] == 10000


def test_what_sage_rounds_to_a_whole_yen_is_no_difference(desk: Bench) -> None:
    _deal(desk, "JPY", "1", {"product_code": ITEM, "quantity": 3, "price": Decimal("33.5")})
    assert _order(desk)["OrderSubtotalAmount"] == 101
    assert inbox(desk) == []


def test_fils_are_kept_from_the_deal_to_the_invoice(desk: Bench) -> None:
    _three_decimals(desk)
    _deal(desk, "KWD", "12.345")
    invoice = _invoice(desk)
    assert (invoice["Sub_Total"], invoice["Sage_Tax"]) == (Decimal("12.345"), Decimal("0.802"))
    assert invoice["Sage_Total"] == Decimal("13.147")


def test_fils_that_zoho_would_round_away_are_told_of_with_the_field(desk: Bench) -> None:
    _deal(desk, "KWD", "12.34")
    desk.act("sage300", "ship_and_invoice_order", order=str(_order(desk)["OrderNumber"]).strip())
    assert desk.sync("invoices").count(Outcome.REFUSED) == 1
    assert invoices(desk) == []
    [entry] = inbox(desk)
    assert (entry["error"]["code"], entry["error"]["field"]) == ("TOO_FINE", "Adjustment")
    assert "is 0.802, and Zoho keeps 2 decimals of it" in entry["error"]["text"]
    _three_decimals(desk)
    desk.edit_inbox(str(entry["key"]))
    assert desk.sync("invoices").left_over == 0, inbox(desk)
    assert [row["Grand_Total"] for row in invoices(desk)] == [Decimal("13.142")]


def test_a_vendors_balance_keeps_its_three_decimals(desk: Bench) -> None:
    fields = {"VendorName": "Gulf Lamps", "CurrencyCode": "KWD"}
    vendor = desk.act("sage300", "add_vendor", fields=fields)["VendorNumber"]
    batch = desk.act("sage300", "add_ap_batch", vendor=vendor, amount="1234.567")
    desk.act("sage300", "post_ap_batch", batch=batch["BatchNumber"])
    assert desk.sync("vendors").left_over == 0
    [account] = [row for row in desk.state("zoho_crm", "Accounts") if row.get("Sage_Vendor_Number") == vendor]
    assert account["Sage_Open_Balance"] == Decimal("1234.567")


def test_a_discount_too_fine_for_sages_percentages_is_told_of(desk: Bench) -> None:
    line = {"product_code": ITEM, "quantity": 1, "price": 1000000}
    _deal(desk, "USD", "1", line)
    [quote] = desk.state("zoho_crm", "Quotes")
    rows = [{"id": row["id"], "Discount": Decimal("333.33")} for row in quote["Quoted_Items"]]
    desk.act("zoho_crm", "edit_record", module="Quotes", id=quote["id"], values={"Quoted_Items": rows})
    assert desk.sync("customers", "orders").count(Outcome.CONFLICTED) == 1
    [entry] = inbox(desk)
    assert entry["error"]["code"] == "ORDER_AMOUNT_DIFFERS"
    assert "comes to 999666.7 before tax in Sage 300, and to 999666.67 in Zoho" in entry["error"]["text"]
    assert len(orders(desk)) == 1


def test_a_discount_that_sages_percentages_can_say_is_not(desk: Bench) -> None:
    line = {"product_code": ITEM, "quantity": 3, "price": Decimal("199.99")}
    _deal(desk, "USD", "1", line)
    [quote] = desk.state("zoho_crm", "Quotes")
    rows = [{"id": row["id"], "Discount": Decimal("66.67")} for row in quote["Quoted_Items"]]
    desk.act("zoho_crm", "edit_record", module="Quotes", id=quote["id"], values={"Quoted_Items": rows})
    assert _order(desk)["OrderSubtotalAmount"] == Decimal("533.30")


def test_amounts_of_fifteen_digits_come_through_to_the_cent(desk: Bench) -> None:
    _deal(desk, "USD", "9999999999999.99")
    invoice = _invoice(desk)
    assert invoice["Sub_Total"] == Decimal("9999999999999.99")
