from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.sage300 import odata

_PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs")))


def _closed_at(text: str) -> int:
    """Where an OData string literal that starts at 0 ends, read as a server would."""
    at = 1
    while True:
        at = text.index("'", at)
        if text[at + 1 : at + 2] != "'":
            return at
        at += 2


@given(_PRINTABLE)
def test_no_text_breaks_out_of_its_literal(value: str) -> None:
    literal = odata.literal(value)
    assert literal[0] == "'"
    assert _closed_at(literal) == len(literal) - 1
    assert literal[1:-1].replace("''", "'") == value


@given(_PRINTABLE)
def test_no_text_breaks_out_of_the_query_string(value: str) -> None:
    filtered = odata.filter_text([where("City", "eq", value)])
    sent = odata.query({"$select": "City", "$filter": filtered, "$top": 5})
    assert sent.isascii()
    assert parse_qs(sent) == {"$select": ["City"], "$filter": [filtered], "$top": ["5"]}


@given(st.text(min_size=1).filter(lambda text: any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in text)))
def test_control_characters_and_lone_surrogates_are_refused(value: str) -> None:
    with pytest.raises(VendorError) as refused:
        odata.filter_text([where("City", "eq", value)])
    assert (refused.value.verdict, refused.value.field) == (Verdict.REFUSE, "City")


@pytest.mark.parametrize("name", ["", "a b", "A eq 1 or B", "A'", "1st", "Näme", "A/B", "A\n", "x" * 129])
def test_a_property_name_is_nothing_but_a_name(name: str) -> None:
    with pytest.raises(VendorError):
        odata.filter_text([where(name, "eq", 1)])


@pytest.mark.parametrize("name", ["APVendors", "AP/", "ap/x", "AP/APVendors('1')", "AP/APVendors?x", "AP/../x"])
def test_an_entity_set_is_nothing_but_a_name(name: str) -> None:
    with pytest.raises(VendorError):
        odata.entity_set_name(name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("O'Brien", "'O''Brien'"),
        ("", "''"),
        (True, "true"),
        (5, "5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("99.990"), "99.990"),
        (date(2026, 1, 31), "2026-01-31T00:00:00Z"),
        (datetime(2026, 1, 31, 1, 30, tzinfo=timezone(timedelta(hours=2))), "2026-01-30T23:30:00Z"),
        (datetime(2026, 1, 31, 1, 30, 0, 5, tzinfo=UTC), "2026-01-31T01:30:00.000005Z"),
        (None, "null"),
    ],
)
def test_literals(value: object, text: str) -> None:
    assert odata.literal(value) == text  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), datetime(2026, 1, 1), 1.5])  # noqa: DTZ001
def test_values_without_a_literal_are_refused(value: object) -> None:
    with pytest.raises(VendorError):
        odata.literal(value)  # type: ignore[arg-type]


def test_conditions_are_joined_and_alternatives_bracketed() -> None:
    criteria = [
        where("Status", "eq", "Active"),
        where("VendorNumber", "in", ["1", "2"]),
        where("ShortName", "starts_with", "A'"),
        where("InactiveDate", "is_null"),
        where("StartDate", "not_null"),
    ]
    assert odata.filter_text(criteria) == (
        "Status eq 'Active' and (VendorNumber eq '1' or VendorNumber eq '2') and startswith(ShortName,'A''') "
        "and InactiveDate eq null and StartDate ne null"
    )


def test_lists_are_split_by_length_too_so_that_iis_lets_each_request_through() -> None:
    values = [f"{number:02d}{'漢' * 20}" for number in range(10)]
    parts = list(odata.split([where("ItemNumber", "in", values), where("Status", "eq", False)]))
    assert [value for part in parts for value in part[0].value] == values  # type: ignore[union-attr]
    assert all(len(odata.query({"$filter": odata.filter_text(part)})) < odata.MAX_QUERY for part in parts)
    assert len(list(odata.split([where("ItemNumber", "in", ["x" * 5000, "y" * 5000])]))) == 2


def test_long_lists_are_split_into_ten_terms_each_without_repeats() -> None:
    values = [str(number) for number in range(25)]
    parts = list(odata.split([where("VendorNumber", "in", [*values, "3"])]))
    assert [len(part[0].value) for part in parts] == [10, 10, 5]  # type: ignore[arg-type]
    assert [value for part in parts for value in part[0].value] == values  # type: ignore[union-attr]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 3))
def test_no_part_has_more_than_ten_comparisons(first: int, second: int, plain: int) -> None:
    criteria = [where("A", "in", range(first)), where("B", "in", range(second)), *[where("C", "eq", 1)] * plain]
    pairs = set()
    for part in odata.split(criteria):
        assert odata.filter_text(part).count(" eq ") <= odata.MAX_TERMS
        pairs |= {(a, b) for a in part[0].value for b in part[1].value}  # type: ignore[union-attr]
    assert pairs == {(a, b) for a in range(first) for b in range(second)}


def test_an_empty_list_asks_nothing() -> None:
    assert list(odata.split([where("A", "in", [])])) == []
    assert list(odata.split([])) == [[]]


@pytest.mark.parametrize(
    ("entity_set", "key", "text"),
    [
        ("AR/ARCustomers", "1200", "('1200')"),
        ("AR/ARCustomers", "O'X", "('O''X')"),
        ("OE/OEOrders", 66, "(66)"),
        ("OE/OEOrders", "66", "(66)"),
        ("XX/XXThings", "a", "('a')"),
        (
            "AR/ARPostedDocuments",
            {"CustomerNumber": "1", "DocumentNumber": "D"},
            "(CustomerNumber='1',DocumentNumber='D')",
        ),
    ],
)
def test_keys(entity_set: str, key: odata.Key, text: str) -> None:
    assert odata.key_text(entity_set, key) == text


@pytest.mark.parametrize(
    ("entity_set", "key"),
    [("OE/OEOrders", "6 or 1"), ("AR/ARPostedDocuments", "1"), ("AR/ARPostedDocuments", {"CustomerNumber": "1"})],
)
def test_keys_that_cannot_be_right_are_not_sent(entity_set: str, key: odata.Key) -> None:
    with pytest.raises(VendorError) as refused:
        odata.key_text(entity_set, key)
    assert refused.value.code == "InvalidEntityKey"


def test_a_number_kept_as_text_is_compared_as_a_number() -> None:
    assert (
        odata.filter_text([where("OrderUniquifier", "eq", "12")], entity_set="OE/OEOrders") == "OrderUniquifier eq 12"
    )
