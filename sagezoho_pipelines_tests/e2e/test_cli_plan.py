"""Plan and apply as a person uses them: see it, mail it, do exactly that, or be told what has moved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests import slowly
from sagezoho_pipelines_tests.e2e.conftest import Workplace
from sagezoho_pipelines_tests.waiting import eventually

COMMAND = (sys.executable, "-m", "sagezoho_pipelines.cli.main")
_NAMES = ("Account_Name", "Last_Name", "CustomerName", "OrderDescription", "Phone", "Billing_Street", "Email")


def _plan(place: Workplace, *arguments: str) -> Path:
    path = place.path / "plan.json"
    done = place("plan", "--out", str(path), *arguments)
    assert done.exit_code == 0, done.output
    return path


def _win(sandbox: Sandbox, deals: int) -> None:
    """So many more deals are won, each of an account of its own."""
    people = sandbox.zoho_crm.world.actions
    address = {
        "Billing_Street": "12 Harbour Road", "Billing_City": "Vancouver", "Billing_State": "BC",
        "Billing_Code": "V6B 1A1", "Billing_Country": "Canada",
    }  # fmt: skip
    for number in range(deals):
        account = people["add_account"]({"name": f"Harbour Lights {number}", "values": address})
        people["add_deal"](
            {"name": f"Refit {number}", "account_id": account["id"], "amount": "1250.00", "stage": "Closed Won"}
        )


def _writes(sandbox: Sandbox) -> int:
    worlds = (sandbox.sage300.world, sandbox.zoho_crm.world)
    return sum(int(world.counters.snapshot()["writes"]) for world in worlds)


def _query(place: Workplace, sql: str) -> list[dict[str, Any]]:
    engine = create_engine(place.env["SAGEZOHO_POSTGRES_URL"])
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(text(sql)).mappings()]
    engine.dispose()
    return rows


def _values(plan: dict[str, Any]) -> set[str]:
    """Everything that a plan would write or replace, as text, where it is long enough to be somebody's."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)
        elif isinstance(value, str) and len(value) > 3 and not value.startswith("(new "):
            found.add(value)

    for item in plan["items"]:
        found.add(item.get("source_name", "") or "?" * 20)
        for _, old, new in item.get("fields", []):
            walk(old)
            walk(new)
    ids = {one for item in plan["items"] for one in (item["source_id"], item.get("target_id", ""))}
    ids |= {pin["business_key"] for pin in plan["pins"]} | {one[key] for one in plan["made"] for key in one}
    return {one for one in found if one not in ids and f"SAMINC/{one}" not in ids and not one.startswith("SAMINC/")}


def _shown(plan: dict[str, Any]) -> list[str]:
    """Every text in a plan but the names of keys, fields and entities."""
    found: list[str] = [*plan["notes"]]
    for item in plan["items"]:
        found += [item.get("source_name", ""), *(str(one) for one in item.get("error", {}).values())]
        found += [json.dumps([old, new]) for _, old, new in item.get("fields", [])]
    return found + [value for write in plan["writes"] for name, value in write.items() if name != "call"]


def test_what_was_planned_is_done_and_nothing_else(ready: Workplace, sandbox: Sandbox) -> None:
    before = _writes(sandbox)
    path = _plan(ready)
    assert _writes(sandbox) == before
    told = ready.json("apply", str(path))
    assert told["ok"], told
    planned = json.loads(path.read_text())
    figures = {
        outcome: sum(flow[outcome] for flow in told["flows"].values()) for outcome in ("created", "updated", "refused")
    }
    assert figures["created"] > 8
    [line] = _query(ready, "SELECT state, digest, actor FROM sagezoho.plans")
    assert (line["state"], line["digest"]) == ("done", planned["digest"])
    actors = {row["actor"] for row in _query(ready, "SELECT DISTINCT actor FROM sagezoho.audit")}
    assert {actor.rpartition(", ")[2] for actor in actors} == {"sagezoho apply"}
    assert ready.json("sync")["ok"]
    again = ready("apply", str(path))
    assert again.exit_code == 1
    assert "was applied already" in again.stderr


def test_a_plan_says_what_its_writes_are_and_that_a_sync_counts_otherwise(ready: Workplace) -> None:
    done = ready("plan", "vendors", "--summary")
    assert done.exit_code == 0, done.output
    planned = json.loads(_plan(ready, "vendors").read_text())
    made = [item["target_entity"] for item in planned["items"] if item["outcome"] == "created"]
    told = " ".join(done.output.split())
    assert made.count("Accounts") > 0
    assert f"Writes Accounts {made.count('Accounts')} created" in told
    assert f"Contacts {made.count('Contacts')} created" in told
    assert "A sync counts the source records that these come from" in told


def test_a_plan_shows_a_lookup_by_the_id_it_names(ready: Workplace) -> None:
    shown = ready("plan", "vendors").output
    assert "Account_Name: (new account SAMINC/" in shown
    assert "{" not in shown


def test_the_numbers_of_new_customers_are_those_of_the_plan(ready: Workplace, sandbox: Sandbox) -> None:
    _win(sandbox, 4)
    path = _plan(ready)
    pins = {pin["source_key"]: pin["business_key"] for pin in json.loads(path.read_text())["pins"]}
    assert len(pins) > 1
    assert ready("apply", str(path)).exit_code == 0
    links = _query(ready, "SELECT zoho_id, sage_id FROM sagezoho.links WHERE sage_entity = 'customers'")
    assert {row["zoho_id"]: row["sage_id"] for row in links} == pins


def test_a_plan_that_may_be_mailed_shows_no_value_and_can_be_applied(ready: Workplace) -> None:
    open_plan = json.loads(_plan(ready).read_text())
    path = _plan(ready, "--redact")
    closed = json.loads(path.read_text())
    shown = "\n".join(_shown(closed))
    assert sorted(value for value in _values(open_plan) if value in shown) == []
    assert closed["digest"] == open_plan["digest"]
    assert ready("apply", str(path)).exit_code == 0


def test_another_process_makes_the_same_bytes(ready: Workplace, sandbox: Sandbox) -> None:
    """Whatever order its sets and dictionaries have, also where guards are told of: an invoice is new, another paid."""
    _win(sandbox, 2)
    ready("sync")
    orders = _query(ready, "SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'orders' ORDER BY 1 LIMIT 2")
    sage = sandbox.sage300.world.actions
    paid = sage["ship_and_invoice_order"]({"order": orders[0]["sage_id"]})["InvoiceNumber"]
    assert ready("sync", "invoices").exit_code == 0
    sage["receive_payment"]({"document": str(paid).strip()})
    sage["ship_and_invoice_order"]({"order": orders[1]["sage_id"]})
    ready.configure(sandbox, rest="    flows: {invoices: {guards: {max_creates: 0, max_updates_pct: 0}}}")
    here = {redacted: _plan(ready, *redacted).read_bytes() for redacted in ((), ("--redact",))}
    assert len(json.loads(here[()])["notes"]) == 2
    for seed in ("1", "2", "3"):
        for redacted, made in here.items():
            there = ready.path / f"there-{seed}.json"
            subprocess.run(
                [*COMMAND, "plan", "--out", str(there), *redacted],
                env={**_environment(ready), "PYTHONHASHSEED": seed}, cwd=ready.path, check=True, capture_output=True,
            )  # fmt: skip
            assert there.read_bytes() == made


def test_a_plan_changed_by_hand_is_refused(ready: Workplace) -> None:
    path = _plan(ready, "vendors")
    path.write_text(path.read_text().replace('"created"', '"updated"', 1))
    done = ready("apply", str(path))
    assert done.exit_code == 1
    assert "was changed after it was made" in done.stderr


@pytest.mark.parametrize("side", ["source", "target", "new", "settings", "mapping"])
def test_when_something_has_moved_nothing_is_written_and_it_is_said(
    ready: Workplace, sandbox: Sandbox, side: str
) -> None:
    assert ready("sync", "vendors").exit_code == 0
    linked = _query(ready, "SELECT sage_id, zoho_id FROM sagezoho.links WHERE zoho_entity = 'Accounts' ORDER BY 1")
    vendor, account = linked[0]["sage_id"], linked[0]["zoho_id"]
    sage, zoho = sandbox.sage300.world.actions, sandbox.zoho_crm.world.actions
    sage["edit_vendor"]({"vendor": vendor, "fields": {"PhoneNumber": "604-555-0111"}})
    path = _plan(ready, "vendors")
    if side == "source":
        sage["edit_vendor"]({"vendor": vendor, "fields": {"PhoneNumber": "604-555-0112"}})
        moved = f"vendors {vendor} -> Accounts has changed in Sage 300"
    elif side == "target":
        zoho["edit_record"]({"module": "Accounts", "id": account, "values": {"Phone": "604-555-0113"}})
        moved = f"Accounts {account} holds something else now in Phone"
    elif side == "new":
        sage["add_vendor"]({"fields": {"VendorNumber": "NEW1", "VendorName": "Late Comer Ltd"}})
        moved = "vendors NEW1 -> Accounts would now be created"
    elif side == "settings":
        ready.configure(sandbox, rest="    flows: {vendors: {overlap_days: 9}}\n")
        moved = "the connection's settings in sagezoho.yaml"
    else:
        shipped = Path(__file__).parents[2] / "sagezoho_pipelines" / "mappings" / "vendors.yaml"
        ready.write("maps/vendors.yaml", shipped.read_text().replace("Fax: trim(FaxNumber)", "Fax: upper(FaxNumber)"))
        ready.configure(sandbox, rest="mappings: maps\n")
        moved = "the mapping of the vendors flow"
    before = _writes(sandbox)
    done = ready("apply", str(path), "--json")
    assert done.exit_code == 1
    assert any(moved in sentence for sentence in json.loads(done.stdout)["moved"]), done.stdout
    assert "nothing was written" in done.stderr
    assert _writes(sandbox) == before
    assert _query(ready, "SELECT 1 FROM sagezoho.plans") == []


@pytest.mark.timeout(400)
def test_an_apply_that_was_killed_goes_on_with_the_rest(ready: Workplace, sandbox: Sandbox) -> None:
    """Killed in the middle of the orders: the same command does the rest, and nothing twice.

    The company takes orders without any address, and nobody asks: each order of the plan is made.
    """
    sandbox.sage300.world.switches.ship_to = "partial"
    ready.configure(sandbox, rest="    lease_seconds: 5\n    flows: {orders: {preflight: []}}\n")
    _win(sandbox, 8)
    path = _plan(ready)
    planned = json.loads(path.read_text())
    orders = sum(item["operation"] == "create" and item.get("target_entity") == "orders" for item in planned["items"])
    assert orders > 2
    slowly.orders_after(sandbox.sage300.world, 1, action="hang", seconds=300)
    process = subprocess.Popen([*COMMAND, "apply", str(path)], env=_environment(ready), cwd=ready.path)
    try:
        assert eventually(lambda: _posted(sandbox))
    finally:
        process.kill()
        process.wait()
    assert 1 <= len(_posted(sandbox)) < orders
    sandbox.sage300.world.faults.clear()
    assert eventually(lambda: ready("apply", str(path)).exit_code == 0), ready.shown[-1]
    assert [row["state"] for row in _query(ready, "SELECT state FROM sagezoho.plans")] == ["done"], ready.shown[-1]
    posted = _posted(sandbox)
    assert len(posted) == len(set(posted)) == orders
    accounts = [row for row in sandbox.zoho_crm.world.state("Accounts") if row.get("Sage_Vendor_Key")]
    assert len(accounts) == len({row["Sage_Vendor_Key"] for row in accounts}) == 8
    assert ready.json("plan")["totals"]["created"] == 0


def test_a_guard_that_stopped_a_sync_is_seen_wherever_a_person_looks(ready: Workplace, sandbox: Sandbox) -> None:
    ready.configure(sandbox, rest="    flows: {vendors: {guards: {max_creates: 3}}}\n")
    before = _writes(sandbox)
    done = ready("sync", "vendors")
    assert done.exit_code == 1
    assert "8 records would be created, and max_creates is 3." in done.output
    assert _writes(sandbox) == before
    [held] = ready.json("inbox")["held"]
    assert "sagezoho plan vendors --connection saminc --out plan.json" in held
    assert "max_creates is 3" in ready("check").output
    assert ready("apply", str(_plan(ready, "vendors"))).exit_code == 0
    assert ready.json("inbox")["held"] == []
    assert ready("sync", "vendors").exit_code == 0


def test_a_first_sync_asks_for_a_plan_where_the_connection_wants_one(ready: Workplace, sandbox: Sandbox) -> None:
    ready.configure(sandbox, first_sync="plan")
    before = _writes(sandbox)
    done = ready("sync")
    assert done.exit_code == 1
    assert "needs an applied plan" in done.output
    assert _writes(sandbox) == before
    assert ready("apply", str(_plan(ready))).exit_code == 0
    assert ready("sync").exit_code == 0


def _environment(place: Workplace) -> dict[str, str]:
    """For the command in a process of its own."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SAGEZOHO_", "DAGSTER_"))}
    return {**ours, **{name: value for name, value in place.env.items() if value}}


def _posted(sandbox: Sandbox) -> list[str]:
    """The deals that the orders in Sage name."""
    references = [str(row["OrderReference"]).strip() for row in sandbox.sage300.world.state("OEOrders")]
    return [one for one in references if one.isdigit()]
