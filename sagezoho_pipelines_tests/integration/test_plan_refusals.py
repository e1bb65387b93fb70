"""Refusals: a plan tells them before anything is sent, and applying it refuses the same in the same words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.engine.planning import carrying
from sagezoho_pipelines.engine.planning.approval import bound
from sagezoho_pipelines.engine.planning.document import Plan, Seal
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger.plans import PostgresPlanStore
from sagezoho_pipelines_tests.bench import Bench, bench

SEAL = Seal("test", b"k" * 32)
#: What the account of a won deal holds, and the field that Sage would refuse for it.
CUSTOMERS = [
    ({"Sage_Customer_Group": "NOPE"}, "GroupCode"),
    ({"Sage_Customer_Terms": "NOPE"}, "Terms"),
    ({"Sage_Customer_Tax_Group": "NOPE"}, "TaxGroup"),
    ({"Sage_Customer_Currency": "XXX"}, "CurrencyCode"),
    ({"Billing_City": "C" * 40}, "City"),
]
#: What a vendor holds, and the field that Zoho would refuse for it.
VENDORS = [
    ({"ContactsEmail": "nobody at nowhere"}, "Email"),
    ({"PhoneNumber": "---"}, "Phone"),
    ({"PhoneNumber": "604/5550199"}, "Phone"),
    ({"WebSite": "no web site"}, "Website"),
    ({"WebSite": "harbour"}, "Website"),
]


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=4, deals=0) as made:
        yield made


def _spoil(desk: Bench) -> dict[str, str]:
    """Records of every kind that one of the vendors will refuse, and the field that it is about."""
    fields = {desk.win_deal(f"Firm {at}", **values): field for at, (values, field) in enumerate(CUSTOMERS)}
    for at, (values, field) in enumerate(VENDORS):
        desk.act("sage300", "add_vendor", fields={"VendorNumber": f"BAD{at}", "VendorName": f"Bad {at}", **values})
        fields[f"BAD{at}"] = field
    return fields


def _foreseen(plan: Plan) -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (item.source_entity, item.source_id): (str(item.error["code"]), str(item.error["text"]))
        for item in plan.items
        if item.outcome == "refused"
    }


def _met(desk: Bench) -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (str(row["entity"]), str(row["key"])): (row["error"]["code"], row["error"]["text"]) for row in desk.open_inbox()
    }


def _apply(desk: Bench, plan: Plan) -> int:
    store = PostgresPlanStore(desk.engine)
    number = carrying.begin(desk.planning(), desk.ledger, store, plan, SEAL, actor="test")
    for flow in plan.flows:
        run_flow(bound(desk.context(), plan.redacted(SEAL), SEAL), flow, Window.incremental())
    return number


def _codes(refusals: dict[tuple[str, str], tuple[str, str]]) -> dict[tuple[str, str], str]:
    return {record: code for record, (code, _) in refusals.items()}


def test_what_a_sync_would_be_refused_is_in_the_plan(desk: Bench) -> None:
    fields = _spoil(desk)
    plan = desk.plan()
    told = {item.source_id: item.error.get("field") for item in plan.items if item.outcome == "refused"}
    assert {one: told.get(one) for one in fields} == fields
    assert all(item.error["advice"] for item in plan.items if item.outcome == "refused")
    desk.sync()
    assert _codes(_foreseen(plan)) == _codes(_met(desk))
    assert {code for code, _ in _met(desk).values()} == {"FieldInvalid", "INVALID_DATA", "CUSTOMER_MISSING"}


def test_applying_a_plan_refuses_what_the_plan_said_in_its_words_and_is_done(desk: Bench) -> None:
    """Nothing waits that nobody will send, and Zoho is told of each refusal as it was planned."""
    fields = _spoil(desk)
    plan = desk.plan()
    number = _apply(desk, plan)
    assert _met(desk) == _foreseen(plan)
    assert carrying.undone(desk.ledger, plan, at=desk.now()) == []
    assert desk.query("SELECT key FROM sagezoho.changes WHERE state = 'queued'") == []
    accounts = {str(row["id"]): row for row in desk.state("zoho_crm", "Accounts")}
    told = {one: accounts[one]["Sage_Sync_Message"] for one in fields if one in accounts}
    assert len(told) == len(CUSTOMERS)
    for account, message in told.items():
        assert str(message).startswith(_foreseen(plan)["deal_accounts", account][1])
    assert _apply(desk, plan) == number, "a plan of which nothing is left is no other plan"


def test_what_was_refused_is_delivered_once_it_is_mended(desk: Bench) -> None:
    account = desk.win_deal("Firm", Sage_Customer_Group="NOPE")
    _apply(desk, desk.plan())
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Sage_Customer_Group": "WHL"})
    assert desk.plan().totals["refused"] == 0
    assert desk.sync().left_over == 0
    assert desk.open_inbox() == []


def test_a_code_that_cannot_be_looked_up_is_not_doubted(desk: Bench) -> None:
    """Without the right to see tax groups a plan says nothing of them, and Sage has the last word."""
    desk.sandbox.sage300.world.faults.add("status", status=403, method="GET", path="TXTaxGroups")
    desk.win_deal("Firm", Sage_Customer_Tax_Group="NOPE")
    assert desk.plan("customers").totals["refused"] == 0


def test_an_invoice_whose_account_is_gone_is_refused_beforehand(desk: Bench) -> None:
    account, _ = _second_invoice(desk)
    plan = _without(desk, "Accounts", account)
    [refused] = [item for item in plan.items if item.outcome == "refused"]
    assert (refused.source_entity, refused.error["code"]) == ("invoices", "INVALID_DATA")
    assert refused.error["field"] == "Account_Name.id"
    desk.sync("invoices")
    assert _codes(_met(desk)) == _codes(_foreseen(plan))


def test_an_invoice_whose_product_is_gone_is_foreseen_to_wait_for_another_one(desk: Bench) -> None:
    """The product that the first invoice made: the first attempt finds that it is gone, the next one makes another."""
    _, product = _second_invoice(desk)
    plan = _without(desk, "Products", product)
    [waiting] = [item for item in plan.items if item.outcome == "retrying"]
    assert (waiting.source_entity, waiting.error["code"]) == ("invoices", "PRODUCT_GONE")
    assert desk.sync("invoices").count(Outcome.RETRYING) == 1
    desk.later(hours=1)
    assert desk.sync("invoices").count(Outcome.CREATED) == 1
    assert desk.open_inbox() == []


def _second_invoice(desk: Bench) -> tuple[str, str]:
    """Two deals ordered, the first one invoiced: the account of the second, and the product of both."""
    desk.win_deal("Quay")
    desk.sync()
    account = desk.win_deal("Harbour")
    desk.sync()
    first, _ = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'orders' ORDER BY sage_id")
    desk.act("sage300", "ship_and_invoice_order", order=first["sage_id"])
    desk.sync()
    [product] = [str(row["id"]) for row in desk.state("zoho_crm", "Products") if row.get("Sage_Item_Key")]
    return account, product


def _without(desk: Bench, module: str, record: str) -> Plan:
    """What is planned for the second invoice, once this record is gone."""
    desk.act("zoho_crm", "delete_record", module=module, id=record)
    _, second = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'orders' ORDER BY sage_id")
    desk.act("sage300", "ship_and_invoice_order", order=second["sage_id"])
    return desk.plan("invoices")
