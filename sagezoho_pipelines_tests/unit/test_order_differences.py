"""What differs between two versions of an order, in words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sagezoho_pipelines.engine.flows.orders import differences


@pytest.mark.parametrize(
    ("ordered", "now", "words"),
    [
        ("100", "250.5", "the lines (100.00, now 250.50)"),
        ("1.2340", "1.235", "the lines (1.234, now 1.235)"),
        ("1200", "1E+3", "the lines (1200.00, now 1000.00)"),
    ],
)
def test_sums_are_told_with_all_their_decimals(ordered: str, now: str, words: str) -> None:
    versions = [{"OrderDetails": [{"ExtendedAmount": Decimal(amount)}]} for amount in (ordered, now)]
    assert differences.told(*versions) == [words]
