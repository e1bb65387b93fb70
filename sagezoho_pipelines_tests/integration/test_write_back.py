"""What sales people read on their deals and accounts, and that telling them moves nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Cause, Look, Outcome
from sagezoho_pipelines.domain.widths import width
from sagezoho_pipelines.ledger import inbox
from sagezoho_pipelines_tests.bench import Bench, bench


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


def _won(desk: Bench, **account: Any) -> tuple[str, str]:
    values = {"Billing_Street": "12 Harbour Road", "Billing_City": "Vancouver", **account}
    made = str(desk.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values=values)["id"])
    deal = desk.act("zoho_crm", "add_deal", name="Refit", account_id=made, amount="10", stage="Closed Won")
    return made, str(deal["id"])


def _row(desk: Bench, module: str, record_id: str) -> dict[str, Any]:
    return next(row for row in desk.state("zoho_crm", module) if str(row["id"]) == record_id)


def _told_of(desk: Bench, entity: str, key: str) -> None:
    look = Look(desk.context().zoho_entity(entity), key, Cause.NOTIFICATION, "Zoho told of update")
    desk.ledger.enqueue([look], at=desk.now())


def _forget_our_write(desk: Bench) -> None:
    """As if it had been made a little earlier: Zoho's times are whole seconds."""
    with desk.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE sagezoho.write_backs SET modified_time = modified_time - interval '5 s'")


def test_a_delivered_deal_and_its_account_carry_their_sage_numbers(desk: Bench) -> None:
    account, deal = _won(desk)
    assert desk.sync("orders").count(Outcome.CREATED) == 1
    shown, customer = _row(desk, "Deals", deal), _row(desk, "Accounts", account)
    assert str(shown["Sage_Order_Number"]).startswith("ORD")
    assert (shown["Sage_Sync_Status"], shown["Sage_Sync_Message"]) == ("In Sage 300", None)
    assert (customer["Sage_Customer_Number"], customer["Sage_Sync_Status"]) == ("Z000001", "In Sage 300")


def test_a_long_refusal_is_cut_as_zoho_counts_an_emoji_as_two(desk: Bench) -> None:
    _, deal = _won(desk)
    code = "\N{HAMMER AND WRENCH}\N{WRENCH}\N{HAMMER}" * 6
    desk.act("zoho_crm", "add_record", module="Products", values={"Product_Name": "Tools", "Product_Code": code})
    line = {"product_code": code, "quantity": 1, "price": 5}
    desk.act("zoho_crm", "add_quote", deal_id=deal, lines=[line] * 8, stage="Closed Won")
    tally = desk.sync("orders")
    assert (tally.count(Outcome.REFUSED), tally.notes) == (1, [])
    message = _row(desk, "Deals", deal)["Sage_Sync_Message"]
    assert message.startswith(f"line 1: item {code}")
    assert width(message) in (254, 255)


def test_a_refusal_is_told_in_its_own_words_and_taken_back_later(desk: Bench) -> None:
    account, deal = _won(desk, Sage_Customer_Group="NOSUCH")
    desk.sync("customers", "orders")
    customer, shown = _row(desk, "Accounts", account), _row(desk, "Deals", deal)
    assert customer["Sage_Sync_Status"] == shown["Sage_Sync_Status"] == "Refused"
    assert "NOSUCH" in customer["Sage_Sync_Message"]
    assert shown["Sage_Sync_Message"].endswith("does not exist. Mend the account; its deals follow by themselves")
    [entry] = inbox.entries(desk.engine, entity="deal_accounts")
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Sage_Customer_Group": "RTL"})
    inbox.retry(desk.engine, entry, who="anna", at=desk.now(), read_again=True)
    desk.sync("customers", "orders")
    assert _row(desk, "Accounts", account)["Sage_Sync_Message"] is None
    assert _row(desk, "Deals", deal)["Sage_Sync_Status"] == "In Sage 300"


def test_what_a_person_dismissed_is_no_longer_said_of_the_deal(desk: Bench) -> None:
    _account, refused = _won(desk, Sage_Customer_Group="NOSUCH")
    _other, changed = _won(desk)
    desk.sync("customers", "orders")
    desk.act("zoho_crm", "edit_deal", deal_id=changed, values={"Amount": 20})
    desk.sync("orders")
    before = _row(desk, "Deals", changed)
    assert before["Sage_Sync_Status"] == "In conflict"
    for deal in (refused, changed):
        desk.dismiss_inbox(deal)
    assert desk.sync("orders").left_over == 0
    for deal, shown in ((refused, None), (changed, "In Sage 300")):
        row = _row(desk, "Deals", deal)
        assert (row["Sage_Sync_Status"], row["Sage_Sync_Message"]) == (shown, None)
    assert _row(desk, "Deals", changed)["Sage_Order_Number"] == before["Sage_Order_Number"]


def test_the_echo_of_a_dismissal_brings_nothing_back(desk: Bench) -> None:
    account, refused = _won(desk, Sage_Customer_Group="NOSUCH")
    _other, changed = _won(desk)
    desk.sync("customers", "orders")
    desk.act("zoho_crm", "edit_deal", deal_id=changed, values={"Amount": 20})
    desk.sync("orders", "customers")
    for key in (account, refused, changed):
        desk.dismiss_inbox(key)
    desk.sync("customers", "orders")
    desk.reset_counters()
    _told_of(desk, "deal_accounts", account)
    for deal in (refused, changed):
        _told_of(desk, "deals", deal)
    assert desk.sync("customers", "orders").left_over == 0
    assert desk.open_inbox() == []
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}


def test_a_difference_that_was_dismissed_is_told_again_only_when_another_one_comes(desk: Bench) -> None:
    _account, deal = _won(desk)
    desk.sync("customers", "orders")
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Amount": 20})
    desk.sync("orders")
    desk.dismiss_inbox(deal)
    desk.sync("orders")
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Next_Step": "call them"})
    _forget_our_write(desk)
    _told_of(desk, "deals", deal)
    desk.sync("orders")
    assert desk.open_inbox() == []
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Amount": 30})
    desk.sync("orders")
    [entry] = desk.open_inbox()
    assert "now 30.00" in entry["error"]["text"]


def test_a_refused_deal_that_is_reopened_says_nothing_more(desk: Bench) -> None:
    _account, deal = _won(desk, Sage_Customer_Group="NOSUCH")
    desk.sync("customers", "orders")
    desk.act("zoho_crm", "move_deal", deal_id=deal, stage="Qualification")
    _told_of(desk, "deals", deal)
    desk.sync("orders")
    assert inbox.entries(desk.engine, entity="deals") == []
    row = _row(desk, "Deals", deal)
    assert (row["Sage_Sync_Status"], row["Sage_Sync_Message"]) == (None, None)


def test_our_own_write_makes_no_change_and_no_second_write(desk: Bench) -> None:
    account, deal = _won(desk)
    desk.sync("customers", "orders")
    desk.later(minutes=5)
    desk.reset_counters()
    _told_of(desk, "deals", deal)
    _told_of(desk, "deal_accounts", account)
    tally = desk.sync("customers", "orders")
    assert tally.left_over == 0
    assert tally.count(Outcome.CREATED) == tally.count(Outcome.UPDATED) == 0
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}


def test_the_echo_of_a_refusal_does_not_try_the_deal_again(desk: Bench) -> None:
    _account, deal = _won(desk, Sage_Customer_Group="NOSUCH")
    desk.sync("customers", "orders")
    [before] = inbox.entries(desk.engine, entity="deals")
    desk.reset_counters()
    _told_of(desk, "deals", deal)
    assert desk.sync("orders").left_over == 0
    assert inbox.entries(desk.engine, entity="deals") == [before]
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}


def test_a_refused_deal_that_a_person_touches_is_tried_again(desk: Bench) -> None:
    _account, deal = _won(desk, Sage_Customer_Group="NOSUCH")
    desk.sync("customers", "orders")
    _forget_our_write(desk)
    _told_of(desk, "deals", deal)
    assert desk.sync("orders").count(Outcome.REFUSED) == 1


def test_a_write_back_that_fails_leaves_the_order_alone_and_follows_later(desk: Bench) -> None:
    _account, deal = _won(desk)
    rule = desk.sandbox.zoho_crm.world.faults.add("status", method="PUT", path="/Deals", status=503)
    tally = desk.sync("orders")
    assert (tally.count(Outcome.CREATED), tally.left_over) == (1, 0)
    assert any("were not told" in note for note in tally.notes)
    assert _row(desk, "Deals", deal).get("Sage_Sync_Status") is None
    desk.sandbox.zoho_crm.world.faults.remove(rule.id)
    desk.later(minutes=5)
    desk.sync("orders")
    assert _row(desk, "Deals", deal)["Sage_Sync_Status"] == "In Sage 300"


def test_no_automation_is_set_off(desk: Bench) -> None:
    _won(desk)
    rule = desk.sandbox.zoho_crm.world.faults.add("latency", method="PUT", path="/Deals", contains='"trigger": []')
    other = desk.sandbox.zoho_crm.world.faults.add("latency", method="PUT", path="/Deals", contains='"trigger":[]')
    desk.sync("orders")
    assert rule.fired + other.fired == 1


def test_it_can_be_switched_off(engine: Engine) -> None:
    with bench(engine, vendors=2, deals=0, flows={"orders": {"write_back": False}}) as desk:
        _account, deal = _won(desk)
        desk.sync("orders")
        assert _row(desk, "Deals", deal).get("Sage_Order_Number") is None
        assert desk.query("SELECT 1 FROM sagezoho.changes WHERE entity = 'write_backs'") == []


def test_an_edition_without_room_does_without_the_words(engine: Engine) -> None:
    with bench(engine, vendors=2, deals=0, edition="standard") as desk:
        account, deal = _won(desk)
        assert desk.sync("orders").count(Outcome.CREATED) == 1
        customer = _row(desk, "Accounts", account)
        assert customer["Sage_Customer_Number"] == "Z000001"
        assert "Sage_Sync_Status" not in customer
        assert _row(desk, "Deals", deal)["Sage_Sync_Status"] == "In Sage 300"
