"""What Sage would refuse an order for is named before anything is posted, and ends when its cause does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.sandbox.sage300.catalog import MODULES
from sagezoho_pipelines.sandbox.sage300.world import User
from sagezoho_pipelines_tests.bench import Bench, bench

_ADDRESS = {"Billing_Street": "12 Harbour Road", "Billing_City": "Vancouver", "Billing_Country": "Canada"}
_CUSTOMER = "Z000001"


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


def _account(desk: Bench, **values: Any) -> str:
    given = {**_ADDRESS, **values}
    return str(desk.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values=given)["id"])


def _customer(desk: Bench) -> str:
    """An account that is customer Z000001 already, with one order."""
    account = _account(desk)
    _deal(desk, account, "First")
    assert desk.sync("orders").left_over == 0, desk.open_inbox()
    desk.reset_counters()
    return account


def _deal(
    desk: Bench, account: str, name: str = "Refit", *codes: str, closing_date: str = "2026-11-02", **values: Any
) -> str:
    """A deal won, with a line of each item, or one for its amount."""
    made = desk.act("zoho_crm", "add_deal", name=name, account_id=account, amount="900.00", values=values)
    deal = str(made["id"])
    if codes:
        known = {row["Product_Code"] for row in desk.state("zoho_crm", "Products")}
        for code in set(codes) - known:
            product = {"Product_Name": f"Product {code}", "Product_Code": code}
            desk.act("zoho_crm", "add_record", module="Products", values=product)
        lines = [{"product_code": code, "quantity": 1, "price": 10} for code in codes]
        desk.act(
            "zoho_crm", "accept_quote", quote_id=desk.act("zoho_crm", "add_quote", deal_id=deal, lines=lines)["id"]
        )
    desk.act("zoho_crm", "close_deal", deal_id=deal, closing_date=closing_date)
    return deal


def _calls(desk: Bench, method: str, entity_set: str) -> int:
    calls = desk.sandbox.sage300.world.counters.snapshot()["by_call"]
    return sum(times for call, times in calls.items() if call.startswith(method) and entity_set in call)


def _refused(desk: Bench) -> Any:
    """The error of the one order refused, for which nothing was posted and nothing is left open."""
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    assert _calls(desk, "POST", "OEOrders") == 0
    assert desk.query("SELECT 1 FROM sagezoho.intents WHERE state = 'open'") == []
    [entry] = desk.open_inbox()
    return entry["error"]


def _orders(desk: Bench, name: str) -> int:
    return sum(str(row["OrderDescription"]).strip() == name for row in desk.state("sage300", "OEOrders"))


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"Status": True}, "ITEM_INACTIVE", "line 2: item A1-105/0 is inactive"),
        ({"Sellable": False}, "ITEM_NOT_SELLABLE", "line 2: item A1-105/0 is not marked as sellable"),
    ],
)
def test_an_item_that_sage_does_not_sell_is_named_with_its_line(
    desk: Bench, fields: dict[str, Any], code: str, words: str
) -> None:
    account = _customer(desk)
    desk.act("sage300", "add_item", item="PLAIN1", fields={"Sellable": True})
    desk.act("sage300", "edit_item", item="A1105/0", fields=fields)
    _deal(desk, account, "Refit", "PLAIN1", "A1-105/0")
    error = _refused(desk)
    assert (error["code"], error["field"], error["system"]) == (code, "Item", "sage300")
    assert words in error["text"]
    assert "A1-105/0" in error["advice"]


def test_an_item_that_sage_does_not_have_is_refused_before_anything_is_posted(desk: Bench) -> None:
    account = _customer(desk)
    _deal(desk, account, "Refit", "GHOST-7")
    error = _refused(desk)
    assert error["code"] == "ITEM_UNKNOWN"
    assert "line 1: item GHOST-7 is not in Sage 300" in error["text"]
    assert desk.sync("orders").outcomes == {}
    desk.act("sage300", "add_item", item="GHOST7", fields={"ItemNumber": "GHOST-7", "Sellable": False})
    assert desk.sync("orders").outcomes == {}
    desk.act("sage300", "edit_item", item="GHOST7", fields={"Sellable": True})
    assert desk.sync("orders").left_over == 0, desk.open_inbox()
    assert _orders(desk, "Refit") == 1


@pytest.mark.parametrize("number", ["A1-105/0", "A1105/0", "a1-105/0"])
def test_an_item_goes_by_either_of_its_numbers(desk: Bench, number: str) -> None:
    _deal(desk, _account(desk), "Refit", number)
    assert desk.sync("orders").left_over == 0, desk.open_inbox()
    assert _orders(desk, "Refit") == 1


@pytest.mark.parametrize(
    ("spoil", "code", "mend"),
    [
        ({"OnHold": "Yes"}, "CUSTOMER_ON_HOLD", {"OnHold": "No"}),
        ({"Status": "Inactive"}, "CUSTOMER_INACTIVE", {"Status": "Active"}),
    ],
)
def test_an_order_waits_for_its_customer_and_follows_it(
    desk: Bench, spoil: dict[str, str], code: str, mend: dict[str, str]
) -> None:
    account = _customer(desk)
    desk.act("sage300", "edit_customer", customer=_CUSTOMER, fields=spoil)
    desk.sync("identity")
    _deal(desk, account)
    desk.reset_counters()
    assert _refused(desk)["code"] == code
    desk.act("sage300", "edit_customer", customer=_CUSTOMER, fields=mend)
    desk.later(minutes=5)
    assert desk.sync("identity", "orders").left_over == 0, desk.open_inbox()
    assert _orders(desk, "Refit") == 1
    assert desk.open_inbox() == []


@pytest.mark.parametrize("again", [False, True], ids=["renumbered", "made again"])
def test_an_order_whose_customer_is_gone_follows_it_to_its_new_number_or_back(desk: Bench, *, again: bool) -> None:
    """Sage does not tell that it is gone: what finds it out is the order, long before the nightly sweep."""
    account = _customer(desk)
    desk.act("sage300", "renumber_customer", customer=_CUSTOMER, number="HARBOUR")
    if again:
        desk.act("sage300", "edit_customer", customer="HARBOUR", fields={"CustomerName": "Somebody else"})
    _deal(desk, account)
    assert _refused(desk)["code"] == "CUSTOMER_GONE"
    desk.sync("customers", "identity")
    if again:
        desk.later(minutes=5)
        assert desk.sync("customers", "orders").count(Outcome.CREATED) == 0
        desk.act("sage300", "renumber_customer", customer="HARBOUR", number=_CUSTOMER)
        desk.sync("identity")
    desk.later(minutes=5)
    assert desk.sync("customers", "orders").left_over == 0, desk.open_inbox()
    [order] = [row for row in desk.state("sage300", "OEOrders") if row["OrderDescription"].strip() == "Refit"]
    assert order["CustomerNumber"].strip() == (_CUSTOMER if again else "HARBOUR")
    assert desk.open_inbox() == []


def test_an_order_that_a_person_gives_to_another_customer_is_held_against_that_one(desk: Bench) -> None:
    """The parent firm pays: its own customer is on hold, or gone, and the deal's account is fine, or the reverse."""
    account = _customer(desk)
    other = next(
        number
        for row in desk.state("sage300", "ARCustomers")
        if (number := row["CustomerNumber"].strip()) != _CUSTOMER and row["CurrencyCode"] == "USD"
    )
    desk.act("sage300", "edit_customer", customer=_CUSTOMER, fields={"OnHold": "Yes"})
    desk.act("sage300", "edit_customer", customer=other, fields={"OnHold": "Yes", "Status": "Active"})
    _deal(desk, account)
    assert _refused(desk)["code"] == "CUSTOMER_ON_HOLD"
    [entry] = desk.open_inbox()
    desk.edit_inbox(entry["key"], CustomerNumber=other)
    assert other in _refused(desk)["text"]
    desk.act("sage300", "edit_customer", customer=other, fields={"OnHold": "No"})
    desk.edit_inbox(entry["key"], CustomerNumber=other.lower())
    assert desk.sync("orders").left_over == 0, desk.open_inbox()
    [order] = [row for row in desk.state("sage300", "OEOrders") if row["OrderDescription"].strip() == "Refit"]
    assert order["CustomerNumber"].strip() == other
    [link] = desk.query("SELECT details FROM sagezoho.links WHERE sage_id = :number", number=order["OrderNumber"])
    assert link["details"]["customer"] == other


def test_a_date_that_no_fiscal_year_covers_is_refused_before_anything_is_posted(desk: Bench) -> None:
    account = _customer(desk)
    _deal(desk, account, closing_date="2001-05-05")
    error = _refused(desk)
    assert (error["code"], error["field"]) == ("OUTSIDE_FISCAL_CALENDAR", "OrderDate")
    assert "2001-05-05" in error["text"]
    assert "Closing Date" in error["advice"]


def test_a_year_that_is_not_active_covers_nothing(desk: Bench) -> None:
    account = _customer(desk)
    table = desk.sandbox.sage300.world.table("CSFiscalCalendars")
    table.put({**table.get("2025"), "Active": False})
    _deal(desk, account, closing_date="2025-05-05")
    assert _refused(desk)["code"] == "OUTSIDE_FISCAL_CALENDAR"
    assert desk.sync("orders").outcomes == {}
    table.put({**table.get("2025"), "Active": True})
    assert desk.sync("orders").left_over == 0, desk.open_inbox()
    assert _orders(desk, "Refit") == 1
    desk.reset_counters()
    assert desk.sync("orders").outcomes == {}
    assert _calls(desk, "GET", "CSFiscalCalendars") == 0


def test_a_begun_address_without_a_city_is_incomplete_and_the_order_follows_the_account(desk: Bench) -> None:
    account = _customer(desk)
    desk.act("sage300", "edit_customer", customer=_CUSTOMER, fields={"City": ""})
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Billing_City": None})
    desk.sync("customers")
    _deal(desk, account)
    desk.reset_counters()
    error = _refused(desk)
    assert (error["code"], error["field"]) == ("SHIP_TO_INCOMPLETE", "ShipToCity")
    assert "ship-to address is incomplete" in error["text"]
    assert account in error["advice"]
    desk.act("zoho_crm", "edit_account", account_id=account, values=_ADDRESS)
    desk.later(minutes=5)
    assert desk.sync("customers", "orders").left_over == 0, desk.open_inbox()
    assert _orders(desk, "Refit") == 1


def test_a_purchase_order_number_used_already_is_refused_where_the_customer_says_so(desk: Bench) -> None:
    account = _account(desk)
    _deal(desk, account, "First", Customer_PO_Number="PO-9")
    assert desk.sync("orders").left_over == 0, desk.open_inbox()
    _deal(desk, account, "Second", Customer_PO_Number="PO-9")
    assert desk.sync("orders").left_over == 0, desk.open_inbox()
    desk.act("sage300", "edit_customer", customer=_CUSTOMER, fields={"CheckForDuplicatePOs": "Error"})
    _deal(desk, account, "Third", Customer_PO_Number="PO-9")
    desk.reset_counters()
    error = _refused(desk)
    assert (error["code"], error["field"]) == ("PURCHASE_ORDER_USED", "PurchaseOrderNumber")
    assert "PO-9" in error["text"]
    assert desk.sync("orders").outcomes == {}
    desk.act("sage300", "edit_customer", customer=_CUSTOMER, fields={"CheckForDuplicatePOs": "Warning"})
    assert desk.sync("orders").left_over == 0, desk.open_inbox()
    assert _orders(desk, "Third") == 1


@pytest.mark.parametrize("preflight", [["purchase_order"], []])
def test_a_purchase_order_number_that_is_corrected_in_zoho_needs_no_retry_by_hand(
    engine: Engine, preflight: list[str]
) -> None:
    with bench(engine, vendors=2, deals=0, flows={"orders": {"preflight": preflight}}) as desk:
        account = _account(desk)
        _deal(desk, account, "First", Customer_PO_Number="PO-9")
        assert desk.sync("orders").left_over == 0, desk.open_inbox()
        desk.act("sage300", "edit_customer", customer=_CUSTOMER, fields={"CheckForDuplicatePOs": "Error"})
        deal = _deal(desk, account, "Second", Customer_PO_Number="PO-9")
        assert desk.sync("orders").count(Outcome.REFUSED) == 1
        [entry] = desk.open_inbox()
        assert entry["error"]["field"] == "PurchaseOrderNumber"
        assert entry["error"]["advice"].startswith("correct the purchase order number")
        desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Customer_PO_Number": "PO-10"})
        assert desk.sync("orders").left_over == 0, desk.open_inbox()
        assert _orders(desk, "Second") == 1
        assert desk.open_inbox() == []


def test_a_refusal_names_everything_at_once(desk: Bench) -> None:
    account = _customer(desk)
    desk.act("sage300", "edit_customer", customer=_CUSTOMER, fields={"OnHold": "Yes"})
    _deal(desk, account, "Refit", "GHOST-7", "GHOST-8", closing_date="2001-05-05")
    error = _refused(desk)
    assert error["details"]["found"] == [
        "CUSTOMER_ON_HOLD", "ITEM_UNKNOWN", "ITEM_UNKNOWN", "OUTSIDE_FISCAL_CALENDAR",
    ]  # fmt: skip
    for words in ("on hold", "line 1: item GHOST-7", "line 2: item GHOST-8", "2001-05-05"):
        assert words in error["text"]


def test_a_check_that_is_left_out_leaves_the_answer_to_sage(engine: Engine) -> None:
    flows = {"orders": {"preflight": ["items"]}}
    with bench(engine, vendors=2, deals=0, flows=flows) as desk:
        desk.sandbox.sage300.world.switches.held_customers = "held"
        account = _customer(desk)
        desk.act("sage300", "edit_customer", customer=_CUSTOMER, fields={"OnHold": "Yes"})
        _deal(desk, account)
        assert desk.sync("orders").left_over == 0, desk.open_inbox()
        [order] = [row for row in desk.state("sage300", "OEOrders") if str(row["OrderDescription"]).strip() == "Refit"]
        assert order["OnHold"] is True


def test_what_the_user_may_not_read_is_left_to_sage(desk: Bench) -> None:
    account = _customer(desk)
    world = desk.sandbox.sage300.world
    world.users["WEBAPI"] = User("WEBAPI", "WEBAPI", frozenset(MODULES) - {"IC", "CS"})
    _deal(desk, account, "Refit", "A1-105/0")
    _deal(desk, account, "Ghost", "GHOST-7")
    tally = desk.sync("orders")
    assert (tally.count(Outcome.CREATED), tally.count(Outcome.REFUSED)) == (1, 1)
    [entry] = desk.open_inbox()
    assert entry["error"]["code"] == "FieldInvalid"
    assert "GHOST-7 does not exist" in entry["error"]["text"]


def test_a_release_without_what_a_check_reads_is_told_of_and_left_to_sage(
    desk: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    account = _customer(desk)
    desk.sandbox.sage300.world.switches.hidden = ("ARCustomers.CheckForDuplicatePOs", "ICItems.Sellable")
    _deal(desk, account, "Refit", "A1-105/0")
    assert desk.sync("orders").left_over == 0, desk.open_inbox()
    assert _orders(desk, "Refit") == 1
    told = [line for line in caplog.messages if "orders are posted without a look at" in line]
    assert [("ARCustomers" in line, "ICItems" in line) for line in told] == [(True, False), (False, True)]


def test_sellable_items_and_the_calendar_are_asked_for_once_in_a_run(desk: Bench) -> None:
    account = _customer(desk)
    for number in range(6):
        _deal(desk, account, f"Deal {number}", "A1-105/0")
    desk.reset_counters()
    assert desk.sync("orders").count(Outcome.CREATED) == 6
    reading_a_short_set = 2  # a page that is not full may be a short page: the next one tells
    assert _calls(desk, "GET", "CSFiscalCalendars") == reading_a_short_set
    assert _calls(desk, "GET", "ICItems") <= reading_a_short_set * desk.settings.sage300.concurrency


def test_an_order_posted_unheard_is_found_though_sage_would_refuse_it_now(desk: Bench) -> None:
    account = _customer(desk)
    deal = _deal(desk, account)
    faults = desk.sandbox.sage300.world.faults
    faults.add("reset_after", method="POST", path="OEOrders", times=1)
    for call in (2, 3, 4):
        faults.add("status", method="GET", path="OEOrders", status=503, nth=call)
    assert desk.sync("orders").count(Outcome.RETRYING) == 1
    assert _orders(desk, "Refit") == 1
    desk.act("sage300", "edit_customer", customer=_CUSTOMER, fields={"OnHold": "Yes"})
    desk.later(minutes=10)
    assert desk.sync("orders").count(Outcome.CREATED) == 1
    assert desk.query("SELECT 1 FROM sagezoho.links WHERE zoho_id = :deal", deal=deal) == [{"?column?": 1}]
    assert _orders(desk, "Refit") == 1


def test_a_check_that_sage_does_not_answer_is_tried_again_and_nothing_is_posted(desk: Bench) -> None:
    account = _customer(desk)
    _deal(desk, account, "Refit", "A1-105/0")
    desk.sandbox.sage300.world.faults.add("status", method="GET", path="ICItems", status=503, times=20)
    assert desk.sync("orders").count(Outcome.RETRYING) == 1
    assert _calls(desk, "POST", "OEOrders") == 0
    desk.sandbox.sage300.world.faults.clear()
    desk.later(minutes=10)
    assert desk.sync("orders").count(Outcome.CREATED) == 1


def test_a_plan_shows_the_refusals_and_the_sync_refuses_just_these(desk: Bench) -> None:
    account = _customer(desk)
    desk.act("sage300", "edit_customer", customer=_CUSTOMER, fields={"OnHold": "Yes"})
    held = _deal(desk, account)
    other = str(desk.act("zoho_crm", "add_account", name="New Firm Ltd", values=_ADDRESS)["id"])
    ghost = _deal(desk, other, "Ghost", "GHOST-7")
    fine = _deal(desk, other, "Fine", "A1-105/0")
    plan = desk.plan("orders")
    said = {item.source_id: (item.outcome, item.error.get("code")) for item in plan.items if item.flow == "orders"}
    assert said[held] == ("refused", "CUSTOMER_ON_HOLD")
    assert said[ghost] == ("refused", "ITEM_UNKNOWN")
    assert said[fine] == ("created", None)
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
    tally = desk.sync("orders")
    assert (tally.count(Outcome.REFUSED), tally.count(Outcome.CREATED)) == (2, 1)
    assert {entry["key"] for entry in desk.open_inbox()} == {held, ghost}


def test_figures_of_another_currency_than_the_customers_are_not_posted(desk: Bench) -> None:
    account = _customer(desk)
    desk.act("zoho_crm", "use_currencies")
    deal = _deal(desk, account, "Refit", Currency="EUR")
    error = _refused(desk)
    assert (error["code"], error["field"]) == ("CURRENCY_DIFFERS", "Currency")
    assert f"figures are in EUR, and Sage 300 bills customer {_CUSTOMER} in USD" in error["text"]
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Currency": "USD"})
    assert desk.sync("orders").left_over == 0, desk.open_inbox()
    assert _orders(desk, "Refit") == 1


def test_a_quotes_own_currency_counts_and_the_organisations_where_none_is_named(desk: Bench) -> None:
    desk.act("zoho_crm", "use_currencies")
    account = _account(desk, Sage_Customer_Currency="EUR")
    _deal(desk, account, "Home")
    deal = _deal(desk, account, "Refit", "A1-105/0")
    [quote] = [row for row in desk.state("zoho_crm", "Quotes") if row["Deal_Name"]["id"] == deal]
    desk.act("zoho_crm", "edit_record", module="Quotes", id=quote["id"], values={"Currency": "EUR"})
    tally = desk.sync("customers", "orders")
    assert tally.count(Outcome.REFUSED) == 1
    [entry] = desk.open_inbox()
    assert "figures are in USD, and Sage 300 bills customer Z000001 in EUR" in entry["error"]["text"]
    assert _orders(desk, "Refit") == 1
    assert _orders(desk, "Home") == 0


def test_a_deals_currency_that_changes_after_its_order_is_for_a_person(desk: Bench) -> None:
    account = _customer(desk)
    desk.act("zoho_crm", "use_currencies")
    deal = _deal(desk, account, "Refit", Currency="USD")
    assert desk.sync("orders").left_over == 0
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Currency": "EUR"})
    assert desk.sync("orders").count(Outcome.CONFLICTED) == 1
    [entry] = desk.open_inbox()
    assert entry["error"]["code"] == "ORDER_EXISTS"
    assert "the currency would differ" in entry["error"]["text"]
