"""Every switch of the simulated Sage 300, under each of its readings: what a client sees is never the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import requests

from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
from sagezoho_pipelines.sandbox.switches import Switch, listed
from sagezoho_pipelines_tests.contract.sage_service import SageService, sage_service

SWITCHES = list(listed(SageSwitches))
_ORDER = {"CustomerNumber": "1400", "OrderDetails": [{"Item": "A1-105/0", "QuantityOrdered": 1}]}


def _status(sage: SageService, path: str, **options: Any) -> int:
    return sage.get(path, **options).status_code


def _as(user: str, password: str) -> Callable[[SageService], int]:
    return lambda sage: _status(sage, "AP/APVendors?$top=1", auth=(user, password))


def _address(old: str, new: str) -> Callable[[SageService], int]:
    return lambda sage: sage.session.get(sage.url("AP/APVendors?$top=1").replace(old, new), timeout=60).status_code


def _post(path: str, fields: Mapping[str, Any]) -> Callable[[SageService], int]:
    return lambda sage: sage.call("POST", path, fields).status_code


def _held_order(sage: SageService) -> int:
    sage.act("hold_customer", customer="1400", hold=True)
    return sage.call("POST", "OE/OEOrders", _ORDER).status_code


def _order_in_yen(sage: SageService) -> Any:
    sage.act("add_currency", code="JPY", decimals=0, rate="0.0066")
    address = {"CustomerName": "Yen", "AddressLine1": "1 Ginza", "City": "Tokyo"}
    sage.post(
        "AR/ARCustomers",
        {"CustomerNumber": "YEN", "GroupCode": "RTL", "TaxGroup": "EXEMPT", "CurrencyCode": "JPY", **address},
    )
    line = {"Item": "A1-105/0", "QuantityOrdered": 3, "PriceOverride": True, "PricingUnitPrice": 33.5}
    return sage.post("OE/OEOrders", {"CustomerNumber": "YEN", "OrderDetails": [line]})["OrderTotal"]


def _order_to_nowhere(sage: SageService) -> int:
    sage.post("AR/ARCustomers", {"CustomerNumber": "NOWHERE", "GroupCode": "RTL", "TaxGroup": "CALIF"})
    return sage.call("POST", "OE/OEOrders", {**_ORDER, "CustomerNumber": "NOWHERE"}).status_code


def _batch(sage: SageService, **fields: Any) -> int:
    entry = {
        "CustomerNumber": "1400", "DocumentType": "Invoice", "DocumentDate": "2020-01-15", "InvoiceType": "Summary",
        "InvoiceDetails": [{"LineNumber": 20, "DistributionCode": "CACCSE", "ExtendedAmountWithTIP": 200}],
        "InvoicePaymentSchedules": [{"PaymentNumber": 1, "AmountDue": 226, "DueDate": "2020-01-15"}],
    }  # fmt: skip
    made = {"BatchDate": "2020-01-15", "BatchStatus": "ReadyToPost", "Invoices": [entry], **fields}
    return int(sage.post("AR/ARInvoiceBatches", made)["BatchNumber"])


def _posted(sage: SageService, number: int) -> int:
    given = {"PostAllBatches": "Donotpostallbatches", "PostBatchFrom": number, "PostBatchTo": number}
    return sage.call("POST", "AR/ARPostInvoices('$process')", given).status_code


def _dates_around_posting(sage: SageService, path: str, name: str) -> bool:
    """Whether the date of the record has moved when its batch is posted on another day."""
    number = _batch(sage)
    path = path.format(number=number)
    before = sage.get(path).json()[name]
    sage.act("set_session_date", date="2026-10-20")
    _posted(sage, number)
    return bool(sage.get(path).json()[name] != before)


def _edited_order(sage: SageService) -> int:
    number = sage.post("OE/OEOrders", _ORDER)["OrderUniquifier"]
    return sage.call("PATCH", f"OE/OEOrders({number})", {"OrderReference": "x"}).status_code


def _new_vendor(sage: SageService) -> requests.Response:
    return sage.call("POST", "AP/APVendors", {"VendorNumber": "NEW", "GroupCode": "INV", "VendorName": "New"})


#: What a client sees of each switch.
SEEN: Mapping[str, Callable[[SageService], Any]] = {
    "page_size": lambda sage: len(sage.values("AP/APVendors?$select=VendorNumber")),
    "top_overrides_page_size": lambda sage: len(sage.values("AP/APVendors?$select=VendorNumber&$top=103")),
    "next_link_keeps_options": lambda sage: "VendorName" in sage.get("AP/APVendors?$select=VendorName").json()[
        "@odata.nextLink"
    ],
    "order_by": lambda sage: _status(sage, "AP/APVendors?$top=1&$orderby=VendorNumber desc"),
    "legacy_literals": lambda sage: _status(sage, "AP/APVendors?$filter=substringof('a',VendorName)"),
    "contains": lambda sage: _status(sage, "AP/APVendors?$filter=contains(VendorName,'a')"),
    "unknown_options": lambda sage: _status(sage, "AP/APVendors?$top=1&$expand=Terms"),
    "filter_words": lambda sage: _status(sage, "AP/APVendors?$filter=not (VendorNumber eq '1200')"),
    "filter_on_calculated": lambda sage: _status(sage, "OE/OEOrders?$filter=InvoiceWillBeProduced eq true"),
    "filter_node_limit": lambda sage: _status(
        sage, "AP/APVendors?$filter=" + " or ".join(f"VendorNumber eq '{number}'" for number in range(40))
    ),
    "query_length_max": lambda sage: _status(sage, "AP/APVendors?$top=1&note=" + "x" * 3000),
    "admin_allowed": _as("ADMIN", "ADMIN"),
    "any_tenant": _address("/-/", "/acme/"),
    "user_any_case": _as("webapi", "WEBAPI"),
    "password_any_case": _as("WEBAPI", "webapi"),
    "company_any_case": _address("SAMINC", "saminc"),
    "content_type_required": lambda sage: _status(sage, "AP/APVendors?$top=1", headers={"Content-Type": ""}),
    "hidden": lambda sage: "WebSite" in sage.values("AP/APVendors?$top=1")[0],
    "path_signs": lambda sage: _status(sage, "AP/APVendors('A%26B')"),
    "error_content_type": lambda sage: sage.get("AP/APVendors('NOBODY')").headers["Content-Type"],
    "parallel_requests_max": lambda sage: sage.world._admit(12) is None,
    "padded": lambda sage: sage.values("AP/APVendors?$top=1")[0]["Terms"].endswith(" "),
    "amount_decimals": _order_in_yen,
    "held_customers": _held_order,
    "ship_to": _order_to_nowhere,
    "batch_number_sent": lambda sage: _batch(sage, BatchNumber=900),
    "read_only_fields": _post(
        "AR/ARCustomers",
        {"CustomerNumber": "C1", "GroupCode": "RTL", "TaxGroup": "CALIF", "DateLastMaintained": "2020-01-01"},
    ),
    "posting_touches_maintained": lambda sage: _dates_around_posting(
        sage, "AR/ARCustomers('1400')", "DateLastMaintained"
    ),
    "posting_touches_edited": lambda sage: _dates_around_posting(
        sage, "AR/ARInvoiceBatches({number})", "DateLastEdited"
    ),
    "orders_editable": _edited_order,
    "terms_key": lambda sage: [
        sorted(name for name in sage.values("AR/ARTerms?$top=1")[0] if name.startswith("TermsCode")),
        _status(sage, "AR/ARTerms?$filter=TermsCode eq 'N30'"),
        _status(sage, "AR/ARTerms(TermsCodeKey='N30')"),
        sage.call("POST", "AR/ARTerms", {"TermsCodeKey": "NEW", "Description": "New"}).status_code,
        "TermsCodeKey" in sage.get("AR/$metadata").text,
    ],
    "unrecorded_statuses": _as("WEBAPI", "wrong"),
    "location_header": lambda sage: "Location" in _new_vendor(sage).headers,
    "process_status": lambda sage: _posted(sage, _batch(sage)),
    "broken": lambda sage: sage.get("AP/APVendors?$top=1").text[:60],
}  # fmt: skip


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.name)
def test_each_reading_is_another_sage(switch: Switch) -> None:
    seen = []
    for reading in (switch.default, *switch.others):
        with sage_service(vendors=105) as sage:
            setattr(sage.world.switches, switch.name, reading)
            seen.append(SEEN[switch.name](sage))
    assert all(one not in seen[:at] for at, one in enumerate(seen)), seen


def test_no_switch_is_left_out() -> None:
    assert set(SEEN) == {switch.name for switch in SWITCHES}
