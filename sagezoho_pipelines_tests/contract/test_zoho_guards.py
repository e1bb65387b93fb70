"""Records of the simulated Zoho that are held: locked, unapproved, shared for reading; and rules of single modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from .zoho_service import Service, serving

REASON = {"data": [{"Locked_Reason__s": "in dispute"}]}
FIELDS = "Locked_For__s,Locked_Reason__s,Lock_Source__s,Locked_Time__s,Locked_By__s"


@pytest.fixture
def zoho() -> Iterator[Service]:
    with serving(deals=0, accounts=0, frozen=True) as service:
        yield service


@pytest.fixture
def account(zoho: Service) -> str:
    return zoho.insert_id("Accounts", Account_Name="Held")


def _row(answer: requests.Response) -> dict[str, Any]:
    row: dict[str, Any] = answer.json()["data"][0]
    return row


def _refused(answer: requests.Response) -> tuple[int, str, str]:
    body = answer.json()
    row = body["data"][0] if "data" in body else body
    return answer.status_code, row["code"], row["message"]


def _write(zoho: Service, account: str) -> list[requests.Response]:
    """An update, an upsert and a delete of one record."""
    return [
        zoho.update("Accounts", {"id": account, "Phone": "1"}),
        zoho.upsert("Accounts", {"Account_Name": "Held", "Phone": "1"}),
        zoho.call("DELETE", "Accounts", params={"ids": account}),
    ]


def test_a_locked_record_is_read_and_not_written_until_its_lock_goes(zoho: Service, account: str) -> None:
    path = f"Accounts/{account}/Locking_Information__s"
    assert zoho.get(path, fields=FIELDS).status_code == 204
    made = zoho.call("POST", path, json=REASON)
    assert (made.status_code, _row(made)["message"]) == (201, "record added")
    lock = _row(made)["details"]["id"]
    assert zoho.record("Accounts", account)["Locked__s"] is True
    shown = _row(zoho.get(path, fields=FIELDS))
    assert (shown["id"], shown["Locked_Reason__s"], shown["Lock_Source__s"]) == (lock, "in dispute", "Manual")
    assert shown["Locked_For__s"]["id"] == account
    for answer in _write(zoho, account):
        assert _refused(answer)[:2] == (400, "RECORD_LOCKED")
    changed = zoho.call("PUT", f"{path}/{lock}", json={"data": [{"Locked_Reason__s": "settled soon"}]})
    assert (changed.status_code, _row(changed)["message"]) == (200, "record updated")
    assert _row(zoho.get(f"{path}/{lock}"))["Locked_Reason__s"] == "settled soon"
    gone = zoho.call("DELETE", f"{path}/{lock}")
    assert _row(gone) == {
        "code": "SUCCESS", "details": {"id": lock}, "message": "relation removed", "status": "success",
    }  # fmt: skip
    assert zoho.record("Accounts", account)["Locked__s"] is False
    assert zoho.update("Accounts", {"id": account, "Phone": "1"}).status_code == 200


def test_a_lock_is_not_put_on_a_lock_and_a_rules_lock_is_not_taken_off(zoho: Service, account: str) -> None:
    path = f"Accounts/{account}/Locking_Information__s"
    zoho.world.actions["lock_record"]({"module": "Accounts", "id": account, "automatic": True})
    assert _refused(zoho.call("POST", path, json=REASON)) == (403, "NOT_ALLOWED", "Record is already locked.")
    lock = _row(zoho.get(path, fields="Lock_Source__s"))
    assert lock["Lock_Source__s"] == "Automatic"
    refused = zoho.call("DELETE", f"{path}/{lock['id']}")
    assert _refused(refused)[:2] == (403, "NOT_ALLOWED")
    zoho.world.actions["lock_record"]({"module": "Accounts", "id": account, "locked": False})
    assert zoho.update("Accounts", {"id": account, "Phone": "1"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "below", "more", "expected"),
    [
        ("POST", "", {"json": {"data": [{}]}}, (400, "MANDATORY_NOT_FOUND")),
        ("POST", "", {"json": {"data": [{"Locked_Reason__s": 5}]}}, (400, "INVALID_DATA")),
        ("POST", "", {"json": {"data": []}}, (400, "MANDATORY_NOT_FOUND")),
        ("PATCH", "", {}, (403, "INVALID_REQUEST_METHOD")),
        ("DELETE", "", {}, (403, "INVALID_REQUEST_METHOD")),
        ("DELETE", "/1", {}, (400, "INVALID_DATA")),
        ("PUT", "/x", {"json": REASON}, (404, "INVALID_URL_PATTERN")),
    ],
)
def test_a_lock_asked_for_wrongly_is_refused(
    zoho: Service, account: str, method: str, below: str, more: dict[str, Any], expected: tuple[int, str]
) -> None:
    zoho.world.actions["lock_record"]({"module": "Accounts", "id": account})
    answer = zoho.call(method, f"Accounts/{account}/Locking_Information__s{below}", **more)
    assert _refused(answer)[:2] == expected


def test_a_locks_fields_must_be_named_and_its_record_must_exist(zoho: Service, account: str) -> None:
    zoho.world.actions["lock_record"]({"module": "Accounts", "id": account})
    assert _refused(zoho.get(f"Accounts/{account}/Locking_Information__s"))[:2] == (400, "REQUIRED_PARAM_MISSING")
    assert _refused(zoho.get("Accounts/1/Locking_Information__s", fields="id"))[:2] == (400, "INVALID_DATA")
    assert _refused(zoho.get("Nowhere/1/Locking_Information__s", fields="id"))[:2] == (400, "INVALID_MODULE")


def test_a_record_that_waits_for_approval_is_left_alone(zoho: Service, account: str) -> None:
    zoho.world.actions["submit_for_approval"]({"module": "Accounts", "id": account})
    update, upsert, delete = map(_refused, _write(zoho, account))
    assert update == upsert == (400, "NOT_APPROVED", "Cannot update record that is not approved yet")
    assert delete == (400, "NOT_APPROVED", "cannot delete record that is not approved yet")
    zoho.world.actions["submit_for_approval"]({"module": "Accounts", "id": account, "pending": False})
    assert zoho.update("Accounts", {"id": account, "Phone": "1"}).status_code == 200


def test_a_record_shared_for_reading_is_not_ours_to_change(zoho: Service, account: str) -> None:
    zoho.world.actions["share_record"]({"module": "Accounts", "id": account})
    for answer in _write(zoho, account):
        assert _refused(answer)[:2] == (400, "AUTHORIZATION_FAILED")
    assert zoho.record("Accounts", account)["Account_Name"] == "Held"
    edit = {"module": "Accounts", "id": account, "values": {"Phone": "7"}}
    assert zoho.world.actions["edit_record"](edit)["id"] == account


def test_one_held_record_does_not_stop_the_others_of_its_batch(zoho: Service, account: str) -> None:
    free = zoho.insert_id("Accounts", Account_Name="Free")
    zoho.world.actions["lock_record"]({"module": "Accounts", "id": account})
    answer = zoho.update("Accounts", {"id": account, "Phone": "1"}, {"id": free, "Phone": "1"})
    assert (answer.status_code, [row["code"] for row in answer.json()["data"]]) == (207, ["RECORD_LOCKED", "SUCCESS"])


@pytest.mark.parametrize("probability", [-1, 101])
def test_a_deals_probability_is_a_percentage(zoho: Service, probability: int) -> None:
    deal = {"Deal_Name": "D", "Stage": "Qualification", "Probability": probability}
    assert _refused(zoho.insert("Deals", deal)) == (400, "INVALID_DATA", "Given Probability is not valid")


def test_a_call_lasts_some_time(zoho: Service) -> None:
    call = {"Subject": "S", "Call_Type": "Outbound", "Call_Start_Time": "2026-09-15T10:00:00+00:00"}
    assert _refused(zoho.insert("Calls", {**call, "Call_Duration": "00:00"}))[:2] == (400, "DEPENDENT_MISMATCH")
    assert _refused(zoho.insert("Calls", {**call, "Call_Duration": "long"}))[:2] == (400, "INVALID_DATA")
    assert zoho.insert("Calls", {**call, "Call_Duration": "02:30"}).status_code == 201


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([{"name": "cadences"}], "SUCCESS"),
        ([{"name": "everything"}], "INVALID_DATA"),
        ([{}], "MANDATORY_NOT_FOUND"),
        (["cadences"], "INVALID_DATA"),
        ("cadences", "INVALID_DATA"),
    ],
)
def test_features_are_skipped_by_their_name(zoho: Service, given: Any, code: str) -> None:
    answer = zoho.insert("Accounts", {"Account_Name": "A"}, skip_feature_execution=given)
    body = answer.json()
    assert (body["data"][0] if "data" in body else body)["code"] == code
