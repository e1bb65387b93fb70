"""Customers and orders: a won deal is one order of one customer in Sage, whatever breaks on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sagezoho_pipelines.domain import mapping_files
from sagezoho_pipelines.domain.records import Cause, Look, Outcome
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import customers, inbox, new_account, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=5, deals=0) as made:
        yield made


def test_a_won_deal_is_one_order_of_a_new_customer(desk: Bench) -> None:
    deal = won_deal(desk, new_account(desk), Customer_PO_Number="", values={"Customer_PO_Number": "PO-9"})
    assert desk.sync("customers", "orders").left_over == 0
    [customer], [order] = customers(desk), orders(desk)
    assert str(customer["CustomerName"]).strip() == "Harbour Lights Ltd"
    assert customer["CustomerNumber"] == "Z000001"
    assert [str(customer[f"AddressLine{n}"]).strip() for n in (1, 2)] == ["12 Harbour Road", "Suite 4"]
    assert str(order["OrderReference"]).strip() == deal
    assert order["CustomerNumber"] == "Z000001"
    assert str(order["PurchaseOrderNumber"]).strip() == "PO-9"
    assert str(order["ShipToCity"]).strip() == "Vancouver"
    [line] = order["OrderDetails"]
    assert line["LineType"] == "Miscellaneous"
    assert line["ExtendedAmount"] == Decimal("1250")


def test_two_deals_of_one_account_share_its_customer(desk: Bench) -> None:
    account = new_account(desk)
    won_deal(desk, account, "First")
    won_deal(desk, account, "Second")
    desk.sync("orders")
    assert len(customers(desk)) == 1
    assert len(orders(desk)) == 2


def test_a_deal_that_is_not_won_stays_in_zoho(desk: Bench) -> None:
    deal = str(desk.act("zoho_crm", "add_deal", name="Open", account_id=new_account(desk), amount="5")["id"])
    desk.sync("customers", "orders")
    assert orders(desk) == []
    desk.act("zoho_crm", "close_deal", deal_id=deal)
    desk.sync("customers", "orders")
    assert [str(order["OrderReference"]).strip() for order in orders(desk)] == [deal]


def test_the_accepted_quote_gives_the_lines(desk: Bench) -> None:
    deal = won_deal(desk, new_account(desk))
    lines = [
        {"product_code": "A1-105/0", "quantity": 4, "price": 25, "discount": 10},
        {"product_code": "A1-105/0", "quantity": 1, "price": "7.5"},
    ]
    quote = desk.act("zoho_crm", "add_quote", deal_id=deal, lines=lines)
    desk.act("zoho_crm", "accept_quote", quote_id=quote["id"])
    assert desk.sync("orders").left_over == 0
    [order] = orders(desk)
    first, second = order["OrderDetails"]
    assert str(first["Item"]).strip() in {"A1-105/0", "A11050"}
    assert first["QuantityOrdered"] == 4
    assert first["PricingUnitPrice"] == 25
    assert first["ExtendedAmount"] - Decimal("10") in {Decimal("90"), Decimal("80")}
    assert second["ExtendedAmount"] == Decimal("7.5")


def test_a_subform_gives_the_lines_where_it_is_configured(engine: Engine) -> None:
    subform = {"field": "Deal_Items", "product": "Product", "quantity": "Quantity", "price": "Rate"}
    with bench(
        engine, vendors=2, deals=0, flows={"orders": {"lines": ["subform", "amount"], "subform": subform}}
    ) as desk:
        products = desk.state("zoho_crm", "Products")
        product = next(row for row in products if row["Product_Code"] == "A1-105/0")
        rows = [{"Product": {"id": product["id"]}, "Quantity": 3, "Rate": 11}]
        won_deal(desk, new_account(desk), values={"Deal_Items": rows})
        tally = desk.sync("orders")
        assert tally.left_over == 0, inbox(desk)
        [order] = orders(desk)
        assert [(line["QuantityOrdered"], line["PricingUnitPrice"]) for line in order["OrderDetails"]] == [(3, 11)]


@pytest.mark.parametrize(
    ("account", "amount", "code", "words"),
    [(False, "10", "ACCOUNT_MISSING", "has no account"), (True, None, "NO_LINES", "no amount")],
)
def test_what_cannot_be_ordered_is_refused_with_the_remedy(
    desk: Bench, account: bool, amount: str | None, code: str, words: str
) -> None:
    won_deal(desk, new_account(desk) if account else None, amount=amount)
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    [entry] = inbox(desk)
    assert entry["error"]["code"] == code
    assert words in entry["error"]["text"]
    assert entry["error"]["advice"]
    assert orders(desk) == []


def test_a_refused_deal_delivers_when_it_is_mended(desk: Bench) -> None:
    deal = won_deal(desk, new_account(desk), amount=None)
    desk.sync("orders")
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Amount": 80})
    assert desk.sync("orders").left_over == 0
    assert len(orders(desk)) == 1
    assert inbox(desk) == []


@pytest.fixture
def unasked(engine: Engine) -> Iterator[Bench]:
    """Orders are posted without asking anything first."""
    with bench(engine, vendors=5, deals=0, flows={"orders": {"preflight": []}}) as made:
        yield made


def test_an_unknown_item_is_refused_in_sages_own_words(unasked: Bench) -> None:
    desk = unasked
    product = desk.act(
        "zoho_crm", "add_record", module="Products", values={"Product_Name": "Odd", "Product_Code": "NO-SUCH"}
    )
    account = new_account(desk)
    deal = won_deal(desk, account)
    desk.act(
        "zoho_crm", "add_record", module="Quotes",
        values={
            "Subject": "Q", "Quote_Stage": "Closed Won", "Deal_Name": {"id": deal}, "Account_Name": {"id": account},
            "Quoted_Items": [{"Product_Name": {"id": product["id"]}, "Quantity": 1, "List_Price": 1}],
        },
    )  # fmt: skip
    desk.sync("orders")
    [entry] = inbox(desk)
    assert entry["error"]["code"] == "FieldInvalid"
    assert "NO-SUCH does not exist" in entry["error"]["text"]
    assert "correct the product code in Zoho" in entry["error"]["advice"]


def test_a_customer_number_in_use_is_passed_over(desk: Bench) -> None:
    desk.sage().create("AR/ARCustomers", {"CustomerNumber": "Z000001", "CustomerName": "Somebody", "GroupCode": "WHL"})
    won_deal(desk, new_account(desk))
    assert desk.sync("orders").left_over == 0
    [order] = orders(desk)
    assert order["CustomerNumber"] == "Z000002"


def test_the_number_can_come_from_a_zoho_field(engine: Engine) -> None:
    rule = {"customers": {"number": {"rule": "field"}}}
    with bench(engine, vendors=2, deals=0, flows=rule) as desk:
        won_deal(desk, new_account(desk, Sage_Customer_Number="harbour-1"))
        desk.sync("orders")
        [order] = orders(desk)
        assert order["CustomerNumber"] == "HARBOUR-1"


def test_a_deal_changed_after_its_order_is_a_conflict_for_a_person(desk: Bench) -> None:
    deal = won_deal(desk, new_account(desk))
    desk.sync("orders")
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Next_Step": "call them"})
    assert desk.sync("orders").left_over == 0
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Amount": 9999})
    assert desk.sync("orders").count(Outcome.CONFLICTED) == 1
    [order] = orders(desk)
    assert order["OrderDetails"][0]["ExtendedAmount"] == Decimal("1250")
    assert str(order["OrderNumber"]).strip() in inbox(desk)[0]["error"]["text"]


def test_an_edited_account_updates_its_customer_with_the_changed_fields(desk: Bench) -> None:
    account = new_account(desk)
    won_deal(desk, account)
    desk.sync("customers", "orders")
    desk.act("sage300", "edit_customer", customer="Z000001", fields={"Terms": "N60"})
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Phone": "604-555-0199"})
    assert desk.sync("customers").count(Outcome.UPDATED) == 1
    [customer] = customers(desk)
    assert str(customer["PhoneNumber"]).strip() == "604-555-0199"
    assert str(customer["Terms"]).strip() == "N60"


def test_an_order_waits_for_its_customer_and_follows_it(desk: Bench) -> None:
    account = new_account(desk, Sage_Customer_Group="NOSUCH")
    won_deal(desk, account)
    desk.sync("customers", "orders")
    assert sorted(entry["error"]["code"] for entry in inbox(desk))[0] == "CUSTOMER_MISSING"
    assert orders(desk) == []
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Sage_Customer_Group": "RTL"})
    desk.later(minutes=1)
    desk.ledger.enqueue([_look(desk, account)], at=desk.now())
    desk.sync("customers", "orders")
    assert len(orders(desk)) == 1
    assert inbox(desk) == []


def _look(desk: Bench, account: str) -> Any:
    return Look(desk.context().zoho_entity("deal_accounts"), account, Cause.RETRY)


def test_day_end_processing_is_waited_for(desk: Bench) -> None:
    won_deal(desk, new_account(desk))
    rule = desk.sandbox.sage300.world.faults.add("day_end")
    assert desk.sync("orders").count(Outcome.REFUSED) == 0
    desk.sandbox.sage300.world.faults.remove(rule.id)
    desk.later(minutes=10)
    desk.sync("orders")
    desk.later(minutes=10)
    desk.sync("orders")
    assert len(orders(desk)) == 1


def test_a_record_that_breaks_the_mapping_is_refused_alone(desk: Bench) -> None:
    good, bad = won_deal(desk, new_account(desk), "Good"), won_deal(desk, new_account(desk, "Other Ltd"), "Bad")
    context = desk.context()
    broken = mapping_files.parse(
        "flow: orders\nversion: 1\ncontext: [config, customer, account, line]\ntargets:\n"
        "  orders:\n    CustomerNumber: customer.number\n    OrderReference: id\n    OrderDate: date(Closing_Date)\n"
        "    OrderDescription: join(', ', (Deal_Name == 'Bad' && Deal_Name) || ['fine'])\n"
        "  order_lines: {LineType: line.type, MiscellaneousChargesCode: line.charge, ExtendedAmount: line.amount}\n",
        "mine/orders.yaml",
    )
    run_flow(replace(context, mappings={**context.mappings, "orders": broken}), "orders", Window.incremental())
    assert [str(order["OrderReference"]).strip() for order in orders(desk)] == [good]
    [entry] = inbox(desk)
    assert entry["key"] == bad
    assert entry["error"]["code"] == "MAPPING_FAILED"
    assert "OrderDescription" in entry["error"]["text"]


def test_a_mapping_that_reads_another_field_raises_no_conflict(desk: Bench) -> None:
    won_deal(desk, new_account(desk))
    desk.sync("orders")
    with desk.engine.begin() as connection:
        connection.execute(text("UPDATE sagezoho.links SET source_digest = 'older' WHERE sage_entity = 'orders'"))
        connection.execute(text("DELETE FROM sagezoho.records WHERE entity = 'deals'"))
    desk.reset_counters()
    tally = desk.sync("orders")
    assert tally.left_over == 0
    assert tally.count(Outcome.NOOP) == 1
    assert desk.writes()["sage300"] == 0


def test_an_account_that_is_linked_elsewhere_is_a_conflict_and_holds_nobody_back(desk: Bench) -> None:
    desk.sync("vendors")
    numbers = sorted(str(row["VendorNumber"]).strip() for row in desk.state("sage300", "APVendors"))
    first, second, other = numbers[:3]
    with desk.engine.begin() as connection:
        connection.execute(
            text("DELETE FROM sagezoho.links WHERE sage_entity = 'vendors' AND sage_id = ANY (:ids)"),
            {"ids": [first, other]},
        )
        connection.execute(
            text("UPDATE sagezoho.links SET sage_id = :new WHERE sage_id = :old AND zoho_entity = 'Accounts'"),
            {"new": other, "old": second},
        )
    for number in (first, second):
        desk.act("sage300", "edit_vendor", vendor=number, fields={"City": "Moved"})
    tally = desk.sync("vendors")
    assert tally.count(Outcome.CONFLICTED) == 1
    [entry] = inbox(desk)
    assert (entry["key"], entry["error"]["code"]) == (second, "LINK_TAKEN")
    assert other in entry["error"]["text"]


def test_a_deals_amount_can_be_one_unit_of_an_item_at_that_price(engine: Engine) -> None:
    amount = {"orders": {"amount": {"kind": "item", "code": "A1-105/0"}}}
    with bench(engine, vendors=2, deals=0, flows=amount) as desk:
        won_deal(desk, new_account(desk), amount="812.40")
        assert desk.sync("orders").left_over == 0, inbox(desk)
        [order] = orders(desk)
        [line] = order["OrderDetails"]
        assert (line["LineType"], line["QuantityOrdered"], line["PricingUnitPrice"]) == ("Item", 1, Decimal("812.4"))
        assert str(line["Description"]).strip() == "Refit"


def test_what_the_account_says_goes_before_the_configured_codes(desk: Bench) -> None:
    own = {
        "Sage_Customer_Group": "RTL", "Sage_Customer_Terms": "n60", "Sage_Customer_Currency": "cad",
    }  # fmt: skip
    groups = {str(row["TaxGroupKey"]).strip() for row in desk.state("sage300", "TXTaxGroups")}
    own["Sage_Customer_Tax_Group"] = next(group for group in sorted(groups) if group != "CALIF").lower()
    won_deal(desk, new_account(desk))
    desk.act("zoho_crm", "use_currencies")
    won_deal(desk, new_account(desk, "Own Ways Ltd", **own), "Second", values={"Currency": "CAD"})
    assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
    codes = [
        tuple(str(one[name]).strip() for name in ("GroupCode", "Terms", "TaxGroup", "CurrencyCode"))
        for one in sorted(customers(desk), key=lambda one: str(one["CustomerName"]))
    ]
    assert codes == [("WHL", "N30", "CALIF", "USD"), ("RTL", "N60", own["Sage_Customer_Tax_Group"].upper(), "CAD")]


def _won_by_a_customer(desk: Bench) -> str:
    """An account that is customer Z000001 already."""
    account = new_account(desk)
    won_deal(desk, account)
    assert desk.sync("customers", "orders").left_over == 0
    return account


@pytest.mark.parametrize(
    ("spoil", "field", "remedy"),
    [
        (("hold_customer", {"customer": "Z000001"}), "CustomerNumber", "take customer Z000001 off hold"),
        (
            ("edit_customer", {"customer": "Z000001", "fields": {"Status": "Inactive"}}),
            "CustomerNumber",
            "make customer Z000001 active",
        ),
        (("close_fiscal_period", {"year": 2026, "period": 3}), "OrderDate", "correct the deal's Closing Date"),
    ],
)
@pytest.mark.parametrize("asking", ["desk", "unasked"])
def test_a_refused_order_says_what_to_mend_and_where(
    request: pytest.FixtureRequest, asking: str, spoil: Any, field: str, remedy: str
) -> None:
    desk: Bench = request.getfixturevalue(asking)
    account = _won_by_a_customer(desk)
    action, given = spoil
    desk.act("sage300", action, **given)
    won_deal(desk, account, "Second", closing_date="2026-03-09")
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    [entry] = inbox(desk)
    assert entry["error"]["field"] == field
    assert remedy in entry["error"]["advice"]
    assert entry["error"]["system"] == "sage300"


def test_what_was_won_before_the_first_day_stays_without_an_order_whatever_is_edited_later(engine: Engine) -> None:
    with bench(engine, vendors=2, deals=0, flows={"orders": {"start": "2026-06-01"}}) as desk:
        clock = desk.sandbox.zoho_crm.world.clock
        clock.set(datetime(2026, 5, 4, tzinfo=UTC))
        account = new_account(desk)
        old, still_open = (
            str(desk.act("zoho_crm", "add_deal", name=name, account_id=account, amount="9")["id"])
            for name in ("Old", "Open")
        )
        desk.act("zoho_crm", "close_deal", deal_id=old)
        clock.set(desk.now())
        desk.act("zoho_crm", "edit_deal", deal_id=old, values={"Next_Step": "Ask for a reference"})
        assert desk.sync("customers", "orders").outcomes == {}
        assert customers(desk) == []
        desk.ledger.enqueue(
            [Look(desk.context().zoho_entity("deals"), old, Cause.NOTIFICATION)], at=desk.now(), run_id="heard"
        )
        desk.sync("orders")
        assert orders(desk) == []
        desk.act("zoho_crm", "move_deal", deal_id=still_open, stage="Closed Won")
        assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
        assert [str(row["OrderReference"]).strip() for row in orders(desk)] == [still_open]


@pytest.mark.parametrize("fate", ["lost", "deleted"])
def test_an_order_whose_deal_is_lost_or_deleted_since_is_told_to_a_person_once(desk: Bench, fate: str) -> None:
    deal = won_deal(desk, new_account(desk))
    assert desk.sync("customers", "orders").left_over == 0
    [order] = orders(desk)
    if fate == "lost":
        desk.act("zoho_crm", "move_deal", deal_id=deal, stage="Closed Lost")
    else:
        desk.act("zoho_crm", "delete_record", module="Deals", id=deal)
    assert desk.sync("orders", window=Window.sweep()).count(Outcome.CONFLICTED) == 1
    [entry] = inbox(desk)
    assert entry["error"]["code"] == "ORDER_UNWANTED"
    assert entry["error"]["text"] == f"the deal was {fate} after it became order {order['OrderNumber']}"
    assert f"delete order {order['OrderNumber']} in Sage" in entry["error"]["advice"]
    desk.dismiss_inbox(deal)
    look = Look(desk.context().zoho_entity("deals"), deal, Cause.NOTIFICATION)
    desk.ledger.enqueue([look], at=desk.now(), run_id="heard")
    desk.sync("orders")
    assert inbox(desk) == []
    desk.sync("orders", window=Window.sweep())
    assert inbox(desk) == []
    assert len(orders(desk)) == 1


def test_a_deal_that_is_lost_and_won_again_leaves_nothing_to_do(desk: Bench) -> None:
    deal = won_deal(desk, new_account(desk))
    assert desk.sync("customers", "orders").left_over == 0
    desk.act("zoho_crm", "move_deal", deal_id=deal, stage="Closed Lost")
    assert desk.sync("orders", window=Window.sweep()).count(Outcome.CONFLICTED) == 1
    desk.act("zoho_crm", "move_deal", deal_id=deal, stage="Closed Won")
    assert desk.sync("orders").left_over == 0
    assert inbox(desk) == []
    assert len(orders(desk)) == 1
