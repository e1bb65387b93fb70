"""`sagezoho reconcile` and `sagezoho backfill`: is everything still there, and certain days once more."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.e2e.conftest import Workplace
from sagezoho_pipelines_tests.e2e.deeds import act, won_deal, writes


def test_what_is_gone_or_was_left_out_is_named_and_nothing_is_written(ready: Workplace, sandbox: Sandbox) -> None:
    won_deal(sandbox)
    ready("sync", "vendors", "customers", "orders")
    before = writes(sandbox)

    sound = ready("reconcile")
    gone = next(row for row in sandbox.zoho_crm.world.state("Accounts") if row.get("Sage_Vendor_Key"))
    act(sandbox, "zoho_crm", "delete_record", module="Accounts", id=gone["id"])
    act(sandbox, "sage300", "add_vendor", fields={"VendorNumber": "LATE1", "VendorName": "Late & Co"})
    told = ready("reconcile")
    listed = ready.json("reconcile", "vendors", "orders")

    assert sound.exit_code == 0, sound.output
    assert told.exit_code == 1
    assert f"vendors {gone['Sage_Vendor_Number']} = Accounts {gone['id']}: no longer there" in told.output
    assert "vendor LATE1: has no account in Zoho CRM" in told.output
    assert "sagezoho explain" in told.output
    vendors, orders = listed["connections"]["saminc"]
    assert not listed["ok"]
    assert (vendors["flow"], vendors["ok"], vendors["without"]) == ("vendors", False, ["LATE1"])
    assert (orders["flow"], orders["ok"], orders["astray"]) == ("orders", True, {})
    assert orders["links"] >= 1
    assert writes(sandbox) == before


def test_a_vendor_that_was_decided_to_be_left_alone_is_not_missed(ready: Workplace, sandbox: Sandbox) -> None:
    ready("sync", "vendors")
    links = ready.json("links", "list")["links"]
    one = next(link for link in links if link["kind"] == "vendors")
    assert ready("links", "remove", f"link-{one['id']}", "--leave-alone", "--why", "not ours").exit_code == 0

    assert ready.json("reconcile", "vendors")["ok"], ready("reconcile", "vendors").output
    assert one["zoho"]["id"] in {row["id"] for row in sandbox.zoho_crm.world.state("Accounts")}


def test_a_flow_that_cannot_be_reconciled_is_wrong_usage(ready: Workplace) -> None:
    done = ready("reconcile", "identity")

    assert done.exit_code == 2
    assert "there are vendors, customers, orders, invoices" in done.output


@pytest.fixture(params=["UTC", "EAST-24", "WEST+24"])
def where_it_is_another_day(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The person who types sits where it is today, tomorrow or yesterday."""
    with monkeypatch.context() as zone:
        zone.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("where_it_is_another_day")
def test_a_backfill_delivers_its_days_again_and_creates_nothing_twice(ready: Workplace, sandbox: Sandbox) -> None:
    act(sandbox, "sage300", "add_vendor", fields={"VendorNumber": "TODAY1", "VendorName": "Of Today Ltd"})
    first = ready.json("sync", "vendors")["flows"]["vendors"]
    today = sandbox.sage300.world.session_date

    again = ready.json("backfill", "vendors", "--from", today.isoformat())["flows"]["vendors"]

    assert first["created"] == 9
    assert again["noop"] >= 1
    assert (again["created"], again["updated"]) == (0, 0)
    assert len([row for row in sandbox.zoho_crm.world.state("Accounts") if row.get("Sage_Vendor_Key")]) == 9
    assert ready("backfill", "vendors").exit_code == 2
