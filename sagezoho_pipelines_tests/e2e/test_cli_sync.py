"""What `sagezoho sync` says of work that is not done, and that its exit code says the same."""

from __future__ import annotations

import json

import pytest

from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.e2e.conftest import Workplace
from sagezoho_pipelines_tests.e2e.deeds import won_deal


def test_an_order_that_waits_for_its_next_attempt_is_told_by_every_sync_until_it_is_there(
    ready: Workplace, sandbox: Sandbox
) -> None:
    _, deal = won_deal(sandbox)
    sandbox.sage300.world.faults.add("reset_before", method="POST", path="OEOrders", contains=deal, times=1)

    first = ready("sync", "customers", "orders")
    again = ready("sync", "orders")
    listed = ready.json("sync", "orders")

    for done in (first, again):
        assert done.exit_code == 1
        assert f"retrying  Zoho CRM deal {deal}" in done.output
    assert not listed["ok"]
    assert [(one["state"], one["record"]) for one in listed["left_behind"]] == [("retrying", deal)]
    assert ready("sync", "vendors").exit_code == 0


def test_a_paused_connection_is_not_told_as_done(ready: Workplace, sandbox: Sandbox) -> None:
    ready.sign_on(sandbox, password="hunter2-wrong")

    first = ready("sync", "vendors")
    again = ready("sync", "vendors")
    listed = ready.json("sync")

    assert [first.exit_code, again.exit_code] == [1, 1]
    assert "is paused until" in again.output
    assert "credentials set" in again.output
    assert not listed["ok"]
    [paused] = listed["paused"]
    assert "is paused until" in paused
    ready.sign_on(sandbox)
    assert ready.json("sync", "vendors")["ok"]


def test_what_an_error_says_is_said_once(ready: Workplace, sandbox: Sandbox) -> None:
    ready.sign_on(sandbox, password="hunter2-wrong")

    told = " ".join(ready("sync", "vendors").output.split())

    assert told.count("Set the user name and password again") == 1
    assert "Note: saminc is paused until" in told


@pytest.mark.parametrize("command", ["sync", "inbox"])
def test_flows_that_wait_for_their_first_plan_are_told_in_one_sentence(
    workplace: Workplace, sandbox: Sandbox, command: str
) -> None:
    workplace.configure(sandbox, first_sync="plan")
    workplace.sign_on(sandbox)
    assert workplace("setup").exit_code == 0
    assert workplace("sync").exit_code == 1

    told = workplace(command).output

    assert told.count("needs an applied plan") == 1
    assert "vendors, customers, orders, invoices, identity wait for you" in told
    named = "sagezoho plan vendors customers orders invoices identity --connection saminc --out"
    assert named in told
    plan = workplace.path / "plan.json"
    assert workplace(*named.split()[1:], str(plan)).exit_code == 0
    assert json.loads(plan.read_text(encoding="utf-8"))
