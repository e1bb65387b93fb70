"""Processes that need Zoho's access token at the same moment fetch one, and renew it once when Zoho rejects it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import URL

from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines.wiring import Installation

PROCESSES = 5
#: Asks Zoho for the organisation at each line it is given.
_PROCESS = """
import sys
from sagezoho_pipelines.wiring import Installation

with Installation() as installation:
    zoho = installation.zoho_crm("saminc")
    print("ready", flush=True)
    for _ in sys.stdin:
        print(zoho.org()["zgid"], flush=True)
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.running(seed=7, vendors=1, deals=1) as running:
        yield running


@pytest.fixture
def env(sandbox: Sandbox, postgres_url: URL, tmp_path: Path) -> dict[str, str]:
    """An installation for the sandbox, with its credentials in the vault."""
    connection = {
        "sage300": {"url": sandbox.sage300.url, "company": sandbox.sage300.company},
        "zoho_crm": {
            "accounts_url": sandbox.zoho_crm.accounts_url,
            "api_domains": [sandbox.zoho_crm.api_domain],
        },
    }
    config = tmp_path / "sagezoho.yaml"
    config.write_text(json.dumps({"connections": {"saminc": connection}}), encoding="utf-8")
    env = {
        **os.environ,
        "SAGEZOHO_CONFIG": str(config),
        "SAGEZOHO_HOME": str(tmp_path),
        "SAGEZOHO_MASTER_KEY": "5a" * 32,
        "SAGEZOHO_POSTGRES_URL": postgres_url.render_as_string(hide_password=False),
    }
    secrets = sandbox.zoho_crm.connection()
    with Installation(env) as installation:
        names = ("client_id", "client_secret", "refresh_token")
        installation.vault.put("saminc", "zoho_crm", {name: secrets[name] for name in names})
    return env


def test_many_processes_fetch_one_token_and_renew_it_once(sandbox: Sandbox, env: dict[str, str]) -> None:
    world = sandbox.zoho_crm.world
    world.faults.add("latency", path="/oauth/v2/token", seconds=0.5)  # all of them ask while one fetches
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _PROCESS],
                    env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )
            for _ in range(PROCESSES)
        ]  # fmt: skip
        stack.callback(lambda: [process.kill() for process in started])
        assert _lines(started) == ["ready"] * PROCESSES
        first = _ask(started)
        assert len(set(first)) == 1
        assert world.counters.by_call["POST /oauth/v2/token"] == 1
        world.oauth.revoke_access_tokens()
        assert _ask(started) == first
        assert world.counters.by_call["POST /oauth/v2/token"] == 2
        for process in started:
            _, _ = process.communicate()
        assert [process.returncode for process in started] == [0] * PROCESSES


def _ask(started: list[subprocess.Popen[str]]) -> list[str]:
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return _lines(started)


def _lines(started: list[subprocess.Popen[str]]) -> list[str]:
    return [process.stdout.readline().strip() for process in started if process.stdout is not None]
