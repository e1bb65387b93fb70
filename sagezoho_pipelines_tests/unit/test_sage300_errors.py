from __future__ import annotations

import json

import pytest

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.sage300.errors import LATER, RULES, read_fault, to_error


def spoken(code: str, text: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": {"lang": "en-US", "value": text}}}).encode()


def error_of(status: int, body: bytes, content_type: str = "application/json", *, listing: bool = False) -> VendorError:
    return to_error(read_fault(status, content_type, body), listing=listing)


@pytest.mark.parametrize("code", sorted(RULES))
def test_the_code_decides_and_not_the_status(code: str) -> None:
    error = error_of(418, spoken(code, "words"))
    assert (error.code, error.text, error.verdict) == (code, "words", RULES[code].verdict)
    assert error.advice


def test_every_documented_code_has_a_rule() -> None:
    assert len(RULES) == 17


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("RecordDuplicate", "Day End Processing is running. Try later."),
        ("General", "line one\nDAY END PROCESSING in progress"),
        ("General", "Processing Conflict with another user"),
        ("RecordInvalid", "A post in progress holds the batch"),
    ],
)
def test_texts_of_passing_locks_overrule_the_code(code: str, text: str) -> None:
    error = error_of(409, spoken(code, text))
    assert (error.verdict, error.code, error.text) == (Verdict.RETRY, code, text)
    assert error.retry_after is not None
    assert error.retry_after >= LATER


def test_a_duplicate_without_day_end_is_a_conflict() -> None:
    error = error_of(409, spoken("RecordDuplicate", "Document number 'X' for vendor X already exists."))
    assert (error.verdict, error.retry_after) == (Verdict.CONFLICT, None)


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b'{"error":{"code":"General","message":"plain words"}}', "application/json", "plain words"),
        (b'{"error":"only words"}', "application/json", "only words"),
        (b'{"Message":"No HTTP resource was found","MessageDetail":"stack"}', "application/json", "No HTTP resource"),
        (b'{"odata.error":{"code":"","message":{"value":"old"}}}', "application/json", "old"),
        (b'"a bare string"', "application/json", "a bare string"),
        (b"plain words", "text/plain", "plain words"),
        (b"\xef\xbb\xbfwith a mark", "text/plain", "with a mark"),
        (b"<html><title>Oh &amp; no</title><body>x</body></html>", "text/html", "an HTML page: Oh & no"),
        (b"<h1>Bad <b>Request</b></h1>", "", "an HTML page: Bad Request"),
        (b'{"error":', "application/json", '{"error":'),
        (b"\xff\xfe\x00", "application/octet-stream", ""),
        (b"", "", "HTTP 409 without a message."),
        (b"{}", "application/json", "HTTP 409 without a message."),
        (b'{"error":null}', "application/json", "None"),
        (b'{"error":{"code":null,"message":null}}', "application/json", "HTTP 409 without a message."),
    ],
)
def test_every_dress_of_an_error_is_read(body: bytes, content_type: str, text: str) -> None:
    assert text in error_of(409, body, content_type).text


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (400, "BadRequest", Verdict.REFUSE),
        (401, "Unauthorized", Verdict.FATAL),
        (403, "Forbidden", Verdict.FATAL),
        (404, "NotFound", Verdict.FATAL),
        (405, "MethodNotAllowed", Verdict.REFUSE),
        (422, "Http422", Verdict.REFUSE),
        (423, "Locked", Verdict.RETRY),
        (429, "TooManyRequests", Verdict.RETRY),
        (500, "InternalServerError", Verdict.RETRY),
        (502, "BadGateway", Verdict.RETRY),
        (503, "ServiceUnavailable", Verdict.RETRY),
        (504, "GatewayTimeout", Verdict.RETRY),
        (599, "Http599", Verdict.RETRY),
    ],
)
def test_without_a_code_the_status_decides(status: int, code: str, verdict: Verdict) -> None:
    error = error_of(status, b"<html><title>page</title></html>", "text/html")
    assert (error.code, error.verdict) == (code, verdict)


def test_the_property_that_is_missing_is_named() -> None:
    text = "Could not find a property named 'Foo' on type 'Sage.CA.SBS.ERP.Sage300.AR.WebApi.Models.PostedDocument'."
    assert error_of(400, spoken("InvalidParameters", text)).field == "Foo"


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (404, "ResourceNotFound", "The resource does not exist"),
        (404, "RecordNotFound", "no such thing"),
        (409, "General", "The company SAMXXX is not defined."),
        (400, "InvalidParameters", "Invalid database id"),
        (500, "InternalServerError", "Cannot open company SAMXXX"),
        (500, "SessionError", "Cannot sign on"),
        (403, "Forbidden", "No rights"),
    ],
)
def test_a_set_that_cannot_be_listed_for_the_company_stops_the_connection(status: int, code: str, text: str) -> None:
    error = error_of(status, spoken(code, text), listing=True)
    assert error.verdict is Verdict.FATAL
    assert "company" in error.advice


def test_a_company_that_is_refused_is_to_be_checked_in_the_configuration() -> None:
    text = "The user does not have access to company 'SAMXXX'."
    assert "sagezoho.yaml" in error_of(403, spoken("Forbidden", text), listing=True).advice


def test_a_refused_filter_that_repeats_our_own_words_is_not_about_the_company() -> None:
    text = "Syntax error at position 3 in 'City eq Company'."
    assert error_of(400, spoken("InvalidParameters", text), listing=True).verdict is Verdict.REFUSE


def test_a_missing_content_type_is_laid_at_the_door_of_a_proxy() -> None:
    error = error_of(500, spoken("InternalServerError", "The Content-Type header must be application/json"))
    assert error.verdict is Verdict.FATAL
    assert "proxy" in error.advice
