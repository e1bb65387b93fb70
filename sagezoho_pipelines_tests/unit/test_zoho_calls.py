"""One call: its header, its token, its retries, its cost, and the judgement of its answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, ProxyError, SSLError

from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines.zoho_crm.pressure import Gate
from sagezoho_pipelines_tests.unit.zoho_script import (
    Play,
    Sent,
    Waits,
    bad_row,
    client,
    failure,
    ok_row,
    token_answer,
)

USERS = Play({"users": [{"id": "1"}]})
BROKEN = requests.exceptions.ConnectionError(ProtocolError("Connection aborted."))
REFUSED = requests.exceptions.ConnectionError(
    MaxRetryError(None, "/", NewConnectionError(None, "refused"))  # type: ignore[arg-type]
)
# What requests raises where the connection breaks after the request was sent: over TLS, and through a proxy.
BROKEN_TLS = requests.exceptions.SSLError(MaxRetryError(None, "/", SSLError("EOF in violation of protocol")))  # type: ignore[arg-type]
BROKEN_BEHIND_A_PROXY = requests.exceptions.ProxyError(
    MaxRetryError(None, "/", ProxyError("Unable to connect to proxy", ConnectionResetError()))  # type: ignore[arg-type]
)
HTML = Play(raw=b"<html>gateway</html>", status=502, headers={"Content-Type": "text/html"})


def test_a_call_goes_to_the_tokens_domain_with_zohos_own_header() -> None:
    zoho, script, _ = client([USERS])
    assert zoho.current_user() == {"id": "1"}
    sent = script.sent[0]
    assert (sent.host, sent.path, sent.params) == ("www.zohoapis.eu", "/crm/v8/users", {"type": "CurrentUser"})
    assert sent.headers["Authorization"] == "Zoho-oauthtoken 1000.access"
    assert sent.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("code", ["INVALID_TOKEN", "AUTHENTICATION_FAILURE", "INVALID_OAUTHTOKEN"])
@pytest.mark.parametrize("status", [401, 400, 200])
def test_a_rejected_token_is_renewed_and_the_call_sent_once_more(code: str, status: int) -> None:
    zoho, script, _ = client([failure(code, status), USERS], tokens=[token_answer("second")])
    assert zoho.current_user()
    assert [sent.token for sent in script.sent] == ["1000.access", "second"]


def test_a_token_rejected_twice_is_fatal() -> None:
    zoho, script, _ = client([failure("INVALID_TOKEN", 401)] * 2, tokens=[token_answer("second")])
    with pytest.raises(VendorError) as caught:
        zoho.current_user()
    assert (caught.value.verdict, caught.value.code) == (Verdict.FATAL, "INVALID_TOKEN")
    assert len(script.sent) == 2
    assert "second" not in str(caught.value)


def test_a_missing_scope_is_not_answered_with_a_new_token() -> None:
    zoho, script, _ = client([failure("OAUTH_SCOPE_MISMATCH", 401)])
    with pytest.raises(VendorError) as caught:
        zoho.org()
    assert caught.value.verdict is Verdict.FATAL
    assert len(script.sent) == 1


@pytest.mark.parametrize(
    "trouble",
    [failure("INTERNAL_ERROR", 500), HTML, BROKEN, REFUSED, requests.exceptions.ReadTimeout(), Play(raw=b"{")],
)
def test_reads_are_sent_again_after_trouble(trouble: Play | Exception) -> None:
    zoho, script, waits = client([trouble, trouble, USERS])
    assert zoho.current_user()
    assert len(script.sent) == 3
    assert waits.slept == [0.25, 0.5]
    assert zoho.usage.retries == 2


def test_trouble_that_lasts_is_told_as_a_retry() -> None:
    zoho, script, _ = client([HTML] * 3, max_attempts=3)
    with pytest.raises(VendorError) as caught:
        zoho.current_user()
    assert caught.value.verdict is Verdict.RETRY
    assert not isinstance(caught.value, OutcomeUnknown)
    assert len(script.sent) == 3


@pytest.mark.parametrize(
    "trouble",
    [
        failure("INTERNAL_ERROR", 500),
        HTML,
        BROKEN,
        BROKEN_TLS,
        BROKEN_BEHIND_A_PROXY,
        requests.exceptions.ReadTimeout(),
        Play(raw=b"{"),
        Play(),
    ],
)
def test_an_insert_is_never_sent_again_once_it_may_have_been_carried_out(trouble: Play | Exception) -> None:
    zoho, script, _ = client([trouble])
    with pytest.raises(OutcomeUnknown) as caught:
        zoho.insert("Deals", [{"Deal_Name": "x"}])
    assert caught.value.verdict is Verdict.RETRY
    assert len(script.sent) == 1


@pytest.mark.parametrize("harmless", [REFUSED, failure("TOO_MANY_REQUESTS", 429), failure("INVALID_TOKEN", 401)])
def test_an_insert_that_was_surely_not_carried_out_is_sent_again(harmless: Play | Exception) -> None:
    zoho, script, _ = client([harmless, Play({"data": [ok_row("7")]}, status=201)], tokens=[token_answer("second")])
    assert zoho.insert("Deals", [{"Deal_Name": "x"}])[0].created
    assert len(script.sent) == 2


@pytest.mark.parametrize("trouble", [failure("INTERNAL_ERROR", 500), BROKEN])
def test_updates_and_upserts_by_key_are_sent_again(trouble: Play | Exception) -> None:
    zoho, script, _ = client([trouble, Play({"data": [ok_row("7")]})] * 2)
    assert zoho.update("Accounts", [{"id": "7", "Phone": "1"}])[0].id == "7"
    assert zoho.upsert("Accounts", [{"Sage_ID": "A", "Phone": "1"}], duplicate_check=["Sage_ID"])[0].id == "7"
    assert len(script.sent) == 4


@pytest.mark.parametrize(
    "row",
    [
        {"Sage_ID": "A", "Invoiced_Items": [{"Quantity": 1}]},
        {"Sage_ID": "A", "Invoiced_Items": [{"id": "5", "_delete": None}]},
        {"Sage_ID": None, "Subject": "no key"},
    ],
)
def test_an_upsert_that_would_add_lines_or_records_twice_is_not_sent_again(row: dict[str, object]) -> None:
    zoho, script, _ = client([BROKEN])
    with pytest.raises(OutcomeUnknown):
        zoho.upsert("Invoices", [row], duplicate_check=["Sage_ID"])
    assert len(script.sent) == 1


def test_an_update_of_lines_by_their_ids_is_sent_again() -> None:
    zoho, script, _ = client([BROKEN, Play({"data": [ok_row("7")]})])
    zoho.update("Invoices", [{"id": "7", "Invoiced_Items": [{"id": "5", "Quantity": 2}]}])
    assert len(script.sent) == 2


def test_an_upsert_without_answer_to_the_end_is_an_unknown_outcome() -> None:
    zoho, script, _ = client([BROKEN, REFUSED], max_attempts=2)
    with pytest.raises(OutcomeUnknown):
        zoho.upsert("Accounts", [{"Sage_ID": "A"}], duplicate_check=["Sage_ID"])
    assert len(script.sent) == 2


def test_an_upsert_that_never_left_is_no_unknown_outcome() -> None:
    zoho, _, _ = client([REFUSED] * 2, max_attempts=2)
    with pytest.raises(VendorError) as caught:
        zoho.upsert("Accounts", [{"Sage_ID": "A"}], duplicate_check=["Sage_ID"])
    assert not isinstance(caught.value, OutcomeUnknown)
    assert caught.value.code == "UNREACHABLE"


@pytest.mark.parametrize(
    "answer",
    [
        failure("TOO_MANY_REQUESTS", 429),
        failure("RATE_LIMIT_EXCEEDED", 429),
        Play(raw=b"slow down", status=429),
        Play(status=429),
        failure("TOO_MANY_REQUESTS", 400),
    ],
)
def test_too_many_requests_make_everybody_wait_longer_each_time(answer: Play) -> None:
    zoho, script, waits = client([answer, answer, answer, USERS])
    assert zoho.current_user()
    assert waits.slept == [0.5, 1.0, 2.0]
    assert len(script.sent) == 4


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "waited"), [("7", 7.0), ("Mon, 02 Mar 2026 09:00:07 GMT", 7.0), ("soon", 0.5), ("-5", 0.5), ("nan", 0.5)]
)
def test_a_retry_after_is_honoured_should_zoho_ever_send_one(status: int, header: str, waited: float) -> None:
    zoho, _, waits = client([Play(status=status, headers={"Retry-After": header}), USERS])
    zoho.current_user()
    assert waits.slept == [waited]


UNSERVED = [
    failure("SERVICE_UNAVAILABLE", 503),
    Play(raw=b"<html>down</html>", status=503, headers={"Content-Type": "text/html"}),
]


@pytest.mark.parametrize("answer", UNSERVED)
def test_a_zoho_that_serves_nobody_is_left_alone_by_everybody(answer: Play) -> None:
    told: list[float] = []
    waits = Waits()
    gate = Gate(8, monotonic=waits.monotonic, sleep=waits.sleep, random=lambda: 0.0, tell=told.append)
    one, _, _ = client([answer], gate=gate, max_attempts=1)
    other, _, _ = client([USERS], gate=gate)
    with pytest.raises(VendorError) as caught:
        one.current_user()
    assert (caught.value.verdict, caught.value.status, caught.value.retry_after) == (Verdict.RETRY, 503, 0.5)
    assert other.current_user()
    assert (waits.slept, told, gate.slots.allowed) == ([0.5], [0.5], 4)


@pytest.mark.parametrize("answer", UNSERVED)
def test_a_write_that_zoho_did_not_serve_may_have_been_carried_out(answer: Play) -> None:
    zoho, script, _ = client([answer])
    with pytest.raises(OutcomeUnknown):
        zoho.insert("Invoices", [{"Subject": "A"}])
    assert len(script.sent) == 1
    zoho, script, _ = client([answer, Play({"data": [ok_row("1")]})])
    assert zoho.update("Accounts", [{"id": "1", "Phone": "2"}])[0].error is None
    assert len(script.sent) == 2


def test_a_rest_drawn_out_while_a_caller_sleeps_is_waited_out() -> None:
    waits = Waits()

    def sleep(seconds: float) -> None:
        if not waits.slept:
            gate.pressure.strike(5.0)
        waits.sleep(seconds)

    gate = Gate(8, monotonic=waits.monotonic, sleep=sleep, random=lambda: 0.0)
    gate.pressure.strike(2.0)
    zoho, _, _ = client([USERS], gate=gate)
    zoho.current_user()
    assert waits.slept == [2.0, 3.0]


def test_a_throttle_that_lasts_is_a_retry_with_a_time() -> None:
    zoho, _, _ = client([failure("TOO_MANY_REQUESTS", 429)] * 3, max_attempts=3)
    with pytest.raises(VendorError) as caught:
        zoho.org()
    assert caught.value.verdict is Verdict.RETRY
    assert caught.value.retry_after == 2.0


@pytest.mark.parametrize("status", [302, 404, 200])
def test_an_answer_that_is_no_json_is_told_without_its_text(status: int) -> None:
    page = Play(raw=b"<html>token=1000.hidden</html>", status=status, headers={"Content-Type": "text/html"})
    zoho, _, _ = client([page] * 2, max_attempts=2)
    with pytest.raises(VendorError, match="not JSON") as caught:
        zoho.org()
    assert caught.value.verdict is Verdict.FATAL
    assert "hidden" not in str(caught.value)


def test_a_truncated_body_is_no_answer() -> None:
    cut = Play(raw=b'{"users": [', headers={"Content-Length": "400", "Content-Type": "application/json"})
    zoho, script, _ = client([cut, USERS])
    assert zoho.current_user()
    assert len(script.sent) == 2


def test_at_most_the_allowed_calls_are_in_flight() -> None:
    lock, now, most = threading.Lock(), [0], [0]
    three = threading.Event()

    def rule(_: Sent) -> Play:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] == 3:
                three.set()
        three.wait(30)
        threading.Event().wait(0.02)  # for a fourth one
        with lock:
            now[0] -= 1
        return USERS

    zoho, script, _ = client(rule, concurrency=3)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: zoho.current_user(), range(24)))
    assert len(script.sent) == 24
    assert most[0] == 3


def test_calls_and_credits_are_counted_by_the_cost_table() -> None:
    zoho, _, _ = client([USERS, Play(status=204), Play({"data": [ok_row(str(n)) for n in range(21)]})])
    zoho.current_user()
    zoho.find("Accounts", where=[], fields=["id"])
    zoho.update("Accounts", [{"id": str(n)} for n in range(21)])
    usage = zoho.usage
    assert (usage.reads, usage.writes, usage.credits) == (2, 1, 1 + 1 + 3)
    assert usage.by_call == {"users": 1, "coql Accounts": 1, "update Accounts": 1}


def test_zohos_own_figure_is_kept_and_drift_noticed() -> None:
    plays = [Play({"users": []}, headers={"X-API-CREDITS-REMAINING": left}) for left in ("900", "899", "790", "?")]
    zoho, _, _ = client(plays)
    for _ in plays:
        zoho.current_user()
    assert zoho.usage.credits_remaining == 790
    assert zoho.credit_drift == 108


def test_a_message_that_repeats_the_request_is_told_without_its_token() -> None:
    body = {
        "code": "INVALID_REQUEST_METHOD",
        "details": {"sent": "1000.access"},
        "message": "1000.access",
        "status": "e",
    }
    zoho, _, _ = client([Play(body, status=400)])
    with pytest.raises(VendorError) as caught:
        zoho.org()
    assert caught.value.text == "***"
    assert "1000.access" not in f"{caught.value!r} {caught.value.answer()} {caught.value.details}"


@pytest.mark.parametrize(
    ("code", "status", "verdict"),
    [("INVALID_QUERY", 400, Verdict.FATAL), ("OAUTH_SCOPE_MISMATCH", 401, Verdict.FATAL)],
)
def test_a_refused_query_wrapped_in_a_list_is_no_record(code: str, status: int, verdict: Verdict) -> None:
    zoho, _, _ = client([Play({"data": [bad_row(code, column_name="X")]}, status=status)])
    with pytest.raises(VendorError) as caught:
        zoho.find("Accounts", where=[], fields=["id"])
    assert (caught.value.code, caught.value.verdict, caught.value.field) == (code, verdict, "X")


def test_a_refusal_wrapped_in_a_list_keeps_its_code() -> None:
    zoho, _, _ = client([Play({"data": [bad_row("INVALID_DATA", id="9")]}, status=400)])
    with pytest.raises(VendorError) as caught:
        zoho.get("Accounts", "9")
    assert caught.value.code == "INVALID_DATA"
