"""Two-way customers: accounts lead unless told otherwise; of an account that is a vendor too, the vendor speaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines_tests.bench import CONNECTION, Bench
from sagezoho_pipelines_tests.integration.customer_pairs import (
    FLOWS,
    account,
    at_desk,
    audited,
    customer,
    in_sage,
    in_zoho,
    link,
    settle,
)


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with at_desk(engine) as made:
        yield made


def test_a_new_customer_shows_what_sage_leads_for_and_then_rests(desk: Bench) -> None:
    assert account(desk)["Sage_Customer_Terms"] == customer(desk)["Terms"].strip()
    assert account(desk)["Sage_Customer_Status"] == "Active"
    settle(desk)


def test_an_edit_in_zoho_reaches_sage_with_the_changed_field_only(desk: Bench) -> None:
    before = customer(desk)
    in_zoho(desk, Phone="555 0100")
    settle(desk)
    after = customer(desk)
    assert {name for name in after if after[name] != before[name]} <= {"PhoneNumber", "DateLastMaintained"}
    assert after["PhoneNumber"] == "555 0100"


def test_an_edit_in_sage_is_put_back_and_audited(desk: Bench) -> None:
    in_sage(desk, PhoneNumber="555 0300")
    settle(desk)
    assert customer(desk)["PhoneNumber"] == "555 0001"
    [entry] = audited(desk, "put back")
    assert [(field.target, field.before, field.after) for field in entry.fields] == [
        ("PhoneNumber", "555 0300", "555 0001")
    ]


def test_status_and_terms_of_sage_reach_the_account_and_are_not_sales_to_change(desk: Bench) -> None:
    in_sage(desk, Status="Inactive")
    in_zoho(desk, Sage_Customer_Terms="FREE")
    settle(desk)
    assert account(desk)["Sage_Customer_Status"] == "Inactive"
    assert account(desk)["Sage_Customer_Terms"] == customer(desk)["Terms"].strip()


def test_a_status_that_somebody_typed_over_in_zoho_is_put_back_by_the_next_poll(desk: Bench) -> None:
    settle(desk)
    in_zoho(desk, Sage_Customer_Status="Best friend")
    settle(desk)
    assert account(desk)["Sage_Customer_Status"] == "Active"
    [entry] = audited(desk, "put back")
    assert [(field.target, field.before, field.after) for field in entry.fields] == [
        ("Sage_Customer_Status", "Best friend", "Active")
    ]


def test_where_sage_leads_its_edits_reach_the_account(engine: Engine) -> None:
    with at_desk(engine, customers={"authority": "sage300"}) as desk:
        in_sage(desk, City="Oakland", AddressLine1="1 Dock", AddressLine2="Shed 4")
        settle(desk)
        assert (account(desk)["Billing_City"], account(desk)["Billing_Street"]) == ("Oakland", "1 Dock\nShed 4")


def test_edits_of_different_fields_on_both_sides_both_survive(engine: Engine) -> None:
    with at_desk(engine, customers={"authority": "newest"}) as desk:
        in_sage(desk, City="Oakland")
        in_zoho(desk, Phone="555 0100")
        settle(desk)
        assert (account(desk)["Billing_City"], customer(desk)["City"]) == ("Oakland", "Oakland")
        assert (account(desk)["Phone"], customer(desk)["PhoneNumber"]) == ("555 0100", "555 0100")


def test_a_name_is_shortened_by_the_declared_rule_and_comes_to_rest(desk: Bench) -> None:
    name = "The Harbor Books and Stationery Trading Company of Berkeley and Oakland"
    in_zoho(desk, Account_Name=name)
    settle(desk)
    assert customer(desk)["CustomerName"].strip() == name[:60].rstrip()
    assert account(desk)["Account_Name"] == name
    [entry] = [entry for entry in audited(desk, "update") if entry.target_entity == "customers"]
    assert entry.fields[0].expression == "shorten(Account_Name, `60`)"


def test_an_edit_in_the_inbox_sets_both_sides(engine: Engine) -> None:
    with at_desk(engine, customers={"authority": "newest"}) as desk:
        in_sage(desk, CustomerName="Hers")
        in_zoho(desk, Account_Name="His")
        assert desk.sync(*FLOWS).count(Outcome.CONFLICTED) == 1
        desk.edit_inbox(link(desk).zoho_id, CustomerName="Ours")
        assert desk.sync(*FLOWS).left_over == 0
        assert (customer(desk)["CustomerName"].strip(), account(desk)["Account_Name"]) == ("Ours", "Ours")
        settle(desk)


def test_an_account_that_is_vendor_and_customer_follows_the_vendor_and_the_two_never_fight(desk: Bench) -> None:
    number = sorted(row["VendorNumber"].strip() for row in desk.state("sage300", "APVendors"))[1]
    held = desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [number])[number]
    deal = desk.act("zoho_crm", "add_deal", name="Resale", account_id=held.zoho_id, amount="10")
    desk.act("zoho_crm", "close_deal", deal_id=deal["id"])
    desk.sync(*FLOWS)
    desk.account_id = held.zoho_id  # type: ignore[attr-defined]
    settle(desk)
    desk.act("sage300", "edit_vendor", vendor=number, fields={"PhoneNumber": "555 0400"})
    desk.sync(*FLOWS)
    settle(desk)
    assert (account(desk)["Phone"], customer(desk)["PhoneNumber"]) == ("555 0400", "555 0400")
    in_sage(desk, PhoneNumber="555 0500")
    in_zoho(desk, Phone="555 0600")
    desk.sync(*FLOWS)
    settle(desk)
    assert (account(desk)["Phone"], customer(desk)["PhoneNumber"]) == ("555 0400", "555 0400")
