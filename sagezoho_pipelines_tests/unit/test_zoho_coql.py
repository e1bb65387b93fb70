"""Conditions become COQL that no value can leave."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagezoho_pipelines.domain.criteria import Condition, where
from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.zoho_crm import coql


def read_literal(text: str, *, backslash_escapes: bool) -> tuple[str, str]:
    """Read one literal from the start of `text` as a database would; returns its value and what comes after it."""
    assert text[0] == "'"
    value, at = "", 1
    while True:
        char = text[at]
        if char == "\\" and backslash_escapes:
            value, at = value + text[at + 1], at + 2
        elif char == "'" and text[at + 1 : at + 2] == "'":
            value, at = value + "'", at + 2
        elif char == "'":
            return value, text[at + 1 :]
        else:
            value, at = value + char, at + 1


nasty = st.text(alphabet=st.sampled_from("'\\\"%_()ab \n;") | st.characters(), max_size=40)


@given(nasty, st.booleans())
def test_no_text_leaves_its_literal_under_either_reading_of_the_escape(value: str, backslash_escapes: bool) -> None:
    read, rest = read_literal(coql.text(value) + " tail", backslash_escapes=backslash_escapes)
    assert rest == " tail"
    assert read == (value if backslash_escapes else value.replace("\\", "\\\\"))


@given(nasty)
def test_where_a_doubled_quote_is_no_escape_the_text_still_stands_between_quotes(value: str) -> None:
    outside, inside = [], False
    literal = coql.text(value).replace("\\\\", "")
    for char in literal:
        if char == "'":
            inside = not inside
        elif not inside:
            outside.append(char)
    assert outside == []
    assert not inside


@given(nasty)
def test_a_condition_holds_nothing_of_the_value_but_the_literal(value: str) -> None:
    written = coql.condition(where("Account_Name", "eq", value))
    assert written.startswith("Account_Name = '")
    assert read_literal(written.removeprefix("Account_Name = "), backslash_escapes=True) == (value, "")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (where("Amount", "ge", Decimal("1E+3")), "Amount >= 1000"),
        (where("Amount", "ne", Decimal("12.50")), "Amount != 12.50"),
        (where("No_of_Items", "lt", 3), "No_of_Items < 3"),
        (where("Closing_Date", "le", date(2026, 3, 2)), "Closing_Date <= '2026-03-02'"),
        (where("Active", "eq", True), "Active = 'true'"),
        (where("Account_Name.Account_Name", "starts_with", "O'B"), "Account_Name.Account_Name like 'O''B%'"),
        (where("Sage_ID", "in", ["1", "2"]), "Sage_ID in ('1', '2')"),
        (where("Email", "is_null"), "Email is null"),
        (where("Email", "not_null"), "Email is not null"),
    ],
)
def test_each_operator_and_type(condition: Condition, expected: str) -> None:
    assert coql.condition(condition) == expected


def test_instants_are_compared_in_utc_with_an_offset() -> None:
    local = datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert coql.condition(where("Modified_Time", "gt", local)) == "Modified_Time > '2026-03-02T14:30:00+00:00'"


def test_a_fraction_of_a_second_never_loses_a_row() -> None:
    at = datetime(2026, 3, 2, 9, 30, 1, 500_000, tzinfo=UTC)
    assert coql.condition(where("Modified_Time", "ge", at)).endswith(":01+00:00'")
    assert coql.condition(where("Modified_Time", "lt", at)).endswith(":02+00:00'")


def test_an_instant_without_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="time zone"):
        coql.literal(datetime(2026, 3, 2))  # noqa: DTZ001


@pytest.mark.parametrize("name", ["", "Name = 'x' or 1", "a-b", "a.b.c.d", "Name\n", "9a", "a..b"])
def test_a_name_that_is_no_api_name_is_refused(name: str) -> None:
    with pytest.raises(VendorError, match="not the API name"):
        coql.condition(where(name, "is_null"))


def test_conditions_are_nested_in_pairs() -> None:
    assert coql.pair(["a", "b", "c", "d"]) == "(((a and b) and c) and d)"
    assert coql.pair(["a"]) == "a"


def test_a_long_in_is_joined_by_or_within_one_query() -> None:
    parts = coql.all_of([where("id", "in", [str(n) for n in range(120)])])
    assert parts[0].count(" in (") == 3
    assert parts[0].startswith("((id in (")


def test_a_long_in_is_cut_into_queries_whose_union_is_the_whole() -> None:
    criteria = [where("A", "in", [str(n) for n in range(60)]), where("B", "eq", 1), where("C", "in", list(range(51)))]
    parts = list(coql.split_in(criteria))
    assert len(parts) == 4
    pairs = [(a, c) for part in parts for a in part[0].value for c in part[2].value]  # type: ignore[union-attr]
    assert len(pairs) == len(set(pairs)) == 60 * 51


def test_more_conditions_than_zoho_takes_are_refused() -> None:
    with pytest.raises(VendorError, match="at most"):
        coql.all_of([where("A", "eq", n) for n in range(22)])


def test_columns_are_cut_at_fifty_and_each_block_has_the_id() -> None:
    blocks = coql.split_columns(("id", "Modified_Time"), [f"F{n}" for n in range(120)] + ["id", "F1"])
    assert [len(block) for block in blocks] == [50, 50, 24]
    assert [block[0] for block in blocks] == ["id"] * 3
    assert len({name for block in blocks for name in block}) == 122


def test_a_wildcard_inside_a_prefix_is_checked_again_on_our_side() -> None:
    criteria = [where("Name", "starts_with", "50%")]
    assert coql.prefix_matches({"Name": "50% OFF"}, criteria)
    assert not coql.prefix_matches({"Name": "50 off"}, criteria)
