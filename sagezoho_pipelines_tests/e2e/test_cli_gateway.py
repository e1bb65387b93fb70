"""`sagezoho gateway` as a process, and the channel that `sagezoho setup` asks Zoho for."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from sqlalchemy import Engine, text

from sagezoho_pipelines.cli import processes
from sagezoho_pipelines.sandbox.certificates import NAMES, Certificates
from sagezoho_pipelines.sandbox.certificates import make as make_certificates
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines.sandbox.zoho_crm.internet import Internet
from sagezoho_pipelines_tests.benchmarks import gateway_load
from sagezoho_pipelines_tests.e2e.conftest import Workplace
from sagezoho_pipelines_tests.e2e.processes import free_port
from sagezoho_pipelines_tests.tls import PUBLIC_NAME, PUBLIC_URL, door, lead_to


@pytest.mark.parametrize("tls", [False, True], ids=["from a proxy", "by https of its own"])
def test_every_acknowledged_callback_is_in_the_ledger(tls: bool) -> None:
    figures = gateway_load.measure(per_second=200, seconds=1, tls=tls)
    assert figures["callbacks"] == figures["acknowledged"] == 200
    assert figures["lost"] == 0


def notified(workplace: Workplace, sandbox: Sandbox, rest: str = "") -> None:
    workplace.configure(sandbox, rest=f'    notifications: {{url: "{PUBLIC_URL}"}}{rest}')
    workplace.sign_on(sandbox)


def test_setup_asks_zoho_to_tell_of_changes_where_it_can_reach_us(workplace: Workplace, sandbox: Sandbox) -> None:
    notified(workplace, sandbox)
    with door() as port:
        lead_to(sandbox.zoho_crm.world, port)
        assert workplace.json("setup")["channels"] == {"saminc": ["subscribe"]}
        assert workplace.json("setup")["channels"] == {"saminc": ["verified"]}
    watched = {key[1] for key in sandbox.zoho_crm.world.channels.held}
    assert watched == {"Deals", "Accounts"}


def test_setup_before_the_gateway_is_up_makes_the_fields_and_says_what_to_start(
    workplace: Workplace, sandbox: Sandbox
) -> None:
    notified(workplace, sandbox)
    done = workplace("setup")
    assert done.exit_code == 1
    told = " ".join(done.output.split())
    assert "created" in told
    assert f"Zoho does not take {PUBLIC_URL}/notifications/saminc, or does not reach it. Start the gateway" in told
    answer = workplace.json("setup")
    assert (answer["ok"], answer["channels"]) == (False, {})
    assert {one["state"] for one in answer["connections"]["saminc"]} == {"present"}
    assert "'sagezoho check'" in answer["channels_refused"]["saminc"]


def test_a_change_in_zoho_reaches_the_gateway_by_https_of_its_own(
    workplace: Workplace, sandbox: Sandbox, engine: Engine
) -> None:
    """Setup, gateway and callbacks as on a machine without a reverse proxy."""
    made = make_certificates(workplace.path / "tls", (*NAMES, PUBLIC_NAME))
    sandbox.zoho_crm.world.courier.internet = Internet([made.authority])
    notified(workplace, sandbox, "\ngateway: {tls: {certificate: tls/gateway.pem, key: tls/gateway.key}}")
    with running(workplace) as url:
        assert url.startswith("https://127.0.0.1:")
        lead_to(sandbox.zoho_crm.world, int(url.rpartition(":")[2]))
        assert workplace.json("setup")["channels"] == {"saminc": ["subscribe"]}
        deal = sandbox.zoho_crm.world.actions["add_deal"]({"name": "Told", "stage": "Closed Won"})["id"]
        assert sandbox.zoho_crm.world.courier.drain(30)
    assert notified_of(engine) == [deal]


def test_the_sandbox_makes_what_a_gateway_on_this_machine_needs(workplace: Workplace, engine: Engine) -> None:
    """The same with the commands alone: certificates of the sandbox's making, and a way to the gateway."""
    tls, port = workplace.path / "tls", free_port()
    options = ("--certificates", str(tls), "--connect-to", f"localhost=127.0.0.1:{port}")
    ports = ("--sage-port", "0", "--zoho-port", "0", "--vendors", "2", "--deals", "0")
    with processes.served_sandbox(workplace.path / "sandbox.log", *ports, *options) as told:
        zoho = told["zoho_crm"]
        workplace.write(
            "sagezoho.yaml",
            f"""
connections:
  saminc:
    first_sync: allow
    sage300: {{url: "{told["sage300"]["url"]}", company: SAMINC}}
    zoho_crm: {{accounts_url: "{zoho["accounts_url"]}", api_domains: ["{zoho["api_domain"]}"]}}
    notifications: {{url: "https://localhost"}}
gateway: {{port: {port}, tls: {{certificate: tls/gateway.pem, key: tls/gateway.key}}}}
""",
        )
        for system in ("sage300", "zoho_crm"):
            done = workplace("credentials", "set", "saminc", system, "--stdin", stdin=json.dumps(told[system]))
            assert done.exit_code == 0, done.output
        with running(workplace, port=port):
            assert workplace.json("setup")["channels"] == {"saminc": ["subscribe"]}
            control = f"{zoho['accounts_url']}/__sandbox__"
            deal = {"name": "Told", "stage": "Closed Won"}
            made = requests.post(f"{control}/act/add_deal", json=deal, timeout=30).json()["id"]
            until = time.monotonic() + 60
            while not notified_of(engine) and time.monotonic() < until:
                time.sleep(0.05)
    assert notified_of(engine) == [made]


def notified_of(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT key FROM sagezoho.changes WHERE cause = 'notification'"))
        return [str(row.key) for row in rows]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda made: made.key.unlink(), "gateway.key cannot be read"),
        (lambda made: made.key.write_text("nonsense"), "are no certificate and its private key"),
        (lambda made: made.certificate.write_bytes(made.authority.read_bytes()), "KEY_VALUES_MISMATCH"),
    ],
    ids=["missing", "nonsense", "of another certificate"],
)
def test_a_certificate_that_cannot_be_used_is_said_so(
    ready: Workplace, spoil: Callable[[Certificates], object], message: str
) -> None:
    made = make_certificates(ready.path / "tls")
    spoil(made)
    done = ready("gateway", "--port", "0", "--tls-cert", str(made.certificate), "--tls-key", str(made.key))
    assert done.exit_code == 1
    assert message in done.output
    assert "PEM" in done.output


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(ready: Workplace) -> None:
    made = make_certificates(ready.path / "tls")
    key = serialization.load_pem_private_key(made.key.read_bytes(), password=None)
    sealed = serialization.BestAvailableEncryption(b"secret")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    made.key.write_bytes(pem)
    done = ready("gateway", "--port", "0", "--tls-cert", str(made.certificate), "--tls-key", str(made.key))
    assert done.exit_code == 1
    assert "the key without a password" in done.output


def test_half_a_certificate_is_wrong_usage(ready: Workplace) -> None:
    assert ready("gateway", "--tls-cert", "gateway.pem").exit_code == 2


def test_without_an_address_setup_asks_for_nothing(ready: Workplace, sandbox: Sandbox) -> None:
    assert ready.json("setup")["channels"] == {}
    assert sandbox.zoho_crm.world.channels.held == {}


def test_a_port_that_is_taken_is_said_so(ready: Workplace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = ready("gateway", "--port", str(taken.getsockname()[1]))
    assert done.exit_code == 1
    assert "cannot listen on 127.0.0.1 port" in done.output


def test_sigterm_ends_it_well(ready: Workplace) -> None:
    with running(ready) as url:
        assert url.startswith("http://127.0.0.1:")


@contextmanager
def running(workplace: Workplace, *, port: int = 0) -> Iterator[str]:
    """The gateway's process; where it listens. SIGTERM ends it, without a word."""
    command = [sys.executable, "-m", "sagezoho_pipelines.cli.main", "gateway", "--port", str(port), "--json"]
    process = subprocess.Popen(
        command,
        env={**os.environ, **workplace.env},
        cwd=workplace.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait(10)
    assert (process.returncode, errors) == (0, "")
