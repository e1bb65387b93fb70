"""`sagezoho inbox`, as a person types it."""

from __future__ import annotations

from typing import Any

import pytest

from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.e2e.conftest import Workplace


@pytest.fixture
def account(ready: Workplace, sandbox: Sandbox) -> str:
    """An account that Sage refuses as a customer, in the inbox."""
    actions = sandbox.zoho_crm.world.actions
    values = {"Billing_Street": "1 Quay", "Billing_City": "Oslo", "Sage_Customer_Group": "NOSUCH"}
    made = actions["add_account"]({"name": "Harbour Lights", "values": values})
    actions["add_deal"]({"name": "Refit", "account_id": made["id"], "amount": "100", "stage": "Closed Won"})
    assert ready("sync", "customers").exit_code == 1
    return str(made["id"])


def _entry(workplace: Workplace, account: str) -> Any:
    [entry] = [one for one in workplace.json("inbox")["entries"] if one["source"]["id"] == account]
    return entry


def test_the_list_tells_code_words_advice_and_both_sides(ready: Workplace, account: str) -> None:
    told = ready("inbox").output
    assert "Harbour Lights" in told
    assert f"Zoho CRM account {account}" in told
    assert "Sage 300 customer" in told
    assert "what to do:" in told
    assert "Sage 300 said FieldInvalid" in told
    entry = _entry(ready, account)
    assert entry["code"]
    assert "NOSUCH" in entry["text"]
    assert ready.json("inbox", "list", "--code", "NONE")["count"] == 0
    assert ready.json("inbox", "--since", "2001-01-01", "--flow", "customers")["count"] == 1
    assert "GroupCode" in ready("inbox", "show", account).output


def test_an_edit_with_its_reason_delivers(ready: Workplace, account: str) -> None:
    done = ready("inbox", "edit", account, "--set", "GroupCode=RTL", "--why", "renamed")
    assert done.exit_code == 0, done.output
    assert "newer version" in done.output
    assert ready("sync", "customers").exit_code == 0
    assert "The inbox is empty" in ready("inbox").output
    assert "edited by" in ready("explain", account).output


def test_what_may_not_be_set_is_refused_before_anything_is_done(ready: Workplace, account: str) -> None:
    for field in ("CustomerNumber", "NoSuchField"):
        done = ready("inbox", "edit", account, "--set", f"{field}=1", "--why", "x")
        assert done.exit_code == 1
        assert f"{field} cannot be set here" in done.output
    assert _entry(ready, account)
    assert ready("inbox", "edit", account, "--set", "GroupCode", "--why", "x").exit_code == 2


def test_retry_and_dismiss(ready: Workplace, account: str) -> None:
    assert ready("inbox", "retry").exit_code == 2
    assert "queued again" in ready("inbox", "retry", "--all").output
    assert ready.json("inbox")["count"] == 0
    ready("sync", "customers")
    assert "dismissed" in ready("inbox", "dismiss", account, "--why", "a test").output
    assert ready.json("inbox")["count"] == 0
    unknown = ready("inbox", "retry", "12345")
    assert unknown.exit_code == 1
    assert "is not in the inbox" in unknown.output


def test_a_slip_of_the_pen_in_a_filter_is_no_empty_inbox(ready: Workplace, account: str) -> None:
    told = ready("inbox", "--flow", "customer")
    assert told.exit_code == 2
    assert "there is no flow 'customer'" in told.output
    assert "there is no flow 'customer'" in ready("inbox", "retry", "--all", "--flow", "customer").output
    told = ready("inbox", "--connection", "saminx")
    assert told.exit_code == 1
    assert "there is no connection 'saminx'" in told.output
    told = ready("inbox", "--code", "NOSUCH")
    assert told.exit_code == 0
    assert "empty" not in told.output
    assert _entry(ready, account)
