"""Records that go away: merged, renumbered or deleted, told apart by proof, and settled as the policy says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.records import Link, Outcome
from sagezoho_pipelines.engine.notifications import Notification, looks_of
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger import inbox
from sagezoho_pipelines_tests.bench import CONNECTION, Bench
from sagezoho_pipelines_tests.integration import customer_pairs as of_customers
from sagezoho_pipelines_tests.integration.vendor_pairs import (
    account,
    at_desk,
    audited,
    in_sage,
    number_of,
    settle,
    vendor,
)


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with at_desk(engine) as made:
        yield made


def idle(desk: Bench) -> str:
    """A vendor that Sage lets go: nothing is owed to it."""
    rows = desk.state("sage300", "APVendors")
    return next(row["VendorNumber"].strip() for row in rows if not row["BalanceDueInVendorCurrency"])


def let_go(desk: Bench) -> str:
    """The number of the desk's customer, whose only order is taken out of Sage: nothing keeps the customer there."""
    number, orders = of_customers.link(desk).sage_id, desk.sandbox.sage300.world.table("OEOrders")
    for order in orders.where(CustomerNumber=number):
        orders.delete(orders.key_of(order))
    return number


def link(desk: Bench, number: str) -> Link:
    return desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [number])[number]


def accounts_named(desk: Bench, name: str) -> list[dict[str, Any]]:
    return [row for row in desk.state("zoho_crm", "Accounts") if row["Account_Name"] == name]


def test_a_merged_account_is_followed_by_the_key_it_carries_on(desk: Bench) -> None:
    number = number_of(desk)
    old = account(desk, number)["id"]
    other = desk.act("zoho_crm", "add_account", name="The other one")["id"]
    desk.act("zoho_crm", "merge_accounts", master_id=other, duplicate_ids=[old])
    settle(desk)
    assert link(desk, number).zoho_id == str(other)
    assert account(desk, number)["Account_Name"] == vendor(desk, number)["VendorName"].strip()
    [entry] = audited(desk, number, "relink")
    assert [(field.before, field.after) for field in entry.fields] == [(str(old), str(other))]
    in_sage(desk, number, City="Oakland")
    settle(desk)
    assert account(desk, number)["Billing_City"] == "Oakland"


def test_a_merged_account_without_the_key_is_followed_by_its_name_alone_or_asked_about(desk: Bench) -> None:
    number = number_of(desk)
    old, name = account(desk, number)["id"], account(desk, number)["Account_Name"]
    twin = desk.act("zoho_crm", "add_account", name=name)["id"]
    desk.act("zoho_crm", "merge_accounts", master_id=twin, duplicate_ids=[old])
    desk.act("zoho_crm", "edit_account", account_id=twin, values={"Sage_Vendor_Key": None})
    desk.sync("identity", window=Window.sweep())
    assert link(desk, number).zoho_id == str(twin)
    assert account(desk, number)["Sage_Vendor_Key"] == f"SAMINC/{number}"


def test_an_account_that_only_shares_the_name_of_a_merged_one_is_left_as_it_is(desk: Bench) -> None:
    """Another branch, or another firm: that it has the name proves nothing while it says otherwise of itself."""
    number = number_of(desk)
    old = account(desk, number)
    far = {"Billing_City": "Denver", "Billing_Street": "77 Far Street", "Phone": "303 555 0100"}
    twin = desk.act("zoho_crm", "add_account", name=old["Account_Name"], values=far)["id"]
    group = desk.act("zoho_crm", "add_account", name="The whole group")["id"]
    desk.act("zoho_crm", "edit_account", account_id=old["id"], values={"Sage_Vendor_Key": None})
    desk.act("zoho_crm", "merge_accounts", master_id=group, duplicate_ids=[old["id"]])
    in_sage(desk, number, City="Oakland")
    desk.sync("vendors", "identity")
    [entry] = desk.open_inbox()
    assert (entry["key"], entry["error"]["code"]) == (number, "RECORD_LOST")
    assert link(desk, number).zoho_id == str(old["id"])
    [there] = [row for row in accounts_named(desk, old["Account_Name"]) if row["id"] == twin]
    assert {name: there[name] for name in far} == far


def test_a_merged_account_with_two_namesakes_is_asked_about_once(desk: Bench) -> None:
    number = number_of(desk)
    old, name = account(desk, number)["id"], account(desk, number)["Account_Name"]
    twins = [desk.act("zoho_crm", "add_account", name=name)["id"] for _ in range(2)]
    desk.act("zoho_crm", "merge_accounts", master_id=twins[0], duplicate_ids=[old])
    desk.act("zoho_crm", "edit_account", account_id=twins[0], values={"Sage_Vendor_Key": None})
    assert desk.sync("identity", window=Window.sweep()).count(Outcome.CONFLICTED) == 1
    [entry] = inbox.entries(desk.engine)
    assert entry.error is not None
    assert (entry.key, entry.error["code"]) == (number, "RECORD_LOST")
    in_sage(desk, number, City="Oakland")
    assert desk.sync("vendors", "identity").left_over == 0
    assert len(inbox.entries(desk.engine)) == 1
    assert len(accounts_named(desk, name)) == 2, "no third one is made"


@pytest.mark.parametrize("touched", [True, False])
def test_a_renumbered_vendor_keeps_its_account_and_its_contact(desk: Bench, *, touched: bool) -> None:
    number = number_of(desk)
    held, contacts = link(desk, number), len(desk.state("zoho_crm", "Contacts"))
    total = len(desk.state("zoho_crm", "Accounts"))
    desk.act("sage300", "renumber_vendor", vendor=number, number="NEWNO1")
    if touched:
        in_sage(desk, "NEWNO1", Terms="N60")
        desk.sync("vendors")
    desk.sync("vendors", "identity", window=Window.sweep())
    settle(desk)
    assert link(desk, "NEWNO1").zoho_id == held.zoho_id
    assert account(desk, "NEWNO1")["Sage_Vendor_Key"] == "SAMINC/NEWNO1"
    assert len(desk.state("zoho_crm", "Accounts")) == total
    assert len(desk.state("zoho_crm", "Contacts")) == contacts
    assert desk.query("SELECT 1 AS one FROM sagezoho.links WHERE sage_id = :id", id=number) == []
    [entry] = audited(desk, "NEWNO1", "relink")
    assert [(field.before, field.after) for field in entry.fields] == [(number, "NEWNO1")]


def test_a_new_vendor_that_only_shares_the_name_of_one_that_is_gone_is_asked_about(desk: Bench) -> None:
    number = idle(desk)
    name, total = vendor(desk, number)["VendorName"].strip(), len(desk.state("zoho_crm", "Accounts"))
    desk.act("sage300", "delete_vendor", vendor=number)
    desk.act("sage300", "add_vendor", fields={"VendorNumber": "OTHER1", "VendorName": name, "City": "Elsewhere"})
    assert desk.sync("vendors").count(Outcome.CONFLICTED) == 1
    [entry] = inbox.entries(desk.engine)
    assert entry.error is not None
    assert (entry.key, entry.error["code"]) == ("OTHER1", "RENUMBERED")
    assert len(desk.state("zoho_crm", "Accounts")) == total


def test_a_namesake_of_a_vendor_that_is_still_there_is_another_vendor(desk: Bench) -> None:
    number = number_of(desk)
    name = vendor(desk, number)["VendorName"].strip()
    desk.act("sage300", "add_vendor", fields={"VendorNumber": "OTHER1", "VendorName": name})
    assert desk.sync("vendors").count(Outcome.CREATED) == 1
    assert len(accounts_named(desk, name)) == 2


@pytest.mark.parametrize(
    ("policy", "outcome", "status"),
    [
        ("inbox", Outcome.CONFLICTED, "Active"),
        ("mark", Outcome.UPDATED, "Inactive"),
        ("ignore", Outcome.NOOP, "Active"),
    ],
)
def test_an_account_deleted_in_zoho_is_settled_as_the_policy_says_and_never_made_again(
    engine: Engine, policy: str, outcome: Outcome, status: str
) -> None:
    with at_desk(engine, vendors={"gone_in_zoho_crm": policy}) as desk:
        number = next(
            n for n in (number_of(desk, place) for place in range(8)) if vendor(desk, n)["Status"] == "Active"
        )
        total = len(desk.state("zoho_crm", "Accounts"))
        desk.act("zoho_crm", "delete_record", module="Accounts", id=account(desk, number)["id"])
        assert desk.sync("identity").count(outcome) >= 1, "found by /deleted, without a sweep"
        assert vendor(desk, number)["Status"] == status
        in_sage(desk, number, City="Elsewhere")
        desk.sync("vendors", "identity")
        desk.reset_counters()
        desk.sync("vendors", "identity", window=Window.sweep())
        assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
        assert len(desk.state("zoho_crm", "Accounts")) == total - 1
        assert len(inbox.entries(desk.engine)) == (1 if policy == "inbox" else 0)


@pytest.mark.parametrize("kind", ["vendors", "customers"])
def test_an_account_that_zoho_tells_was_deleted_is_asked_about_without_a_poll(engine: Engine, kind: str) -> None:
    with at_desk(engine) if kind == "vendors" else of_customers.at_desk(engine) as desk:
        held = link(desk, number_of(desk)) if kind == "vendors" else of_customers.link(desk)
        desk.act("zoho_crm", "delete_record", module="Accounts", id=held.zoho_id)
        notification = Notification(CONNECTION, "Accounts", "delete", (held.zoho_id,))
        desk.ledger.enqueue(looks_of(desk.ledger, [notification], {CONNECTION: desk.settings}), at=desk.now())
        flow = "identity" if kind == "vendors" else "customers"
        assert run_flow(desk.context(), flow, Window.incremental(), feeds=()).count(Outcome.CONFLICTED) == 1
        [entry] = inbox.entries(desk.engine)
        assert entry.error is not None
        assert (entry.key, entry.error["code"]) == (
            held.sage_id if kind == "vendors" else held.zoho_id,
            "RECORD_DELETED",
        )


@pytest.mark.parametrize(("policy", "shown"), [("mark", True), ("ignore", False), ("inbox", False)])
def test_a_vendor_deleted_in_sage_is_settled_as_the_policy_says(engine: Engine, policy: str, *, shown: bool) -> None:
    with at_desk(engine, vendors={"gone_in_sage300": policy}) as desk:
        number = idle(desk)
        desk.act("sage300", "delete_vendor", vendor=number)
        desk.sync("vendors", window=Window.sweep())
        assert (account(desk, number)["Sage_Vendor_Status"] == "Deleted in Sage") is shown
        assert len(inbox.entries(desk.engine)) == (1 if policy == "inbox" else 0)
        desk.reset_counters()
        desk.sync("vendors", "identity", window=Window.sweep())
        assert desk.writes() == {"sage300": 0, "zoho_crm": 0}


def test_a_crawl_that_broke_finds_nothing_missing(desk: Bench) -> None:
    for path, flow in ((r"coql", "identity"), (r"APVendors", "vendors")):
        world = desk.sandbox.zoho_crm.world if path == "coql" else desk.sandbox.sage300.world
        broken = world.faults.add("status", status=500, path=path)
        with pytest.raises(VendorError):
            run_flow(desk.context(), flow, Window.sweep())
        world.faults.remove(broken.id)
        desk.ledger.pauses(CONNECTION)
    assert desk.query("SELECT key FROM sagezoho.records WHERE deleted_at IS NOT NULL") == []
    assert desk.query("SELECT key FROM sagezoho.changes WHERE reason = 'no longer in the source'") == []


def test_a_customers_merged_account_is_followed_and_its_deletion_asked_about(engine: Engine) -> None:
    with of_customers.at_desk(engine) as desk:
        held, before = of_customers.link(desk), _customers(desk)
        other = desk.act("zoho_crm", "add_account", name="The other one")["id"]
        desk.act("zoho_crm", "merge_accounts", master_id=other, duplicate_ids=[held.zoho_id])
        desk.sync("customers", window=Window.sweep())
        desk.account_id = str(other)  # type: ignore[attr-defined]
        assert of_customers.link(desk).sage_id == held.sage_id
        assert _customers(desk) == before
        of_customers.settle(desk)
        desk.act("zoho_crm", "delete_record", module="Accounts", id=other)
        assert desk.sync("identity").count(Outcome.CONFLICTED) == 1


def _customers(desk: Bench) -> list[str]:
    return sorted(row["CustomerNumber"].strip() for row in desk.state("sage300", "ARCustomers"))


@pytest.mark.parametrize("flow", ["customers", "orders"])
def test_a_deal_of_an_account_that_a_customers_was_merged_into_makes_no_second_customer(
    engine: Engine, flow: str
) -> None:
    with of_customers.at_desk(engine) as desk:
        held, before = of_customers.link(desk), _customers(desk)
        other = str(desk.act("zoho_crm", "add_account", name="The other one", values=of_customers.WHOLE)["id"])
        desk.act("zoho_crm", "merge_accounts", master_id=other, duplicate_ids=[held.zoho_id])
        deal = desk.act("zoho_crm", "add_deal", name="More shelves", account_id=other, amount="50")["id"]
        desk.act("zoho_crm", "close_deal", deal_id=deal)
        desk.sync(flow)
        desk.sync("customers", "orders", window=Window.sweep())
        desk.account_id = other  # type: ignore[attr-defined]
        assert of_customers.link(desk).sage_id == held.sage_id
        assert _customers(desk) == before
        [order] = [row for row in desk.state("sage300", "OEOrders") if row["OrderReference"].strip() == str(deal)]
        assert order["CustomerNumber"].strip() == held.sage_id
        relinks = [one for one in desk.query("SELECT operation FROM sagezoho.audit") if one["operation"] == "relink"]
        assert len(relinks) == 1


def test_a_copy_of_a_customers_account_becomes_a_customer_of_its_own(engine: Engine) -> None:
    with of_customers.at_desk(engine) as desk:
        held, before = of_customers.link(desk), _customers(desk)
        values = {**of_customers.WHOLE, "Sage_Customer_Number": held.sage_id}
        copy = str(desk.act("zoho_crm", "add_account", name="Harbor Books East", values=values)["id"])
        deal = desk.act("zoho_crm", "add_deal", name="More shelves", account_id=copy, amount="50")["id"]
        desk.act("zoho_crm", "close_deal", deal_id=deal)
        desk.sync("customers", "orders")
        assert of_customers.link(desk).sage_id == held.sage_id
        assert len(_customers(desk)) == len(before) + 1


def test_a_renumbered_customer_is_followed(engine: Engine) -> None:
    with of_customers.at_desk(engine) as desk:
        held = of_customers.link(desk)
        desk.act("sage300", "renumber_customer", customer=held.sage_id, number="HARBOR")
        desk.sync("customers", "identity", window=Window.sweep())
        assert of_customers.link(desk).sage_id == "HARBOR"
        of_customers.in_zoho(desk, Phone="555 0777")
        desk.sync("customers", "identity")
        assert of_customers.customer(desk)["PhoneNumber"] == "555 0777"


@pytest.mark.parametrize(("policy", "shown"), [("mark", True), ("ignore", False), ("inbox", False)])
def test_a_customer_deleted_in_sage_is_settled_as_the_policy_says(engine: Engine, policy: str, *, shown: bool) -> None:
    with of_customers.at_desk(engine, customers={"gone_in_sage300": policy}) as desk:
        number = let_go(desk)
        desk.act("sage300", "delete_customer", customer=number)
        desk.sync("customers", "identity", window=Window.sweep())
        assert (of_customers.account(desk)["Sage_Customer_Status"] == "Deleted in Sage") is shown
        asked = [(entry.key, (entry.error or {}).get("code")) for entry in inbox.entries(desk.engine)]
        assert asked == ([(of_customers.link(desk).zoho_id, "RECORD_DELETED")] if policy == "inbox" else [])
        desk.reset_counters()
        desk.sync("customers", "identity")
        desk.sync("customers", "identity", window=Window.sweep())
        assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
        assert len(inbox.entries(desk.engine)) == len(asked)
        assert number not in {row["CustomerNumber"].strip() for row in desk.state("sage300", "ARCustomers")}


@pytest.mark.parametrize(
    ("policy", "outcome", "status"),
    [
        ("inbox", Outcome.CONFLICTED, "Active"),
        ("mark", Outcome.UPDATED, "Inactive"),
        ("ignore", Outcome.NOOP, "Active"),
    ],
)
def test_a_customers_account_deleted_in_zoho_is_settled_as_the_policy_says(
    engine: Engine, policy: str, outcome: Outcome, status: str
) -> None:
    with of_customers.at_desk(engine, customers={"gone_in_zoho_crm": policy}) as desk:
        held, total = of_customers.link(desk), len(desk.state("zoho_crm", "Accounts"))
        desk.act("zoho_crm", "delete_record", module="Accounts", id=held.zoho_id)
        assert desk.sync("identity", "customers").count(outcome) >= 1, "found by /deleted, without a sweep"
        assert of_customers.customer(desk)["Status"] == status
        of_customers.in_sage(desk, City="Elsewhere")
        desk.sync("customers", "identity")
        desk.reset_counters()
        desk.sync("customers", "identity", window=Window.sweep())
        assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
        assert of_customers.customer(desk)["City"].strip() == "Elsewhere"
        assert len(desk.state("zoho_crm", "Accounts")) == total - 1
        assert len(inbox.entries(desk.engine)) == (1 if policy == "inbox" else 0)
