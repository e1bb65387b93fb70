"""Reading from the simulated Sage 300: paging, filters, selection, serialisation, metadata, keys."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
import simplejson
from defusedxml import ElementTree

from sagezoho_pipelines.sandbox.sage300.catalog import MODULES, SETS
from sagezoho_pipelines.sandbox.sage300.company import founded
from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
from sagezoho_pipelines_tests.contract.sage_service import SageService, refusal, sage_service

VENDORS = 250
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"


@pytest.fixture(scope="module")
def shared() -> Iterator[SageService]:
    with sage_service(vendors=VENDORS) as running:
        yield running


@pytest.fixture
def sage(shared: SageService) -> Iterator[SageService]:
    yield shared
    defaults = SageSwitches()
    for name in vars(defaults):
        setattr(shared.world.switches, name, getattr(defaults, name))


def test_a_page_holds_a_hundred_rows_and_its_link_forgets_everything_but_skip(sage: SageService) -> None:
    body = sage.get("AP/APVendors?$select=VendorNumber&$filter=Status eq 'Active'").json()
    assert len(body["value"]) == 100
    assert body["@odata.nextLink"].endswith("/AP/APVendors?$skip=100")


def test_paging_by_skip_meets_every_row_once(sage: SageService) -> None:
    seen = [
        row["VendorNumber"]
        for skip in range(0, VENDORS, 100)
        for row in sage.values(f"AP/APVendors?$select=VendorNumber&$skip={skip}&$top=100")
    ]
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen) == VENDORS


def test_top_within_a_page_brings_no_link(sage: SageService) -> None:
    assert "@odata.nextLink" not in sage.get("AP/APVendors?$top=100").json()


def test_top_beyond_a_page_is_cut_to_the_page(sage: SageService) -> None:
    body = sage.get("AP/APVendors?$top=150&$select=VendorNumber").json()
    assert len(body["value"]) == 100
    assert body["@odata.nextLink"].endswith("?$skip=100")


def test_a_link_may_keep_its_options_by_switch(sage: SageService) -> None:
    sage.world.switches.next_link_keeps_options = True
    link = sage.get("AP/APVendors?$select=VendorNumber&$top=150").json()["@odata.nextLink"]
    rest = sage.session.get(link, timeout=60).json()
    assert len(rest["value"]) == 50
    assert set(rest["value"][0]) == {"VendorNumber"}


def test_count_is_a_number_over_all_pages(sage: SageService) -> None:
    assert sage.get("AP/APVendors?$count=true&$top=1").json()["@odata.count"] == VENDORS


def test_context_names_the_selection(sage: SageService) -> None:
    body = sage.get("AP/APVendors?$select=VendorNumber,VendorName&$top=1").json()
    assert body["@odata.context"].endswith("/AP/$metadata#APVendors(VendorNumber,VendorName)")
    assert list(body["value"][0]) == ["VendorNumber", "VendorName"]


def test_a_key_returns_the_bare_record(sage: SageService) -> None:
    body = sage.get("AP/APVendors('1200')").json()
    assert body["VendorNumber"] == "1200"
    assert "value" not in body


@pytest.mark.parametrize(
    "path",
    [
        "AP/APVendors(1200)",
        "AP/APVendors(VendorNumber='1200')",
        "TX/TXTaxGroups('CALIF','Sales')",
        "TX/TXTaxGroups(TransactionType='Sales',TaxGroupKey='CALIF')",
        "OE/OEOrders(100352)",
        "AP/APInvoiceBatches(1)",
    ],
)
def test_keys_are_taken_quoted_unquoted_numeric_and_named(sage: SageService, path: str) -> None:
    assert sage.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["OE/OEOrders('ORD000000001')", "AP/APVendors('a','b')", "TX/TXTaxGroups('CALIF')", "TX/TXTaxGroups(A='b',C='d')"],
)
def test_keys_that_do_not_fit_are_refused(sage: SageService, path: str) -> None:
    assert refusal(sage.get(path))[:2] == (400, "InvalidEntityKey")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("VendorNumber eq '1200'", 1),
        ("VendorNumber eq 'none'", 0),
        ("VendorNumber ne '1200'", VENDORS - 1),
        ("DateLastMaintained ge 2019-01-01T00:00:00Z", VENDORS),
        ("DateLastMaintained lt 2019-01-01", 0),
        ("DateLastMaintained ge 2020-01-01 and DateLastMaintained lt 2020-01-01T00:00:00Z", 0),
        ("InactiveDate eq null or InactiveDate ne null", VENDORS),
        ("(VendorNumber eq '1200' or VendorNumber eq 'V000001') and startswith(VendorNumber,'V')", 1),
        ("length(VendorNumber) eq 4", 1),
        ("endswith(VendorNumber,'00') and contains(VendorNumber,'V')", 2),
        ("CreditLimit gt 1000.00", 0),
        ("SuppressIntegration eq false", VENDORS),
        ("'1200' eq VendorNumber", 1),
        ("VendorName eq 'O''Nobody'", 0),
    ],
)
def test_filters_find_what_they_say(sage: SageService, text: str, expected: int) -> None:
    reply = sage.get("AP/APVendors", params={"$filter": text, "$count": "true", "$top": "1"})
    assert reply.json()["@odata.count"] == expected, reply.text


@pytest.mark.parametrize(
    "text",
    [
        "Nonsense eq 1",
        "vendornumber eq '1200'",
        "substringof('a',VendorName)",
        "tolower(VendorName) eq 'a'",
        "VendorNumber eq 1200",
        "OnHold eq 'Yes'",
        "OnHold eq 1",
        "DateLastMaintained gt datetime'2015-12-31T12:00'",
        "DateLastMaintained gt '2015-12-31'",
        "CreditLimit gt 99.99m",
        "VendorNumber eq",
        "VendorNumber eq 'a' or",
        "(VendorNumber eq 'a'",
        "VendorNumber eq 'O'Brien'",
        "VendorOptionalFieldValues eq null",
        "VendorNumber in ('a','b')",
        " or ".join(["VendorNumber eq 'a'"] * 26),
        "",
    ],
)
def test_filters_outside_the_grammar_are_refused(sage: SageService, text: str) -> None:
    assert refusal(sage.get("AP/APVendors", params={"$filter": text}))[:2] == (400, "InvalidParameters")


def test_an_unknown_property_is_named_with_its_type(sage: SageService) -> None:
    _, _, text = refusal(sage.get("AR/ARPostedDocuments?$filter=X eq 1"))
    assert text == (
        "Could not find a property named 'X' on type 'Sage.CA.SBS.ERP.Sage300.AR.WebApi.Models.PostedDocument'."
    )


def test_old_literals_pass_by_switch(sage: SageService) -> None:
    sage.world.switches.legacy_literals = True
    text = "substringof('V',VendorNumber) and CreditLimit lt 5m and DateLastMaintained gt datetime'2015-12-31T12:00'"
    assert sage.get("AP/APVendors", params={"$filter": text}).status_code == 200


def test_calculated_properties_cannot_be_filtered(sage: SageService) -> None:
    reply = sage.get("OE/OEOrders?$filter=InvoiceWillBeProduced eq true")
    assert refusal(reply)[:2] == (400, "InvalidParameters")


@pytest.mark.parametrize(
    "query",
    [
        "$orderby=VendorNumber",
        "$expand=VendorOptionalFieldValues",
        "$search=a",
        "$apply=x",
        "$inlinecount=allpages",
        "$top=1&$top=2",
        "$top=-1",
        "$skip=x",
        "$count=yes",
        "$select=Nonsense",
    ],
)
def test_other_options_are_refused(sage: SageService, query: str) -> None:
    assert refusal(sage.get(f"AP/APVendors?{query}"))[:2] == (400, "InvalidParameters")


def test_order_by_works_only_by_switch(sage: SageService) -> None:
    sage.world.switches.order_by = True
    rows = sage.values("AP/APInvoiceBatches?$orderby=BatchNumber desc&$select=BatchNumber")
    assert [row["BatchNumber"] for row in rows] == sorted((row["BatchNumber"] for row in rows), reverse=True)


def test_view_types_decide_the_json_type(sage: SageService) -> None:
    assert sage.values("AR/ARCustomers?$top=1&$select=OnHold")[0]["OnHold"] in ("Yes", "No")
    assert sage.values("OE/OEOrders?$top=1&$select=OnHold")[0]["OnHold"] is False
    assert sage.values("IC/ICItems?$top=1&$select=Status")[0]["Status"] is False
    assert sage.values("OE/OEInvoices?$top=1&$select=InvoiceFiscalPeriod")[0]["InvoiceFiscalPeriod"].startswith("Num")


def test_zero_decimals_carry_their_scale_and_others_are_trimmed(sage: SageService) -> None:
    text = sage.get("AR/ARCustomers('1400')?$select=CreditLimitCustomerCurrency,AmountPastDue").text
    assert '"CreditLimitCustomerCurrency":50000,' in text
    assert '"AmountPastDue":0.000' in text


def test_dates_are_midnights_or_null_and_empty_texts_are_empty(sage: SageService) -> None:
    row = sage.get("AP/APVendors('1200')?$select=DateLastMaintained,InactiveDate,BusinessRegistrationNumber").json()
    assert row["DateLastMaintained"].endswith("T00:00:00Z")
    assert row["InactiveDate"] is None
    assert row["BusinessRegistrationNumber"] == ""


def test_some_texts_come_with_trailing_blanks(sage: SageService) -> None:
    rows = sage.values("AP/APVendors?$select=VendorName,Terms")
    assert all(len(row["Terms"]) == 6 for row in rows)
    assert any(row["VendorName"] != row["VendorName"].rstrip() for row in rows)


def test_every_record_and_detail_closes_with_update_operation(sage: SageService) -> None:
    def check(record: dict[str, Any]) -> None:
        assert list(record)[-1] == "UpdateOperation"
        assert record["UpdateOperation"] == "Unspecified"
        for value in record.values():
            for row in value if isinstance(value, list) else []:
                check(row)

    for entity in SETS:
        if not entity.process and entity.name != "ARInvoiceBatches":
            check(sage.values(f"{entity.module}/{entity.name}?$top=1")[0])


def test_no_audit_columns_are_served() -> None:
    for entity in SETS:
        assert not [name for name in entity.type.fields if name.upper().startswith("AUDT")]


@pytest.mark.parametrize("module", MODULES)
def test_metadata_lists_every_property_served(sage: SageService, module: str) -> None:
    reply = sage.get(f"{module}/$metadata")
    root = ElementTree.fromstring(reply.content)
    namespace = f"Sage.CA.SBS.ERP.Sage300.{module}.WebApi.Models"
    types = {
        f"{namespace}.{element.get('Name')}": element
        for kind in ("EntityType", "ComplexType", "EnumType")
        for element in root.iter(EDM + kind)
    }
    sets = {element.get("Name"): element.get("EntityType") for element in root.iter(EDM + "EntitySet")}

    def check(record: dict[str, Any], name: str) -> None:
        listed = {element.get("Name"): element.get("Type") for element in types[name].iter(EDM + "Property")}
        assert set(record) == set(listed)
        for key, value in record.items():
            edm = listed[key]
            if edm.startswith("Collection("):
                for row in value:
                    check(row, edm[11:-1])
            elif edm.startswith(namespace):
                assert edm.rpartition(".")[2].startswith(f"{key}Enum")
                assert value in [element.get("Name") for element in types[edm].iter(EDM + "Member")]

    for entity in SETS:
        if entity.module == module and not entity.process:
            for record in sage.values(f"{module}/{entity.name}?$top=3"):
                check(record, sets[entity.name])


def test_service_document_lists_the_sets(sage: SageService) -> None:
    assert "ARCustomers" in [one["name"] for one in sage.get("AR/").json()["value"]]


def test_landing_page_needs_no_credentials(sage: SageService) -> None:
    assert "Sage 300" in requests.get(f"{sage.host}/Sage300WebApi", timeout=60).text


def test_the_iis_part_of_the_url_is_taken_in_any_case(sage: SageService) -> None:
    url = f"{sage.host}/sage300webapi/V1.0/-/SAMINC/AP/APVendors('1200')"
    assert sage.session.get(url, timeout=60).status_code == 200


def test_answers_carry_the_recorded_headers(sage: SageService) -> None:
    headers = sage.get("AP/APVendors?$top=1").headers
    assert headers["content-type"] == "application/json; odata.metadata=minimal"
    assert headers["odata-version"] == "4.0"
    assert headers["server"] == "Microsoft-IIS/10.0"


def test_same_seed_same_bytes() -> None:
    def dump(seed: int) -> str:
        world = founded(seed=seed, vendors=120)
        rows = {name: list(world.state(name)) for name in world.tables}
        return str(simplejson.dumps(rows, default=str, use_decimal=True))

    assert dump(7) == dump(7)
    assert dump(7) != dump(8)


def test_the_vendors_are_as_odd_as_real_ones() -> None:
    rows = list(founded(vendors=300).state("AP/APVendors"))
    assert any(row["ContactName"] and " " not in row["ContactName"] for row in rows)
    assert any("'" in row["VendorName"] for row in rows)
    assert any("ü" in row["VendorName"] for row in rows)
    assert {row["OnHold"] for row in rows} == {"NotOnHold", "OnHold"}
    assert {row["Status"] for row in rows} == {"Active", "Inactive"}
    assert any(not row["Email"] and not row["ContactsEmail"] for row in rows)
    assert {row["CurrencyCode"] for row in rows} == {"USD", "CAD", "EUR"}
    assert all(isinstance(row["CreditLimit"], Decimal) for row in rows)
