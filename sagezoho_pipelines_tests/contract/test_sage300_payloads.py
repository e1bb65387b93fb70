"""Values that a payload, a key or a filter may not hold, and what the simulated Sage 300 makes of dates with a zone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sagezoho_pipelines_tests.contract.sage_service import SageService, order_with, refusal, sage_service

CUSTOMER = {"CustomerNumber": "C1", "GroupCode": "RTL", "TaxGroup": "CALIF"}


@pytest.fixture
def sage() -> Iterator[SageService]:
    with sage_service(vendors=3) as running:
        yield running


@pytest.mark.parametrize(
    "text",
    [
        '{"CustomerNumber": "C1", "GroupCode": "RTL", "TaxGroup": "CALIF", "CustomerNumber": "C2"}',
        '{"CustomerNumber": "1400", "OrderDetails": [{"Item": "A1-105/0", "Item": "A1-105/1", "QuantityOrdered": 1}]}',
    ],
)
def test_a_property_stands_once_in_a_payload(sage: SageService, text: str) -> None:
    path = "OE/OEOrders" if "OrderDetails" in text else "AR/ARCustomers"
    reply = sage.session.post(sage.url(path), data=text, timeout=60)
    assert refusal(reply)[:2] == (400, "InvalidPayload")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"CustomerName": "nul\0"}, 409, "FieldInvalid"),
        ({"CustomerName": "bell\a"}, 409, "FieldInvalid"),
        ({"CustomerName": "\N{PARROT}" * 31}, 409, "FieldInvalid"),
        ({"TaxClassCode1": 32768}, 409, "FieldInvalid"),
        ({"TaxClassCode1": -32769}, 409, "FieldInvalid"),
        ({"TaxClassCode1": 2**31}, 400, "InvalidPayload"),
        ({"StartDate": "2026-01-15T00:00:00"}, 400, "InvalidPayload"),
    ],
)
def test_values_that_do_not_fit_are_refused(sage: SageService, fields: dict[str, Any], status: int, code: str) -> None:
    assert refusal(sage.call("POST", "AR/ARCustomers", CUSTOMER | fields))[:2] == (status, code)


def test_a_sign_beyond_the_first_plane_takes_two_places(sage: SageService) -> None:
    assert sage.post("AR/ARCustomers", {**CUSTOMER, "CustomerName": "\N{PARROT}" * 30})["CustomerName"]


def test_a_date_with_a_zone_is_the_day_it_is_in_utc(sage: SageService) -> None:
    for text, day in (
        ("2026-01-15", "2026-01-15"),
        ("2026-01-15T00:00:00Z", "2026-01-15"),
        ("2026-01-15T00:00:00+05:30", "2026-01-14"),
        ("2026-01-15T23:00:00-08:00", "2026-01-16"),
    ):
        made = sage.post("AR/ARCustomers", {**CUSTOMER, "CustomerNumber": f"C{text[-6:]}", "StartDate": text})
        assert made["StartDate"] == f"{day}T00:00:00Z", text


@pytest.mark.parametrize("sign", ["%26", "%3A", "%3C", "%3E", "%2A", "%25", "%3F", "%5C"])
def test_asp_net_lets_no_dangerous_sign_through_in_a_path(sage: SageService, sign: str) -> None:
    for verb in ("GET", "PATCH", "DELETE"):
        reply = sage.call(verb, f"AR/ARCustomers('A{sign}B')", {} if verb == "PATCH" else None)
        assert reply.status_code == 400
        assert reply.headers["Content-Type"].startswith("text/html")
        assert "potentially dangerous" in reply.text


@pytest.mark.parametrize("key", ["'A+B'", "'A%2BB'"])
def test_iis_takes_no_plus_in_a_path(sage: SageService, key: str) -> None:
    reply = sage.get(f"AR/ARCustomers({key})")
    assert (reply.status_code, "404.11" in reply.text) == (404, True)


def test_a_key_with_a_slash_is_found_by_filter_alone(sage: SageService) -> None:
    assert refusal(sage.get("IC/ICItems('A1105%2F0')"))[:2] == (404, "ResourceNotFound")
    assert len(sage.values("IC/ICItems?$filter=UnformattedItemNumber eq 'A1105/0'")) == 1
    sage.world.switches.path_signs = "any"
    assert sage.get("IC/ICItems('A1105%2F0')").status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "not (VendorNumber eq '1200')",
        "SuppressIntegration",
        "VendorNumber eq ShortName",
        "1 eq 1",
        "true",
        "startswith('1200',VendorNumber)",
    ],
)
def test_a_filter_says_no_more_than_sages_pages_name(sage: SageService, text: str) -> None:
    asked = {"$filter": text, "$top": "1"}
    assert refusal(sage.get("AP/APVendors", params=asked))[:2] == (400, "InvalidParameters")
    sage.world.switches.filter_words = "of the library"
    assert sage.get("AP/APVendors", params=asked).status_code == 200


def test_a_price_or_discount_before_the_item_is_lost(sage: SageService) -> None:
    line = {"DiscountPercent": 10, "Item": "A1-105/0", "QuantityOrdered": 1}
    assert sage.post("OE/OEOrders", order_with(**line))["OrderDetails"][0]["DiscountPercent"] == 0


def test_the_list_of_sets_is_written_as_tightly_as_the_rest(sage: SageService) -> None:
    assert sage.get("AP/").text.startswith('{"@odata.context":"http://')
