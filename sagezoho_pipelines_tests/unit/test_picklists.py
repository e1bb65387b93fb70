"""Zoho's list of stages: which of them a deal can only have gone back to."""

from __future__ import annotations

from typing import Any

import pytest

from sagezoho_pipelines.domain.picklists import is_before


def _stage(name: str, place: int | None, probability: int | None, forecast: str = "Open") -> dict[str, Any]:
    return {
        "actual_value": name, "display_value": name, "forecast_type": forecast, "sequence_number": place,
        "probability": probability,
    }  # fmt: skip


FIELDS = [
    {
        "api_name": "Stage",
        "pick_list_values": [
            _stage("Qualification", 1, 10),
            _stage("Proposal", 2, 75),
            _stage("Negotiation", 3, 90),
            _stage("Closed Won", 4, 100, "Closed Won"),
            _stage("Closed Lost", 5, 0, "Closed Lost"),
            _stage("On hold", 6, 5),
            _stage("Untold", None, None),
        ],
    }
]


@pytest.mark.parametrize(
    ("stage", "reached", "before"),
    [
        ("Qualification", "Proposal", True),
        ("Negotiation", "Proposal", False),
        ("Proposal", "Proposal", False),
        ("Negotiation", "Closed Won", True),
        ("On hold", "Closed Won", True),  # added later than the list's end, and open all the same
        ("On hold", "Proposal", False),  # place and probability do not agree
        ("Untold", "Proposal", False),
        ("Untold", "Closed Won", True),
        ("Closed Won", "Proposal", False),
        ("Closed Lost", "Proposal", False),
        ("Somewhere", "Closed Won", False),
        ("Qualification", "Somewhere", False),
    ],
)
def test_a_stage_lies_before_another_where_zoho_leaves_no_doubt(stage: str, reached: str, before: bool) -> None:
    assert is_before(FIELDS, stage, reached) is before
