"""One token for everybody, fetched as seldom as possible, and never sent to a stranger."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from sagezoho_pipelines.domain.errors import CredentialsMissing, VendorError, Verdict
from sagezoho_pipelines.domain.tokens import AccessToken
from sagezoho_pipelines.zoho_crm.datacenters import origin, trusted_api_domain
from sagezoho_pipelines.zoho_crm.oauth import MemoryTokenStore
from sagezoho_pipelines_tests.unit.zoho_script import API, NOW, SECRETS, Clock, Play, token_answer, token_source

THROTTLE = Play(
    {"error": "Access Denied", "error_description": "You have made too many requests", "status": "failure"}, status=400
)


def test_the_first_call_fetches_a_token_with_the_stored_credentials() -> None:
    source, script = token_source([token_answer("one", scope="ZohoCRM.modules.ALL ZohoCRM.org.READ")])
    token = source.token()
    assert (token.value, token.api_domain, token.expires_at) == ("one", API, NOW + timedelta(hours=1))
    assert script.sent[0].path == "/oauth/v2/token"
    assert script.sent[0].form == {"grant_type": "refresh_token", **SECRETS}
    assert source.scopes == {"ZohoCRM.modules.ALL", "ZohoCRM.org.READ"}


def test_a_token_is_kept_until_five_minutes_before_its_end() -> None:
    clock = Clock()
    source, script = token_source([token_answer("one"), token_answer("two")], clock=clock)
    source.token()
    clock.at += timedelta(minutes=54)
    assert source.token().value == "one"
    clock.at += timedelta(minutes=2)
    assert source.token().value == "two"
    assert len(script.sent) == 2


def test_many_threads_and_two_processes_refresh_once() -> None:
    store = MemoryTokenStore()
    first, script = token_source([token_answer("one")], store=store)
    second, other = token_source([], store=store)
    gate = threading.Barrier(20)

    def ask(index: int) -> str:
        gate.wait()
        return (first if index % 2 else second if script.sent else first).token().value

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(20))) == {"one"}
    assert second.token().value == "one"
    assert len(script.sent) == 1
    assert other.sent == []


def test_a_rejected_token_is_renewed_once_for_all_who_hold_it() -> None:
    source, script = token_source([token_answer("one"), token_answer("two")])
    old = source.token()
    assert {source.renew(old).value for _ in range(5)} == {"two"}
    assert len(script.sent) == 2


def test_renewing_takes_the_token_another_process_fetched_meanwhile() -> None:
    store = MemoryTokenStore()
    source, script = token_source([token_answer("one")], store=store)
    old = source.token()
    with store.locked("saminc") as held:
        held.save(AccessToken("theirs", API, NOW + timedelta(minutes=50)))
    assert source.renew(old).value == "theirs"
    assert len(script.sent) == 1


def test_the_throttle_is_a_retry_a_minute_off_and_zoho_is_left_alone_meanwhile() -> None:
    clock = Clock()
    source, script = token_source([THROTTLE, THROTTLE, token_answer("one")], clock=clock)
    for _ in range(5):
        with pytest.raises(VendorError) as caught:
            source.token()
        assert caught.value.verdict is Verdict.RETRY
        assert caught.value.retry_after is not None
        assert caught.value.retry_after >= 60
    assert len(script.sent) == 1
    clock.at += timedelta(seconds=61)
    with pytest.raises(VendorError) as caught:
        source.token()
    assert caught.value.retry_after == 120
    clock.at += timedelta(seconds=121)
    assert source.token().value == "one"


def test_a_throttle_met_by_one_process_holds_back_the_others() -> None:
    store = MemoryTokenStore()
    first, _ = token_source([THROTTLE], store=store)
    second, script = token_source([], store=store)
    for source in (first, second):
        with pytest.raises(VendorError) as caught:
            source.token()
        assert caught.value.code == "TOKEN_THROTTLED"
        assert caught.value.retry_after == 60
    assert script.sent == []


def test_an_early_refresh_that_fails_leaves_the_old_token_in_use() -> None:
    clock = Clock()
    source, script = token_source([token_answer("one"), THROTTLE], clock=clock)
    source.token()
    clock.at += timedelta(minutes=56)
    assert source.token().value == "one"
    assert source.token().value == "one"
    assert len(script.sent) == 2


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("invalid_code", "Generate Code"),
        ("invalid_client", "accounts.zoho.com.au"),
        ("invalid_client_secret", "secret is wrong"),
        ("access_denied", "deactivated"),
        ("something_new", "Check the credentials"),
    ],
)
def test_refused_credentials_are_fatal_with_a_remedy_whatever_the_status(error: str, remedy: str) -> None:
    for status in (200, 400, 401):
        source, script = token_source([Play({"error": error}, status=status)])
        with pytest.raises(VendorError) as caught:
            source.token()
        assert caught.value.verdict is Verdict.FATAL
        assert caught.value.code == error
        assert remedy in caught.value.advice
        assert "accounts.zoho.eu" in str(caught.value)
        assert not any(secret in repr(caught.value) + str(caught.value) for secret in SECRETS.values())
        with pytest.raises(VendorError):
            source.token()
        assert len(script.sent) == 1  # refused credentials are not offered again at once


def test_new_credentials_take_effect_at_once_after_a_refusal() -> None:
    kept = dict(SECRETS)
    source, _ = token_source([Play({"error": "invalid_code"}), token_answer("one")], credentials=lambda: kept)
    with pytest.raises(VendorError):
        source.token()
    kept["refresh_token"] = "1000.another"
    assert source.token().value == "one"


@pytest.mark.parametrize(
    "domain",
    [
        "https://evil.example", "http://www.zohoapis.eu", "https://www.zohoapis.eu.evil.example",
        "https://www.zohoapis.eu@evil.example", "https://www.zohoapis.eu/x", "https://www.zohoapis.eu:8443", "",
    ],
)  # fmt: skip
def test_a_token_is_not_used_when_it_routes_to_a_stranger(domain: str) -> None:
    source, _ = token_source([token_answer("one", api_domain=domain or "nowhere")])
    with pytest.raises(VendorError) as caught:
        source.token()
    assert (caught.value.verdict, caught.value.code) == (Verdict.FATAL, "UNTRUSTED_API_DOMAIN")
    assert "api_domains" in caught.value.advice


def test_a_domain_that_the_connection_lists_is_taken() -> None:
    source, _ = token_source(
        [token_answer("one", api_domain="http://127.0.0.1:8400/")], allowed_domains=["http://127.0.0.1:8400"]
    )
    assert source.token().api_domain == "http://127.0.0.1:8400"


def test_a_stored_token_with_a_strange_domain_is_replaced() -> None:
    store = MemoryTokenStore()
    with store.locked("saminc") as held:
        held.save(AccessToken("old", "https://evil.example", NOW + timedelta(hours=1)))
    source, _ = token_source([token_answer("one")], store=store)
    assert source.token().value == "one"


def test_without_api_domain_the_data_centre_of_the_accounts_host_is_used() -> None:
    source, _ = token_source([token_answer("one", api_domain=None)])
    assert source.token().api_domain == API


def test_every_data_centre_knows_its_sandbox_and_developer_hosts() -> None:
    for host in ("www.zohoapis.com", "sandbox.zohoapis.com.au", "developer.zohoapis.jp", "www.zohoapis.ca"):
        assert trusted_api_domain(f"https://{host.upper()}/") == f"https://{host}"


def test_an_origin_is_a_bare_address() -> None:
    assert origin("https://Host:443/") == "https://host"
    assert origin("http://[::1]:8400") == "http://[::1]:8400"
    assert origin("ftp://host") == origin("https://host/path") == origin("https://host:notaport") == ""


@pytest.mark.parametrize("value", ["1000.s3cret\n", "1000 s3cret", "1000.s\u00e9cret", "", 7])
def test_a_token_that_fits_no_header_is_refused_without_repeating_it(value: object) -> None:
    source, _ = token_source([Play({"access_token": value, "api_domain": API, "expires_in": 3600})])
    with pytest.raises(VendorError) as caught:
        source.token()
    assert (caught.value.code, caught.value.verdict) == ("NOT_A_TOKEN", Verdict.FATAL)
    assert "cret" not in f"{caught.value!r}"


@pytest.mark.parametrize("answer", [Play(raw=b"<html>login</html>"), Play({"hello": 1}), Play([1])])
def test_an_answer_that_is_no_token_names_the_setting_to_check(answer: Play) -> None:
    source, _ = token_source([answer])
    with pytest.raises(VendorError, match="accounts_url") as caught:
        source.token()
    assert caught.value.verdict is Verdict.FATAL


def test_an_unreachable_host_and_trouble_there_are_retried_a_little_then_told() -> None:
    for step in (requests.exceptions.ConnectTimeout(), Play(raw=b"<html>", status=503)):
        source, script = token_source([step] * 3)
        with pytest.raises(VendorError) as caught:
            source.token()
        assert caught.value.verdict is Verdict.RETRY
        assert len(script.sent) == 3


@pytest.mark.parametrize("name", SECRETS)
def test_credentials_that_are_not_whole_are_named_and_not_offered(name: str) -> None:
    source, script = token_source([], credentials=lambda: {**SECRETS, name: ""})
    with pytest.raises(CredentialsMissing, match=f"{name}.*sagezoho credentials set saminc zoho_crm"):
        source.token()
    assert script.sent == []


def test_no_secret_shows_in_a_repr() -> None:
    source, _ = token_source([token_answer("1000.hidden")])
    token = source.token()
    assert "hidden" not in repr(token) + repr(source) + repr(vars(source)["_held"])
