"""Every error code that Zoho documents for what the simulator serves is reached, and the readings that are switched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from .zoho_service import Service, serving

CALL = {
    "Subject": "About the order",
    "Call_Type": "Outbound",
    "Call_Start_Time": "2026-09-15T10:00:00+00:00",
    "Call_Duration": "02:30",
}
_ONE_STEP = "select id from Deals where id is not null"


@pytest.fixture
def zoho() -> Iterator[Service]:
    with serving(deals=0, accounts=0, frozen=True) as service:
        yield service


def _row(answer: requests.Response, at: int = 0) -> dict[str, Any]:
    row: dict[str, Any] = answer.json()["data"][at]
    return row


def _code(answer: requests.Response) -> tuple[str, int]:
    """The code of a refusal, whole or of the first row, and the status it came with."""
    body = answer.json()
    rows = body.get("data") or body.get("watch") or body.get("fields") or [body]
    return rows[0]["code"], answer.status_code


def _lists(zoho: Service) -> Iterator[requests.Response]:
    zoho.insert("Accounts", *({"Account_Name": f"A{number}"} for number in range(3)))
    wanted = {"fields": "Account_Name", "per_page": 1}
    token = zoho.get("Accounts", **wanted).json()["info"]["next_page_token"]
    yield zoho.get("Accounts")
    yield zoho.get("Accounts", fields=",".join(f"F{number}" for number in range(51)))
    yield zoho.get("Accounts", fields="id", page=11)
    yield zoho.get("Accounts", **wanted, page=2, page_token=token)
    yield zoho.get("Accounts", fields="Phone", per_page=1, page_token=token)
    yield zoho.get("Accounts", **wanted, page_token="nonsense")
    yield zoho.get("Accounts/deleted", type="lost")
    yield zoho.get("Accounts/search")
    yield zoho.get("Accounts/search", criteria="(Account_Name:likes:x)")
    yield zoho.get("Accounts/search", word="Acme", page=11)
    yield zoho.get("Quoted_Items/search", word="Acme")
    places = zoho.world.page_tokens
    bound = (("fields", "Account_Name"), ("#module", "Accounts"), ("#since", ""))
    yield zoho.get("Accounts", fields="Account_Name", page_token=places.issue(zoho.world.org, bound, 501)[0])
    zoho.world.clock.advance(timedelta(hours=25))
    zoho.sign_in()
    yield zoho.get("Accounts", **wanted, page_token=token)


def _queries(zoho: Service) -> Iterator[requests.Response]:
    yield zoho.coql("select id from Deals")
    yield zoho.coql("select Nope from Deals where id is not null")
    yield zoho.coql(f"{_ONE_STEP} limit 2001")
    yield zoho.coql("select id from Nowhere where id is not null")
    yield zoho.coql("select Stage, Stage from Deals where id is not null")
    yield zoho.coql("select Stage as '' from Deals where id is not null")
    yield zoho.coql("select Stage as a, Amount as a from Deals where id is not null")


def _writes(zoho: Service) -> Iterator[requests.Response]:
    key, other = zoho.unique_field("Accounts", "First Key"), zoho.unique_field("Accounts", "Second Key")
    held = zoho.insert_id("Accounts", **{"Account_Name": "Held", key: "1", other: "1"})
    yield zoho.insert("Accounts", {})
    yield zoho.insert("Accounts", {"Account_Name": 5})
    yield zoho.insert("Accounts", {"Account_Name": "Twin", key: "1"})
    yield zoho.insert("Accounts", {"Account_Name": "Twin", key: "1", other: "1"})
    since = {"If-Unmodified-Since": "2020-01-01T00:00:00+00:00"}
    yield zoho.update("Accounts", {"id": held, "Phone": "1"}, headers=since)
    yield zoho.call("DELETE", "Accounts")
    yield zoho.call("DELETE", "Accounts", params={"ids": held, "wf_trigger": "perhaps"})
    for act in ("share_record", "submit_for_approval", "lock_record"):
        zoho.world.actions[act]({"module": "Accounts", "id": held})
        yield zoho.update("Accounts", {"id": held, "Phone": "1"})
    yield zoho.call("POST", f"Accounts/{held}/Locking_Information__s", json=_lock("in dispute"))
    yield zoho.insert("Calls", {**CALL, "Call_Duration": "00:00"})
    # Trouble of a service of Zoho's own: nothing in the organisation brings it about.
    rule = zoho.world.faults.add("refuse_row", code="DEPENDENT_SERVICE_ERROR")
    yield zoho.insert("Accounts", {"Account_Name": "Refused"})
    zoho.world.faults.remove(rule.id)


def _lock(reason: str) -> dict[str, Any]:
    return {"data": [{"Locked_Reason__s": reason}]}


def _channels(zoho: Service) -> Iterator[requests.Response]:
    channel = {"channel_id": "7", "events": ["Deals.all"], "notify_url": "https://hooks.example/"}
    zoho.world.switches.notify_url_probed = False
    for change in (
        {"notification_condition": [{"field_selection": {}}]},
        {"notification_condition": [{"type": "field_selection"}]},
    ):
        yield zoho.call("POST", "actions/watch", json={"watch": [{**channel, **change}]})
    yield zoho.call("DELETE", "actions/watch", params={"channel_ids": "5"})


def _requests(zoho: Service) -> Iterator[requests.Response]:
    yield zoho.call("PATCH", "Accounts")
    yield zoho.get("Accounts/some/where")
    yield requests.get(f"{zoho.base}/crm/v8/org", timeout=60)
    yield requests.get(f"{zoho.base}/crm/v8/org", headers={"Authorization": "Zoho-oauthtoken gone"}, timeout=60)
    deny = zoho.world.actions["set_permission"]
    deny({"module": "Contacts", "operation": "READ", "allowed": False})
    yield zoho.get("Contacts", fields="id")
    rule = zoho.world.faults.add("status", status=500)
    yield zoho.get("org")
    zoho.world.faults.remove(rule.id)
    zoho.world.actions["set_edition"]({"edition": "standard"})
    labels = [{"field_label": f"Own {number}", "data_type": "text"} for number in range(11)]
    for start in (0, 5, 10):
        body = {"fields": labels[start : start + 5]}
        answer = zoho.call("POST", "settings/fields", params={"module": "Vendors"}, json=body)
    yield answer
    zoho.world.actions["set_scopes"]({"scopes": ["ZohoCRM.modules.ALL"]})
    zoho.sign_in()
    yield zoho.get("org")
    zoho.world.actions["set_credits"]({"allowance": 0})
    yield zoho.get("Accounts", fields="id")


def test_every_documented_code_has_a_way_to_be_reached(zoho: Service) -> None:
    reached = {_code(answer) for steps in (_lists, _queries, _writes, _channels, _requests) for answer in steps(zoho)}
    assert reached == {
        ("ALREADY_MODIFIED", 412), ("AMBIGUITY_DURING_PROCESSING", 400), ("AUTHENTICATION_FAILURE", 401),
        ("AUTHORIZATION_FAILED", 400), ("DEPENDENT_FIELD_MISSING", 400), ("DEPENDENT_MISMATCH", 400),
        ("DEPENDENT_SERVICE_ERROR", 400), ("DISCRETE_PAGINATION_LIMIT_EXCEEDED", 400), ("DUPLICATE_ALIAS", 400),
        ("DUPLICATE_DATA", 400), ("EXPECTED_FIELD_MISSING", 400), ("EXPECTED_PARAM_MISSING", 400),
        ("EXPIRED_VALUE", 400), ("INTERNAL_ERROR", 500), ("INVALID_ALIAS", 400), ("INVALID_DATA", 400),
        ("INVALID_MODULE", 400), ("INVALID_QUERY", 400), ("INVALID_REQUEST_METHOD", 400), ("INVALID_TOKEN", 401),
        ("INVALID_URL_PATTERN", 404), ("LICENSE_LIMIT_EXCEEDED", 400), ("LIMIT_EXCEEDED", 400), ("LIMIT_REACHED", 400),
        ("MANDATORY_NOT_FOUND", 400), ("MULTIPLE_OR_MULTI_ERRORS", 400), ("NOT_ALLOWED", 403), ("NOT_APPROVED", 400),
        ("NOT_SUBSCRIBED", 400), ("NOT_SUPPORTED", 400), ("NO_PERMISSION", 403), ("OAUTH_SCOPE_MISMATCH", 401),
        ("PAGINATION_LIMIT_EXCEEDED", 400), ("PATTERN_NOT_MATCHED", 400), ("RECORD_LOCKED", 400),
        ("REQUIRED_PARAM_MISSING", 400), ("SYNTAX_ERROR", 400), ("TOKEN_BOUND_DATA_MISMATCH", 400),
        ("TOO_MANY_REQUESTS", 429), ("UNABLE_TO_PARSE_DATA_TYPE", 400),
    }  # fmt: skip


def test_refused_rows_may_stand_in_an_answer_of_success_where_switched_so(zoho: Service) -> None:
    zoho.world.switches.failed_rows_status = "ok"
    answers = [zoho.insert("Accounts", {"Account_Name": "A"}, {}), zoho.insert("Accounts", {})]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert _row(answers[1])["code"] == "MANDATORY_NOT_FOUND"


@pytest.mark.parametrize("pinned", [False, True])
def test_pages_shift_under_deletes_unless_their_token_pins_them(zoho: Service, pinned: bool) -> None:
    zoho.world.switches.page_token_pins_rows = pinned
    zoho.insert("Accounts", *({"Account_Name": f"A{number}"} for number in range(4)))
    first = zoho.get("Accounts", fields="Account_Name", per_page=2).json()
    zoho.call("DELETE", "Accounts", params={"ids": first["data"][0]["id"]})
    token = first["info"]["next_page_token"]
    names = [
        row["Account_Name"]
        for row in zoho.get("Accounts", fields="Account_Name", per_page=2, page_token=token).json()["data"]
    ]
    assert names == (["A1", "A0"] if pinned else ["A0"])


def test_codes_go_by_the_spelling_of_another_page_where_switched_so(zoho: Service) -> None:
    zoho.world.switches.code_spellings = "of the OpenAPI file"
    zoho.world.switches.dead_token_code = "INVALID_OAUTHTOKEN"
    assert _code(zoho.call("PATCH", "Accounts")) == ("METHOD_NOT_ALLOWED", 405)
    stale = {"Authorization": "Zoho-oauthtoken gone"}
    assert _code(requests.get(f"{zoho.base}/crm/v8/org", headers=stale, timeout=60)) == ("INVALID_OAUTHTOKEN", 401)
    zoho.world.actions["set_credits"]({"allowance": 0})
    assert _code(zoho.get("actions/watch")) == ("RATE_LIMIT_EXCEEDED", 429)
    assert _code(zoho.get("org")) == ("TOO_MANY_REQUESTS", 429)
