"""Customers and orders: a won deal is one order of one customer in Sage, whatever breaks on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sagezoho_pipelines.domain import mapping_files
from sagezoho_pipelines.domain.records import Cause, Look, Outcome
from sagezoho_pipelines.engine.deliver import deliver
from sagezoho_pipelines.engine.run import FLOWS, run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines_tests.bench import Bench, bench


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=5, deals=0) as made:
        yield made


_ADDRESS = {
    "Billing_Street": "12 Harbour Road\nSuite 4", "Billing_City": "Vancouver", "Billing_State": "BC",
    "Billing_Code": "V6B 1A1", "Billing_Country": "Canada", "Phone": "604-555-0100",
}  # fmt: skip


def _account(desk: Bench, name: str = "Harbour Lights Ltd", **values: Any) -> str:
    return str(desk.act("zoho_crm", "add_account", name=name, values={**_ADDRESS, **values})["id"])


def _deal(desk: Bench, account: str | None, name: str = "Refit", amount: str | None = "1250.00", **more: Any) -> str:
    return str(
        desk.act("zoho_crm", "add_deal", name=name, account_id=account, amount=amount, stage="Closed Won", **more)["id"]
    )


def _orders(desk: Bench) -> list[dict[str, Any]]:
    """The orders that carry a deal's id as reference."""
    return [row for row in desk.state("sage300", "OEOrders") if str(row["OrderReference"]).strip().isdigit()]


def _customers(desk: Bench) -> list[dict[str, Any]]:
    return [row for row in desk.state("sage300", "ARCustomers") if str(row["CustomerNumber"]).startswith("Z0")]


def _inbox(desk: Bench) -> list[Any]:
    return list(
        desk.query("SELECT key, error FROM sagezoho.changes WHERE state IN ('refused', 'conflicted') ORDER BY id")
    )


def test_a_won_deal_is_one_order_of_a_new_customer(desk: Bench) -> None:
    deal = _deal(desk, _account(desk), Customer_PO_Number="", values={"Customer_PO_Number": "PO-9"})
    assert desk.sync("customers", "orders").left_over == 0
    [customer], [order] = _customers(desk), _orders(desk)
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
    account = _account(desk)
    _deal(desk, account, "First")
    _deal(desk, account, "Second")
    desk.sync("orders")
    assert len(_customers(desk)) == 1
    assert len(_orders(desk)) == 2


def test_a_deal_that_is_not_won_stays_in_zoho(desk: Bench) -> None:
    deal = str(desk.act("zoho_crm", "add_deal", name="Open", account_id=_account(desk), amount="5")["id"])
    desk.sync("customers", "orders")
    assert _orders(desk) == []
    desk.act("zoho_crm", "close_deal", deal_id=deal)
    desk.sync("customers", "orders")
    assert [str(order["OrderReference"]).strip() for order in _orders(desk)] == [deal]


def test_the_accepted_quote_gives_the_lines(desk: Bench) -> None:
    deal = _deal(desk, _account(desk))
    lines = [
        {"product_code": "A1-105/0", "quantity": 4, "price": 25, "discount": 10},
        {"product_code": "A1-105/0", "quantity": 1, "price": "7.5"},
    ]
    quote = desk.act("zoho_crm", "add_quote", deal_id=deal, lines=lines)
    desk.act("zoho_crm", "accept_quote", quote_id=quote["id"])
    assert desk.sync("orders").left_over == 0
    [order] = _orders(desk)
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
        _deal(desk, _account(desk), values={"Deal_Items": rows})
        tally = desk.sync("orders")
        assert tally.left_over == 0, _inbox(desk)
        [order] = _orders(desk)
        assert [(line["QuantityOrdered"], line["PricingUnitPrice"]) for line in order["OrderDetails"]] == [(3, 11)]


@pytest.mark.parametrize(
    ("account", "amount", "code", "words"),
    [(False, "10", "ACCOUNT_MISSING", "has no account"), (True, None, "NO_LINES", "no amount")],
)
def test_what_cannot_be_ordered_is_refused_with_the_remedy(
    desk: Bench, account: bool, amount: str | None, code: str, words: str
) -> None:
    _deal(desk, _account(desk) if account else None, amount=amount)
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    [entry] = _inbox(desk)
    assert entry["error"]["code"] == code
    assert words in entry["error"]["text"]
    assert entry["error"]["advice"]
    assert _orders(desk) == []


def test_a_refused_deal_delivers_when_it_is_mended(desk: Bench) -> None:
    deal = _deal(desk, _account(desk), amount=None)
    desk.sync("orders")
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Amount": 80})
    assert desk.sync("orders").left_over == 0
    assert len(_orders(desk)) == 1
    assert _inbox(desk) == []


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
    account = _account(desk)
    deal = _deal(desk, account)
    desk.act(
        "zoho_crm", "add_record", module="Quotes",
        values={
            "Subject": "Q", "Quote_Stage": "Closed Won", "Deal_Name": {"id": deal}, "Account_Name": {"id": account},
            "Quoted_Items": [{"Product_Name": {"id": product["id"]}, "Quantity": 1, "List_Price": 1}],
        },
    )  # fmt: skip
    desk.sync("orders")
    [entry] = _inbox(desk)
    assert entry["error"]["code"] == "FieldInvalid"
    assert "NO-SUCH does not exist" in entry["error"]["text"]
    assert "correct the product code in Zoho" in entry["error"]["advice"]


@pytest.mark.parametrize("fault", ["reset_after", "truncate"])
def test_a_lost_answer_is_read_back_and_not_sent_again(desk: Bench, fault: Any) -> None:
    deal = _deal(desk, _account(desk))
    desk.sandbox.sage300.world.faults.add(fault, method="POST", path="OEOrders|ARCustomers", times=2)
    assert desk.sync("orders").left_over == 0
    assert len(_customers(desk)) == 1
    assert [str(order["OrderReference"]).strip() for order in _orders(desk)] == [deal]
    answers = desk.query("SELECT answer FROM sagezoho.audit WHERE operation = 'create' ORDER BY seq")
    assert [entry["answer"]["read_back"] for entry in answers] == [True, True]


def test_a_request_that_never_arrived_is_sent_again_later(desk: Bench) -> None:
    _deal(desk, _account(desk))
    desk.sandbox.sage300.world.faults.add("reset_before", method="POST", path="OEOrders", times=1)
    assert desk.sync("orders").count(Outcome.RETRYING) == 1
    assert _orders(desk) == []
    desk.later(minutes=5)
    assert desk.sync("orders").left_over == 0
    assert len(_orders(desk)) == 1


def test_a_restored_ledger_does_not_post_an_order_again(desk: Bench) -> None:
    _deal(desk, _account(desk))
    desk.sync("orders")
    with desk.engine.begin() as connection:
        connection.execute(text("DELETE FROM sagezoho.links WHERE sage_entity = 'orders'"))
        connection.execute(text("DELETE FROM sagezoho.intents WHERE target_entity = 'orders'"))
        connection.execute(text("DELETE FROM sagezoho.records"))
    desk.sync("orders")
    assert len(_orders(desk)) == 1
    assert len(desk.query("SELECT 1 FROM sagezoho.links WHERE sage_entity = 'orders'")) == 1


def test_a_customer_number_in_use_is_passed_over(desk: Bench) -> None:
    desk.sage().create("AR/ARCustomers", {"CustomerNumber": "Z000001", "CustomerName": "Somebody", "GroupCode": "WHL"})
    _deal(desk, _account(desk))
    assert desk.sync("orders").left_over == 0
    [order] = _orders(desk)
    assert order["CustomerNumber"] == "Z000002"


def test_the_number_can_come_from_a_zoho_field(engine: Engine) -> None:
    rule = {"customers": {"number": {"rule": "field"}}}
    with bench(engine, vendors=2, deals=0, flows=rule) as desk:
        _deal(desk, _account(desk, Sage_Customer_Number="harbour-1"))
        desk.sync("orders")
        [order] = _orders(desk)
        assert order["CustomerNumber"] == "HARBOUR-1"


def test_a_deal_changed_after_its_order_is_a_conflict_for_a_person(desk: Bench) -> None:
    deal = _deal(desk, _account(desk))
    desk.sync("orders")
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Next_Step": "call them"})
    assert desk.sync("orders").left_over == 0
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Amount": 9999})
    assert desk.sync("orders").count(Outcome.CONFLICTED) == 1
    [order] = _orders(desk)
    assert order["OrderDetails"][0]["ExtendedAmount"] == Decimal("1250")
    assert str(order["OrderNumber"]).strip() in _inbox(desk)[0]["error"]["text"]


def test_an_edited_account_updates_its_customer_with_the_changed_fields(desk: Bench) -> None:
    account = _account(desk)
    _deal(desk, account)
    desk.sync("customers", "orders")
    desk.act("sage300", "edit_customer", customer="Z000001", fields={"Terms": "N60"})
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Phone": "604-555-0199"})
    assert desk.sync("customers").count(Outcome.UPDATED) == 1
    [customer] = _customers(desk)
    assert str(customer["PhoneNumber"]).strip() == "604-555-0199"
    assert str(customer["Terms"]).strip() == "N60"


def test_an_order_waits_for_its_customer_and_follows_it(desk: Bench) -> None:
    account = _account(desk, Sage_Customer_Group="NOSUCH")
    _deal(desk, account)
    desk.sync("customers", "orders")
    assert sorted(entry["error"]["code"] for entry in _inbox(desk))[0] == "CUSTOMER_MISSING"
    assert _orders(desk) == []
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Sage_Customer_Group": "RTL"})
    desk.later(minutes=1)
    desk.ledger.enqueue([_look(desk, account)], at=desk.now())
    desk.sync("customers", "orders")
    assert len(_orders(desk)) == 1
    assert _inbox(desk) == []


def _look(desk: Bench, account: str) -> Any:
    return Look(desk.context().zoho_entity("deal_accounts"), account, Cause.RETRY)


def test_day_end_processing_is_waited_for(desk: Bench) -> None:
    _deal(desk, _account(desk))
    rule = desk.sandbox.sage300.world.faults.add("day_end")
    assert desk.sync("orders").count(Outcome.REFUSED) == 0
    desk.sandbox.sage300.world.faults.remove(rule.id)
    desk.later(minutes=10)
    desk.sync("orders")
    desk.later(minutes=10)
    desk.sync("orders")
    assert len(_orders(desk)) == 1


def test_a_record_that_breaks_the_mapping_is_refused_alone(desk: Bench) -> None:
    good, bad = _deal(desk, _account(desk), "Good"), _deal(desk, _account(desk, "Other Ltd"), "Bad")
    context = desk.context()
    broken = mapping_files.parse(
        "flow: orders\nversion: 1\ncontext: [config, customer, account, line]\ntargets:\n"
        "  orders:\n    CustomerNumber: customer.number\n    OrderReference: id\n    OrderDate: date(Closing_Date)\n"
        "    OrderDescription: join(', ', (Deal_Name == 'Bad' && Deal_Name) || ['fine'])\n"
        "  order_lines: {LineType: line.type, MiscellaneousChargesCode: line.charge, ExtendedAmount: line.amount}\n",
        "mine/orders.yaml",
    )
    run_flow(replace(context, mappings={**context.mappings, "orders": broken}), "orders", Window.incremental())
    assert [str(order["OrderReference"]).strip() for order in _orders(desk)] == [good]
    [entry] = _inbox(desk)
    assert entry["key"] == bad
    assert entry["error"]["code"] == "MAPPING_FAILED"
    assert "OrderDescription" in entry["error"]["text"]


def test_a_mapping_that_reads_another_field_raises_no_conflict(desk: Bench) -> None:
    _deal(desk, _account(desk))
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
    [entry] = _inbox(desk)
    assert (entry["key"], entry["error"]["code"]) == (second, "LINK_TAKEN")
    assert other in entry["error"]["text"]


_SHIPPING = {
    "Shipping_Street": "Dock 9", "Shipping_City": "Richmond", "Shipping_State": "", "Shipping_Code": "V7E 1A1",
    "Shipping_Country": "Canada",
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("12 Harbour Road", "Suite 4", "Vancouver", "BC")),
        (_SHIPPING, ("Dock 9", "", "Richmond", "")),
        ({"Shipping_City": "Richmond"}, ("12 Harbour Road", "Suite 4", "Vancouver", "BC")),
        ({"Shipping_Street": "Dock 9"}, ("12 Harbour Road", "Suite 4", "Vancouver", "BC")),
    ],
)
@pytest.mark.parametrize("reading", ["required", "partial"])
def test_an_order_ships_to_one_whole_address(
    desk: Bench, given: dict[str, Any], expected: tuple[str, ...], reading: Any
) -> None:
    desk.sandbox.sage300.world.switches.ship_to = reading
    _deal(desk, _account(desk, **given))
    assert desk.sync("orders").left_over == 0, _inbox(desk)
    [order] = _orders(desk)
    fields = ("ShipToAddressLine1", "ShipToAddressLine2", "ShipToCity", "ShipToStateProvince")
    assert tuple(str(order[name]).strip() for name in fields) == expected


def test_an_incomplete_address_leaves_the_customers_own_in_sage(desk: Bench) -> None:
    account = _account(desk)
    _deal(desk, account)
    desk.sync("customers", "orders")
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Billing_Street": None, "Billing_City": "Nanaimo"})
    desk.act(
        "sage300", "edit_customer", customer="Z000001", fields={"AddressLine1": "1 Sage Street", "City": "Burnaby"}
    )
    _deal(desk, account, "Second")
    desk.sync("orders")
    [order] = [one for one in _orders(desk) if str(one["OrderDescription"]).strip() == "Second"]
    assert (str(order["ShipToAddressLine1"]).strip(), str(order["ShipToCity"]).strip()) == ("1 Sage Street", "Burnaby")


def test_an_order_without_any_address_is_refused_with_the_remedy_and_follows_the_account(desk: Bench) -> None:
    account = str(desk.act("zoho_crm", "add_account", name="No Where Ltd")["id"])
    _deal(desk, account)
    assert desk.sync("customers", "orders").count(Outcome.REFUSED) == 1
    [entry] = _inbox(desk)
    assert "ship-to address is incomplete" in entry["error"]["text"]
    assert f"billing address (street and city) of account {account}" in entry["error"]["advice"]
    desk.act("zoho_crm", "edit_account", account_id=account, values=_ADDRESS)
    desk.later(minutes=1)
    assert desk.sync("customers", "orders").left_over == 0, _inbox(desk)
    assert len(_orders(desk)) == 1
    assert _inbox(desk) == []


def test_an_empty_address_is_an_order_where_sage_takes_it(desk: Bench) -> None:
    desk.sandbox.sage300.world.switches.ship_to = "partial"
    _deal(desk, str(desk.act("zoho_crm", "add_account", name="No Where Ltd")["id"]))
    assert desk.sync("orders").left_over == 0, _inbox(desk)
    assert len(_orders(desk)) == 1


def test_a_deals_amount_can_be_one_unit_of_an_item_at_that_price(engine: Engine) -> None:
    amount = {"orders": {"amount": {"kind": "item", "code": "A1-105/0"}}}
    with bench(engine, vendors=2, deals=0, flows=amount) as desk:
        _deal(desk, _account(desk), amount="812.40")
        assert desk.sync("orders").left_over == 0, _inbox(desk)
        [order] = _orders(desk)
        [line] = order["OrderDetails"]
        assert (line["LineType"], line["QuantityOrdered"], line["PricingUnitPrice"]) == ("Item", 1, Decimal("812.4"))
        assert str(line["Description"]).strip() == "Refit"


def test_what_the_account_says_goes_before_the_configured_codes(desk: Bench) -> None:
    own = {
        "Sage_Customer_Group": "RTL", "Sage_Customer_Terms": "n60", "Sage_Customer_Currency": "cad",
    }  # fmt: skip
    groups = {str(row["TaxGroupKey"]).strip() for row in desk.state("sage300", "TXTaxGroups")}
    own["Sage_Customer_Tax_Group"] = next(group for group in sorted(groups) if group != "CALIF").lower()
    _deal(desk, _account(desk))
    _deal(desk, _account(desk, "Own Ways Ltd", **own), "Second")
    assert desk.sync("customers", "orders").left_over == 0, _inbox(desk)
    codes = [
        tuple(str(one[name]).strip() for name in ("GroupCode", "Terms", "TaxGroup", "CurrencyCode"))
        for one in sorted(_customers(desk), key=lambda one: str(one["CustomerName"]))
    ]
    assert codes == [("WHL", "N30", "CALIF", "USD"), ("RTL", "N60", own["Sage_Customer_Tax_Group"].upper(), "CAD")]


def _won_by_a_customer(desk: Bench) -> str:
    """An account that is customer Z000001 already."""
    account = _account(desk)
    _deal(desk, account)
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
    _deal(desk, account, "Second", closing_date="2026-03-09")
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    [entry] = _inbox(desk)
    assert entry["error"]["field"] == field
    assert remedy in entry["error"]["advice"]
    assert entry["error"]["system"] == "sage300"


def _order_posted_unheard(desk: Bench) -> str:
    """A deal told by a notification; its order is posted, and neither the answer nor the look afterwards comes back."""
    deal = _deal(desk, _account(desk))
    desk.sync("customers")
    desk.ledger.enqueue([Look(desk.context().zoho_entity("deals"), deal, Cause.NOTIFICATION, "told")], at=desk.now())
    desk.sandbox.sage300.world.faults.add("reset_after", method="POST", path="OEOrders", times=1)
    for call in (2, 3, 4):
        desk.sandbox.sage300.world.faults.add("status", method="GET", path="OEOrders", status=503, nth=call)
    handler = FLOWS["orders"].handlers["orders"]
    assert deliver(desk.context(), handler).count(Outcome.RETRYING) == 1
    assert [str(order["OrderReference"]).strip() for order in _orders(desk)] == [deal]
    desk.later(minutes=10)
    return deal


def test_an_order_posted_unheard_is_found_though_its_deal_was_reopened_since(desk: Bench) -> None:
    deal = _order_posted_unheard(desk)
    desk.act("zoho_crm", "move_deal", deal_id=deal, stage="Qualification")
    assert deliver(desk.context(), FLOWS["orders"].handlers["orders"]).count(Outcome.CREATED) == 1
    assert desk.query("SELECT zoho_id FROM sagezoho.links WHERE sage_entity = 'orders'") == [{"zoho_id": deal}]
    assert desk.query("SELECT 1 FROM sagezoho.intents WHERE state = 'open'") == []
    assert len(_orders(desk)) == 1


def test_an_order_posted_unheard_of_a_deal_deleted_since_is_for_a_person(desk: Bench) -> None:
    deal = _order_posted_unheard(desk)
    desk.act("zoho_crm", "delete_record", module="Deals", id=deal)
    assert deliver(desk.context(), FLOWS["orders"].handlers["orders"]).count(Outcome.CONFLICTED) == 1
    [entry] = _inbox(desk)
    assert (entry["key"], entry["error"]["code"]) == (deal, "ORDER_EXISTS")
    assert "deleted" in entry["error"]["text"]
    assert desk.query("SELECT 1 FROM sagezoho.intents WHERE state = 'open'") == []


def test_a_deal_reopened_before_its_order_reached_sage_has_none_and_waits_for_nothing(desk: Bench) -> None:
    deal = _deal(desk, _account(desk))
    desk.sync("customers")
    desk.ledger.enqueue([Look(desk.context().zoho_entity("deals"), deal, Cause.NOTIFICATION, "told")], at=desk.now())
    desk.sandbox.sage300.world.faults.add("reset_before", method="POST", path="OEOrders", times=1)
    handler = FLOWS["orders"].handlers["orders"]
    assert deliver(desk.context(), handler).count(Outcome.RETRYING) == 1
    desk.act("zoho_crm", "move_deal", deal_id=deal, stage="Qualification")
    desk.later(minutes=10)
    assert deliver(desk.context(), handler).count(Outcome.SKIPPED) == 1
    assert _orders(desk) == []
    assert desk.query("SELECT 1 FROM sagezoho.intents WHERE state = 'open'") == []
