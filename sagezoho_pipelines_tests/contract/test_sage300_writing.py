"""Writing master records to the simulated Sage 300."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sagezoho_pipelines_tests.contract.sage_service import SageService, refusal, sage_service


@pytest.fixture
def sage() -> Iterator[SageService]:
    with sage_service(vendors=30) as running:
        yield running


def test_the_minimal_customer_takes_the_rest_from_its_group(sage: SageService) -> None:
    fields = {"CustomerNumber": "z_postman", "GroupCode": "RTL", "TaxGroup": "CALIF", "ShortName": "Old Name"}
    customer = sage.post("AR/ARCustomers", fields)
    assert customer["CustomerNumber"] == "Z_POSTMAN"
    assert (customer["Status"], customer["Terms"].rstrip(), customer["AccountSet"].rstrip()) == (
        "Active",
        "COD",
        "TRADE",
    )
    assert customer["DateLastMaintained"] == "2026-09-15T00:00:00Z"
    assert sage.get("AR/ARCustomers('Z_POSTMAN')").status_code == 200


def test_the_fuller_official_customer_is_accepted(sage: SageService) -> None:
    customer = sage.post(
        "AR/ARCustomers",
        {
            "CustomerNumber": "1501",
            "ShortName": "1501",
            "GroupCode": "WHL",
            "NationalAccount": "",
            "Status": "Active",
            "OnHold": "No",
            "CustomerName": "Customer 1501",
            "AccountSet": "USA",
            "BillingCycle": "BILLMT",
            "InterestProfile": "INTWHS",
            "CurrencyCode": "USD",
            "PrintStatements": "Yes",
            "AccountType": "OpenItem",
            "Terms": "N30",
            "TaxGroup": "USDTAX",
            "CreditLimitCustomerCurrency": 12345,
            "CustomerPriceList": "WHS",
        },
    )
    assert (customer["AccountSet"].rstrip(), customer["TaxGroup"]) == ("USA", "USDTAX")


def test_the_minimal_vendor_is_accepted(sage: SageService) -> None:
    fields = {
        "VendorNumber": "1401",
        "ShortName": "1401",
        "GroupCode": "INV",
        "OnHold": "NotOnHold",
        "VendorName": "1401 Name",
    }
    assert sage.post("AP/APVendors", fields)["CurrencyCode"] == "USD"


def test_a_group_overwrites_what_came_before_it(sage: SageService) -> None:
    fields = {"CustomerNumber": "C1", "Terms": "N60", "GroupCode": "RTL"}
    assert sage.post("AR/ARCustomers", fields)["Terms"].rstrip() == "COD"
    fields = {"CustomerNumber": "C2", "GroupCode": "RTL", "Terms": "N60"}
    assert sage.post("AR/ARCustomers", fields)["Terms"].rstrip() == "N60"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"CustomerNumber": "1400", "GroupCode": "RTL"}, "RecordDuplicate"),
        ({"CustomerNumber": "C1"}, "RecordInvalid"),
        ({"GroupCode": "RTL"}, "RecordInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "NOTAX"}, "RecordInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "NOPE"}, "FieldInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "TaxGroup": "NOPE"}, "FieldInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "Terms": "NOPE"}, "FieldInvalid"),
        ({"CustomerNumber": "C123456789012", "GroupCode": "RTL"}, "FieldInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "DateLastMaintained": "2020-01-01"}, "FieldInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "InvalidProperty": "x"}, "InvalidPayload"),
        ({"CustomerNumber": 1400, "GroupCode": "RTL"}, "InvalidPayload"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "OnHold": True}, "InvalidPayload"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "OnHold": "Perhaps"}, "InvalidPayload"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "StartDate": "yesterday"}, "InvalidPayload"),
        ([], "InvalidPayload"),
    ],
)
def test_customers_that_do_not_fit_are_refused(sage: SageService, fields: Any, code: str) -> None:
    status = 400 if code == "InvalidPayload" else 409
    assert refusal(sage.call("POST", "AR/ARCustomers", fields))[:2] == (status, code)
    assert sage.get("AR/ARCustomers('C1')").status_code == 404


def test_several_messages_share_one_value(sage: SageService) -> None:
    fields = {"CustomerNumber": "C" * 13, "ShortName": "S" * 11, "GroupCode": "RTL"}
    _, _, text = refusal(sage.call("POST", "AR/ARCustomers", fields))
    assert len(text.split("\n")) == 2


def test_patch_changes_only_what_it_holds(sage: SageService) -> None:
    before = sage.get("AP/APVendors('1200')").json()
    reply = sage.call("PATCH", "AP/APVendors('1200')", {"VendorName": "Renamed"})
    assert (reply.status_code, reply.content) == (204, b"")
    after = sage.get("AP/APVendors('1200')").json()
    changed = {name for name in after if after[name] != before[name] and not name.startswith("@")}
    assert changed == {"VendorName", "DateLastMaintained"}


def test_put_purges_the_details_it_does_not_hold(sage: SageService) -> None:
    options = [{"OptionalField": "REGION", "Value": "WEST", "UpdateOperation": "Insert"}]
    assert sage.call("PATCH", "AP/APVendors('1200')", {"VendorOptionalFieldValues": options}).status_code == 204
    assert sage.call("PATCH", "AP/APVendors('1200')", {"City": "Oslo"}).status_code == 204
    assert len(sage.get("AP/APVendors('1200')").json()["VendorOptionalFieldValues"]) == 1
    assert sage.call("PUT", "AP/APVendors('1200')", {"City": "Rome"}).status_code == 204
    vendor = sage.get("AP/APVendors('1200')").json()
    assert (vendor["VendorOptionalFieldValues"], vendor["GroupCode"]) == ([], "INV")


def test_delete_is_refused_while_in_use(sage: SageService) -> None:
    assert refusal(sage.call("DELETE", "AR/ARCustomers('1100')"))[:2] == (409, "General")
    sage.post("AR/ARCustomers", {"CustomerNumber": "GONE", "GroupCode": "RTL"})
    assert sage.call("DELETE", "AR/ARCustomers('GONE')").status_code == 204
    assert refusal(sage.get("AR/ARCustomers('GONE')"))[:2] == (404, "RecordNotFound")


def test_maintenance_dates_follow_the_session_date_back_too(sage: SageService) -> None:
    sage.act("set_session_date", date="2025-02-03")
    sage.act("edit_vendor", vendor="1200", fields={"City": "Bern"})
    assert sage.get("AP/APVendors('1200')").json()["DateLastMaintained"] == "2025-02-03T00:00:00Z"


def test_a_template_shows_defaults_and_stores_nothing(sage: SageService) -> None:
    assert sage.post("AR/ARCustomers('$template')", {}, status=200)["Status"] == "Active"
    assert sage.get("AR/ARCustomers?$count=true&$top=1").json()["@odata.count"] == 12


def test_an_optional_field_is_written_as_text_or_typed_and_read_as_both(sage: SageService) -> None:
    path, rows = "AP/APVendors('1200')", "VendorOptionalFieldValues"
    sent = [{"OptionalField": "QUANTITY", "Value": "12.5"}, {"OptionalField": "REGION", "TextValue": "WEST"}]
    assert sage.call("PATCH", path, {rows: sent}).status_code == 204
    quantity, region = sage.get(path, params={"$select": rows}).json()[rows]
    assert (quantity["Value"], quantity["NumberValue"], quantity["VendorOptionalFieldValueType"]) == (
        "12.5",
        12.5,
        "Number",
    )
    assert (region["Value"], region["ValueSet"], region["OptionalFieldDescription"]) == ("WEST", "Yes", "Sales region")
    assert sage.get(path).json()["NumberOfOptionalFields"] == 2
    blanked = [{"OptionalField": "REGION", "Value": ""}, {"OptionalField": "QUANTITY", "UpdateOperation": "Delete"}]
    assert sage.call("PATCH", path, {rows: blanked}).status_code == 204
    [region] = sage.get(path).json()[rows]
    assert (region["Value"], region["ValueSet"]) == ("", "No")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"OptionalField": "NONESUCH", "Value": "1"}, "Optional field 'NONESUCH' does not exist."),
        ({"OptionalField": "QUANTITY", "Value": "many"}, "The value 'many' is not valid."),
        ({"OptionalField": "UPSZONE", "Value": "x" * 11}, "maximum length of 10"),
    ],
)
def test_an_optional_field_that_does_not_fit_is_refused(sage: SageService, row: dict[str, str], text: str) -> None:
    reply = sage.call("PATCH", "AP/APVendors('1200')", {"VendorOptionalFieldValues": [row]})
    assert reply.status_code == 409
    assert text in reply.json()["error"]["message"]["value"]


def test_an_older_release_lacks_a_property_everywhere(sage: SageService) -> None:
    sage.world.switches.hidden = ("APVendors.WebSite",)
    assert "WebSite" not in sage.get("AP/APVendors('1200')").json()
    assert sage.get("AP/APVendors", params={"$select": "WebSite"}).status_code == 400
    assert sage.call("PATCH", "AP/APVendors('1200')", {"WebSite": "x"}).status_code == 400
    assert 'Name="WebSite"' not in sage.get("AP/$metadata").text
    assert 'Name="WebSite"' in sage.get("AR/$metadata").text
