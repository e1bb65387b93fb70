"""Two-way vendors: what either side changes reaches the other, by who leads, and nothing is lost without a word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.cli import explain
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.links import LinkEdits
from sagezoho_pipelines.domain.records import Link, Outcome
from sagezoho_pipelines.engine.notifications import Notification, looks_of
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.tally import Tally
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger import history, inbox
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench
from sagezoho_pipelines_tests.integration.vendor_pairs import (
    EditsAfterReading,
    account,
    at_desk,
    audited,
    in_sage,
    in_zoho,
    number_of,
    settle,
    vendor,
)


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with at_desk(engine) as made:
        yield made


@pytest.fixture
def led_by_zoho(engine: Engine) -> Iterator[Bench]:
    with at_desk(engine, vendors={"authority": "zoho_crm"}) as made:
        yield made


def test_a_first_sync_leaves_nothing_to_do(desk: Bench) -> None:
    again = desk.sync("vendors", "identity")
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
    assert again.changed == 0


def test_an_edit_in_zoho_is_put_back_where_sage_leads_and_the_lost_value_is_audited(desk: Bench) -> None:
    number = number_of(desk)
    phone = account(desk, number)["Phone"]
    in_zoho(desk, number, Phone="555 0100")
    settle(desk)
    assert account(desk, number)["Phone"] == phone
    [entry] = audited(desk, number, "put back")
    assert [(field.target, field.before, field.after) for field in entry.fields] == [("Phone", "555 0100", phone)]
    assert entry.direction == "sage300->zoho_crm"
    told = entry.answer["decided"]["Phone"]
    assert told.startswith("put back: changed in Zoho CRM; Sage 300 leads; “555 0100” in Zoho CRM gave way to")


def test_an_edit_in_zoho_goes_to_sage_where_zoho_leads_with_the_changed_field_only(led_by_zoho: Bench) -> None:
    desk, number = led_by_zoho, number_of(led_by_zoho)
    before = vendor(desk, number)
    in_zoho(desk, number, Phone="555 0100")
    settle(desk)
    after = vendor(desk, number)
    moved = {name for name in after if after[name] != before[name]}
    assert after["PhoneNumber"] == "555 0100"
    assert moved <= {"PhoneNumber", "DateLastMaintained"}
    [entry] = [entry for entry in audited(desk, number, "update") if entry.target_entity == "vendors"]
    assert (entry.source_entity, entry.target_entity, entry.direction) == ("Accounts", "vendors", "zoho_crm->sage300")
    assert [field.target for field in entry.fields] == ["PhoneNumber"]


@pytest.mark.parametrize("leader", ["sage300", "zoho_crm", "newest"])
def test_edits_of_different_fields_on_both_sides_both_survive(engine: Engine, leader: str) -> None:
    exceptions = {"Phone": "zoho_crm"} if leader == "sage300" else {"Billing_City": "sage300"}
    with at_desk(engine, vendors={"authority": leader, "fields": exceptions}) as desk:
        number = number_of(desk)
        in_sage(desk, number, City="Oakland")
        in_zoho(desk, number, Phone="555 0199")
        settle(desk)
        assert (vendor(desk, number)["City"], account(desk, number)["Billing_City"]) == ("Oakland", "Oakland")
        assert (vendor(desk, number)["PhoneNumber"], account(desk, number)["Phone"]) == ("555 0199", "555 0199")


@pytest.mark.parametrize(("leader", "kept"), [("sage300", "Hers"), ("zoho_crm", "His")])
def test_the_same_field_on_both_sides_is_a_conflict_that_the_leader_wins(
    engine: Engine, leader: str, kept: str
) -> None:
    with at_desk(engine, vendors={"authority": leader}) as desk:
        number = number_of(desk)
        in_sage(desk, number, VendorName="Hers")
        in_zoho(desk, number, Account_Name="His")
        settle(desk)
        assert vendor(desk, number)["VendorName"].strip() == account(desk, number)["Account_Name"] == kept
        [entry] = audited(desk, number, "conflict")
        [field] = entry.fields
        assert {field.before, field.after} == {"Hers", "His"}
        assert field.after == kept


def test_a_conflict_of_one_day_waits_in_the_inbox_where_the_newest_leads(engine: Engine) -> None:
    with at_desk(engine, vendors={"authority": "newest"}) as desk:
        number = number_of(desk)
        in_sage(desk, number, VendorName="Hers", City="Oakland")
        in_zoho(desk, number, Account_Name="His")
        assert desk.sync("vendors", "identity").count(Outcome.CONFLICTED) == 1
        [entry] = inbox.entries(desk.engine)
        assert entry.error is not None
        assert (entry.key, entry.error["code"], entry.error["field"]) == (number, "SIDES_DIFFER", "Account_Name")
        assert "Sage 300 has “Hers”, Zoho CRM has “His”" in entry.error["text"]
        assert account(desk, number)["Billing_City"] == "Oakland"
        in_zoho(desk, number, Account_Name="Hers")
        assert desk.sync("vendors", "identity").left_over == 0
        assert inbox.entries(desk.engine) == []


def test_the_newest_edit_of_two_leads_where_the_days_differ(engine: Engine) -> None:
    with at_desk(engine, vendors={"authority": "newest"}) as desk:
        number = number_of(desk)
        desk.act("sage300", "set_session_date", date="2001-01-01")
        in_sage(desk, number, VendorName="Hers")
        in_zoho(desk, number, Account_Name="His")
        desk.sync("identity")
        assert vendor(desk, number)["VendorName"].strip() == account(desk, number)["Account_Name"] == "His"


def test_an_edit_may_be_left_as_it_is_and_is_told_once(engine: Engine) -> None:
    with at_desk(engine, vendors={"other_side": "leave"}) as desk:
        number = number_of(desk)
        phone = vendor(desk, number)["PhoneNumber"]
        in_zoho(desk, number, Phone="555 0100")
        settle(desk)
        in_sage(desk, number, City="Oakland")
        settle(desk)
        assert (vendor(desk, number)["PhoneNumber"], account(desk, number)["Phone"]) == (phone, "555 0100")
        [entry] = audited(desk, number, "leave")
        assert entry.fields[0].after == "555 0100"
        in_sage(desk, number, PhoneNumber="555 0300")
        settle(desk)
        assert account(desk, number)["Phone"] == "555 0300"


def test_an_edit_may_be_asked_about_and_a_person_sets_both_sides(engine: Engine) -> None:
    with at_desk(engine, vendors={"other_side": "inbox"}) as desk:
        number = number_of(desk)
        in_zoho(desk, number, Phone="555 0100")
        assert desk.sync("identity").count(Outcome.CONFLICTED) == 1
        assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
        desk.edit_inbox(number, Phone="555 0200")
        assert desk.sync("vendors", "identity").left_over == 0
        assert (vendor(desk, number)["PhoneNumber"], account(desk, number)["Phone"]) == ("555 0200", "555 0200")
        settle(desk)


def test_a_dismissed_question_leaves_both_sides_as_they_are_and_is_not_asked_again(engine: Engine) -> None:
    with at_desk(engine, vendors={"other_side": "inbox"}) as desk:
        number = number_of(desk)
        phone = vendor(desk, number)["PhoneNumber"]
        in_zoho(desk, number, Phone="555 0100")
        assert desk.sync("identity").count(Outcome.CONFLICTED) == 1
        desk.dismiss_inbox(number)
        in_sage(desk, number, City="Oakland")
        assert desk.sync("vendors", "identity").left_over == 0
        settle(desk)
        assert (vendor(desk, number)["PhoneNumber"], account(desk, number)["Phone"]) == (phone, "555 0100")
        assert account(desk, number)["Billing_City"] == "Oakland"


def test_what_sage_alone_knows_is_put_back_whoever_leads(led_by_zoho: Bench) -> None:
    desk, number = led_by_zoho, number_of(led_by_zoho)
    terms = account(desk, number)["Sage_Vendor_Terms"]
    in_zoho(desk, number, Sage_Vendor_Terms="FREE")
    settle(desk)
    assert account(desk, number)["Sage_Vendor_Terms"] == terms


def test_an_address_goes_line_by_line_and_comes_back_as_it_was(led_by_zoho: Bench) -> None:
    desk, number = led_by_zoho, number_of(led_by_zoho)
    in_zoho(desk, number, Billing_Street="Building 7\nSecond floor\n12 Long Acre")
    settle(desk)
    lines = [vendor(desk, number)[f"AddressLine{n}"].strip() for n in range(1, 5)]
    assert lines == ["Building 7", "Second floor", "12 Long Acre", ""]
    assert account(desk, number)["Billing_Street"] == "Building 7\nSecond floor\n12 Long Acre"


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("Billing_City", "C" * 31, "Billing_City: its value does not fit into Sage's City of 30 characters"),
        ("Account_Name", "N" * 61, "VendorName of 60 characters"),
        ("Billing_Street", "\n".join("abcde"), "AddressLine1, AddressLine2, AddressLine3, AddressLine4 of 60"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_never_cut(
    led_by_zoho: Bench, field: str, value: str, told: str
) -> None:
    desk, number = led_by_zoho, number_of(led_by_zoho)
    before = vendor(desk, number)
    in_zoho(desk, number, **{field: value}, Phone="555 0100")
    assert desk.sync("vendors", "identity").count(Outcome.REFUSED) == 1
    [entry] = inbox.entries(desk.engine)
    assert entry.error is not None
    assert (entry.error["code"], entry.error["field"]) == ("TOO_LONG", field)
    assert told in entry.error["text"]
    after = vendor(desk, number)
    assert after["PhoneNumber"] == "555 0100", "the other fields go through"
    assert {name for name in after if after[name] != before[name]} <= {"PhoneNumber", "DateLastMaintained"}
    in_zoho(desk, number, **{field: "Short"})
    assert desk.sync("vendors", "identity").left_over == 0
    assert inbox.entries(desk.engine) == []


def test_what_zoho_has_no_room_for_is_refused_by_name_and_never_cut(desk: Bench) -> None:
    number = number_of(desk)
    desk.act("zoho_crm", "change_field", module="Accounts", field="Billing_City", length=20)
    city = account(desk, number)["Billing_City"]
    in_sage(desk, number, City="Llanfairpwllgwyngyll on sea")
    assert desk.sync("vendors", "identity").count(Outcome.REFUSED) == 1
    [entry] = inbox.entries(desk.engine)
    assert entry.error is not None
    assert (entry.error["code"], entry.error["field"]) == ("TOO_LONG", "Billing_City")
    assert "27 characters, and Zoho takes 20" in entry.error["text"]
    assert account(desk, number)["Billing_City"] == city
    in_sage(desk, number, City="Llanfair on sea")
    settle(desk)
    assert account(desk, number)["Billing_City"] == "Llanfair on sea"
    assert inbox.entries(desk.engine) == []


def test_an_edit_between_our_read_and_our_write_is_not_overwritten_unseen(desk: Bench) -> None:
    """Zoho refuses the write of a record that was edited meanwhile; it is read again, and the edit is told."""
    number = number_of(desk)
    in_sage(desk, number, PhoneNumber="555 0111")
    ctx = desk.context()
    sales = EditsAfterReading(ctx.zoho, lambda: in_zoho(desk, number, Phone="555 0222"))
    desk.sandbox.zoho_crm.world.clock.advance(timedelta(seconds=5))
    assert run_flow(replace(ctx, zoho=sales), "vendors", Window.incremental()).count(Outcome.RETRYING) == 1
    assert account(desk, number)["Phone"] == "555 0222"
    desk.later(minutes=5)
    settle(desk)
    assert account(desk, number)["Phone"] == "555 0111"
    [entry] = audited(desk, number, "conflict")
    assert [(field.before, field.after) for field in entry.fields] == [("555 0222", "555 0111")]


def test_off_means_one_way_as_before(engine: Engine) -> None:
    with at_desk(engine, enabled=False) as desk:
        number = number_of(desk)
        in_zoho(desk, number, Phone="555 0100")
        desk.sync("vendors", "identity", window=Window.sweep())
        assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
        in_sage(desk, number, City="Oakland")
        desk.sync("vendors", "identity")
        assert (account(desk, number)["Phone"], account(desk, number)["Billing_City"]) == ("555 0100", "Oakland")
        in_sage(desk, number, PhoneNumber="555 0300")
        desk.sync("vendors", "identity")
        assert account(desk, number)["Phone"] == "555 0300"
        told = [field for entry in audited(desk, number, "update") for field in entry.fields if field.target == "Phone"]
        assert ("555 0100", "555 0300") in [(field.before, field.after) for field in told]


def test_an_edit_of_a_contact_stays_until_sage_changes_that_field_and_then_the_audit_has_it(desk: Bench) -> None:
    number = number_of(desk)
    in_sage(desk, number, ContactName="Ann Lee", ContactsPhone="555 0001")
    settle(desk)

    def contact() -> dict[str, Any]:
        rows = desk.state("zoho_crm", "Contacts")
        return next(row for row in rows if row.get("Sage_Contact_Key") == f"SAMINC/{number}")

    desk.act("zoho_crm", "edit_record", module="Contacts", id=contact()["id"], values={"Phone": "555 0100"})
    in_sage(desk, number, City="Oakland")
    settle(desk)
    assert contact()["Phone"] == "555 0100"
    in_sage(desk, number, ContactsPhone="555 0300")
    settle(desk)
    assert contact()["Phone"] == "555 0300"
    told = [entry for entry in audited(desk, number, "update") if entry.target_entity == "Contacts"]
    assert ("Phone", "555 0100", "555 0300") in [
        (field.target, field.before, field.after) for entry in told for field in entry.fields
    ]


def test_explain_says_which_side_changed_who_led_and_what_gave_way(
    desk: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    number = number_of(desk)
    in_zoho(desk, number, Phone="555 0100")
    desk.sync("identity")
    explain.show(number, history.explain(desk.engine, number))
    told = " ".join(capsys.readouterr().out.split())
    assert "Phone put back: changed in Zoho CRM; Sage 300 leads; “555 0100” in Zoho CRM gave way to" in told


def told_of(desk: Bench, number: str) -> Tally:
    """Zoho tells of the vendor's account, and what that queues is delivered; nothing is polled."""
    notification = Notification(CONNECTION, "Accounts", "update", (str(account(desk, number)["id"]),))
    desk.ledger.enqueue(looks_of(desk.ledger, [notification], {CONNECTION: desk.settings}), at=desk.now())
    return run_flow(desk.context(), "identity", Window.incremental(), feeds=())


def test_a_notification_of_an_account_leads_to_its_vendor_and_an_echo_to_nothing(desk: Bench) -> None:
    number = number_of(desk)
    phone = account(desk, number)["Phone"]
    in_zoho(desk, number, Phone="555 0100")
    assert told_of(desk, number).count(Outcome.UPDATED) == 1
    assert account(desk, number)["Phone"] == phone
    desk.reset_counters()
    echo = told_of(desk, number)
    assert (echo.count(Outcome.NOOP), echo.count(Outcome.SKIPPED)) == (0, 1)
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}


def test_two_that_are_linked_by_hand_fill_each_others_blanks_and_differ_by_who_leads(desk: Bench) -> None:
    fields = {"VendorNumber": "HAND1", "VendorName": "Harbor Paper", "City": "Oakland", "PhoneNumber": ""}
    desk.act("sage300", "add_vendor", fields=fields)
    made = desk.act("zoho_crm", "add_account", name="Harbour Paper Co", values={"Phone": "555 0123"})
    link = Link(CONNECTION, "vendors", "HAND1", "Accounts", str(made["id"]), made_by="by hand")
    desk.ledger.edit_links(LinkEdits(add=[link]), at=desk.now())
    settle(desk)
    assert (account(desk, "HAND1")["Billing_City"], vendor(desk, "HAND1")["PhoneNumber"]) == ("Oakland", "555 0123")
    assert account(desk, "HAND1")["Account_Name"] == "Harbor Paper"
    [entry] = audited(desk, "HAND1", "first contact")
    assert ("Account_Name", "Harbour Paper Co", "Harbor Paper") in [
        (field.target, field.before, field.after) for field in entry.fields
    ]
    assert [row["id"] for row in desk.state("zoho_crm", "Accounts") if row["Account_Name"] == "Harbor Paper"] == [
        account(desk, "HAND1")["id"]
    ]


@pytest.mark.parametrize("field", ["Phnoe", "Sage_Vendor_Terms"])
def test_a_leader_for_a_field_that_does_not_go_both_ways_is_refused_by_name(engine: Engine, field: str) -> None:
    told = rf"flows.identity.vendors.fields: {field} does not go both ways; these do: Account_Name, Billing_City"
    with bench(engine, vendors=2, deals=0, flows={"identity": {"vendors": {"fields": {field: "newest"}}}}) as desk:
        desk.reset_counters()
        with pytest.raises(ConfigurationError, match=told):
            desk.sync("vendors")
        assert desk.writes()["zoho_crm"] == 0
