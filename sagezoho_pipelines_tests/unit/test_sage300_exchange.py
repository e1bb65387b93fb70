"""One call until it is answered: again where that does no harm, in turn with others, and never with its secrets."""

from __future__ import annotations

import base64
import threading
import traceback
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from sagezoho_pipelines.calls.pressure import GROW_AFTER
from sagezoho_pipelines.domain.errors import (
    VendorError,
    Verdict,
)
from sagezoho_pipelines.sage300.client import Sage300Client
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

HALF = Reply(200, b'{"value":[{"VendorNu')


# --- not an answer, while reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        html_reply(503, "Service Unavailable"),
        fault_reply(429, "TooManyRequests", "flooded"),
        fault_reply(500, "InternalServerError", "oops"),
        html_reply(502, "Bad Gateway"),
        html_reply(504, "Gateway Timeout"),
        HALF,
        Reply(200, b""),
        Reply(200, b'{"value":[]}', {"Content-Type": "application/json", "Content-Length": "100"}),
        lost_connection(),
        refused_connection(),
        requests.ReadTimeout("slow"),
        requests.ConnectTimeout("far"),
    ],
)
def test_reads_are_tried_again(trouble: Reply | Exception) -> None:
    time, adapter = FakeTime(), ScriptedAdapter(trouble, rows_reply({"VendorNumber": "1"}))
    client = client_of(adapter, time)
    assert client.exists("AP/APVendors", where=[])
    assert (client.usage.reads, client.usage.retries, len(time.slept)) == (2, 1, 1)


def test_attempts_are_bounded_and_back_off_doubles_to_its_cap() -> None:
    time, adapter = FakeTime(), ScriptedAdapter(lost_connection())
    with pytest.raises(VendorError) as error:
        client_of(adapter, time, max_attempts=9).exists("AP/APVendors", where=[])
    assert time.slept == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert (error.value.code, error.value.verdict, len(adapter.requests)) == ("ConnectionLost", Verdict.RETRY, 9)


def test_a_fault_inside_sage_is_tried_three_times() -> None:
    adapter = ScriptedAdapter(fault_reply(500, "InternalServerError", "oops"))
    with pytest.raises(VendorError, match="oops"):
        client_of(adapter).exists("AP/APVendors", where=[])
    assert len(adapter.requests) == 3


@pytest.mark.parametrize(
    "refusal",
    [
        fault_reply(401, "Unauthorized", "no"),
        fault_reply(403, "Forbidden", "no"),
        fault_reply(500, "SessionError", "no"),
        fault_reply(500, "DBLinkError", "no"),
        html_reply(404, "Not Found"),
        html_reply(200, "Sage 300 Web API"),
        Reply(200, b"OK", {"Content-Type": "text/plain"}),
        json_reply({"something": "else"}),
    ],
)
def test_what_only_a_person_can_mend_is_not_tried_again(refusal: Reply) -> None:
    adapter = ScriptedAdapter(refusal)
    with pytest.raises(VendorError) as error:
        client_of(adapter).exists("AP/APVendors", where=[])
    assert (error.value.verdict, len(adapter.requests)) == (Verdict.FATAL, 1)
    assert error.value.advice


def test_an_unreachable_host_is_named() -> None:
    with pytest.raises(VendorError, match=r"sage\.example:8443") as error:
        client_of(ScriptedAdapter(refused_connection()), base_url="https://sage.example:8443/x").exists(
            "AP/APVendors", where=[]
        )
    assert (error.value.code, error.value.verdict) == ("Unreachable", Verdict.RETRY)


@pytest.mark.parametrize(
    ("header", "waited"), [("7", 7.0), ("Mon, 05 Jan 2026 10:00:20 GMT", 20.0), ("soon", 0.5), ("-5", 0.5), ("", 0.5)]
)
def test_retry_after_is_honoured(header: str, waited: float) -> None:
    time = FakeTime()
    adapter = ScriptedAdapter(fault_reply(429, "TooManyRequests", "x", **{"Retry-After": header}), rows_reply())
    client_of(adapter, time, now=lambda: datetime(2026, 1, 5, 10, tzinfo=UTC)).exists("AP/APVendors", where=[])
    assert time.slept == [waited]


@pytest.mark.parametrize("hour", [8, 10, 12])
def test_the_date_in_a_retry_after_is_one_of_the_servers_clock(hour: int) -> None:
    time = FakeTime()
    told = {"Date": f"Mon, 05 Jan 2026 {hour:02}:00:00 GMT", "Retry-After": f"Mon, 05 Jan 2026 {hour:02}:00:20 GMT"}
    adapter = ScriptedAdapter(fault_reply(429, "TooManyRequests", "x", **told), rows_reply())
    client_of(adapter, time, now=lambda: datetime(2026, 1, 5, 10, tzinfo=UTC)).exists("AP/APVendors", where=[])
    assert time.slept == [20.0]


@pytest.mark.parametrize(("drawn", "waited"), [(0.0, [0.25, 0.5, 1.0]), (0.5, [0.375, 0.75, 1.5])])
def test_waits_are_jittered_so_that_callers_do_not_come_back_together(drawn: float, waited: list[float]) -> None:
    time = FakeTime()
    adapter = ScriptedAdapter(lost_connection(), lost_connection(), lost_connection(), rows_reply())
    client_of(adapter, time, random=lambda: drawn).exists("AP/APVendors", where=[])
    assert time.slept == waited


def test_a_server_that_asks_for_much_time_is_left_to_a_later_attempt() -> None:
    time = FakeTime()
    adapter = ScriptedAdapter(fault_reply(429, "TooManyRequests", "x", **{"Retry-After": "900"}))
    with pytest.raises(VendorError) as error:
        client_of(adapter, time).exists("AP/APVendors", where=[])
    assert (error.value.retry_after, time.slept) == (900.0, [])


# --- pressure ------------------------------------------------------------------------------------------------------


def test_a_503_halves_the_limit_and_success_restores_it() -> None:
    adapter = ScriptedAdapter(html_reply(503, "x"), rows_reply())
    client = client_of(adapter, concurrency=4)
    client.exists("AP/APVendors", where=[])
    assert client.pressure.allowed == 2
    for _ in range(2 * GROW_AFTER):
        client.exists("AP/APVendors", where=[])
    assert client.pressure.allowed == 4


def test_everybody_waits_after_a_push_back() -> None:
    time, adapter = FakeTime(), ScriptedAdapter(html_reply(503, "x"), rows_reply())
    client = client_of(adapter, time, max_attempts=1)
    with pytest.raises(VendorError):
        client.exists("AP/APVendors", where=[])
    client.exists("AP/APVendors", where=[])
    assert time.slept == [0.5]


def test_no_more_calls_run_at_once_than_allowed() -> None:
    inside, most, lock, two = 0, 0, threading.Lock(), threading.Event()

    class Slow(ScriptedAdapter):
        def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
                if inside == 2:
                    two.set()
            two.wait(30)
            threading.Event().wait(0.01)  # for a third one
            try:
                return super().send(request, **how)
            finally:
                with lock:
                    inside -= 1

    client = client_of(Slow(rows_reply()))
    threads = [threading.Thread(target=client.exists, args=("AP/APVendors",), kwargs={"where": []}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


# --- secrets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [lost_connection(), fault_reply(401, "Unauthorized", "x"), HALF])
def test_no_secret_is_in_errors_logs_or_names(trouble: Reply | Exception, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    client = client_of(ScriptedAdapter(trouble))
    encoded = base64.b64encode(b"WEBAPI:s3cret").decode()
    with pytest.raises(VendorError) as error:
        client.exists("AP/APVendors", where=[])
    seen = "".join(traceback.format_exception(error.value)) + caplog.text + repr(client) + str(error.value.answer())
    assert "s3cret" not in seen
    assert encoded not in seen
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "text/plain"), (407, "text/html"), (503, "text/html"), (200, "text/html")]
)
def test_a_page_that_repeats_the_request_is_told_without_its_sign_on(status: int, kind: str) -> None:
    encoded = base64.b64encode(b"WEBAPI:s3cret")
    page = Reply(status, b"You sent: Authorization: Basic " + encoded, {"Content-Type": kind})
    with pytest.raises(VendorError, match=r"You sent: Authorization: Basic \*\*\*") as error:
        client_of(ScriptedAdapter(page), max_attempts=1).exists("AP/APVendors", where=[])
    assert encoded.decode() not in str(error.value) + repr(error.value) + str(error.value.answer())


def test_the_client_names_its_company_and_nothing_secret() -> None:
    assert repr(client_of(ScriptedAdapter(rows_reply()))) == (
        "Sage300Client(http://sage.example/Sage300WebApi, company=SAMINC)"
    )


def test_a_header_takes_no_line_break() -> None:
    with pytest.raises(ValueError):
        Sage300Client(base_url="http://x", company="A", credentials=dict, request_source="a\r\nb")
