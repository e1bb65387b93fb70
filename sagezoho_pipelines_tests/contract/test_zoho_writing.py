"""Writing records to the simulated CRM: what is stored, what is refused, and what becomes of duplicates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from .zoho_service import Service, refused, row_of, serving


@pytest.fixture
def zoho() -> Iterator[Service]:
    with serving(deals=0, accounts=0, frozen=True) as service:
        yield service


def test_an_insert_tells_who_when_and_which(zoho: Service) -> None:
    answer = zoho.insert("Accounts", {"Account_Name": "  Beta  ", "Website": "", "Nonsense": 1})
    assert answer.status_code == 201
    row = row_of(answer)
    assert (row["code"], row["message"]) == ("SUCCESS", "record added")
    assert row["details"]["$approval_state"] == "approved"
    assert row["details"]["Modified_Time"].endswith("+05:30")
    assert len(row["details"]["id"]) in (18, 19)
    record = zoho.record("Accounts", row["details"]["id"])
    assert record["Account_Name"] == "Beta"
    assert record["Website"] is None
    assert record["Modified_By"]["id"] == row["details"]["Modified_By"]["id"]


@pytest.mark.parametrize(
    ("module", "values", "code", "details"),
    [
        ("Accounts", {}, "MANDATORY_NOT_FOUND", {"api_name": "Account_Name"}),
        ("Accounts", {"Account_Name": "x" * 201}, "INVALID_DATA", {"maximum_length": 200}),
        ("Accounts", {"Account_Name": 5}, "INVALID_DATA", {"expected_data_type": "string"}),
        ("Accounts", {"Account_Name": "A", "Phone": "not/a/phone"}, "INVALID_DATA", {"expected_data_type": "phone"}),
        ("Accounts", {"Account_Name": "A", "Employees": "5"}, "INVALID_DATA", {"expected_data_type": "integer"}),
        ("Accounts", {"Account_Name": "A", "Employees": 10**9}, "INVALID_DATA", {"maximum_length": 9}),
        ("Accounts", {"Account_Name": "A", "Annual_Revenue": "x"}, "INVALID_DATA", {"expected_data_type": "double"}),
        ("Accounts", {"Account_Name": "A", "Account_Number": "C-1"}, "INVALID_DATA", {"expected_data_type": "bigint"}),
        ("Accounts", {"Account_Name": "A", "Parent_Account": "1"}, "INVALID_DATA", {"api_name": "Parent_Account"}),
        ("Accounts", {"Account_Name": "A", "Parent_Account": {"id": "x"}}, "INVALID_DATA", {"api_name": "id"}),
        ("Accounts", {"Account_Name": "A", "Parent_Account": {"id": "1"}}, "INVALID_DATA", {"id": "1"}),
        ("Accounts", {"Account_Name": "A", "Website": "no web"}, "INVALID_DATA", {"expected_data_type": "website"}),
        ("Contacts", {"Last_Name": "B", "Email": "nobody"}, "INVALID_DATA", {"expected_data_type": "email"}),
        ("Contacts", {"Last_Name": "B", "Date_of_Birth": "01.02.2000"}, "INVALID_DATA", {"expected_data_type": "date"}),
        ("Contacts", {"Last_Name": "B", "Email_Opt_Out": "yes"}, "INVALID_DATA", {"expected_data_type": "boolean"}),
        ("Deals", {"Deal_Name": "D"}, "MANDATORY_NOT_FOUND", {"api_name": "Stage"}),
        ("Deals", {"Deal_Name": "D", "Stage": "S", "Deal_Items": 1}, "INVALID_DATA", {"api_name": "Deal_Items"}),
        ("Vendors", {"Phone": "1"}, "MANDATORY_NOT_FOUND", {"api_name": "Vendor_Name"}),
        ("Quotes", {"Subject": "Q"}, "MANDATORY_NOT_FOUND", {"api_name": "Account_Name"}),
    ],
)
def test_bad_values_are_refused_with_field_and_path(
    zoho: Service, module: str, values: dict[str, Any], code: str, details: dict[str, Any]
) -> None:
    answer = zoho.insert(module, values)
    assert answer.status_code == 400
    row = row_of(answer)
    assert (row["code"], row["status"]) == (code, "error")
    assert details.items() <= row["details"].items()
    assert row["details"]["json_path"].startswith("$.data[0].")


def test_some_rows_failing_is_207_in_request_order(zoho: Service) -> None:
    answer = zoho.insert("Accounts", {"Account_Name": "A"}, {"Phone": "1"}, {"Account_Name": "C"})
    assert answer.status_code == 207
    assert [row["code"] for row in answer.json()["data"]] == ["SUCCESS", "MANDATORY_NOT_FOUND", "SUCCESS"]
    assert row_of(answer, 1)["details"]["json_path"] == "$.data[1].Account_Name"


def test_whole_requests_are_refused_without_data(zoho: Service) -> None:
    many = zoho.insert("Accounts", *[{"Account_Name": "A"}] * 101)
    assert refused(many)[:2] == (400, "INVALID_DATA")
    assert many.json()["details"]["maximum_length"] == 100
    assert refused(zoho.call("POST", "Accounts", json={}))[1] == "MANDATORY_NOT_FOUND"
    assert refused(zoho.call("POST", "Accounts", data="{nonsense"))[1] == "INVALID_DATA"
    assert refused(zoho.insert("Acounts", {"A": 1})) == (400, "INVALID_MODULE", {"resource_path_index": 0})
    assert refused(zoho.call("PATCH", "Accounts"))[:2] == (400, "INVALID_REQUEST_METHOD")
    assert refused(zoho.get("Accounts/some/where"))[:2] == (404, "INVALID_URL_PATTERN")
    assert requests.get(f"{zoho.base}/elsewhere", timeout=60).status_code == 404
    assert refused(zoho.insert("Accounts", {"Account_Name": "A"}, trigger=["magic"]))[1] == "INVALID_DATA"


def test_unlisted_picklist_values_are_stored(zoho: Service) -> None:
    deal = zoho.insert_id("Deals", Deal_Name="D", Stage="Stage of our own")
    assert zoho.record("Deals", deal)["Stage"] == "Stage of our own"


def test_numbers_and_instants_keep_their_meaning(zoho: Service) -> None:
    body = {
        "fields": [
            {"field_label": "Checked At", "data_type": "datetime"},
            {"field_label": "Ratio", "data_type": "double"},
        ]
    }
    assert zoho.call("POST", "settings/fields", params={"module": "Accounts"}, json=body).status_code == 201
    account = zoho.insert_id(
        "Accounts",
        Account_Name="A",
        Account_Number="900719925474099321",
        Annual_Revenue=1234567.895,
        Checked_At="2026-01-01T00:00:00+00:00",
        Ratio=0.1,
    )
    record = zoho.record("Accounts", account)
    assert record["Account_Number"] == "900719925474099321"
    assert record["Annual_Revenue"] == 1234567.9
    assert record["Checked_At"] == "2026-01-01T05:30:00+05:30"
    assert record["Ratio"] == 0.1
    zoho.update("Accounts", {"id": int(account), "Account_Number": None, "Ratio": None})
    assert zoho.record("Accounts", account)["Account_Number"] is None


def test_accounts_of_one_name_can_be_inserted_twice_but_upsert_matches_the_name(zoho: Service) -> None:
    first = zoho.insert_id("Accounts", Account_Name="Twin")
    second = zoho.insert_id("Accounts", Account_Name="Twin")
    assert first != second
    row = row_of(zoho.upsert("Accounts", {"Account_Name": "TWIN", "Fax": "1"}))
    assert (row["action"], row["duplicate_field"], row["details"]["id"]) == ("update", "Account_Name", first)


def test_an_upsert_by_our_key_leaves_the_name_alone(zoho: Service) -> None:
    key = zoho.unique_field("Accounts")
    zoho.insert_id("Accounts", Account_Name="Same")
    row = row_of(zoho.upsert("Accounts", {"Account_Name": "Same", key: "S1"}, duplicate_check_fields=[key]))
    assert (row["action"], row["duplicate_field"]) == ("insert", None)
    row = row_of(zoho.upsert("Accounts", {"Account_Name": "Other", key: "s1"}, duplicate_check_fields=[key]))
    assert (row["action"], row["duplicate_field"]) == ("update", key)


def test_user_unique_fields_match_even_when_not_listed(zoho: Service) -> None:
    key, other = zoho.unique_field("Accounts"), zoho.unique_field("Accounts", "Other Number")
    zoho.insert_id("Accounts", Account_Name="A", **{other: "O1"})
    row = row_of(zoho.upsert("Accounts", {"Account_Name": "B", key: "S1", other: "O1"}, duplicate_check_fields=[key]))
    assert (row["action"], row["duplicate_field"]) == ("update", other)


def test_only_system_and_unique_fields_check_for_duplicates(zoho: Service) -> None:
    answer = zoho.upsert("Accounts", {"Account_Name": "A"}, duplicate_check_fields=["Phone"])
    assert refused(answer)[:2] == (400, "INVALID_DATA")


def test_unique_fields_are_enforced_on_insert_and_update(zoho: Service) -> None:
    key, other = zoho.unique_field("Accounts"), zoho.unique_field("Accounts", "Other Number")
    held = zoho.insert_id("Accounts", Account_Name="A", **{key: "S1", other: "O1"})
    row = row_of(zoho.insert("Accounts", {"Account_Name": "B", key: "S1"}))
    assert row["code"] == "DUPLICATE_DATA"
    assert row["details"]["id"] == row["details"]["duplicate_record"]["id"] == held
    assert row["details"]["api_name"] == key
    free = zoho.insert_id("Accounts", Account_Name="B", **{key: "S2"})
    assert row_of(zoho.update("Accounts", {"id": free, key: "S1"}))["code"] == "DUPLICATE_DATA"
    both = row_of(zoho.insert("Accounts", {"Account_Name": "C", key: "S1", other: "O1"}))
    assert both["code"] == "MULTIPLE_OR_MULTI_ERRORS"
    assert len(both["details"]["errors"]) == 2
    twice = zoho.insert("Accounts", {"Account_Name": "D", key: "S9"}, {"Account_Name": "E", key: "S9"})
    assert [row["code"] for row in twice.json()["data"]] == ["SUCCESS", "DUPLICATE_DATA"]


def test_an_update_needs_a_known_id(zoho: Service) -> None:
    assert row_of(zoho.update("Accounts", {"Fax": "1"}))["code"] == "MANDATORY_NOT_FOUND"
    row = row_of(zoho.update("Accounts", {"id": "12", "Fax": "1"}))
    assert (row["code"], row["message"]) == ("INVALID_DATA", "the id given seems to be invalid")
    account = zoho.insert_id("Accounts", Account_Name="A")
    assert row_of(zoho.update("Accounts", {"id": account, "Account_Name": None}))["code"] == "MANDATORY_NOT_FOUND"


def test_if_unmodified_since_refuses_a_newer_record(zoho: Service) -> None:
    old = zoho.insert_id("Accounts", Account_Name="Old")
    seen = zoho.record("Accounts", old)["Modified_Time"]
    zoho.world.clock.advance(timedelta(seconds=5))
    new = zoho.insert_id("Accounts", Account_Name="New")
    headers = {"If-Unmodified-Since": seen}
    alone = zoho.update("Accounts", {"id": new, "Fax": "1"}, headers=headers)
    assert (alone.status_code, row_of(alone)["code"]) == (412, "ALREADY_MODIFIED")
    mixed = zoho.update("Accounts", {"id": new, "Fax": "1"}, {"id": old, "Fax": "1"}, headers=headers)
    assert mixed.status_code == 207
    assert [row["code"] for row in mixed.json()["data"]] == ["ALREADY_MODIFIED", "SUCCESS"]


def test_a_locked_record_is_refused(zoho: Service) -> None:
    account = zoho.insert_id("Accounts", Account_Name="A")
    zoho.world.actions["lock_record"]({"module": "Accounts", "id": account})
    assert row_of(zoho.update("Accounts", {"id": account, "Fax": "1"}))["code"] == "RECORD_LOCKED"
    assert row_of(zoho.call("DELETE", "Accounts", params={"ids": account}))["code"] == "RECORD_LOCKED"


def test_an_unchanged_update_still_touches_modified_time_unless_switched(zoho: Service) -> None:
    account = zoho.insert_id("Accounts", Account_Name="A")
    before = zoho.record("Accounts", account)["Modified_Time"]
    zoho.world.clock.advance(timedelta(seconds=2))
    zoho.update("Accounts", {"id": account, "Account_Name": "A"})
    after = zoho.record("Accounts", account)["Modified_Time"]
    assert after > before
    zoho.world.switches.unchanged_update_moves_modified_time = False
    zoho.world.clock.advance(timedelta(seconds=2))
    zoho.update("Accounts", {"id": account, "Account_Name": "A"})
    assert zoho.record("Accounts", account)["Modified_Time"] == after


def test_deletes_answer_row_by_row_and_show_in_deleted(zoho: Service) -> None:
    account = zoho.insert_id("Accounts", Account_Name="Gone")
    assert refused(zoho.call("DELETE", "Accounts"))[1] == "REQUIRED_PARAM_MISSING"
    assert refused(zoho.call("DELETE", "Accounts", params={"ids": account, "wf_trigger": "perhaps"}))[1] == (
        "UNABLE_TO_PARSE_DATA_TYPE"
    )
    assert zoho.get("Accounts/deleted").status_code == 204
    answer = zoho.call("DELETE", "Accounts", params={"ids": f"{account},99", "wf_trigger": "False"})
    assert answer.status_code == 207
    assert [row["message"] for row in answer.json()["data"]] == ["record deleted", "record not deleted"]
    assert zoho.call("DELETE", f"Accounts/{account}").status_code == 400
    assert zoho.get(f"Accounts/{account}").status_code == 204
    listed = zoho.get("Accounts/deleted", type="recycle").json()
    assert (listed["data"][0]["id"], listed["data"][0]["display_name"]) == (account, "Gone")
    assert zoho.get("Accounts/deleted", type="permanent").status_code == 204
    assert refused(zoho.get("Accounts/deleted", type="odd"))[1] == "PATTERN_NOT_MATCHED"
    zoho.world.clock.advance(timedelta(days=61))
    zoho.sign_in()
    assert row_of(zoho.get("Accounts/deleted", type="permanent"))["display_name"] is None


def test_a_fault_refuses_single_rows_of_a_batch_with_a_code_of_zohos(zoho: Service) -> None:
    rows = [{"Account_Name": f"Row {number}"} for number in range(60)]

    def refused() -> list[int]:
        zoho.world.faults.clear()
        zoho.world.faults.add("refuse_row", code="RECORD_LOCKED", method="POST", path="/Accounts", rate=0.1, seed=2)
        answer = zoho.insert("Accounts", *rows)
        assert answer.status_code == 207
        return [at for at, row in enumerate(answer.json()["data"]) if row["code"] == "RECORD_LOCKED"]

    first = refused()
    assert 0 < len(first) < 20
    assert refused() == first
    zoho.world.faults.clear()
    zoho.world.faults.add("refuse_row", code="INVALID_DATA", contains='"Row 1"')
    answer = zoho.insert("Accounts", *rows[:3]).json()["data"]
    assert [(row["code"], row["details"].get("json_path")) for row in answer] == [
        ("SUCCESS", None), ("INVALID_DATA", "$.data[1]"), ("SUCCESS", None),
    ]  # fmt: skip
    assert zoho.coql("select id from Accounts where Account_Name = 'Row 1'").json()["info"]["count"] == 2
    with pytest.raises(ValueError, match="refuses no row with 'MELTED'"):
        zoho.world.faults.add("refuse_row", code="MELTED")
