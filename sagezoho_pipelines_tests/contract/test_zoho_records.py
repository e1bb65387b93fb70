"""Records of the simulated CRM: what is written, what is refused, and how it reads back."""

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


def _row(answer: requests.Response, at: int = 0) -> dict[str, Any]:
    row: dict[str, Any] = answer.json()["data"][at]
    return row


def _refusal(answer: requests.Response) -> tuple[int, str, dict[str, Any]]:
    body = answer.json()
    return answer.status_code, body["code"], body["details"]


# Writing


def test_an_insert_tells_who_when_and_which(zoho: Service) -> None:
    answer = zoho.insert("Accounts", {"Account_Name": "  Beta  ", "Website": "", "Nonsense": 1})
    assert answer.status_code == 201
    row = _row(answer)
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
    row = _row(answer)
    assert (row["code"], row["status"]) == (code, "error")
    assert details.items() <= row["details"].items()
    assert row["details"]["json_path"].startswith("$.data[0].")


def test_some_rows_failing_is_207_in_request_order(zoho: Service) -> None:
    answer = zoho.insert("Accounts", {"Account_Name": "A"}, {"Phone": "1"}, {"Account_Name": "C"})
    assert answer.status_code == 207
    assert [row["code"] for row in answer.json()["data"]] == ["SUCCESS", "MANDATORY_NOT_FOUND", "SUCCESS"]
    assert _row(answer, 1)["details"]["json_path"] == "$.data[1].Account_Name"


def test_whole_requests_are_refused_without_data(zoho: Service) -> None:
    many = zoho.insert("Accounts", *[{"Account_Name": "A"}] * 101)
    assert _refusal(many)[:2] == (400, "INVALID_DATA")
    assert many.json()["details"]["maximum_length"] == 100
    assert _refusal(zoho.call("POST", "Accounts", json={}))[1] == "MANDATORY_NOT_FOUND"
    assert _refusal(zoho.call("POST", "Accounts", data="{nonsense"))[1] == "INVALID_DATA"
    assert _refusal(zoho.insert("Acounts", {"A": 1})) == (400, "INVALID_MODULE", {"resource_path_index": 0})
    assert _refusal(zoho.call("PATCH", "Accounts"))[:2] == (400, "INVALID_REQUEST_METHOD")
    assert _refusal(zoho.get("Accounts/some/where"))[:2] == (404, "INVALID_URL_PATTERN")
    assert requests.get(f"{zoho.base}/elsewhere", timeout=10).status_code == 404
    assert _refusal(zoho.insert("Accounts", {"Account_Name": "A"}, trigger=["magic"]))[1] == "INVALID_DATA"


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
        Checked_At="2026-01-01T00:00:00Z",
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
    row = _row(zoho.upsert("Accounts", {"Account_Name": "TWIN", "Fax": "1"}))
    assert (row["action"], row["duplicate_field"], row["details"]["id"]) == ("update", "Account_Name", first)


def test_an_upsert_by_our_key_leaves_the_name_alone(zoho: Service) -> None:
    key = zoho.unique_field("Accounts")
    zoho.insert_id("Accounts", Account_Name="Same")
    row = _row(zoho.upsert("Accounts", {"Account_Name": "Same", key: "S1"}, duplicate_check_fields=[key]))
    assert (row["action"], row["duplicate_field"]) == ("insert", None)
    row = _row(zoho.upsert("Accounts", {"Account_Name": "Other", key: "s1"}, duplicate_check_fields=[key]))
    assert (row["action"], row["duplicate_field"]) == ("update", key)


def test_user_unique_fields_match_even_when_not_listed(zoho: Service) -> None:
    key, other = zoho.unique_field("Accounts"), zoho.unique_field("Accounts", "Other Number")
    zoho.insert_id("Accounts", Account_Name="A", **{other: "O1"})
    row = _row(zoho.upsert("Accounts", {"Account_Name": "B", key: "S1", other: "O1"}, duplicate_check_fields=[key]))
    assert (row["action"], row["duplicate_field"]) == ("update", other)


def test_only_system_and_unique_fields_check_for_duplicates(zoho: Service) -> None:
    answer = zoho.upsert("Accounts", {"Account_Name": "A"}, duplicate_check_fields=["Phone"])
    assert _refusal(answer)[:2] == (400, "INVALID_DATA")


def test_unique_fields_are_enforced_on_insert_and_update(zoho: Service) -> None:
    key, other = zoho.unique_field("Accounts"), zoho.unique_field("Accounts", "Other Number")
    held = zoho.insert_id("Accounts", Account_Name="A", **{key: "S1", other: "O1"})
    row = _row(zoho.insert("Accounts", {"Account_Name": "B", key: "S1"}))
    assert row["code"] == "DUPLICATE_DATA"
    assert row["details"]["id"] == row["details"]["duplicate_record"]["id"] == held
    assert row["details"]["api_name"] == key
    free = zoho.insert_id("Accounts", Account_Name="B", **{key: "S2"})
    assert _row(zoho.update("Accounts", {"id": free, key: "S1"}))["code"] == "DUPLICATE_DATA"
    both = _row(zoho.insert("Accounts", {"Account_Name": "C", key: "S1", other: "O1"}))
    assert both["code"] == "MULTIPLE_OR_MULTI_ERRORS"
    assert len(both["details"]["errors"]) == 2
    twice = zoho.insert("Accounts", {"Account_Name": "D", key: "S9"}, {"Account_Name": "E", key: "S9"})
    assert [row["code"] for row in twice.json()["data"]] == ["SUCCESS", "DUPLICATE_DATA"]


def test_an_update_needs_a_known_id(zoho: Service) -> None:
    assert _row(zoho.update("Accounts", {"Fax": "1"}))["code"] == "MANDATORY_NOT_FOUND"
    row = _row(zoho.update("Accounts", {"id": "12", "Fax": "1"}))
    assert (row["code"], row["message"]) == ("INVALID_DATA", "the id given seems to be invalid")
    account = zoho.insert_id("Accounts", Account_Name="A")
    assert _row(zoho.update("Accounts", {"id": account, "Account_Name": None}))["code"] == "MANDATORY_NOT_FOUND"


def test_if_unmodified_since_refuses_a_newer_record(zoho: Service) -> None:
    old = zoho.insert_id("Accounts", Account_Name="Old")
    seen = zoho.record("Accounts", old)["Modified_Time"]
    zoho.world.clock.advance(timedelta(seconds=5))
    new = zoho.insert_id("Accounts", Account_Name="New")
    headers = {"If-Unmodified-Since": seen}
    alone = zoho.update("Accounts", {"id": new, "Fax": "1"}, headers=headers)
    assert (alone.status_code, _row(alone)["code"]) == (412, "ALREADY_MODIFIED")
    mixed = zoho.update("Accounts", {"id": new, "Fax": "1"}, {"id": old, "Fax": "1"}, headers=headers)
    assert mixed.status_code == 207
    assert [row["code"] for row in mixed.json()["data"]] == ["ALREADY_MODIFIED", "SUCCESS"]


def test_a_locked_record_is_refused(zoho: Service) -> None:
    account = zoho.insert_id("Accounts", Account_Name="A")
    zoho.world.actions["lock_record"]({"module": "Accounts", "id": account})
    assert _row(zoho.update("Accounts", {"id": account, "Fax": "1"}))["code"] == "RECORD_LOCKED"
    assert _row(zoho.call("DELETE", "Accounts", params={"ids": account}))["code"] == "RECORD_LOCKED"


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
    assert _refusal(zoho.call("DELETE", "Accounts"))[1] == "REQUIRED_PARAM_MISSING"
    assert _refusal(zoho.call("DELETE", "Accounts", params={"ids": account, "wf_trigger": "perhaps"}))[1] == (
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
    assert _refusal(zoho.get("Accounts/deleted", type="odd"))[1] == "PATTERN_NOT_MATCHED"
    zoho.world.clock.advance(timedelta(days=61))
    zoho.sign_in()
    assert _row(zoho.get("Accounts/deleted", type="permanent"))["display_name"] is None


# Lines and totals


@pytest.fixture
def invoice(zoho: Service) -> dict[str, Any]:
    account = zoho.insert_id("Accounts", Account_Name="Buyer")
    product = zoho.insert_id("Products", Product_Name="Lamp", Product_Code="L-1", Unit_Price=20)
    lines = [
        {"Product_Name": {"id": product}, "Quantity": 2, "List_Price": 10.5, "Discount": 1},
        {"Product_Name": {"id": product}, "Quantity": 1, "Line_Tax": [{"name": "VAT", "percentage": 10}]},
    ]
    invoice_id = zoho.insert_id("Invoices", Subject="I", Account_Name={"id": account}, Invoiced_Items=lines)
    return {"id": invoice_id, "product": product, **zoho.record("Invoices", invoice_id)}


def test_totals_and_the_number_are_the_vendors_own(zoho: Service, invoice: dict[str, Any]) -> None:
    first, second = invoice["Invoiced_Items"]
    assert (first["Total"], first["Total_After_Discount"], first["Net_Total"]) == (21, 20, 20)
    assert (second["List_Price"], second["Tax"], second["Net_Total"]) == (20, 2, 22)
    assert (invoice["Sub_Total"], invoice["Tax"], invoice["Grand_Total"]) == (40, 2, 42)
    assert first["Product_Name"] == {"name": "Lamp", "id": invoice["product"], "Product_Code": "L-1"}
    assert invoice["$has_more"] == {"Invoiced_Items": False}
    assert invoice["Invoice_Number"]
    refused = _row(zoho.update("Invoices", {"id": invoice["id"], "Grand_Total": 1}))
    assert (refused["code"], refused["details"]["api_name"]) == ("INVALID_DATA", "Grand_Total")
    zoho.world.switches.computed_fields = "ignored"
    zoho.update("Invoices", {"id": invoice["id"], "Grand_Total": 1, "Adjustment": -2})
    assert zoho.record("Invoices", invoice["id"])["Grand_Total"] == 40


def test_rows_without_an_id_are_added_to_those_there(zoho: Service, invoice: dict[str, Any]) -> None:
    first, second = (line["id"] for line in invoice["Invoiced_Items"])
    added = {"Product_Name": {"id": invoice["product"]}, "Quantity": 5, "List_Price": 1}
    zoho.update("Invoices", {"id": invoice["id"], "Invoiced_Items": [{"id": first, "Quantity": 3}, added]})
    lines = zoho.record("Invoices", invoice["id"])["Invoiced_Items"]
    assert [line["Quantity"] for line in lines] == [3, 1, 5]
    zoho.update("Invoices", {"id": invoice["id"], "Invoiced_Items": [{"id": second, "_delete": None}]})
    lines = zoho.record("Invoices", invoice["id"])["Invoiced_Items"]
    assert [line["Sequence_Number"] for line in lines] == [1, 2]
    assert second not in [line["id"] for line in lines]
    bad = _row(zoho.update("Invoices", {"id": invoice["id"], "Invoiced_Items": [{"id": "5", "Quantity": 1}]}))
    assert bad["details"]["json_path"] == "$.data[0].Invoiced_Items[0].id"
    missing = _row(zoho.update("Invoices", {"id": invoice["id"], "Invoiced_Items": [{"Quantity": 1}]}))
    assert missing["details"]["json_path"] == "$.data[0].Invoiced_Items[0].Product_Name"
    zoho.update("Invoices", {"id": invoice["id"], "Invoiced_Items": []})
    assert zoho.record("Invoices", invoice["id"])["Invoiced_Items"] == []


def test_lists_leave_subforms_out(zoho: Service, invoice: dict[str, Any]) -> None:
    row = _row(zoho.get("Invoices", fields="Subject,Invoiced_Items,Grand_Total"))
    assert row == {"Subject": "I", "Grand_Total": 42, "id": invoice["id"]}


# Reading


def test_fields_are_mandatory_and_at_most_fifty(zoho: Service) -> None:
    assert _refusal(zoho.get("Accounts"))[:2] == (400, "REQUIRED_PARAM_MISSING")
    many = ",".join(f"F{at}" for at in range(51))
    assert _refusal(zoho.get("Accounts", fields=many)) == (
        400,
        "LIMIT_EXCEEDED",
        {"limit": 50, "param_name": "fields"},
    )
    assert _refusal(zoho.get("Accounts", fields="id", per_page=201))[1] == "INVALID_DATA"
    assert zoho.get("Accounts", fields="Account_Name").status_code == 204


def test_pages_end_at_two_thousand_rows_and_go_on_with_tokens(zoho: Service) -> None:
    for at in range(3):
        zoho.insert("Accounts", *[{"Account_Name": f"A{at}-{row}"} for row in range(2)])
    page = zoho.get("Accounts", fields="Account_Name", per_page=2).json()
    assert page["info"]["more_records"] is True
    ids = [row["id"] for row in page["data"]]
    assert ids == sorted(ids, reverse=True)
    token = page["info"]["next_page_token"]
    second = zoho.get("Accounts", fields="Account_Name", per_page=2, page_token=token).json()
    assert second["info"]["page"] == 2
    assert not set(ids) & {row["id"] for row in second["data"]}
    assert _refusal(zoho.get("Accounts", fields="Account_Name", page=11))[1:] == (
        "DISCRETE_PAGINATION_LIMIT_EXCEEDED",
        {"limit": 2000},
    )
    assert _refusal(zoho.get("Accounts", fields="Account_Name", per_page=2, page=1, page_token=token))[1] == (
        "AMBIGUITY_DURING_PROCESSING"
    )
    assert _refusal(zoho.get("Accounts", fields="Phone", per_page=2, page_token=token))[1] == (
        "TOKEN_BOUND_DATA_MISMATCH"
    )
    assert _refusal(zoho.get("Accounts", fields="Account_Name", page_token="made-up"))[1] == "INVALID_DATA"
    zoho.world.clock.advance(timedelta(days=1))
    zoho.sign_in()
    assert _refusal(zoho.get("Accounts", fields="Account_Name", per_page=2, page_token=token))[1] == "EXPIRED_VALUE"


def test_if_modified_since_filters_inclusively(zoho: Service) -> None:
    zoho.insert_id("Accounts", Account_Name="Old")
    zoho.world.clock.advance(timedelta(minutes=1))
    new = zoho.insert_id("Accounts", Account_Name="New")
    seen = zoho.record("Accounts", new)["Modified_Time"]
    answer = zoho.call("GET", "Accounts", params={"fields": "Account_Name"}, headers={"If-Modified-Since": seen})
    assert [row["Account_Name"] for row in answer.json()["data"]] == ["New"]
    zoho.world.switches.if_modified_since_inclusive = False
    answer = zoho.call("GET", "Accounts", params={"fields": "Account_Name"}, headers={"If-Modified-Since": seen})
    assert (answer.status_code, answer.content) == (304, b"")
    odd = {"If-Modified-Since": "Mon, 05 Jan 2026 10:00:00 GMT"}
    assert zoho.call("GET", "Accounts", params={"fields": "id"}, headers=odd).status_code == 400


def test_ids_and_sorting(zoho: Service) -> None:
    ids = [zoho.insert_id("Accounts", Account_Name=name) for name in "ABC"]
    zoho.world.clock.advance(timedelta(minutes=1))
    zoho.update("Accounts", {"id": ids[0], "Fax": "1"})
    by_change = zoho.get("Accounts", fields="Account_Name", sort_by="Modified_Time", sort_order="asc").json()
    assert [row["Account_Name"] for row in by_change["data"]] == ["B", "C", "A"]
    some = zoho.get("Accounts", fields="Account_Name", ids=f"{ids[2]},{ids[0]}", sort_order="asc").json()
    assert [row["Account_Name"] for row in some["data"]] == ["A", "C"]
    assert _refusal(zoho.get("Accounts", fields="id", sort_by="Phone"))[1] == "INVALID_DATA"
    assert _refusal(zoho.get("Accounts", fields="id", sort_by="id", cvid="1"))[1] == "AMBIGUITY_DURING_PROCESSING"
    assert _refusal(zoho.get("Accounts/abc"))[1] == "INVALID_URL_PATTERN"


# Search and count


def test_search_lags_behind_writes(zoho: Service) -> None:
    account = zoho.insert_id("Accounts", Account_Name="Fresh Paint")
    criteria = "((Account_Name:equals:fresh)and(Created_Time:greater_than:2020-01-01T00:00:00+00:00))"
    assert zoho.get("Accounts/search", criteria=criteria).status_code == 204
    zoho.world.clock.advance(timedelta(seconds=61))
    assert _row(zoho.get("Accounts/search", criteria=criteria))["id"] == account
    zoho.update("Accounts", {"id": account, "Account_Name": "Dry Paint"})
    assert _row(zoho.get("Accounts/search", word="fresh"))["Account_Name"] == "Fresh Paint"
    zoho.world.clock.advance(timedelta(seconds=61))
    assert zoho.get("Accounts/search", word="fresh").status_code == 204


def test_search_errors(zoho: Service) -> None:
    assert _refusal(zoho.get("Accounts/search"))[1] == "EXPECTED_PARAM_MISSING"
    assert _refusal(zoho.get("Accounts/search", word="x"))[1] == "INVALID_DATA"
    assert _refusal(zoho.get("Accounts/search", criteria="(Nothing:equals:1)"))[1] == "INVALID_QUERY"
    assert _refusal(zoho.get("Accounts/search", criteria="(Account_Name"))[1] == "INVALID_QUERY"
    assert _refusal(zoho.get("Accounts/search", word="abc", page=11))[1] == "LIMIT_REACHED"


@pytest.mark.parametrize(
    "criteria",
    [
        "(Account_Name:greater_than:a)",
        "(Account_Name:equals:a,b)",
        "(Employees:starts_with:5)",
        "(Employees:between:5)",
        "(Employees:between:5,6,7)",
        "(Employees:between:5,null)",
        "(Employees:equals:many)",
        "(Locked__s:less_than:true)",
        "(Tag:equals:a)",
    ],
)
def test_criteria_fit_the_type_of_their_field_whether_there_are_rows_or_not(zoho: Service, criteria: str) -> None:
    assert _refusal(zoho.get("Accounts/search", criteria=criteria))[1] == "INVALID_QUERY"


def test_count_is_stale_for_a_while(zoho: Service) -> None:
    zoho.insert_id("Accounts", Account_Name="A")
    assert zoho.get("Accounts/actions/count").json() == {"count": 1}
    zoho.insert_id("Accounts", Account_Name="B")
    assert zoho.get("Accounts/actions/count").json() == {"count": 1}
    zoho.world.clock.advance(timedelta(minutes=2))
    assert zoho.get("Accounts/actions/count").json() == {"count": 2}


def test_page_tokens_end_at_a_hundred_thousand_rows(zoho: Service) -> None:
    bound = (("fields", "Account_Name"), ("#module", "Accounts"), ("#since", ""))
    token, _ = zoho.world.page_tokens.issue(zoho.world.org, bound, 501)
    answer = zoho.get("Accounts", fields="Account_Name", page_token=token)
    assert _refusal(answer) == (400, "PAGINATION_LIMIT_EXCEEDED", {"limit": 100_000})


def test_a_profile_without_the_right_is_refused(zoho: Service) -> None:
    deny = zoho.world.actions["set_permission"]
    deny({"module": "Accounts", "operation": "CREATE", "allowed": False})
    refused = (403, "NO_PERMISSION", {"permissions": ["Crm_Implied_Create_Accounts"]})
    assert _refusal(zoho.insert("Accounts", {"Account_Name": "A"})) == refused
    deny({"module": "Accounts", "operation": "CREATE", "allowed": True})
    deny({"module": "Accounts", "operation": "READ", "allowed": False})
    zoho.insert_id("Accounts", Account_Name="A")
    assert _refusal(zoho.coql("select id from Accounts where id is not null"))[0] == 403


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
