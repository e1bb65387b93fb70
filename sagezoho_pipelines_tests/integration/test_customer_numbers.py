"""A new customer's number: from a sequence or a Zoho field, upper case, of its own, and never more than Sage takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.links import KINDS
from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.engine.linking import asking, edits
from sagezoho_pipelines.engine.linking.asking import Asked
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import customers, inbox, new_account, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    """Numbers come from the account's own field."""
    with bench(engine, vendors=2, deals=0, flows={"customers": {"number": {"rule": "field"}}}) as made:
        yield made


def _numbers(desk: Bench) -> set[str]:
    return {str(row["CustomerNumber"]).strip() for row in desk.state("sage300", "ARCustomers")}


def _error(desk: Bench, account: str) -> dict[str, Any]:
    [found] = [entry["error"] for entry in inbox(desk) if entry["key"] == account]
    error: dict[str, Any] = found
    return error


def test_two_accounts_do_not_share_a_number(desk: Bench) -> None:
    first, second = (new_account(desk, name, Sage_Customer_Number=given) for name, given in
                     (("Harbour Lights Ltd", "harbour-1"), ("Other Ltd", "HARBOUR-1")))  # fmt: skip
    for account in (first, second):
        won_deal(desk, account, f"Of {account}")
    desk.sync("orders")
    [order] = orders(desk)
    assert order["CustomerNumber"] == "HARBOUR-1"
    [refused] = [entry for entry in inbox(desk) if entry["key"] in (first, second)]
    assert refused["error"]["code"] == "CUSTOMER_NUMBER_TAKEN"
    assert refused["error"]["field"] == "Sage_Customer_Number"
    assert "choose another number" in refused["error"]["advice"]


def test_a_number_that_waits_for_another_accounts_customer_is_taken_too(desk: Bench) -> None:
    first = new_account(desk, "Harbour Lights Ltd", Sage_Customer_Number="HARBOUR-1")
    won_deal(desk, first, "Of the first")
    faults = desk.sandbox.sage300.world.faults
    faults.add("reset_before", method="POST", path="ARCustomers", times=9)
    desk.sync("orders")
    faults.clear()
    second = new_account(desk, "Other Ltd", Sage_Customer_Number="harbour-1")
    won_deal(desk, second, "Of the second")
    desk.sync("orders")
    error = _error(desk, second)
    assert (error["code"], error["field"]) == ("CUSTOMER_NUMBER_TAKEN", "Sage_Customer_Number")
    assert "reserved for another Zoho account" in error["text"]
    assert "choose another number" in error["advice"]
    desk.later(minutes=10)
    desk.sync("orders")
    [order] = orders(desk)
    assert order["CustomerNumber"] == "HARBOUR-1"
    assert [entry["key"] for entry in inbox(desk) if entry["key"] in (first, second)] == [second]


@pytest.mark.parametrize("given", ["", "THIRTEEN-CHAR"])
def test_a_number_that_sage_cannot_hold_is_refused_by_the_fields_name(desk: Bench, given: str) -> None:
    account = new_account(desk, Sage_Customer_Number=given[:12])
    if len(given) > 12:  # Zoho's own field is no longer than that: as an account from before the field was narrowed
        desk.sandbox.zoho_crm.world.org.modules["Accounts"].fields["Sage_Customer_Number"].length = 40
        desk.act("zoho_crm", "edit_account", account_id=account, values={"Sage_Customer_Number": given})
    won_deal(desk, account)
    desk.sync("orders")
    error = _error(desk, account)
    assert (error["code"], error["field"]) == ("CUSTOMER_NUMBER_INVALID", "Sage_Customer_Number")
    assert "1 to 12 characters" in error["text"]
    assert orders(desk) == []


def test_a_ledger_that_lost_a_customer_makes_no_second_one(engine: Engine) -> None:
    """As after an older backup was restored: the account still says whose it is."""
    with bench(engine, vendors=2, deals=0) as desk:
        account = new_account(desk)
        won_deal(desk, account)
        desk.sync("customers", "orders")
        [customer] = customers(desk)
        number = str(customer["CustomerNumber"]).strip()
        with desk.engine.begin() as connection:
            connection.exec_driver_sql(
                "TRUNCATE sagezoho.links, sagezoho.intents, sagezoho.changes, sagezoho.records, sagezoho.watermarks, "
                "sagezoho.sequences CASCADE"
            )
        deal = won_deal(desk, account, "Another refit")
        desk.sync("customers", "orders")
        assert _error(desk, account)["code"] == "CUSTOMER_STATED"
        assert f"links add customers {number} {account}" in _error(desk, account)["advice"]
        assert len(customers(desk)) == 1
        ctx = desk.context()
        checked = asking.check(ctx, [Asked(KINDS["customers"], number, account)])
        edits.carry_out(ctx, checked, who="anna", why="restored")
        assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
        assert deal in {str(row["OrderReference"]).strip() for row in orders(desk)}
        assert len(orders(desk)) == 2
        assert len(customers(desk)) == 1


def test_an_account_that_was_copied_in_zoho_becomes_a_customer_of_its_own(engine: Engine) -> None:
    with bench(engine, vendors=2, deals=0) as desk:
        won_deal(desk, new_account(desk))
        desk.sync("customers", "orders")
        [customer] = customers(desk)
        number = str(customer["CustomerNumber"]).strip()
        copied = new_account(desk, "Harbour Lights Ltd", Sage_Customer_Number=number)
        won_deal(desk, copied, "Another refit")
        desk.sync("customers", "orders")
        assert len({row["CustomerNumber"] for row in orders(desk)}) == 2


def test_a_number_that_a_person_corrects_after_a_refusal_counts(desk: Bench) -> None:
    account = new_account(desk, Sage_Customer_Number="wrong", Sage_Customer_Group="NOSUCH")
    deal = won_deal(desk, account)
    assert desk.sync("orders").count(Outcome.REFUSED) == 1
    desk.act(
        "zoho_crm", "edit_account", account_id=account,
        values={"Sage_Customer_Number": "right", "Sage_Customer_Group": "RTL"},
    )  # fmt: skip
    desk.edit_inbox(account)
    assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
    assert "RIGHT" in _numbers(desk)
    assert "WRONG" not in _numbers(desk)
    [order] = orders(desk)
    assert (str(order["OrderReference"]).strip(), order["CustomerNumber"]) == (deal, "RIGHT")
    assert desk.query("SELECT 1 FROM sagezoho.intents WHERE state = 'open'") == []


def test_a_number_whose_customer_may_have_been_made_is_kept_whatever_the_field_says_since(desk: Bench) -> None:
    account = new_account(desk, Sage_Customer_Number="first")
    won_deal(desk, account)
    desk.sandbox.sage300.world.faults.add("reset_after", method="POST", path="ARCustomers", times=1)
    desk.sandbox.sage300.world.faults.add("status", method="GET", path="ARCustomers.*FIRST", status=503, nth=2)
    desk.sandbox.sage300.world.faults.add("status", method="GET", path="ARCustomers.*FIRST", status=503, nth=3)
    desk.sandbox.sage300.world.faults.add("status", method="GET", path="ARCustomers.*FIRST", status=503, nth=4)
    assert desk.sync("orders").count(Outcome.RETRYING) >= 1
    desk.act("zoho_crm", "edit_account", account_id=account, values={"Sage_Customer_Number": "second"})
    desk.later(minutes=10)
    desk.sync("customers", "orders")
    assert "FIRST" in _numbers(desk)
    assert "SECOND" not in _numbers(desk)


def test_a_sequence_that_has_outgrown_sage_says_what_to_shorten(engine: Engine) -> None:
    rule = {"rule": "sequence", "prefix": "ABCDEFGH", "digits": 4, "start": 9999}
    with bench(engine, vendors=2, deals=0, flows={"customers": {"number": rule}}) as desk:
        for name in ("First Ltd", "Second Ltd"):
            won_deal(desk, new_account(desk, name), name)
        with pytest.raises(ConfigurationError, match=r"ABCDEFGH10000.*shorten flows\.customers\.number\.prefix"):
            desk.sync("orders")
        assert {number for number in _numbers(desk) if number.startswith("ABC")} <= {"ABCDEFGH9999"}
