"""The simulated accounts server: how tokens are got, limited, refused and lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from .zoho_service import Service, serving


@pytest.fixture
def zoho() -> Iterator[Service]:
    with serving(deals=0, accounts=0, frozen=True) as service:
        yield service


def _token(zoho: Service, **changes: Any) -> requests.Response:
    return requests.post(f"{zoho.base}/oauth/v2/token", data={**zoho.credentials(), **changes}, timeout=60)


def test_parameters_come_in_the_query_the_form_or_multipart(zoho: Service) -> None:
    url, given = f"{zoho.base}/oauth/v2/token", zoho.credentials()
    answers = [
        requests.post(url, params=given, timeout=60),
        requests.post(url, data=given, timeout=60),
        requests.post(url, files={name: (None, value) for name, value in given.items()}, timeout=60),
    ]
    for answer in answers:
        assert answer.status_code == 200
        body = answer.json()
        assert body["api_domain"] == zoho.base
        assert body["expires_in"] == 3600
        assert "refresh_token" not in body


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "1000.NOBODY"}, "invalid_client"),
        ({"client_secret": "wrong"}, "invalid_client_secret"),
        ({"refresh_token": "1000.gone"}, "invalid_code"),
    ],
)
def test_errors_are_told_with_status_200(zoho: Service, changes: dict[str, str], error: str) -> None:
    answer = _token(zoho, **changes)
    assert (answer.status_code, answer.json()) == (200, {"error": error})


def test_the_eleventh_token_in_ten_minutes_is_throttled(zoho: Service) -> None:
    for _ in range(9):
        assert "access_token" in _token(zoho).json()
    refused = _token(zoho)
    assert refused.status_code == 400
    assert refused.json()["error"] == "Access Denied"
    zoho.world.clock.advance(timedelta(minutes=10))
    assert "access_token" in _token(zoho).json()


def test_the_sixteenth_active_token_ends_the_oldest(zoho: Service) -> None:
    for at in range(14):
        if at % 9 == 8:
            zoho.world.clock.advance(timedelta(minutes=11))
        _token(zoho)
    assert zoho.get("org").status_code == 200
    _token(zoho)
    refused = zoho.get("org")
    assert refused.status_code == 401
    assert refused.json() == {
        "code": "INVALID_TOKEN",
        "details": {},
        "message": "invalid oauth token",
        "status": "error",
    }


def test_an_access_token_lives_an_hour(zoho: Service) -> None:
    zoho.world.clock.advance(timedelta(minutes=59))
    assert zoho.get("org").status_code == 200
    zoho.world.clock.advance(timedelta(minutes=1))
    assert zoho.get("org").json()["code"] == "INVALID_TOKEN"


def test_a_code_is_good_once_and_for_three_minutes(zoho: Service) -> None:
    code = zoho.world.actions["grant_code"]({})["code"]
    given = {"grant_type": "authorization_code", "code": code}
    assert _token(zoho, **given).json()["refresh_token"].startswith("1000.")
    assert _token(zoho, **given).json() == {"error": "invalid_code"}
    late = zoho.world.actions["grant_code"]({})["code"]
    zoho.world.clock.advance(timedelta(minutes=3))
    assert _token(zoho, grant_type="authorization_code", code=late).json() == {"error": "invalid_code"}


def test_client_credentials_name_the_organisation(zoho: Service) -> None:
    zgid = zoho.get("org").json()["org"][0]["zgid"]
    given = {"grant_type": "client_credentials", "scope": "ZohoCRM.org.READ"}
    assert _token(zoho, soid="ZohoCRM.1", **given).json() == {"error": "access_denied"}
    assert _token(zoho, soid=f"ZohoCRM.{zgid}", **given).json()["scope"] == "ZohoCRM.org.READ"


def test_revoking_ends_the_refresh_token_and_its_access_tokens(zoho: Service) -> None:
    url = f"{zoho.base}/oauth/v2/token/revoke"
    assert requests.post(url, params={"token": zoho.world.refresh_token}, timeout=60).json() == {"status": "success"}
    assert zoho.get("org").status_code == 401
    assert _token(zoho).json() == {"error": "invalid_code"}


def test_a_call_without_a_token_fails_authentication(zoho: Service) -> None:
    del zoho.session.headers["Authorization"]
    answer = zoho.get("org")
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTHENTICATION_FAILURE")


def test_bearer_is_taken_unless_switched_off(zoho: Service) -> None:
    zoho.session.headers["Authorization"] = f"Bearer {zoho.token()}"
    assert zoho.get("org").status_code == 200
    zoho.world.switches.bearer_accepted = False
    assert zoho.get("org").status_code == 401


def test_the_wrong_data_center_knows_neither_client_nor_token(zoho: Service) -> None:
    zoho.world.switches.wrong_data_center = True
    assert _token(zoho).json() == {"error": "invalid_client"}
    assert zoho.get("org").json()["code"] == "INVALID_TOKEN"


def test_a_scope_that_was_not_granted_is_refused(zoho: Service) -> None:
    zoho.world.actions["set_scopes"]({"scopes": ["ZohoCRM.modules.accounts.READ", "ZohoCRM.coql.READ"]})
    zoho.sign_in()
    assert zoho.get("Accounts", fields="Account_Name").status_code == 204
    for answer in (
        zoho.insert("Accounts", {"Account_Name": "A"}),
        zoho.get("Deals", fields="Deal_Name"),
        zoho.get("org"),
        zoho.coql("select id from Deals where id is not null"),
        zoho.get("Accounts/search", word="any"),
        zoho.get("settings/fields", module="Accounts"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (401, "OAUTH_SCOPE_MISMATCH")


def test_every_answer_tells_when_its_token_ends(zoho: Service) -> None:
    answer = zoho.get("org")
    assert answer.headers["Server"] == "ZGS"
    assert answer.headers["Content-Disposition"] == "attachment; filename=response.json"
    assert answer.headers["X-ACCESSTOKEN-RESET"].endswith("+05:30")
    told = zoho.world.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert answer.headers["Date"] == told


def test_refusals_of_a_token_have_the_status_that_is_switched(zoho: Service) -> None:
    zoho.world.switches.oauth_error_status, zoho.world.switches.oauth_throttle_status = 400, 200
    wrong = requests.post(f"{zoho.base}/oauth/v2/token", data={**zoho.credentials(), "client_id": "x"}, timeout=60)
    assert (wrong.status_code, wrong.json()) == (400, {"error": "invalid_client"})
    answers = [requests.post(f"{zoho.base}/oauth/v2/token", data=zoho.credentials(), timeout=60) for _ in range(11)]
    assert (answers[-1].status_code, answers[-1].json()["error"]) == (200, "Access Denied")


def test_a_refresh_token_too_many_ends_the_oldest(zoho: Service) -> None:
    zoho.world.switches.refresh_tokens_max = 2
    for _ in range(2):
        code = zoho.world.actions["grant_code"]({})["code"]
        given = {**zoho.credentials(), "grant_type": "authorization_code", "code": code}
        assert "refresh_token" in requests.post(f"{zoho.base}/oauth/v2/token", data=given, timeout=60).json()
    assert zoho.get("org").json()["code"] == "INVALID_TOKEN"
    gone = requests.post(f"{zoho.base}/oauth/v2/token", data=zoho.credentials(), timeout=60).json()
    assert gone == {"error": "invalid_code"}
