"""`sagezoho worker` and `sagezoho up` as processes: stopped, killed, and brought back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine, text

from sagezoho_pipelines.domain.records import Cause, EntityRef, Look, System
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests import slowly
from sagezoho_pipelines_tests.e2e.conftest import Workplace
from sagezoho_pipelines_tests.e2e.processes import free_port, gone, processes_in, started
from sagezoho_pipelines_tests.waiting import eventually

DEALS = EntityRef("saminc", System.ZOHO_CRM, "deals")

#: Several processes that start, or a retry's back-off, one after the other.
pytestmark = pytest.mark.timeout(600)


@contextmanager
def working(ready: Workplace) -> Iterator[subprocess.Popen[str]]:
    """A worker that waits for changes."""
    with started("worker", "--json", cwd=ready.path, env={**os.environ, **ready.env}) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        yield process


def notified_deals(sandbox: Sandbox, engine: Engine, count: int) -> list[str]:
    """Won deals of accounts that become customers on the way, each told by a notification."""
    act = sandbox.zoho_crm.world.actions
    address = {
        "Billing_Street": "14 Dock Street", "Billing_City": "Oakland", "Billing_State": "CA",
        "Billing_Code": "94607", "Billing_Country": "USA",
    }  # fmt: skip
    deals = []
    for number in range(count):
        account = act["add_account"]({"name": f"Customer {number}", "values": address})
        deal = {"name": f"Deal {number}", "account_id": account["id"], "amount": "1200.00", "stage": "Closed Won"}
        deals.append(str(act["add_deal"](deal)["id"]))
    looks = [Look(DEALS, deal, Cause.NOTIFICATION, "Deals.edit") for deal in deals]
    PostgresLedger(engine).enqueue(looks, at=datetime.now(UTC))
    return sorted(deals)


def orders(sandbox: Sandbox, deals: list[str]) -> list[str]:
    """Of these deals, those Sage has an order of; one entry an order."""
    found = [str(row["OrderReference"]).strip() for row in sandbox.sage300.world.state("OEOrders")]
    return sorted(reference for reference in found if reference in deals)


def held(engine: Engine) -> int:
    with engine.connect() as connection:
        count = text("SELECT count(*) FROM sagezoho.changes WHERE state = 'claimed'")
        return int(connection.execute(count).scalar_one())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_worker_settles_what_it_holds_and_the_next_one_does_the_rest(
    ready: Workplace, sandbox: Sandbox, engine: Engine, number: signal.Signals
) -> None:
    slowly.orders_after(sandbox.sage300.world, 1)
    with working(ready) as process:
        deals = notified_deals(sandbox, engine, 20)
        assert eventually(lambda: orders(sandbox, deals))
        process.send_signal(number)
        told = process.communicate(timeout=60)[0]
    [run] = [json.loads(line) for line in told.splitlines()]
    made = orders(sandbox, deals)

    assert process.returncode == 0, told
    assert held(engine) == 0
    assert 1 <= len(made) < 20
    assert (run["event"], run["flow"], run["success"], run["created"]) == ("run", "orders", True, len(made))
    sandbox.sage300.world.faults.clear()
    with working(ready):
        assert eventually(lambda: len(orders(sandbox, deals)) >= 20)
    assert orders(sandbox, deals) == deals


def test_what_a_killed_worker_held_is_delivered_once_by_another(
    ready: Workplace, sandbox: Sandbox, engine: Engine
) -> None:
    ready.configure(sandbox, rest="    lease_seconds: 5")
    slowly.orders_after(sandbox.sage300.world, 1, action="hang", seconds=300)
    with working(ready) as process:
        deals = notified_deals(sandbox, engine, 20)
        assert eventually(lambda: orders(sandbox, deals))
        process.kill()
        process.wait(10)
    assert held(engine) > 0
    sandbox.sage300.world.faults.clear()
    with working(ready):
        assert eventually(lambda: len(orders(sandbox, deals)) >= 20)
    assert orders(sandbox, deals) == deals


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked for in /proc")
def test_up_runs_it_all_restarts_what_dies_and_leaves_nothing_behind(
    ready: Workplace, sandbox: Sandbox, engine: Engine
) -> None:
    gateway = free_port()
    ready.configure(
        sandbox,
        rest=f'    notifications: {{url: "https://notify.example"}}\ngateway: {{port: {gateway}}}',
    )
    with started("up", "--port", str(free_port()), cwd=ready.path, env={**os.environ, **ready.env}) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("Worker 1: process"))
        first = int(re.findall(r"\d+", line)[-1])
        assert eventually(lambda: answers(f"http://127.0.0.1:{gateway}/health"))
        deals = notified_deals(sandbox, engine, 1)
        assert eventually(lambda: orders(sandbox, deals) == deals)
        os.kill(first, signal.SIGKILL)
        line = next(line for line in process.stdout if line.startswith("Worker 1: process"))
        again = int(re.findall(r"\d+", line)[-1])
        deals = notified_deals(sandbox, engine, 1)
        assert eventually(lambda: orders(sandbox, deals) == deals)
        running = " ".join(processes_in(ready.path))
        process.terminate()
        told = process.stdout.read()

        assert process.wait(60) == 0, told
    assert again != first
    for part in ("cli.main worker", "cli.main gateway", "dagster dev"):
        assert part in running
    assert told.rstrip().endswith("Stopped.")
    assert gone(ready.path), processes_in(ready.path)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked for in /proc")
def test_a_killed_up_takes_all_of_its_processes_with_it(ready: Workplace, sandbox: Sandbox) -> None:
    gateway = free_port()
    ready.configure(
        sandbox,
        rest=f'    notifications: {{url: "https://notify.example"}}\ngateway: {{port: {gateway}}}',
    )
    port = free_port()
    with started("up", "--port", str(port), cwd=ready.path, env={**os.environ, **ready.env}) as process:
        assert eventually(lambda: answers(f"http://127.0.0.1:{gateway}/health"))
        assert eventually(lambda: answers(f"http://127.0.0.1:{port}/server_info"))
        running = " ".join(processes_in(ready.path))
        process.kill()
        process.wait(10)
        for part in ("cli.main worker", "cli.main gateway", "dagster dev"):
            assert part in running
        assert gone(ready.path), processes_in(ready.path)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=20).ok
    except (requests.ConnectionError, requests.Timeout):
        return False
