"""Every movement has its audit line, whether it posted or not: who, where from, what was to be written, the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import AuditEntry
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger import reports
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench
from sagezoho_pipelines_tests.integration import vendor_pairs as of_vendors
from sagezoho_pipelines_tests.integration.selling import customers, new_account, orders, won_deal

REFUSAL = {"code": "INVALID_DATA", "details": {"api_name": "Phone"}, "message": "invalid data", "status": "error"}


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=5, deals=0) as made:
        yield made


def entries(desk: Bench, record: str) -> list[AuditEntry]:
    return [line.entry for line in reports.audit_entries(desk.engine, record_id=record)]


def written(entry: AuditEntry) -> dict[str, Any]:
    return {field.target: field.after for field in entry.fields}


def whole(desk: Bench, found: Sequence[AuditEntry]) -> None:
    """What each line says of when, who, where and which run."""
    runs = {row["run_id"] for row in desk.query("SELECT run_id FROM sagezoho.changes")}
    for entry in found:
        assert entry.at.tzinfo is not None
        assert (entry.actor, entry.connection) == ("test", CONNECTION)
        assert entry.direction == f"{entry.source_system}->{entry.target_system}"
        assert all((entry.flow, entry.source_entity, entry.source_id, entry.target_entity, entry.operation))
        assert entry.run_id in runs
        assert entry.change_id is not None
        assert all(field.expression for field in entry.fields)


def test_an_order_and_its_customer_that_posted(desk: Bench) -> None:
    account = new_account(desk)
    deal = won_deal(desk, account)
    assert desk.sync("customers", "orders").left_over == 0
    [order], [customer] = orders(desk), customers(desk)
    [of_order] = [entry for entry in entries(desk, deal) if entry.operation == "create"]
    [of_customer] = [entry for entry in entries(desk, account) if entry.operation == "create"]
    whole(desk, [of_order, of_customer])
    assert (of_order.source_id, of_order.target_id) == (deal, str(order["OrderNumber"]).strip())
    assert of_order.answer["OrderNumber"] == of_order.target_id
    assert written(of_order)["OrderReference"] == deal
    assert (of_customer.source_id, of_customer.target_id) == (account, str(customer["CustomerNumber"]).strip())
    assert written(of_customer)["CustomerName"] == "Harbour Lights Ltd"
    [name] = [field for field in of_customer.fields if field.target == "CustomerName"]
    assert ("Account_Name" in name.sources, name.before) == (True, None)


def test_an_order_and_a_customer_that_sage_refused(desk: Bench) -> None:
    account = new_account(desk)
    deal = won_deal(desk, account)
    faults = desk.sandbox.sage300.world.faults
    body = {"error": {"code": "RecordInvalid", "message": {"lang": "en-US", "value": "Not today."}}}
    refused = faults.add("respond", method="POST", path="ARCustomers", status=409, body=body)
    desk.sync("customers")
    faults.remove(refused.id)
    faults.add("respond", method="POST", path="OEOrders", status=409, body=body)
    desk.sync("customers", "orders")
    [of_customer] = [entry for entry in entries(desk, account) if entry.outcome == "refused"]
    whole(desk, [of_customer])
    assert (of_customer.operation, of_customer.target_entity) == ("create", "customers")
    assert (of_customer.answer["code"], of_customer.answer["text"]) == ("RecordInvalid", "Not today.")
    assert written(of_customer)["CustomerName"] == "Harbour Lights Ltd"
    of_order = [entry for entry in entries(desk, deal) if entry.outcome == "refused"][-1]
    whole(desk, [of_order])
    assert (of_order.operation, of_order.target_entity) == ("create", "orders")
    assert of_order.answer["code"] == "RecordInvalid"
    assert written(of_order)["OrderReference"] == deal


def test_an_account_that_zoho_refused_to_make(desk: Bench) -> None:
    faults = desk.sandbox.zoho_crm.world.faults
    faults.add("respond", method="POST", path="/Accounts/upsert", status=400, body={"data": [REFUSAL] * 5})
    desk.sync("vendors")
    number = of_vendors.number_of(desk)
    [entry] = entries(desk, number)
    whole(desk, [entry])
    assert (entry.operation, entry.outcome, entry.target_entity) == ("create", "refused", "Accounts")
    assert (entry.answer["code"], entry.answer["field"]) == ("INVALID_DATA", "Phone")
    assert written(entry)["Sage_Vendor_Number"] == number


def test_the_mark_of_a_vendor_that_is_gone_says_why(desk: Bench) -> None:
    number = str(desk.act("sage300", "add_vendor", fields={"VendorName": "Short-lived Ltd"})["VendorNumber"]).strip()
    desk.sync("vendors")
    shown = of_vendors.account(desk, number)["Sage_Vendor_Status"]
    desk.act("sage300", "delete_vendor", vendor=number)
    desk.sync("vendors", window=Window.sweep())
    [entry] = [one for one in entries(desk, number) if one.operation == "update"]
    whole(desk, [entry])
    assert [tuple(field) for field in entry.fields] == [
        ("Sage_Vendor_Status", (), "no longer in Sage", shown, "Deleted in Sage")
    ]


def test_an_update_of_a_pair_that_either_side_refused_is_one_line(engine: Engine) -> None:
    with of_vendors.at_desk(engine, vendors={"authority": "sage300", "fields": {"Phone": "zoho_crm"}}) as desk:
        number = of_vendors.number_of(desk)
        account = of_vendors.account(desk, number)
        faults = desk.sandbox.zoho_crm.world.faults
        refused = faults.add("respond", method="PUT", path="/Accounts", status=400, body={"data": [REFUSAL]})
        of_vendors.in_sage(desk, number, City="Elsewhere")
        desk.sync("vendors")
        [entry] = [one for one in entries(desk, number) if one.outcome == "refused"]
        whole(desk, [entry])
        assert (entry.operation, entry.target_id, entry.source_id) == ("update", account["id"], number)
        assert written(entry) == {"Billing_City": "Elsewhere"}
        assert (entry.answer["code"], list(entry.answer["decided"])) == ("INVALID_DATA", ["Billing_City"])
        assert [one.outcome for one in entries(desk, number) if one.operation == "update"] == ["refused"]
        faults.remove(refused.id)
        desk.edit_inbox(number)
        desk.sync("vendors")
        desk.sandbox.sage300.world.faults.add("status", method="PATCH", path="APVendors", status=405)
        of_vendors.in_zoho(desk, number, Phone="555 0100")
        desk.sync("vendors", "identity")
        [entry] = [one for one in entries(desk, number) if one.target_entity == "vendors" and one.outcome == "refused"]
        assert (entry.direction, entry.source_id, entry.target_id) == ("zoho_crm->sage300", account["id"], number)
        assert (written(entry), entry.answer["code"]) == ({"PhoneNumber": "555 0100"}, "MethodNotAllowed")
