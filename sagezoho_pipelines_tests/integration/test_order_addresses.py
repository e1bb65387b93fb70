"""Where an order ships to: one whole address, or a refusal that says where to write it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import ADDRESS, customers, inbox, new_account, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=5, deals=0) as made:
        yield made


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
    won_deal(desk, new_account(desk, **given))
    assert desk.sync("orders").left_over == 0, inbox(desk)
    [order] = orders(desk)
    fields = ("ShipToAddressLine1", "ShipToAddressLine2", "ShipToCity", "ShipToStateProvince")
    assert tuple(str(order[name]).strip() for name in fields) == expected


_STREET = "c/o Reception\nBuilding 7\nDock 3\n12 Harbour Road"


@pytest.mark.parametrize("identity", [True, False])
@pytest.mark.parametrize("which", ["Billing", "Shipping"])
def test_an_address_of_more_lines_than_sage_has_is_refused_and_no_line_of_it_is_lost(
    engine: Engine, which: str, *, identity: bool
) -> None:
    with bench(engine, vendors=2, deals=0, flows={"identity": {"enabled": identity}}) as desk:
        street, city = f"{which}_Street", {f"{which}_City": "Burnaby"}
        account = new_account(desk, **{street: f"{_STREET}\nSuite 4", **city})
        deal = won_deal(desk, account)
        desk.sync("customers", "orders")
        assert orders(desk) == []
        refused = {row["key"]: row["error"] for row in inbox(desk)}
        code = "CUSTOMER_MISSING" if which == "Billing" else "SHIP_TO_TOO_LONG"
        assert refused[deal]["code"] == code
        assert "AddressLine4" in refused[deal]["text"]
        assert len(customers(desk)) == (0 if which == "Billing" else 1)
        desk.act("zoho_crm", "edit_account", account_id=account, values={street: _STREET, "Phone": "604-555-0199"})
        desk.later(minutes=5)
        assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
        [order] = orders(desk)
        lines = [str(order[f"ShipToAddressLine{number}"]).strip() for number in range(1, 5)]
        assert lines == _STREET.splitlines()
        assert inbox(desk) == []


def test_who_writes_the_lines_in_the_inbox_decides_what_becomes_of_the_rest(desk: Bench) -> None:
    account = new_account(desk, Shipping_Street=f"{_STREET}\nSuite 4", Shipping_City="Burnaby")
    deal = won_deal(desk, account)
    desk.sync("customers", "orders")
    desk.edit_inbox(deal, ShipToAddressLine4="12 Harbour Road, Suite 4")
    assert desk.sync("orders").left_over == 0, inbox(desk)
    [order] = orders(desk)
    assert str(order["ShipToAddressLine4"]).strip() == "12 Harbour Road, Suite 4"


def test_an_incomplete_address_leaves_the_customers_own_in_sage(desk: Bench) -> None:
    account = new_account(desk)
    won_deal(desk, account)
    desk.sync("customers", "orders")
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Billing_Street": None, "Billing_City": "Nanaimo"})
    desk.act(
        "sage300", "edit_customer", customer="Z000001", fields={"AddressLine1": "1 Sage Street", "City": "Burnaby"}
    )
    won_deal(desk, account, "Second")
    desk.sync("orders")
    [order] = [one for one in orders(desk) if str(one["OrderDescription"]).strip() == "Second"]
    assert (str(order["ShipToAddressLine1"]).strip(), str(order["ShipToCity"]).strip()) == ("1 Sage Street", "Burnaby")


@pytest.mark.parametrize("asking", ["desk", "unasked"])
def test_an_order_without_any_address_is_refused_with_the_remedy_and_follows_the_account(
    request: pytest.FixtureRequest, asking: str
) -> None:
    desk: Bench = request.getfixturevalue(asking)
    account = str(desk.act("zoho_crm", "add_account", name="No Where Ltd")["id"])
    won_deal(desk, account)
    assert desk.sync("customers", "orders").count(Outcome.REFUSED) == 1
    [entry] = inbox(desk)
    assert "ship-to address is incomplete" in entry["error"]["text"]
    assert f"billing address (street and city) of account {account}" in entry["error"]["advice"]
    desk.act("zoho_crm", "edit_account", account_id=account, values=ADDRESS)
    desk.later(minutes=1)
    assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
    assert len(orders(desk)) == 1
    assert inbox(desk) == []


@pytest.fixture
def unasked(engine: Engine) -> Iterator[Bench]:
    """Sage alone says whether an address will do."""
    checks = ["customer", "on_hold", "items", "fiscal_calendar", "purchase_order"]
    with bench(engine, vendors=5, deals=0, flows={"orders": {"preflight": checks}}) as made:
        yield made


def test_an_empty_address_is_an_order_where_sage_takes_it(unasked: Bench) -> None:
    desk = unasked
    desk.sandbox.sage300.world.switches.ship_to = "partial"
    won_deal(desk, str(desk.act("zoho_crm", "add_account", name="No Where Ltd")["id"]))
    assert desk.sync("orders").left_over == 0, inbox(desk)
    assert len(orders(desk)) == 1
