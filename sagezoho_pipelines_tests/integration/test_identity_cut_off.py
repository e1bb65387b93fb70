"""Pairs whose making was cut off: what people typed before the link was there is decided upon like any other edit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import AuditEntry, Outcome
from sagezoho_pipelines.ledger import reports
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench

#: As often as one request is sent within one attempt.
_SENDS = 3
FLOWS = ("vendors", "customers", "identity")
SAID, TYPED = "604-555-0100", "604-555-0999"
WHOLE = {
    "Phone": SAID, "Billing_Street": "1 Quay", "Billing_City": "Vancouver", "Billing_State": "BC",
    "Billing_Code": "V6B", "Billing_Country": "Canada",
}  # fmt: skip


@contextmanager
def at_desk(engine: Engine, **identity: Any) -> Iterator[Bench]:
    with bench(engine, vendors=3, deals=0, flows={"identity": identity}) as desk:
        yield desk


def lose(desk: Bench, system: str, method: str, path: str, *, times: int = _SENDS) -> None:
    handle = desk.sandbox.sage300 if system == "sage300" else desk.sandbox.zoho_crm
    handle.world.faults.add("reset_after", method=method, path=path, times=times)


def vendor(desk: Bench, number: str) -> dict[str, Any]:
    return next(row for row in desk.state("sage300", "APVendors") if row["VendorNumber"].strip() == number)


def account(desk: Bench, number: str) -> dict[str, Any]:
    return next(row for row in desk.state("zoho_crm", "Accounts") if row.get("Sage_Vendor_Number") == number)


def contact(desk: Bench, number: str) -> dict[str, Any]:
    rows = desk.state("zoho_crm", "Contacts")
    return next(row for row in rows if row.get("Sage_Contact_Key") == f"SAMINC/{number}")


def audited(desk: Bench, record: str, operation: str) -> list[AuditEntry]:
    lines = [line.entry for line in reports.audit_entries(desk.engine, record_id=record)]
    return [entry for entry in lines if entry.operation == operation]


def cut_off_vendor(desk: Bench, path: str) -> str:
    """A vendor whose creation arrived without an answer."""
    number = desk.state("sage300", "APVendors")[0]["VendorNumber"].strip()
    desk.act("sage300", "edit_vendor", vendor=number, fields={"PhoneNumber": SAID, "ContactName": "Ann Lee"})
    lose(desk, "zoho_crm", "POST", path, times=9 * _SENDS)  # more than any number of batches sends
    assert desk.sync("vendors").count(Outcome.RETRYING) > 0
    desk.sandbox.zoho_crm.world.faults.clear()
    desk.later(minutes=10)
    return number


@pytest.mark.parametrize(("leader", "kept"), [("sage300", SAID), ("zoho_crm", TYPED), ("newest", TYPED)])
def test_an_account_that_was_edited_before_its_link_was_there_is_decided_upon(
    engine: Engine, leader: str, kept: str
) -> None:
    with at_desk(engine, vendors={"authority": leader}) as desk:
        number = cut_off_vendor(desk, "Accounts/upsert")
        desk.act("zoho_crm", "edit_account", account_id=account(desk, number)["id"], values={"Phone": TYPED})
        assert desk.sync(*FLOWS).left_over == 0
        assert (account(desk, number)["Phone"], vendor(desk, number)["PhoneNumber"].strip()) == (kept, kept)
        told = audited(desk, number, "put back" if leader == "sage300" else "update")
        told = [entry for entry in told if entry.target_entity != "Contacts"]
        changes = [(field.before, field.after) for entry in told for field in entry.fields if "Phone" in field.target]
        assert changes == ([(TYPED, SAID)] if leader == "sage300" else [(SAID, TYPED)])
        desk.reset_counters()
        desk.sync(*FLOWS)
        assert desk.writes() == {"sage300": 0, "zoho_crm": 0}


def test_a_contact_that_was_edited_before_its_link_was_there_keeps_the_edit(engine: Engine) -> None:
    with at_desk(engine) as desk:
        number = cut_off_vendor(desk, "Contacts/upsert")
        desk.act("zoho_crm", "edit_record", module="Contacts", id=contact(desk, number)["id"], values={"Phone": TYPED})
        assert desk.sync(*FLOWS).left_over == 0
        assert contact(desk, number)["Phone"] == TYPED
        [link] = desk.ledger.links_by_sage(CONNECTION, "vendors", "Contacts", [number]).values()
        assert link.zoho_id == str(contact(desk, number)["id"])


def test_with_one_way_flows_the_edit_stays_until_its_source_changes(engine: Engine) -> None:
    with at_desk(engine, enabled=False) as desk:
        number = cut_off_vendor(desk, "Accounts/upsert")
        desk.act("zoho_crm", "edit_account", account_id=account(desk, number)["id"], values={"Phone": TYPED})
        assert desk.sync(*FLOWS).left_over == 0
        assert account(desk, number)["Phone"] == TYPED
        desk.act("sage300", "edit_vendor", vendor=number, fields={"PhoneNumber": "1", "City": "Oakland"})
        desk.sync(*FLOWS)
        assert (account(desk, number)["Phone"], account(desk, number)["Billing_City"]) == ("1", "Oakland")


def test_an_account_that_carries_a_key_though_the_ledger_forgot_it_meets_its_vendor_as_for_the_first_time(
    engine: Engine,
) -> None:
    """As after a restored backup: nobody knows who typed what, so what gives way is told."""
    with at_desk(engine) as desk:
        number = desk.state("sage300", "APVendors")[0]["VendorNumber"].strip()
        desk.act("sage300", "edit_vendor", vendor=number, fields={"PhoneNumber": SAID})
        values = {"Sage_Vendor_Key": f"SAMINC/{number}", "Sage_Vendor_Number": number, "Phone": TYPED}
        made = desk.act("zoho_crm", "add_account", name="Known of old", values=values)
        assert desk.sync(*FLOWS).left_over == 0
        assert account(desk, number)["id"] == made["id"]
        assert account(desk, number)["Phone"] == SAID
        [entry] = audited(desk, number, "first contact")
        assert ("Phone", TYPED, SAID) in [(field.target, field.before, field.after) for field in entry.fields]


@pytest.mark.parametrize(("leader", "kept"), [("zoho_crm", SAID), ("sage300", TYPED)])
def test_a_customer_that_was_edited_in_sage_before_its_link_was_there_is_decided_upon(
    engine: Engine, leader: str, kept: str
) -> None:
    with at_desk(engine, customers={"authority": leader}) as desk:
        made = desk.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values=WHOLE)
        desk.act("zoho_crm", "add_deal", name="Refit", account_id=made["id"], amount="100", stage="Closed Won")
        lose(desk, "sage300", "POST", "ARCustomers", times=1)
        for call in range(2, 2 + _SENDS):
            desk.sandbox.sage300.world.faults.add("status", method="GET", path=r"ARCustomers\(", status=503, nth=call)
        desk.sync("customers", "orders")
        [number] = [row["CustomerNumber"] for row in desk.state("sage300", "ARCustomers") if _is_new(row)]
        desk.act("sage300", "edit_customer", customer=number.strip(), fields={"PhoneNumber": TYPED})
        desk.later(minutes=10)
        desk.sync("customers", "orders", "identity")
        [customer] = [row for row in desk.state("sage300", "ARCustomers") if _is_new(row)]
        [shown] = [row for row in desk.state("zoho_crm", "Accounts") if row["id"] == made["id"]]
        assert (customer["PhoneNumber"].strip(), shown["Phone"]) == (kept, kept)
        told = audited(desk, number.strip(), "put back" if leader == "zoho_crm" else "update")
        changes = [(field.before, field.after) for entry in told for field in entry.fields if "Phone" in field.target]
        assert changes == [(TYPED, SAID) if leader == "zoho_crm" else (SAID, TYPED)]


def _is_new(row: dict[str, Any]) -> bool:
    return str(row["CustomerNumber"]).startswith("Z0")


@contextmanager
def linked(engine: Engine, leader: str) -> Iterator[tuple[Bench, str]]:
    """A linked vendor whose phone both sides have as `SAID`."""
    with at_desk(engine, vendors={"authority": leader}) as desk:
        number = desk.state("sage300", "APVendors")[0]["VendorNumber"].strip()
        desk.act("sage300", "edit_vendor", vendor=number, fields={"PhoneNumber": SAID, "AddressLine1": "1 Quay"})
        desk.sync(*FLOWS)
        yield desk, number


def hers(desk: Bench, number: str, phone: str) -> None:
    desk.act("sage300", "edit_vendor", vendor=number, fields={"PhoneNumber": phone})


def his(desk: Bench, number: str, phone: str) -> None:
    desk.act("zoho_crm", "edit_account", account_id=account(desk, number)["id"], values={"Phone": phone})


def phones(desk: Bench, number: str) -> tuple[str, str]:
    return vendor(desk, number)["PhoneNumber"].strip(), account(desk, number)["Phone"]


@pytest.mark.parametrize(
    ("leader", "kept", "operation"), [("newest", "LATER", "update"), ("zoho_crm", "EARLIER", "put back")]
)
def test_a_word_typed_in_sage_while_our_write_is_unsettled_is_newer_than_what_it_carried(
    engine: Engine, leader: str, kept: str, operation: str
) -> None:
    with linked(engine, leader) as (desk, number):
        his(desk, number, "EARLIER")
        lose(desk, "sage300", "PATCH", "APVendors")
        assert desk.sync("identity", "vendors").count(Outcome.RETRYING) == 1
        hers(desk, number, "LATER")
        desk.later(minutes=10)
        assert desk.sync(*FLOWS).left_over == 0
        assert phones(desk, number) == (kept, kept)
        gave_way = "EARLIER" if kept == "LATER" else "LATER"
        told = [field for entry in audited(desk, number, operation) for field in entry.fields]
        assert (gave_way, kept) in [(field.before, field.after) for field in told]
        assert desk.query("SELECT 1 FROM sagezoho.links WHERE details ? 'attempted' OR details ? 'giving_way'") == []


@pytest.mark.parametrize(("leader", "kept"), [("newest", "LATER"), ("sage300", "EARLIER")])
def test_a_word_typed_in_zoho_while_our_write_is_unsettled_is_newer_than_what_it_carried(
    engine: Engine, leader: str, kept: str
) -> None:
    with linked(engine, leader) as (desk, number):
        hers(desk, number, "EARLIER")
        lose(desk, "zoho_crm", "PUT", "Accounts")
        assert desk.sync("vendors").count(Outcome.RETRYING) == 1
        his(desk, number, "LATER")
        desk.later(minutes=10)
        assert desk.sync(*FLOWS).left_over == 0
        assert phones(desk, number) == (kept, kept)
        if kept == "EARLIER":
            [entry] = audited(desk, number, "put back")
            assert ("LATER", "EARLIER") in [(field.before, field.after) for field in entry.fields]


def test_words_typed_on_both_sides_while_our_write_is_unsettled_are_a_conflict(engine: Engine) -> None:
    with linked(engine, "newest") as (desk, number):
        his(desk, number, "EARLIER")
        lose(desk, "sage300", "PATCH", "APVendors")
        desk.sync("identity", "vendors")
        hers(desk, number, "HERS")
        his(desk, number, "HIS")
        desk.later(minutes=10)
        desk.sync(*FLOWS)
        [entry] = desk.open_inbox()
        assert entry["error"]["details"]["fields"] == {"Phone": ["HERS", "HIS"]}


def test_a_line_of_an_address_typed_in_sage_while_our_write_of_another_is_unsettled_is_an_edit(engine: Engine) -> None:
    with linked(engine, "newest") as (desk, number):
        before = account(desk, number)["Billing_Street"].splitlines()
        street = "\n".join(["2 Quay", *before[1:]])
        desk.act("zoho_crm", "edit_account", account_id=account(desk, number)["id"], values={"Billing_Street": street})
        lose(desk, "sage300", "PATCH", "APVendors")
        desk.sync("identity", "vendors")
        desk.act("sage300", "edit_vendor", vendor=number, fields={"AddressLine4": "Shed 9"})
        desk.later(minutes=10)
        assert desk.sync(*FLOWS).left_over == 0
        assert account(desk, number)["Billing_Street"] == f"{street}\nShed 9"
        assert vendor(desk, number)["AddressLine1"].strip() == "2 Quay"
