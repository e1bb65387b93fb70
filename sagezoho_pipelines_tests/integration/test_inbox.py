"""The inbox: what a person does with a refused record, and what becomes of it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome, Override
from sagezoho_pipelines.engine.inbox import read_again
from sagezoho_pipelines.ledger import inbox, reports
from sagezoho_pipelines.ledger.inbox import InboxEntry
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=5, deals=0) as made:
        yield made


def _account(desk: Bench, **values: Any) -> str:
    address = {"Billing_Street": "12 Harbour Road", "Billing_City": "Vancouver"}
    made = desk.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values={**address, **values})
    return str(made["id"])


def _deal(desk: Bench, account: str, **more: Any) -> str:
    return str(
        desk.act("zoho_crm", "add_deal", name="Refit", account_id=account, amount="1250", stage="Closed Won", **more)[
            "id"
        ]
    )


def _refused_account(desk: Bench) -> tuple[str, InboxEntry]:
    """An account that Sage refuses: its customer group does not exist."""
    account = _account(desk, Sage_Customer_Group="NOSUCH")
    _deal(desk, account)
    desk.sync("customers")
    [entry] = inbox.entries(desk.engine, entity="deal_accounts")
    assert entry.key == account
    return account, entry


def _retry(desk: Bench, entry: InboxEntry, **fields: Any) -> int | None:
    edit = Override(fields, "anna", "the group was renamed") if fields else None
    again = read_again(entry.system, entry.entity)
    return inbox.retry(desk.engine, entry, who="anna", at=desk.now(), read_again=again, edit=edit)


def _customers(desk: Bench) -> list[dict[str, Any]]:
    return [row for row in desk.state("sage300", "ARCustomers") if str(row["CustomerNumber"]).startswith("Z0")]


def _operations(desk: Bench) -> list[tuple[str, str, Any]]:
    lines = reports.audit_entries(desk.engine, connection=CONNECTION)
    return [(line.entry.operation, line.entry.actor, line.entry.answer.get("why")) for line in lines]


def test_an_entry_names_the_record_on_both_sides_and_the_vendors_words(desk: Bench) -> None:
    _, entry = _refused_account(desk)
    assert (entry.flow, entry.target_system, entry.target_entity) == ("customers", "sage300", "customers")
    assert entry.name == "Harbour Lights Ltd"
    assert entry.error is not None
    assert "NOSUCH" in entry.error["text"]
    assert entry.error["advice"]


def test_the_filters_choose(desk: Bench) -> None:
    _, entry = _refused_account(desk)
    code = str((entry.error or {})["code"])
    assert inbox.entries(desk.engine, flow="customers", code=code.lower(), connection=CONNECTION) == [entry]
    assert inbox.entries(desk.engine, ids=[entry.key]) == inbox.entries(desk.engine, ids=[str(entry.id)]) == [entry]
    assert inbox.entries(desk.engine, flow="vendors") == []
    assert inbox.entries(desk.engine, code="Unheard") == []
    desk.later(hours=1)
    assert inbox.entries(desk.engine, since=desk.now()) == []


def test_a_retry_delivers_the_record_as_it_is_by_then(desk: Bench) -> None:
    account, entry = _refused_account(desk)
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Sage_Customer_Group": "RTL"})
    assert _retry(desk, entry) is not None
    desk.sync("customers")
    [customer] = _customers(desk)
    assert str(customer["GroupCode"]).strip() == "RTL"
    assert inbox.entries(desk.engine, entity="deal_accounts") == []
    assert ("retry", "anna", None) in _operations(desk)
    assert reports.verify_chain(desk.engine, CONNECTION) is None


def test_two_people_who_retry_the_same_entry_queue_it_once(desk: Bench) -> None:
    _, entry = _refused_account(desk)
    assert _retry(desk, entry) is not None
    assert _retry(desk, entry) is None


def test_who_comes_late_to_an_entry_changes_nothing(desk: Bench) -> None:
    account, entry = _refused_account(desk)
    assert inbox.dismiss(desk.engine, entry, who="bert", why="a test deal", at=desk.now())
    assert _retry(desk, entry) is None
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Sage_Customer_Group": "RTL"})
    _deal(desk, account)
    desk.sync("customers")
    told = _operations(desk)
    assert not inbox.dismiss(desk.engine, entry, who="anna", why="too late", at=desk.now())
    assert _retry(desk, entry) is None
    assert _operations(desk) == told
    [kept] = desk.query("SELECT state FROM sagezoho.changes WHERE id = :id", id=entry.id)
    assert kept["state"] == "dismissed"


def test_a_retry_that_fails_again_is_one_entry_still(desk: Bench) -> None:
    _, entry = _refused_account(desk)
    _retry(desk, entry)
    assert desk.sync("customers").count(Outcome.REFUSED) == 1
    [again] = inbox.entries(desk.engine, entity="deal_accounts")
    assert (again.key, again.cause) == (entry.key, "retry")


def test_an_edit_wins_over_the_mapping_and_is_told_apart_in_the_trace(desk: Bench) -> None:
    account, entry = _refused_account(desk)
    _retry(desk, entry, GroupCode="RTL")
    desk.sync("customers", "orders")
    [customer] = _customers(desk)
    assert str(customer["GroupCode"]).strip() == "RTL"
    assert ("edit", "anna", "the group was renamed") in _operations(desk)
    lines = reports.audit_entries(desk.engine, record_id=account)
    [created] = [line.entry for line in lines if line.entry.operation == "create" and line.entry.outcome == "created"]
    assert {field.target: tuple(field.sources) for field in created.fields}["GroupCode"] == ("inbox edit",)


def test_an_edit_is_kept_through_the_retries_of_its_change(desk: Bench) -> None:
    _, entry = _refused_account(desk)
    _retry(desk, entry, GroupCode="RTL")
    rule = desk.sandbox.sage300.world.faults.add("day_end")
    assert desk.sync("customers").count(Outcome.RETRYING) == 1
    desk.sandbox.sage300.world.faults.remove(rule.id)
    desk.later(minutes=10)
    desk.sync("customers")
    assert [str(row["GroupCode"]).strip() for row in _customers(desk)] == ["RTL"]


def test_an_edit_is_kept_when_its_change_is_refused_again(desk: Bench) -> None:
    _, entry = _refused_account(desk)
    _retry(desk, entry, GroupCode="WRONG")
    desk.sync("customers")
    [again] = inbox.entries(desk.engine, entity="deal_accounts")
    assert (again.override or {})["fields"] == {"GroupCode": "WRONG"}
    _retry(desk, again, GroupCode="RTL")
    desk.sync("customers")
    assert [str(row["GroupCode"]).strip() for row in _customers(desk)] == ["RTL"]


def test_a_newer_version_of_the_record_drops_the_edit(desk: Bench) -> None:
    account, entry = _refused_account(desk)
    _retry(desk, entry, GroupCode="RTL", City="Elsewhere")
    desk.act(
        "zoho_crm",
        "edit_account",
        account_id=account,
        values={"Sage_Customer_Group": "WHL", "Billing_City": "Victoria"},
    )
    desk.sync("customers")
    [customer] = _customers(desk)
    assert (str(customer["GroupCode"]).strip(), str(customer["City"]).strip()) == ("WHL", "Victoria")


def test_an_edited_order_is_compared_with_its_deal_later_and_not_with_the_edit(desk: Bench) -> None:
    deal = _deal(desk, _account(desk))
    rule = desk.sandbox.sage300.world.faults.add(
        "respond", method="POST", path="OEOrders", times=1, status=400,
        body={"error": {"code": "RecordInvalid", "message": {"lang": "en-US", "value": "Order date is locked."}}},
    )  # fmt: skip
    desk.sync("orders")
    desk.sandbox.sage300.world.faults.remove(rule.id)
    [entry] = inbox.entries(desk.engine, entity="deals")
    _retry(desk, entry, OrderDescription="By hand")
    desk.sync("orders")
    [order] = [row for row in desk.state("sage300", "OEOrders") if str(row["OrderReference"]).strip() == deal]
    assert str(order["OrderDescription"]).strip() == "By hand"
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Amount": 1251})
    assert desk.sync("orders").count(Outcome.CONFLICTED) == 1
    [conflict] = inbox.entries(desk.engine, entity="deals")
    assert conflict.error is not None
    assert conflict.error["text"].endswith(": the lines (1250.00, now 1251.00) would differ")


def test_a_dismissed_entry_is_gone_until_its_record_changes(desk: Bench) -> None:
    account, entry = _refused_account(desk)
    assert inbox.dismiss(desk.engine, entry, who="anna", why="a test deal", at=desk.now())
    assert not inbox.dismiss(desk.engine, entry, who="anna", why="again", at=desk.now())
    assert inbox.entries(desk.engine, entity="deal_accounts") == []
    assert ("dismiss", "anna", "a test deal") in _operations(desk)
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Sage_Customer_Group": "RTL"})
    _deal(desk, account)
    desk.sync("customers", "orders")
    assert len(_customers(desk)) == 1
    assert inbox.entries(desk.engine) == []


def test_an_entry_resolves_by_itself_when_a_newer_version_delivers(desk: Bench) -> None:
    desk.sync("vendors")
    vendor = str(desk.state("sage300", "APVendors")[0]["VendorNumber"]).strip()
    faults = desk.sandbox.zoho_crm.world.faults
    refusal = {"code": "INVALID_DATA", "details": {"api_name": "Fax"}, "message": "invalid data", "status": "error"}
    rule = faults.add("respond", method="PUT", path="/Accounts", status=202, body={"data": [refusal]})
    desk.act("sage300", "edit_vendor", vendor=vendor, fields={"FaxNumber": "1"})
    desk.sync("vendors")
    assert [entry.key for entry in inbox.entries(desk.engine)] == [vendor]
    faults.remove(rule.id)
    desk.act("sage300", "edit_vendor", vendor=vendor, fields={"FaxNumber": "6045550123"})
    desk.sync("vendors")
    assert inbox.entries(desk.engine) == []
