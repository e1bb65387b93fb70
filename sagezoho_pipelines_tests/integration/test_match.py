"""The first match against both simulated vendors: found, reviewed, decided, linked; and then the first sync."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.engine.matching import deciding, match
from sagezoho_pipelines.engine.matching.deciding import Decide, Decision
from sagezoho_pipelines.engine.matching.match import MatchReport
from sagezoho_pipelines.ledger import reports
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench

KNOWN, ACCOUNTS, VENDORS = 120, 300, 200


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, seed=9, vendors=VENDORS, deals=0, accounts=ACCOUNTS, known_vendors=KNOWN) as made:
        yield made


@pytest.fixture
def small(engine: Engine) -> Iterator[Bench]:
    """Eight vendors, of which nobody has heard in Zoho."""
    with bench(engine, vendors=8, deals=0, accounts=0) as made:
        yield made


def _truth(desk: Bench) -> dict[str, str]:
    return {row["vendor"]: row["account"] for row in desk.state("zoho_crm", "known_vendors")}


def _suggested(report: MatchReport) -> list[Decision]:
    """What the file for review suggests: link what is sure, create what has no counterpart, ask for the rest."""
    matching = report.matching
    sure = [
        Decision(pair.left, pair.right, Decide.LINK, str(pair.rule), report.sage[pair.left].name)
        for pair in matching.matched
    ]
    asked = [
        Decision(one.left, pair.right, None, name=report.sage[one.left].name)
        for one in matching.ambiguous
        for pair in one.candidates
    ]
    new = [Decision(key, "", Decide.CREATE, name=report.sage[key].name) for key in matching.only_left]
    return [*sure, *asked, *new] if report.flow == "vendors" else [*sure, *asked]


def _reviewed(report: MatchReport, truth: dict[str, str]) -> list[Decision]:
    """What a person who knows all the firms makes of the match: its questions answered, what it missed added."""
    answered = []
    for one in _suggested(report):
        if one.decide is Decide.LINK:
            answered.append(one)
        elif one.sage_id in truth:
            answered.append(Decision(one.sage_id, truth[one.sage_id], Decide.LINK, name=one.name))
        else:
            answered.append(Decision(one.sage_id, "", Decide.CREATE, name=one.name))
    return answered


def _apply(desk: Bench, decisions: list[Decision], flow: match.Flow = "vendors") -> deciding.CheckedDecisions:
    ctx = desk.context()
    checked = deciding.check(ctx, flow, decisions, who="anna", why="the first match")
    assert not checked.problems, checked.problems
    deciding.apply(ctx, [checked], who="anna", why="the first match")
    return checked


def _vendor(desk: Bench, **fields: Any) -> str:
    return str(desk.act("sage300", "add_vendor", fields=fields)["VendorNumber"])


def _account(desk: Bench, name: str, **values: Any) -> str:
    return str(desk.act("zoho_crm", "add_account", name=name, values=values)["id"])


def test_a_reviewed_match_links_every_known_vendor_and_the_sync_duplicates_none(desk: Bench) -> None:
    truth = _truth(desk)
    assert len(truth) == KNOWN
    desk.reset_counters()
    report = match.run(desk.context(), "vendors")
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
    found = {pair.left: pair.right for pair in report.matching.matched}
    assert {vendor: truth.get(vendor) for vendor in found} == found, "a wrong link"
    assert len(found) >= 0.85 * KNOWN
    checked = _apply(desk, _reviewed(report, truth))
    assert sum(link.zoho_entity == "Accounts" for link in checked.links.add) == KNOWN
    assert sum(link.zoho_entity == "Contacts" for link in checked.links.add) > 0
    tally = desk.sync("vendors")
    assert tally.left_over == 0
    assert (tally.count(Outcome.UPDATED), tally.count(Outcome.CREATED)) == (KNOWN, VENDORS - KNOWN)
    accounts = desk.state("zoho_crm", "Accounts")
    assert len(accounts) == ACCOUNTS + VENDORS - KNOWN
    carried = {str(row["Sage_Vendor_Key"]): str(row["id"]) for row in accounts if row.get("Sage_Vendor_Key")}
    assert len(carried) == VENDORS
    assert {vendor: carried[f"SAMINC/{vendor}"] for vendor in truth} == truth
    people = Counter(
        (str(row["Account_Name"]["id"]), row["Email"])
        for row in desk.state("zoho_crm", "Contacts")
        if row["Email"] and row["Account_Name"]
    )
    assert not [one for one, times in people.items() if times > 1], "the same person twice"
    links = desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", sorted(found))
    assert all(link.made_by.startswith("matched: ") for link in links.values())
    again = match.run(desk.context(), "vendors")
    assert (again.figures()["linked"], again.figures()["matched"], again.sage) == (VENDORS, 0, {})
    assert reports.verify_chain(desk.engine, CONNECTION) is None


def test_without_a_review_what_is_asked_waits_and_is_asked_again(desk: Bench) -> None:
    report = match.run(desk.context(), "vendors")
    figures = report.figures()
    assert figures["ambiguous"] > 0
    checked = _apply(desk, _suggested(report))
    assert checked.undecided == figures["ambiguous"]
    tally = desk.sync("vendors")
    assert tally.count(Outcome.SKIPPED) == figures["ambiguous"]
    assert len(desk.state("zoho_crm", "Accounts")) == ACCOUNTS + figures["only_sage300"]
    again = match.run(desk.context(), "vendors")
    assert {one.left for one in again.matching.ambiguous} == {one.left for one in report.matching.ambiguous}
    created = [Decision(one.left, "", Decide.CREATE) for one in again.matching.ambiguous]
    _apply(desk, created)
    assert desk.sync("vendors").count(Outcome.CREATED) == figures["ambiguous"]


def test_a_vendor_decided_to_be_skipped_is_left_alone_until_decided_otherwise(small: Bench) -> None:
    known = match.run(small.context(), "vendors").sage
    vendor = sorted(known)[3]
    _apply(small, [Decision(vendor, "", Decide.SKIP, name=known[vendor].name)])
    tally = small.sync("vendors")
    assert (tally.count(Outcome.CREATED), tally.count(Outcome.SKIPPED)) == (7, 1)
    small.act("sage300", "edit_vendor", vendor=vendor, fields={"City": "Elsewhere"})
    assert small.sync("vendors").count(Outcome.SKIPPED) == 1
    report = match.run(small.context(), "vendors")
    assert list(report.left_alone) == [vendor]
    assert report.left_alone[vendor].why == "the first match"
    _apply(small, [Decision(vendor, "", Decide.CREATE)])
    assert small.sync("vendors").count(Outcome.CREATED) == 1


def test_what_was_linked_meanwhile_is_not_left_alone(small: Bench) -> None:
    small.sync("vendors")
    vendor = next(iter(small.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", ["1200"])))
    decided = [Decision(vendor, "", Decide.SKIP, place="line 2"), Decision(vendor, "", None, place="line 3")]
    checked = deciding.check(small.context(), "vendors", decided, who="anna", why="")
    assert [place for place, _ in checked.problems] == ["line 2"]
    assert "linked already" in checked.problems[0][1]
    assert checked.leave == []


def test_our_own_number_in_an_account_is_the_first_rule(small: Bench) -> None:
    vendor = _vendor(small, VendorName="Zephyr Lighting Ltd")
    account = _account(small, "Zephyr Lights", Sage_Vendor_Number=vendor)
    other = _account(small, "Zephyr Lighting Ltd", Sage_Vendor_Key=f"OTHER/{vendor}")
    report = match.run(small.context(), "vendors")
    [pair] = [pair for pair in report.matching.matched if pair.left == vendor]
    assert (pair.right, str(pair.rule)) == (account, "external id")
    assert other not in report.zoho, "it belongs to another company"


def test_contacts_lend_their_accounts_a_mail_domain(small: Bench) -> None:
    vendor = _vendor(small, VendorName="Zephyr Lighting Ltd", Email="office@zephyr.example")
    account = _account(small, "ZEPHYR LIGTHING")
    small.act("zoho_crm", "add_contact", last_name="Lee", account_id=account, values={"Email": "lee@zephyr.example"})
    [pair] = match.run(small.context(), "vendors").matching.matched
    assert (pair.left, pair.right, str(pair.rule)) == (vendor, account, "e-mail domain and name")


def test_customers_are_matched_too_and_follow_the_account(small: Bench) -> None:
    [customer, *_] = [row for row in small.state("sage300", "ARCustomers") if row["Status"] == "Active"]
    name = str(customer["CustomerName"]).strip()
    account = _account(small, name.upper(), Phone=customer["PhoneNumber"], Billing_City=customer["City"].strip())
    report = match.run(small.context(), "customers")
    number = str(customer["CustomerNumber"]).strip()
    assert {pair.left: pair.right for pair in report.matching.matched} == {number: account}
    _apply(small, _suggested(report), "customers")
    before = len(small.state("sage300", "ARCustomers"))
    small.act("zoho_crm", "add_deal", name="Refit", account_id=account, amount="100", stage="Closed Won")
    assert small.sync("customers").left_over == 0
    assert len(small.state("sage300", "ARCustomers")) == before
    [link] = small.ledger.links_by_zoho(CONNECTION, "Accounts", "customers", [account]).values()
    assert link.sage_id == number


def test_decisions_that_cannot_be_meant_are_named(small: Bench) -> None:
    first, second = sorted(match.run(small.context(), "vendors").sage)[:2]
    account = _account(small, "Zephyr")
    decisions = [
        Decision(first, "", Decide.LINK, place="line 2"),
        Decision("", account, Decide.CREATE, place="line 3"),
        Decision(second, account, Decide.LINK, place="line 4"),
        Decision(second, "", Decide.SKIP, place="line 5"),
        Decision("NOSUCH", account, Decide.LINK, place="line 6"),
    ]
    checked = deciding.check(small.context(), "vendors", decisions, who="anna", why="")
    told = dict(checked.problems)
    assert set(told) == {"line 2", "line 3", "line 5", "line 6"}
    assert told["line 5"] == f"{second} is decided in two ways: link at line 4, skip at line 5"
    assert "NOSUCH" in told["line 6"]
    with pytest.raises(ValueError):
        deciding.apply(small.context(), [checked], who="anna", why="")


@pytest.mark.parametrize("decide", [Decide.SKIP, Decide.CREATE, None])
def test_what_a_spreadsheet_has_made_of_an_id_is_named_whatever_is_decided(small: Bench, decide: Decide | None) -> None:
    """Else a vendor that was to be left alone is made in Zoho all the same, and one that nobody spoke of never is."""
    _vendor(small, VendorNumber="0077", VendorName="Padded")
    _vendor(small, VendorNumber="0088", VendorName="Long")
    _vendor(small, VendorNumber="88", VendorName="Short")
    account = _account(small, "Zephyr")
    vendors = [
        Decision("0077", "", decide, name="Padded", place="line 2"),
        Decision("77", "", decide, name="Padded", place="line 3"),
        Decision("88", "", decide, name="Long", place="line 4"),
    ]
    told = deciding.check(small.context(), "vendors", vendors, who="anna", why="").problems
    assert [place for place, _ in told] == ["line 3", "line 4"]
    assert "Sage has no vendors 77" in told[0][1]
    assert "called 'Short', and 'Long' here" in told[1][1]
    accounts = [
        Decision("1", account, decide, place="line 2"),
        Decision("1", "4.37153E+18", decide, place="line 3"),
        Decision("1", f"{account[:15]}0000", decide, place="line 4"),
    ]
    told = deciding.check(small.context(), "customers", accounts, who="anna", why="").problems
    assert [place for place, _ in told] == ["line 3", "line 4"]
    assert "has rounded" in told[0][1]
    assert "its last digits are zeros" in told[1][1]


def test_a_file_may_hold_what_was_left_alone_and_is_gone_since(small: Bench) -> None:
    vendor = _vendor(small, VendorName="Zephyr")
    _apply(small, [Decision(vendor, "", Decide.SKIP, name="Zephyr")])
    small.act("sage300", "delete_vendor", vendor=vendor)
    _apply(small, [Decision(vendor, "", Decide.SKIP, name="Zephyr")])
