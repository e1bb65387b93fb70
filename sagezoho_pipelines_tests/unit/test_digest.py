"""Digests are the same for the same thing and differ for different things."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.digest import canonical_json, digest, equal


def test_padding_zeros_and_order_do_not_matter() -> None:
    one = {"a": "x  ", "b": Decimal("1.500"), "c": 0}
    other = {"c": Decimal("0.000"), "b": Decimal("1.5"), "a": "x"}
    assert digest(one) == digest(other)


def test_only_the_named_fields_count_and_a_missing_one_is_null() -> None:
    assert digest({"a": 1, "z": 2}, ["a", "b"]) == digest({"a": 1, "b": None}, ["a", "b"])


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": True}, {"a": 1}), ({"a": 1}, {"a": "1"}), ({"a": None}, {"a": ""}), ({"a": [1, 2]}, {"a": [2, 1]})],
)
def test_different_values_differ(one: dict[str, object], other: dict[str, object]) -> None:
    assert digest(one) != digest(other)


def test_a_value_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="JSON values only"):
        digest({"a": object()})


def test_blank_text_and_no_value_are_equal_for_a_sync() -> None:
    assert equal("", None)
    assert equal(Decimal("2.0"), 2)
    assert not equal("a", "A")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=5))
def test_decimals_survive_json_digit_by_digit(number: Decimal) -> None:
    assert json.loads(json.dumps({"n": number})) == {"n": number}


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5))
def test_canonical_text_is_stable_under_key_order(record: dict[str, str]) -> None:
    assert canonical_json(record) == canonical_json(dict(reversed(record.items())))


def test_a_lookup_counts_as_its_id() -> None:
    queried, read = {"Account_Name": {"id": "7"}}, {"Account_Name": {"name": "Harbour", "id": "7"}}
    assert digest(queried, ["Account_Name"]) == digest(read, ["Account_Name"])
    assert digest({"Account_Name": {"id": "8"}}) != digest(read)
