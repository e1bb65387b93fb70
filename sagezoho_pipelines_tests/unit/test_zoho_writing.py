"""Writing in hundreds: every row's own answer, in the order of the input."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines_tests.unit.zoho_script import Play, Sent, bad_row, client, failure, ok_row


@pytest.mark.parametrize("status", [200, 201, 202, 207, 400, 412, 500])
def test_rows_are_judged_one_by_one_whatever_the_status(status: int) -> None:
    rows = [
        ok_row("1", action="update"),
        bad_row("MANDATORY_NOT_FOUND", api_name="Last_Name"),
        ok_row("3", action="insert"),
    ]
    zoho, _, _ = client([Play({"data": rows}, status=status)])
    first, second, third = zoho.upsert("Contacts", [{"Key": n} for n in "abc"], duplicate_check=["Key"])
    assert (first.id, first.created, first.error) == ("1", False, None)
    assert first.modified_time == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert second.error is not None
    assert (second.error.verdict, second.error.field, second.error.code) == (
        Verdict.REFUSE, "Last_Name", "MANDATORY_NOT_FOUND",
    )  # fmt: skip
    assert third.created


def test_what_is_sent_holds_trigger_and_the_fields_to_match_by() -> None:
    zoho, script, _ = client([Play({"data": [ok_row("1")]})] * 3)
    zoho.upsert("Accounts", [{"Sage_ID": "A", "Amount": Decimal("0.10")}], duplicate_check=["Sage_ID"])
    zoho.insert("Accounts", [{"x": 1}], trigger=["workflow"])
    zoho.update("Accounts", [{"id": "1"}])
    assert script.sent[0].path == "/crm/v8/Accounts/upsert"
    assert b'"Amount":0.10' in script.sent[0].raw
    assert script.sent[0].body["duplicate_check_fields"] == ["Sage_ID"]
    assert [(sent.method, sent.body["trigger"]) for sent in script.sent] == [
        ("POST", []), ("POST", ["workflow"]), ("PUT", []),
    ]  # fmt: skip


def test_a_thousand_rows_go_in_hundreds_and_come_back_in_order() -> None:
    def rule(sent: Sent) -> Play:
        return Play({"data": [ok_row(row["Key"]) for row in sent.body["data"]]})

    zoho, script, _ = client(rule)
    results = zoho.upsert("Accounts", [{"Key": str(n)} for n in range(1050)], duplicate_check=["Key"])
    assert [result.id for result in results] == [str(n) for n in range(1050)]
    assert sorted(len(sent.body["data"]) for sent in script.sent) == [50, *[100] * 10]
    assert zoho.usage.credits == 105


def test_two_rows_of_one_record_arrive_in_order() -> None:
    zoho, script, _ = client(lambda sent: Play({"data": [ok_row(row["id"]) for row in sent.body["data"]]}))
    zoho.update("Accounts", [{"id": str(n % 150), "Phone": str(n)} for n in range(300)])
    assert [sent.body["data"][0]["Phone"] for sent in script.sent] == ["0", "100", "200"]


def test_nothing_to_write_is_no_call() -> None:
    zoho, script, _ = client([])
    assert zoho.insert("Accounts", []) == zoho.update("Accounts", []) == []
    assert script.sent == []


@pytest.mark.parametrize("data", [[], [ok_row("1")], [ok_row("1"), ok_row("2"), ok_row("3")], ["x", "y"]])
def test_answers_that_do_not_fit_the_rows_are_an_unknown_outcome(data: list[Any]) -> None:
    zoho, _, _ = client([Play({"data": data})])
    with pytest.raises(OutcomeUnknown, match="ROW_COUNT_MISMATCH"):
        zoho.upsert("Accounts", [{"K": "1"}, {"K": "2"}], duplicate_check=["K"])


def test_a_record_without_its_id_is_an_unknown_outcome_of_that_row() -> None:
    nameless = {"code": "SUCCESS", "details": {}, "message": "record added", "status": "success"}
    zoho, _, _ = client([Play({"data": [nameless, ok_row("2")]})])
    first, second = zoho.upsert("Accounts", [{"K": "A"}, {"K": "B"}], duplicate_check=["K"])
    assert isinstance(first.error, OutcomeUnknown)
    assert (first.error.code, second.id, second.error) == ("ID_MISSING", "2", None)


def test_a_request_refused_as_a_whole_is_raised() -> None:
    zoho, _, _ = client([failure("INVALID_DATA", 400, api_name="data", maximum_length=100)])
    with pytest.raises(VendorError) as caught:
        zoho.update("Accounts", [{"id": "1"}])
    assert (caught.value.code, caught.value.field) == ("INVALID_DATA", "data")


def test_of_several_requests_those_that_failed_are_told_on_their_rows() -> None:
    def rule(sent: Sent) -> Play:
        rows = sent.body["data"]
        if rows[0]["Name"] == "100":
            return failure("INTERNAL_ERROR", 500)
        return Play({"data": [ok_row(row["Name"]) for row in rows]}, status=201)

    zoho, _, _ = client(rule)
    results = zoho.insert("Accounts", [{"Name": str(n)} for n in range(250)])
    assert [n for n, result in enumerate(results) if isinstance(result.error, OutcomeUnknown)] == list(range(100, 200))
    assert all(result.created for n, result in enumerate(results) if not 100 <= n < 200)


def test_a_duplicate_is_a_conflict_that_names_the_other_record() -> None:
    zoho, _, _ = client([Play({"data": [bad_row("DUPLICATE_DATA", api_name="Sage_ID", id="77")]}, status=400)])
    error = zoho.insert("Accounts", [{"Sage_ID": "A"}])[0].error
    assert error is not None
    assert (error.verdict, error.field, error.details["id"]) == (Verdict.CONFLICT, "Sage_ID", "77")


def test_several_errors_of_one_row_are_told_together() -> None:
    inner = [bad_row("DUPLICATE_DATA", api_name="Email", id="77"), bad_row("DUPLICATE_DATA", api_name="Phone", id="78")]
    zoho, _, _ = client([Play({"data": [bad_row("MULTIPLE_OR_MULTI_ERRORS", errors=inner)]}, status=400)])
    error = zoho.insert("Contacts", [{}])[0].error
    assert error is not None
    assert (error.verdict, error.details["id"]) == (Verdict.CONFLICT, "77")
    assert "Email" in error.text
    assert "Phone" in error.text


def test_an_upsert_without_fields_to_match_by_is_refused_here() -> None:
    zoho, script, _ = client([])
    with pytest.raises(VendorError, match="duplicate_check"):
        zoho.upsert("Accounts", [{"x": 1}], duplicate_check=[])
    with pytest.raises(VendorError, match="needs its id"):
        zoho.update("Accounts", [{"x": 1}])
    assert script.sent == []


def test_custom_fields_are_created_five_at_a_time_with_one_result_each() -> None:
    def rule(sent: Sent) -> Play:
        rows = [
            bad_row("DUPLICATE_DATA", api_name="field_label") if each["field_label"] == "F3" else ok_row("1")
            for each in sent.body["fields"]
        ]
        return Play({"fields": rows}, status=207)

    zoho, script, _ = client(rule)
    results = zoho.create_fields("Accounts", [{"field_label": f"F{n}", "data_type": "text"} for n in range(7)])
    assert [result.error.code if result.error else "" for result in results] == [
        "",
        "",
        "",
        "DUPLICATE_DATA",
        "",
        "",
        "",
    ]
    assert [len(sent.body["fields"]) for sent in script.sent] == [5, 2]
    assert script.sent[0].params == {"module": "Accounts"}
