"""Refusals foreseen without asking the vendor: by Zoho's field metadata, and by the widths of Sage's columns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sagezoho_pipelines.domain.errors import Verdict
from sagezoho_pipelines.engine.planning import faults, writes

FIELDS: list[dict[str, Any]] = [
    {"api_name": "Last_Name", "data_type": "text", "length": 8, "system_mandatory": True},
    {"api_name": "Email", "data_type": "email", "length": 100},
    {"api_name": "Phone", "data_type": "phone", "length": 30},
    {"api_name": "Site", "data_type": "website", "length": 100},
    {"api_name": "Seats", "data_type": "integer", "length": 3},
    {"api_name": "Share", "data_type": "double", "length": 5},
    {"api_name": "Active", "data_type": "boolean"},
    {"api_name": "Since", "data_type": "date"},
    {"api_name": "Account_Name", "data_type": "lookup", "system_mandatory": True},
    {"api_name": "Kind", "data_type": "picklist", "length": 20, "pick_list_values": [{"actual_value": "Vendor"}]},
]


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ({}, "MANDATORY_NOT_FOUND", "Last_Name"),
        ({"Last_Name": "Alexandra"}, "INVALID_DATA", "Last_Name"),
        ({"Last_Name": "Ng", "Email": "nobody at nowhere"}, "INVALID_DATA", "Email"),
        ({"Last_Name": "Ng", "Phone": "604/5550199"}, "INVALID_DATA", "Phone"),
        ({"Last_Name": "Ng", "Phone": "---"}, "INVALID_DATA", "Phone"),
        ({"Last_Name": "Ng", "Site": "harbour"}, "INVALID_DATA", "Site"),
        ({"Last_Name": "Ng", "Site": "harbour lights.example"}, "INVALID_DATA", "Site"),
        ({"Last_Name": "Ng", "Seats": Decimal("1.5")}, "INVALID_DATA", "Seats"),
        ({"Last_Name": "Ng", "Seats": 1000}, "INVALID_DATA", "Seats"),
        ({"Last_Name": "Ng", "Share": "12"}, "INVALID_DATA", "Share"),
        ({"Last_Name": "Ng", "Active": "yes"}, "INVALID_DATA", "Active"),
        ({"Last_Name": "Ng", "Since": "2026-02-30"}, "INVALID_DATA", "Since"),
    ],
)
def test_what_zoho_is_sure_to_refuse(row: dict[str, Any], code: str, field: str) -> None:
    fault = faults.of_zoho_row(row, FIELDS, creating=True)
    assert fault is not None
    assert (fault.code, fault.field, fault.verdict) == (code, field, Verdict.REFUSE)
    assert fault.advice


@pytest.mark.parametrize(
    "row",
    [
        {"Last_Name": "Ng", "Email": "a.b@c.example", "Seats": 12, "Share": Decimal("1.5"), "Active": True},
        {"Last_Name": "Ng", "Since": "2026-02-28", "Kind": "Somebody else", "Unknown": "x" * 999},
        {"Last_Name": "Ng", "Phone": "+1 (604) 555-0199 ext. 12", "Site": "https://www.harbour.example/a?b=c"},
        {"Last_Name": "Ng", "Phone": " ", "Email": " ", "Site": " "},
        {"Last_Name": writes.placeholder("Accounts", "SAMINC/1200")},
    ],
)
def test_what_zoho_takes_is_not_refused(row: dict[str, Any]) -> None:
    """Blank is nothing, a picklist takes what its list lacks, a lookup may be needed by the layout alone, ids fit."""
    assert faults.of_zoho_row(row, FIELDS, creating=True) is None


def test_an_update_needs_only_the_fields_it_touches() -> None:
    assert faults.of_zoho_row({"id": "1", "Seats": 1}, FIELDS, creating=False) is None
    emptied = faults.of_zoho_row({"id": "1", "Last_Name": None}, FIELDS, creating=False)
    assert emptied is not None
    assert emptied.code == "MANDATORY_NOT_FOUND"


def test_values_that_no_list_holds_are_told() -> None:
    assert faults.unlisted({"Kind": "Friend"}, FIELDS) == [("Kind", "Friend")]
    assert faults.unlisted({"Kind": "Vendor"}, FIELDS) == []


def test_a_text_wider_than_its_sage_column_is_refused() -> None:
    order = {"OrderDescription": "x" * 60, "OrderDetails": [{"Item": "y" * 25}]}
    fault = faults.of_sage_row("OE/OEOrders", order)
    assert fault is not None
    assert (fault.code, fault.field) == ("FieldInvalid", "OrderDetails.Item")
    assert "25 characters; Sage takes 24" in fault.text
    assert faults.of_sage_row("OE/OEOrders", {**order, "OrderDetails": []}) is None
