"""Amounts in anybody's own mapping keep every digit: no function and no literal makes a float of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sagezoho_pipelines.domain.digest import canonical
from sagezoho_pipelines.domain.mapping_files import parse

INVOICE = {
    "Total": Decimal("12.50"),
    "Fine": Decimal("0.10"),
    "Text": "12.34567890123456789",
    "Count": 3,
    "Lines": [{"Amount": Decimal("0.10"), "No": 2}, {"Amount": Decimal("0.20"), "No": 1}],
    "Whole": [1, 2],
}


def _value(expression: str) -> Any:
    text = f"flow: x\nversion: 1\ntargets:\n  t:\n    A: {expression!r}\n"
    found = parse(text, "x.yaml")["t"].apply(INVOICE)["A"]
    canonical(found)  # raises for a float
    return found


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("to_number(Total)", Decimal("12.5")),
        ("to_number(Text)", Decimal("12.34567890123456789")),
        ("to_number(Count)", 3),
        ("to_number(Lines)", None),
        ("to_string(Total)", "12.50"),
        ("sum(Lines[].Amount)", Decimal("0.3")),
        ("avg(Lines[].Amount)", Decimal("0.15")),
        ("avg(Whole)", Decimal("1.5")),
        ("max(Lines[].Amount)", Decimal("0.2")),
        ("max_by(Lines, &Amount).No", 1),
        ("sort_by(Lines, &Amount)[0].No", 2),
        ("sort(Lines[].Amount)[0]", Decimal("0.1")),
        ("abs(Total)", Decimal("12.5")),
        ("floor(Total)", 12),
        ("ceil(Total)", 13),
        ("type(Total)", "number"),
        ("`0.1`", Decimal("0.1")),
        ("Fine == `0.1`", True),
        ("Lines[?Amount == `0.2`].No | [0]", 1),
        ("minus(Total, `0.1`)", Decimal("12.4")),
    ],
)
def test_it_is_exact(expression: str, value: Any) -> None:
    found = _value(expression)
    assert found == value
    assert type(found) is type(value)
