"""Three-way comparison: every combination of edits, leaders and policies, and what may never happen."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagezoho_pipelines.domain.reconcile import (
    Base,
    FieldPolicy,
    Finding,
    OtherSide,
    decide,
    edited,
    edited_last,
    same,
)
from sagezoho_pipelines.domain.records import Authority, System

SAGE, ZOHO = System.SAGE300, System.ZOHO_CRM
LED_BY_SAGE, LED_BY_ZOHO, NEWEST = (FieldPolicy(authority) for authority in Authority)
BASE = Base("old", "old")


def policy(authority: Authority, other_side: OtherSide = OtherSide.PUT_BACK, *, two_way: bool = True) -> FieldPolicy:
    return FieldPolicy(authority, other_side, two_way)


@pytest.mark.parametrize(
    ("sage", "zoho", "authority", "finding", "written", "value"),
    [
        ("old", "old", "sage300", "unchanged", None, None),
        ("old", "old", "zoho_crm", "unchanged", None, None),
        ("old", "old", "newest", "unchanged", None, None),
        ("new", "old", "sage300", "carried over", ZOHO, "new"),
        ("new", "old", "zoho_crm", "put back", SAGE, "old"),
        ("new", "old", "newest", "carried over", ZOHO, "new"),
        ("old", "new", "sage300", "put back", ZOHO, "old"),
        ("old", "new", "zoho_crm", "carried over", SAGE, "new"),
        ("old", "new", "newest", "carried over", SAGE, "new"),
        ("new", "new", "sage300", "agreed", None, None),
        ("new", "new", "newest", "agreed", None, None),
        ("hers", "his", "sage300", "overridden", ZOHO, "hers"),
        ("hers", "his", "zoho_crm", "overridden", SAGE, "his"),
        ("hers", "his", "newest", "open", None, None),
        (None, "old", "sage300", "carried over", ZOHO, None),
        ("old", None, "zoho_crm", "carried over", SAGE, None),
        (None, "his", "zoho_crm", "overridden", SAGE, "his"),
    ],
)
def test_who_leads_decides(
    sage: str | None, zoho: str | None, authority: str, finding: str, written: System | None, value: str | None
) -> None:
    decision = decide("Phone", sage, zoho, BASE, policy(Authority(authority)))
    assert (decision.finding, decision.value) == (finding, value)
    assert decision.targets == (frozenset({written}) if written else frozenset())


@pytest.mark.parametrize(
    ("other_side", "finding", "written"),
    [("put_back", "put back", ZOHO), ("leave", "left", None), ("inbox", "open", None)],
)
def test_an_edit_of_the_side_that_does_not_lead_follows_the_policy(
    other_side: str, finding: str, written: System | None
) -> None:
    decision = decide("Phone", "old", "new", BASE, policy(Authority.SAGE300, OtherSide(other_side)))
    assert decision.finding == finding
    assert decision.targets == (frozenset({written}) if written else frozenset())


@pytest.mark.parametrize("authority", list(Authority))
@pytest.mark.parametrize("other_side", list(OtherSide))
def test_what_cannot_be_carried_to_sage_is_led_by_sage(authority: Authority, other_side: OtherSide) -> None:
    rule = policy(authority, other_side, two_way=False)
    assert decide("Sage_Vendor_Terms", "N30", "N60", Base("N30", "N30"), rule).targets == {ZOHO}
    assert decide("Sage_Vendor_Terms", "N30", "N60", Base("N10", "N10"), rule).targets == {ZOHO}
    assert decide("Sage_Vendor_Terms", None, "N60", None, rule).targets == {ZOHO}


@pytest.mark.parametrize(("later", "target"), [(SAGE, ZOHO), (ZOHO, SAGE), (None, None)])
def test_of_two_edits_the_newest_leads_where_the_clocks_can_tell(later: System | None, target: System | None) -> None:
    decision = decide("Phone", "hers", "his", BASE, NEWEST, later=later)
    assert decision.targets == (frozenset({target}) if target else frozenset())
    assert decision.finding is (Finding.OVERRIDDEN if target else Finding.OPEN)


def test_the_clocks_are_compared_by_the_day_of_the_connection() -> None:
    night = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert edited_last(date(2026, 3, 1), night, ZoneInfo("UTC")) is None
    assert edited_last(date(2026, 3, 1), night, ZoneInfo("Europe/Berlin")) is ZOHO
    assert edited_last(date(2026, 3, 2), night, ZoneInfo("UTC")) is SAGE
    assert edited_last(None, night, ZoneInfo("UTC")) is None


def test_a_declared_shortening_is_no_difference_once_settled() -> None:
    base = Base("A very long na", "A very long name")
    assert decide("Account_Name", "A very long na", "A very long name", base, LED_BY_SAGE).finding is Finding.UNCHANGED
    carried = decide("Account_Name", "A very long na", "Another name", base, LED_BY_ZOHO)
    assert (carried.finding, carried.value) == (Finding.CARRIED, "Another name")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (" Acme ", "Acme", True),
        ("", None, True),
        ("  ", None, True),
        (Decimal("1.50"), Decimal("1.5"), True),
        (Decimal("1.50"), Decimal("1.51"), False),
        (0, None, False),
        ("1 Main St\r\nUnit 2", "1 Main St \nUnit 2", True),
        ({"id": "7", "name": "Acme"}, {"id": "7"}, True),
        ("ACME", "Acme", False),
    ],
)
def test_values_are_compared_as_a_reader_would(one: Any, other: Any, *, expected: bool) -> None:
    assert same(one, other) is expected


@pytest.mark.parametrize(
    ("sage", "zoho", "authority", "finding", "written"),
    [
        ("same", "same ", "sage300", "agreed", None),
        ("hers", None, "zoho_crm", "filled in", ZOHO),
        (None, "his", "sage300", "filled in", SAGE),
        ("hers", "his", "sage300", "overridden", ZOHO),
        ("hers", "his", "zoho_crm", "overridden", SAGE),
        ("hers", "his", "newest", "open", None),
    ],
)
def test_two_that_meet_for_the_first_time_lose_nothing_to_a_blank(
    sage: str | None, zoho: str | None, authority: str, finding: str, written: System | None
) -> None:
    decision = decide("Phone", sage, zoho, None, policy(Authority(authority)))
    assert decision.finding == finding
    assert decision.targets == (frozenset({written}) if written else frozenset())


def test_a_value_given_by_hand_goes_to_each_side_that_differs() -> None:
    assert edited("Phone", "1", "2", "3").targets == {SAGE, ZOHO}
    assert edited("Phone", "1", "2", "2").targets == {SAGE}
    assert edited("Phone", "3", "3", "3").finding is Finding.AGREED


def test_the_sentence_names_who_changed_who_led_and_what_gave_way() -> None:
    put_back = decide("Phone", "old", "555", BASE, LED_BY_SAGE).sentence
    assert put_back == "put back: changed in Zoho CRM; Sage 300 leads; “555” in Zoho CRM gave way to “old”"
    conflict = decide("Phone", "hers", None, BASE, LED_BY_ZOHO).sentence
    assert "changed in Sage 300 and Zoho CRM; Zoho CRM leads; “hers” in Sage 300 gave way to nothing" in conflict
    assert "Sage 300 has “hers”, Zoho CRM has “his”" in decide("Phone", "hers", "his", BASE, NEWEST).sentence


_VALUES = st.one_of(st.none(), st.sampled_from(["", "a", "b", "c ", " a"]), st.integers(0, 3))
_POLICIES = st.builds(FieldPolicy, st.sampled_from(Authority), st.sampled_from(OtherSide), st.booleans())
_BASES = st.one_of(st.none(), st.builds(Base, _VALUES, _VALUES))


@given(sage=_VALUES, zoho=_VALUES, base=_BASES, rule=_POLICIES, later=st.sampled_from([None, SAGE, ZOHO]))
def test_one_write_settles_a_field_for_good(
    sage: Any, zoho: Any, base: Base | None, rule: FieldPolicy, later: System | None
) -> None:
    """Whatever was decided: after the write, with what both sides then hold as the base, nothing is left to do."""
    decision = decide("f", sage, zoho, base, rule, later=later)
    if decision.finding is Finding.OPEN:
        assert not decision.targets
        return
    after = {side: decision.value if side in decision.targets else decision.held(side) for side in (SAGE, ZOHO)}
    settled = Base(after[SAGE], after[ZOHO])
    assert decide("f", after[SAGE], after[ZOHO], settled, rule, later=later).finding is Finding.UNCHANGED
    if base is not None and same(sage, base.sage) and same(zoho, base.zoho):
        assert not decision.targets


@given(sage=_VALUES, zoho=_VALUES, base=_BASES, rule=_POLICIES)
def test_a_value_is_only_lost_to_a_leader_that_is_named(
    sage: Any, zoho: Any, base: Base | None, rule: FieldPolicy
) -> None:
    decision = decide("f", sage, zoho, base, rule)
    for side in decision.targets & decision.changed:
        assert decision.overridden
        assert decision.leader is not None
        assert decision.leader is not side
