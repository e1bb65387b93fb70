"""What the client asks of the Web API, and what it makes of the answers."""

from __future__ import annotations

import base64
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import (
    ConfigurationError,
    CredentialsMissing,
    OutcomeUnknown,
    VendorError,
    Verdict,
)
from sagezoho_pipelines.engine import ports
from sagezoho_pipelines_tests.unit.sage300_script import (
    FakeTime,
    Reply,
    ScriptedAdapter,
    client_of,
    fault_reply,
    html_reply,
    json_reply,
    lost_connection,
    refused_connection,
    rows_reply,
)

CUSTOMER = {"CustomerNumber": "1200", "CustomerName": "Ronald Black", "UpdateOperation": "Unspecified"}


def test_the_client_is_the_port() -> None:
    port: ports.Sage300 = client_of(ScriptedAdapter(rows_reply()))
    assert port.usage.calls == 0


# --- the request ---------------------------------------------------------------------------------------------------


def test_every_request_carries_the_documented_headers() -> None:
    adapter = ScriptedAdapter(rows_reply())
    client = client_of(adapter, credentials=lambda: {"username": " webapi ", "password": "pä:ß"})
    client.request_source = "sagezoho run 42"
    client.exists("AP/APVendors", where=[])
    headers = adapter.requests[0].headers
    assert headers["Content-Type"] == headers["Accept"] == "application/json"
    assert headers["X-Request-Source"] == "sagezoho run 42"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == "WEBAPI:pä:ß".encode()
    assert adapter.timeouts == [(10.0, 120.0)]


def test_credentials_are_asked_for_at_each_request() -> None:
    passwords = iter(["first", "second"])
    adapter = ScriptedAdapter(rows_reply())
    client = client_of(adapter, credentials=lambda: {"username": "u", "password": next(passwords)})
    client.exists("AP/APVendors", where=[])
    client.exists("AP/APVendors", where=[])
    assert adapter.requests[0].headers["Authorization"] != adapter.requests[1].headers["Authorization"]


@pytest.mark.parametrize("secret", [{}, {"password": "x"}, {"username": "", "password": "x"}, {"username": "a:b"}])
def test_no_usable_user_name_is_said_before_anything_is_sent(secret: dict[str, str]) -> None:
    adapter = ScriptedAdapter(rows_reply())
    with pytest.raises(CredentialsMissing, match="credentials set"):
        client_of(adapter, credentials=lambda: secret).exists("AP/APVendors", where=[])
    assert adapter.requests == []


def test_exists_asks_for_one_row_and_one_column() -> None:
    adapter = ScriptedAdapter(rows_reply({"VendorNumber": "1"}))
    assert client_of(adapter).exists("AP/APVendors", where=[where("Status", "eq", "Active")])
    assert adapter.path() == "/Sage300WebApi/v1.0/-/SAMINC/AP/APVendors"
    assert adapter.options() == {"$select": "VendorNumber", "$filter": "Status eq 'Active'", "$top": "1"}


@pytest.mark.parametrize(
    "base_url",
    ["", "sage", "ftp://sage/x", "http://user:pw@sage/x", "http://sage/x?y=1", "http://sage:port/x", "http://[::1/x"],
)
def test_an_unusable_address_is_refused_without_repeating_a_password(base_url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        client_of(ScriptedAdapter(rows_reply()), base_url=base_url)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("company", ["", "A/B", "SAM INC", "..", "x" * 40])
def test_a_company_that_is_none_is_refused(company: str) -> None:
    with pytest.raises(ConfigurationError):
        client_of(ScriptedAdapter(rows_reply()), company=company)


def test_redirects_are_not_followed() -> None:
    adapter = ScriptedAdapter(Reply(302, b"", {"Location": "https://evil.example/login?t=1"}))
    with pytest.raises(VendorError, match=r"evil\.example") as error:
        client_of(adapter).exists("AP/APVendors", where=[])
    assert (len(adapter.requests), error.value.verdict) == (1, Verdict.FATAL)


# --- reading -------------------------------------------------------------------------------------------------------


def test_rows_are_trimmed_all_the_way_down_and_keep_their_digits() -> None:
    body = {
        "@odata.context": "x",
        "OrderUniquifier": 7,
        "OrderTotal": 12.10,
        "TermsCode": "N30   ",
        "OrderDetails": [{"Item": "A1 ", "Note": ["b ", " c"]}],
        "Empty": "",
        "Null": None,
    }
    row = client_of(ScriptedAdapter(json_reply(body))).get("OE/OEOrders", "7")
    assert row == {
        "OrderUniquifier": 7,
        "OrderTotal": Decimal("12.1"),
        "TermsCode": "N30",
        "OrderDetails": [{"Item": "A1", "Note": ["b", " c"]}],
        "Empty": "",
        "Null": None,
    }


def test_a_record_by_key_may_come_wrapped_in_a_list() -> None:
    assert client_of(ScriptedAdapter(rows_reply(CUSTOMER))).get("AR/ARCustomers", "1200") == CUSTOMER
    assert client_of(ScriptedAdapter(rows_reply())).get("AR/ARCustomers", "1200") is None


def test_a_record_that_is_not_there_is_none_and_a_set_that_is_not_there_an_error() -> None:
    gone = fault_reply(404, "RecordNotFound", "A Record cannot be found for the specified entity key")
    assert client_of(ScriptedAdapter(gone)).get("AR/ARCustomers", "9") is None
    with pytest.raises(VendorError) as error:
        client_of(ScriptedAdapter(fault_reply(404, "ResourceNotFound", "x"))).get("AR/ARCustomers", "9")
    assert error.value.code == "ResourceNotFound"
    with pytest.raises(VendorError) as error:
        client_of(ScriptedAdapter(html_reply(404, "404 - File or directory not found."))).get("AR/ARCustomers", "9")
    assert error.value.verdict is Verdict.FATAL


@pytest.mark.parametrize("key", ["A/B", "A&B", "50%", "A+B", "A:B", "Ä1"])
def test_a_key_that_iis_refuses_in_a_path_is_asked_for_by_filter(key: str) -> None:
    adapter = ScriptedAdapter(rows_reply({"UnformattedItemNumber": key}))
    assert client_of(adapter).get("IC/ICItems", key) == {"UnformattedItemNumber": key}
    assert adapter.path().endswith("/IC/ICItems")
    assert adapter.options()["$filter"] == f"UnformattedItemNumber eq '{key}'"


def test_find_splits_long_lists_and_stops_at_its_limit() -> None:
    values = [f"{number:02}" for number in range(25)]

    def answer(request: requests.PreparedRequest) -> Reply:
        asked = [value for value in values if f"%27{value}%27" in str(request.url)]
        [skip] = parse_qs(str(urlsplit(str(request.url)).query)).get("$skip", ["0"])
        return rows_reply(*({"VendorNumber": value} for value in asked[int(skip) :]))

    adapter = ScriptedAdapter(answer=answer)
    condition = where("VendorNumber", "in", values)
    rows = client_of(adapter).find("AP/APVendors", where=[condition], select=["VendorNumber"])
    assert [row["VendorNumber"] for row in rows] == values
    adapter.requests.clear()
    assert len(client_of(adapter).find("AP/APVendors", where=[condition], select=["VendorNumber"], limit=10)) == 10
    assert len(adapter.requests) == 1
    assert client_of(adapter).find("AP/APVendors", where=[where("VendorNumber", "in", [])], select=[]) == []


def test_the_key_is_read_along_for_paging_and_not_handed_out() -> None:
    adapter = ScriptedAdapter(rows_reply({"VendorName": "A ", "VendorNumber": "1"}), rows_reply())
    pages = list(client_of(adapter).pages("AP/APVendors", select=["VendorName"], page_size=50))
    assert pages == [[{"VendorName": "A"}]]
    assert adapter.options(0) == {"$select": "VendorName,VendorNumber", "$top": "50"}


def test_a_select_too_long_for_iis_is_left_out_and_done_here() -> None:
    names = [f"Property{number:04}" for number in range(300)]
    row = dict.fromkeys([*names, "VendorNumber", "Other"], 1)
    adapter = ScriptedAdapter(rows_reply(row), rows_reply())
    [[read]] = client_of(adapter).pages("AP/APVendors", select=names)
    assert list(read) == names
    assert "$select" not in adapter.options(0)


# --- writing -------------------------------------------------------------------------------------------------------


def test_a_record_is_posted_in_the_order_given_and_returned_as_completed() -> None:
    adapter = ScriptedAdapter(json_reply({"@odata.context": "x", **CUSTOMER}, 201))
    body = {"CustomerNumber": "1200", "GroupCode": "RTL", "CreditLimitCustomerCurrency": Decimal("10.50")}
    client = client_of(adapter)
    assert client.create("AR/ARCustomers", body) == CUSTOMER
    assert adapter.requests[0].body == (
        b'{"CustomerNumber":"1200","GroupCode":"RTL","CreditLimitCustomerCurrency":10.50}'
    )
    assert (client.usage.reads, client.usage.writes) == (0, 1)


@pytest.mark.parametrize(
    "trouble",
    [
        html_reply(503, "Service Unavailable"),
        fault_reply(500, "InternalServerError", "oops"),
        fault_reply(500, "SessionError", "oops"),
        html_reply(502, "Bad Gateway"),
        html_reply(504, "Gateway Timeout"),
        html_reply(408, "Request Timeout"),
        Reply(201, b'{"CustomerNumber":"12'),
        Reply(201, b""),
        Reply(204, b""),
        html_reply(200, "welcome"),
        json_reply({"value": []}, 201),
        json_reply({"CustomerName": "no key"}, 201),
        json_reply({"error": {"code": "General", "message": "late"}}, 200),
        lost_connection(),
        requests.ReadTimeout("slow"),
        requests.exceptions.ChunkedEncodingError("broken"),
        requests.exceptions.SSLError("EOF occurred"),
        requests.exceptions.ProxyError("no"),
    ],
)
def test_a_create_without_a_whole_answer_is_unknown_and_never_sent_again(trouble: Reply | Exception) -> None:
    adapter = ScriptedAdapter(trouble, json_reply(CUSTOMER, 201))
    with pytest.raises(OutcomeUnknown) as unknown:
        client_of(adapter).create("AR/ARCustomers", {"CustomerNumber": "1200"})
    assert len(adapter.requests) == 1
    assert unknown.value.verdict is Verdict.RETRY
    assert "read back" in unknown.value.advice


@pytest.mark.parametrize(
    "trouble", [refused_connection(), requests.ConnectTimeout("far"), fault_reply(429, "TooManyRequests", "x")]
)
def test_a_create_that_the_server_has_not_begun_is_sent_again(trouble: Reply | Exception) -> None:
    adapter = ScriptedAdapter(trouble, json_reply(CUSTOMER, 201))
    assert client_of(adapter).create("AR/ARCustomers", {"CustomerNumber": "1200"}) == CUSTOMER
    assert len(adapter.requests) == 2


def test_an_unrelated_error_in_hand_does_not_make_a_create_look_unsent() -> None:
    adapter = ScriptedAdapter(lost_connection())
    try:
        raise refused_connection()
    except requests.ConnectionError:
        with pytest.raises(OutcomeUnknown):
            client_of(adapter).create("AR/ARCustomers", {"CustomerNumber": "1200"})


def test_a_create_that_would_wait_too_long_is_not_sent_and_not_unknown() -> None:
    time = FakeTime()
    adapter = ScriptedAdapter(fault_reply(429, "TooManyRequests", "x", **{"Retry-After": "30"}))
    with pytest.raises(VendorError) as error:
        client_of(adapter, time).create("AR/ARCustomers", {"CustomerNumber": "1200"})
    assert not isinstance(error.value, OutcomeUnknown)
    assert (error.value.code, error.value.verdict, len(adapter.requests)) == ("NotSent", Verdict.RETRY, 1)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (fault_reply(409, "FieldInvalid", "Item number X does not exist."), Verdict.REFUSE),
        (fault_reply(409, "RecordDuplicate", "exists"), Verdict.CONFLICT),
        (fault_reply(409, "RecordDuplicate", "Day End Processing is running"), Verdict.RETRY),
        (fault_reply(400, "InvalidPayload", "x"), Verdict.REFUSE),
        (fault_reply(401, "Unauthorized", "x"), Verdict.FATAL),
        (html_reply(400, "Bad Request"), Verdict.REFUSE),
    ],
)
def test_a_refused_create_is_known_and_sent_once(reply: Reply, verdict: Verdict) -> None:
    time, adapter = FakeTime(), ScriptedAdapter(reply)
    with pytest.raises(VendorError) as error:
        client_of(adapter, time).create("AR/ARCustomers", {"CustomerNumber": "1200"})
    assert not isinstance(error.value, OutcomeUnknown)
    assert (error.value.verdict, len(adapter.requests), time.slept) == (verdict, 1, [])


@pytest.mark.parametrize("key", ["A/B", "A+B", "50%", "A:B", "A" * 161])
def test_a_key_that_iis_refuses_in_a_path_is_a_refusal_of_its_record_and_not_sent(key: str) -> None:
    adapter = ScriptedAdapter(html_reply(404, "Not Found"))
    with pytest.raises(VendorError) as error:
        client_of(adapter).patch("AP/APVendors", key, {"City": "Oslo"})
    assert (error.value.code, error.value.verdict) == ("InvalidEntityKey", Verdict.REFUSE)
    assert adapter.requests == []


def test_a_patch_is_repeated_unless_it_inserts_rows() -> None:
    adapter = ScriptedAdapter(lost_connection(), Reply(204))
    client_of(adapter).patch("AR/ARCustomers", "1200", {"CustomerName": "New"})
    assert (adapter.requests[-1].method, len(adapter.requests)) == ("PATCH", 2)
    inserting = {"Invoices": [{"UpdateOperation": "Insert", "EntryNumber": 1}]}
    with pytest.raises(OutcomeUnknown):
        client_of(ScriptedAdapter(lost_connection())).patch("AR/ARInvoiceBatches", "66", inserting)
