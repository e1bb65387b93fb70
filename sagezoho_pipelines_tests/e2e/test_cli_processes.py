"""Commands that start processes: they end what they started, whatever ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import URL, create_engine, text

from sagezoho_pipelines.ledger import embedded
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.e2e.conftest import Workplace
from sagezoho_pipelines_tests.e2e.processes import (
    COMMAND,
    environment,
    free_port,
    gone,
    processes_in,
    started,
    wait_for_line,
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_sandbox_tells_its_addresses_first_and_ends_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with started(
        "sandbox", "--json", "--sage-port", "0", "--zoho-port", "0", "--vendors", "3", cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        sage, zoho = told["sage300"], told["zoho_crm"]
        answer = requests.get(
            f"{sage['url']}/v1.0/-/{sage['company']}/AP/APVendors?$select=VendorNumber",
            auth=(sage["username"], sage["password"]),
            headers={"Content-Type": "application/json"},
            timeout=60,
        )
        process.send_signal(number)

        assert process.wait(60) == 0
    assert len(answer.json()["value"]) == 3
    assert set(sage) == {"url", "company", "username", "password"}
    assert set(zoho) == {"accounts_url", "api_domain", "client_id", "client_secret", "refresh_token"}


def test_a_taken_port_is_named_with_the_remedy(tmp_path: Path) -> None:
    with started("sandbox", "--json", "--sage-port", "0", "--zoho-port", "0", cwd=tmp_path) as first:
        assert first.stdout is not None
        port = json.loads(first.stdout.readline())["zoho_crm"]["accounts_url"].rpartition(":")[2]
        second = subprocess.run(
            [*COMMAND, "sandbox", "--zoho-port", port, "--sage-port", "0"],
            capture_output=True, text=True, timeout=90, check=False, env=environment(tmp_path),
        )  # fmt: skip

    assert second.returncode == 1
    assert port in second.stderr
    assert "--zoho-port" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.timeout(720)
def test_the_demo_plays_a_day_however_a_second_one_is_tried_and_dev_shows_its_runs_afterwards(tmp_path: Path) -> None:
    """A demo takes long, so one of them serves all three sentences."""
    (tmp_path / "sagezoho.yaml").write_text("the user's own\n")

    with (tmp_path / "errors").open("w") as errors, started("demo", cwd=tmp_path, errors=errors) as process:
        told = wait_for_line(process, "sagezoho setup")
        process.send_signal(signal.SIGSTOP)  # however long the second one takes, the first one is still there
        try:
            second = subprocess.run(
                [*COMMAND, "demo"], capture_output=True, text=True, timeout=90, check=False, cwd=tmp_path,
                env=environment(tmp_path),
            )  # fmt: skip
        finally:
            process.send_signal(signal.SIGCONT)
        told += process.communicate(timeout=400)[0]

    assert second.returncode == 1
    assert "Another 'sagezoho demo'" in second.stderr
    assert process.returncode == 0, told + (tmp_path / "errors").read_text()
    _assert_a_day_was_played(told)
    assert (tmp_path / "sagezoho.yaml").read_text() == "the user's own\n"
    assert gone(tmp_path), processes_in(tmp_path)
    (tmp_path / "sagezoho.yaml").unlink()
    _assert_dev_shows_the_runs(tmp_path)


def _assert_a_day_was_played(told: str) -> None:
    for words in ("All that a sync needs is there", "What moved that day", "sagezoho explain ORD", "make dev"):
        assert words in told
    for moved in (
        "Zoho CRM account",
        "Sage 300 customer Z",
        "Sage 300 order ORD",
        "Zoho CRM invoice",
        "Sage_Open_Amount",
    ):
        assert moved in told
    assert (
        "Zoho CRM had 300 accounts and has 350. Of 170 vendors 120 were linked to the account that was there, 50 were "
        "created, 0 are missing; 0 duplicates." in " ".join(told.split())
    )
    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split())
    assert "holds 300 accounts, 120 of which really are vendors" in readme
    assert "120 vendors are linked to the account that was there, 50 are created" in readme


def _assert_dev_shows_the_runs(home: Path) -> None:
    """With the demo's vendors served again; all of it ends on one signal."""
    port = free_port()
    query = "{runsOrError {... on Runs {results {jobName status}}} version}"

    with started("dev", "--port", str(port), cwd=home) as process:
        answer = asked(f"http://127.0.0.1:{port}/graphql", query)
        vendors = [line for line in processes_in(home) if "sandbox --json" in line]
        process.send_signal(signal.SIGTERM)
        told = process.stdout.read() if process.stdout else ""

        assert process.wait(90) == 0, told
    assert "demo__invoices" in {run["jobName"] for run in answer["data"]["runsOrError"]["results"]}
    assert vendors
    assert "Stopped." in told
    assert "superseded" not in told
    assert gone(home), processes_in(home)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    with started("demo", "--vendors", "5", "--deals", "4", cwd=tmp_path) as process:
        wait_for_line(process, "sagezoho check")
        alive = " ".join(processes_in(tmp_path))
        process.send_signal(number)

        assert process.wait(90) == 130
    assert "sandbox --json" in alive
    assert "postgres" in alive
    assert gone(tmp_path), processes_in(tmp_path)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked for in /proc")
def test_a_killed_demo_takes_its_sandbox_with_it(tmp_path: Path) -> None:
    with started("demo", "--vendors", "5", "--deals", "4", cwd=tmp_path) as process:
        wait_for_line(process, "Two simulated vendors are up")
        process.kill()
        process.wait(10)
        end = time.monotonic() + 60
        while any("sandbox --json" in line for line in processes_in(tmp_path)) and time.monotonic() < end:
            time.sleep(0.1)

        assert not [line for line in processes_in(tmp_path) if "sandbox --json" in line]
    embedded.stop(tmp_path / "home" / "demo")


def test_dev_and_up_tell_of_a_database_that_is_away_and_up_waits_for_it(tmp_path: Path, sandbox: Sandbox) -> None:
    env = environment(tmp_path) | {"SAGEZOHO_POSTGRES_URL": f"postgresql://me:secret@127.0.0.1:{free_port()}/sagezoho"}
    env["SAGEZOHO_CONFIG"] = str(tmp_path / "sagezoho.yaml")
    Workplace(tmp_path, env).configure(sandbox)

    dev = subprocess.run(
        [*COMMAND, "dev", "--port", str(free_port())],
        capture_output=True, text=True, timeout=90, check=False, cwd=tmp_path, env=env,
    )  # fmt: skip
    with started("up", "--port", str(free_port()), cwd=tmp_path, env=env) as up:
        wait_for_line(up, "Nothing is started before it answers")
        up.send_signal(signal.SIGTERM)
        assert up.wait(60) == 0

    assert dev.returncode == 1
    assert "Postgres cannot be reached" in dev.stderr
    assert "correct SAGEZOHO_POSTGRES_URL" in dev.stderr
    assert "Traceback" not in dev.stderr
    assert "secret" not in dev.stderr


def test_dev_without_anything_to_show_says_what_to_do(tmp_path: Path) -> None:
    with started("dev", cwd=tmp_path) as process:
        assert process.stdout is not None
        told = process.stdout.read()

        assert process.wait(60) == 1
    assert "sagezoho demo" in told
    assert "sagezoho init" in told


def asked(url: str, query: str) -> Any:
    """The answer to a GraphQL query, once the server is up."""
    end = time.monotonic() + 200
    while True:
        try:
            return requests.post(url, json={"query": query}, timeout=60).json()
        except requests.ConnectionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sync_settles_what_is_under_way_and_the_next_one_does_the_rest(
    ready: Workplace, sandbox: Sandbox, postgres_url: URL, number: signal.Signals
) -> None:
    zoho = sandbox.zoho_crm.world
    before = zoho.counters.total
    zoho.faults.latency = 1.0
    process = subprocess.Popen(
        [*COMMAND, "sync"], env={**os.environ, **ready.env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    while zoho.counters.total < before + 2:
        time.sleep(0.05)
    process.send_signal(number)
    told = process.communicate(timeout=60)[0]
    zoho.faults.latency = 0.0
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        held = connection.execute(text("SELECT count(*) FROM sagezoho.changes WHERE state = 'claimed'")).scalar_one()
    engine.dispose()

    assert process.returncode == 130, told
    assert "Interrupted" in told
    assert held == 0
    assert ready("sync", "vendors").exit_code == 0
    vendors = [row for row in zoho.state("Accounts") if row.get("Sage_Vendor_Key")]
    assert len(vendors) == len({row["Sage_Vendor_Key"] for row in vendors}) == 8
