"""What the simulated Sage 300 refuses although it could be understood: half-right filters, keys, numbers and codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
from sagezoho_pipelines_tests.contract.sage_service import SageService, refusal, sage_service

LINE: dict[str, Any] = {"LineType": "Item", "Item": "A1-105/0", "QuantityOrdered": 2}
ORDER: dict[str, Any] = {"CustomerNumber": "1400", "OrderDetails": [LINE]}


@pytest.fixture(scope="module")
def shared() -> Iterator[SageService]:
    with sage_service(vendors=20) as running:
        yield running


@pytest.fixture
def sage(shared: SageService) -> Iterator[SageService]:
    yield shared
    for name, value in vars(SageSwitches()).items():
        setattr(shared.world.switches, name, value)


@pytest.mark.parametrize(
    "text",
    [
        "DateLastMaintained ge 2020-01-01T00:00:00",
        "DateLastMaintained ge 2020-01-01T10",
        "DateLastMaintained ge 2020-13-01",
        "DateLastMaintained ge 2020-01-01T25:00:00Z",
        "Status gt 'Active'",
        "Status le 'Inactive'",
        "Status lt null",
        "Status eq '1'",
        "not VendorNumber eq '1200'",
        "not VendorNumber",
        "VendorNumber eq'1200'",
        "VendorNumber EQ '1200'",
        "UpdateOperation eq 'Unspecified'",
        "VendorNumber",
        "length(VendorNumber)",
        "CreditLimit gt 1e5",
    ],
)
def test_filters_that_are_nearly_right_are_refused(sage: SageService, text: str) -> None:
    assert refusal(sage.get("AP/APVendors", params={"$filter": text}))[:2] == (400, "InvalidParameters")


def test_an_instant_is_compared_in_utc(sage: SageService) -> None:
    sage.act("set_session_date", date="2026-09-20")
    sage.act("edit_vendor", vendor="1200", fields={"City": "Bern"})

    def found(literal: str) -> bool:
        text = f"VendorNumber eq '1200' and DateLastMaintained ge {literal}"
        return bool(sage.values(f"AP/APVendors?$select=VendorNumber&$filter={text}".replace("+", "%2B")))

    assert found("2026-09-20T05:00:00+05:30")
    assert not found("2026-09-20T05:00:00-05:30")


def test_negation_takes_brackets_functions_and_booleans(sage: SageService) -> None:
    sage.world.switches.filter_words = "of the library"
    for text in ("not (VendorNumber eq '1200')", "not startswith(VendorNumber,'1')", "not SuppressIntegration"):
        assert sage.get("AP/APVendors", params={"$filter": text}).status_code == 200


@pytest.mark.parametrize("key", ["NaN", "Infinity", "1e3", "1_000", "100352M", "''"])
def test_a_numeric_key_is_a_plain_number(sage: SageService, key: str) -> None:
    assert refusal(sage.get(f"OE/OEOrders({key})"))[:2] == (400, "InvalidEntityKey")


@pytest.mark.parametrize("query", ["$top=2147483648", "$skip=2147483648", "$top=", "$select=", "$select=*"])
def test_options_out_of_range_are_refused(sage: SageService, query: str) -> None:
    assert refusal(sage.get(f"AP/APVendors?{query}"))[:2] == (400, "InvalidParameters")


def test_iis_turns_a_long_query_away_before_the_service_sees_it(sage: SageService) -> None:
    within, beyond = (f"AP/APVendors?$select=VendorNumber&x={'x' * (length - 23)}" for length in (2048, 2049))
    assert sage.get(within).status_code == 200
    reply = sage.get(beyond)
    assert (reply.status_code, "text/html" in reply.headers["content-type"]) == (404, True)
    sage.world.switches.query_length_max = 4096
    assert sage.get(beyond).status_code == 200


def test_an_application_without_sets_is_not_found_by_those_who_have_the_right(sage: SageService) -> None:
    assert refusal(sage.get("GL/GLAccounts"))[:2] == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"StartDate": "2020-01-15Tgarbage"}, 400, "InvalidPayload"),
        ({"StartDate": "2020-01-15 10:00"}, 400, "InvalidPayload"),
        ({"TaxClassCode1": 2**31}, 400, "InvalidPayload"),
        ({"CreditLimit": 10**30}, 400, "InvalidPayload"),
        ({"CreditLimit": 10**17}, 409, "FieldInvalid"),
        ({"NumberOfOptionalFields": 4}, 409, "FieldInvalid"),
        ({"CurrencyCode": ""}, 409, "RecordInvalid"),
        ({"AccountSet": "NOPE"}, 409, "FieldInvalid"),
        ({"BankCode": "NOPE"}, 409, "FieldInvalid"),
        ({"PaymentCode": "NOPE"}, 409, "FieldInvalid"),
        ({"RateType": "NO"}, 409, "FieldInvalid"),
    ],
)
def test_vendors_that_do_not_fit_are_refused(sage: SageService, fields: dict[str, Any], status: int, code: str) -> None:
    body = {"VendorNumber": "UNFIT", "GroupCode": "INV", **fields}
    assert refusal(sage.call("POST", "AP/APVendors", body))[:2] == (status, code)
    assert sage.get("AP/APVendors('UNFIT')").status_code == 404


def test_a_number_beyond_all_bounds_is_refused_and_not_choked_on(sage: SageService) -> None:
    for number in ("1e400", "NaN", "Infinity"):
        body = f'{{"VendorNumber":"UNFIT","GroupCode":"INV","CreditLimit":{number}}}'
        reply = sage.session.post(sage.url("AP/APVendors"), data=body, timeout=60)
        assert refusal(reply)[:2] == (400, "InvalidPayload")


@pytest.mark.parametrize(
    ("header", "line", "words"),
    [
        ({"OrderSourceCurrency": "XXX"}, {}, "Order Source Currency XXX"),
        ({"OrderSourceCurrency": "CAD"}, {}, "Order Source Currency CAD"),
        ({"OrderRate": 0}, {}, "Order Rate."),
        ({"OrderDiscountPercentage": 101}, {}, "between 0 and 100"),
        ({"OrderDiscountPercentage": -5}, {}, "between 0 and 100"),
        ({"TaxGroup": ""}, {}, "Tax Group cannot be blank."),
        ({"DefaultPriceListCode": "NOPE"}, {}, "Price list 'NOPE' does not exist."),
        ({"ShipViaCode": "NOPE"}, {}, "Ship-via code 'NOPE' does not exist."),
        ({"Salesperson1": "NOPE"}, {}, "Salesperson 'NOPE' does not exist."),
        ({"OrderTotal": 5}, {}, "Order Total. Field is calculated"),
        ({"OrderItemTotalAmount": 5}, {}, "Order Item Total Amount. Field is calculated"),
        ({"LastInvoiceNumber": "IN1"}, {}, "Last Invoice Number. Field is calculated"),
        ({"OrderCompleted": "CompleteDayEnd"}, {}, "Order Completed. Field is calculated"),
        ({}, {"Location": ""}, "Location  does not exist."),
        ({}, {"PriceList": "NOPE"}, "Price list 'NOPE' does not exist."),
        ({}, {"QuantityOrdered": 10**17}, "Quantity Ordered. The number is too large."),
        ({}, {"MiscellaneousChargesCode": "HC"}, "The line type must be Miscellaneous."),
        ({}, {"LineType": "Miscellaneous"}, "The line type must be Item."),
    ],
)
def test_orders_that_do_not_fit_are_refused(
    sage: SageService, header: dict[str, Any], line: dict[str, Any], words: str
) -> None:
    before = len(sage.world.table("OEOrders"))
    reply = sage.call("POST", "OE/OEOrders", {**ORDER, **header, "OrderDetails": [{**LINE, **line}]})
    status, code, text = refusal(reply)
    assert (status, code) == (409, "FieldInvalid")
    assert words in text
    assert len(sage.world.table("OEOrders")) == before


def test_codes_that_exist_are_taken(sage: SageService) -> None:
    order = {**ORDER, "ShipViaCode": "CCT", "Salesperson1": "DH", "DefaultPriceListCode": "WHS", "OrderTotal": 0}
    assert sage.post("OE/OEOrders", order)["ShipViaCode"] == "CCT"


@pytest.mark.parametrize(
    ("header", "entry", "words"),
    [
        ({"BatchStatus": "Posted"}, {}, "The status can only be set to Open or Ready To Post."),
        ({"BatchStatus": "Deleted"}, {}, "The status can only be set to Open or Ready To Post."),
        ({"BatchDate": None}, {}, "Batch Date cannot be blank."),
        ({"BatchTotal": 5}, {}, "Batch Total. Field is calculated"),
        ({"DateLastEdited": "2020-01-01"}, {}, "Date Last Edited. Field is calculated"),
        ({}, {"Terms": "NOPE"}, "Terms code NOPE does not exist."),
        ({}, {"TaxGroup": "NOPE"}, "Tax group NOPE does not exist."),
        ({}, {"CurrencyCode": "XXX"}, "Currency XXX is not the vendor's currency."),
    ],
)
def test_batches_that_do_not_fit_are_refused(
    sage: SageService, header: dict[str, Any], entry: dict[str, Any], words: str
) -> None:
    line = {"DistributionCode": "INV", "DistributedAmount": 80}
    bill = {"VendorNumber": "1200", "DocumentNumber": "BILL-9", "InvoiceDetails": [line], **entry}
    reply = sage.call("POST", "AP/APInvoiceBatches", {"BatchDate": "2026-01-18", **header, "Invoices": [bill]})
    status, code, text = refusal(reply)
    assert (status, code) == (409, "FieldInvalid")
    assert words in text


def test_a_batch_keeps_its_number(sage: SageService) -> None:
    reply = sage.call("PATCH", "AP/APInvoiceBatches(5)", {"BatchNumber": 6})
    assert refusal(reply)[:2] == (400, "InvalidPayload")
    assert sage.call("PATCH", "AP/APInvoiceBatches(5)", {"BatchNumber": 5}).status_code == 204
