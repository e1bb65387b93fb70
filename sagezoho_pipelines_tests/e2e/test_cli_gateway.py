"""`sagezoho gateway` as a process, and the channel that `sagezoho setup` asks Zoho for."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.benchmarks import gateway_load
from sagezoho_pipelines_tests.e2e.conftest import Workplace


def test_every_acknowledged_callback_is_in_the_ledger() -> None:
    figures = gateway_load.measure(per_second=200, seconds=1)
    assert figures["callbacks"] == figures["acknowledged"] == 200
    assert figures["lost"] == 0


def test_setup_asks_zoho_to_tell_of_changes_where_it_can_reach_us(workplace: Workplace, sandbox: Sandbox) -> None:
    workplace.configure(sandbox, rest='    notifications: {url: "http://127.0.0.1:9"}')
    workplace.sign_on(sandbox)
    assert workplace.json("setup")["channels"] == {"saminc": ["subscribe"]}
    assert workplace.json("setup")["channels"] == {"saminc": ["verified"]}
    watched = {key[1] for key in sandbox.zoho_crm.world.channels.held}
    assert watched == {"Deals", "Accounts"}


def test_without_an_address_setup_asks_for_nothing(ready: Workplace, sandbox: Sandbox) -> None:
    assert ready.json("setup")["channels"] == {}
    assert sandbox.zoho_crm.world.channels.held == {}


def test_a_port_that_is_taken_is_said_so(ready: Workplace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = ready("gateway", "--port", str(taken.getsockname()[1]))
    assert done.exit_code == 1
    assert "cannot listen on 127.0.0.1 port" in done.output


def test_sigterm_ends_it_well(ready: Workplace, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sagezoho_pipelines.cli.main", "gateway", "--port", "0", "--json"]
    process = subprocess.Popen(
        command,
        env={**os.environ, **ready.env},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["url"].startswith("http://127.0.0.1:")
        process.terminate()
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
