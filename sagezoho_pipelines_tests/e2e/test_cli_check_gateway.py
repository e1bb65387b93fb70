"""`sagezoho check` where Zoho is to call us: what it says of the address that Zoho was given."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.channels import Channel
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.ledger.masterkeys import MasterKeys
from sagezoho_pipelines.ledger.vault import Vault
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.e2e.conftest import MASTER_KEY, Workplace
from sagezoho_pipelines_tests.e2e.processes import free_port
from sagezoho_pipelines_tests.gateway_service import Service, own_certificate, serving, settings
from sagezoho_pipelines_tests.tls import certificates, shown


@pytest.fixture
def gateway(engine: Engine) -> Iterator[Service]:
    keys = MasterKeys([bytes.fromhex(MASTER_KEY)], source="the test")
    store = PostgresChannelStore(engine, Vault(engine, keys=keys))
    with serving(PostgresLedger(engine), store, tls=own_certificate()) as service:
        yield service


@pytest.fixture
def ready(ready: Workplace) -> Workplace:
    """A workplace whose system trusts the authority of the test's certificates."""
    ready.env["REQUESTS_CA_BUNDLE"] = str(certificates().authority)
    return ready


@contextmanager
def answering(status: int, **headers: str) -> Iterator[str]:
    """A web server that is not ours; its address."""

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Stranger)
    server.socket = shown().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def found(ready: Workplace, sandbox: Sandbox, url: str) -> dict[str, tuple[str, str, str]]:
    ready.configure(sandbox, rest=f'    notifications: {{url: "{url}"}}')
    findings = ready.json("check")["connections"]["saminc"]
    return {
        one["name"]: (one["status"], one["detail"], one["remedy"]) for one in findings if one["area"] == "Notifications"
    }


def test_our_gateway_is_known_by_its_answer(ready: Workplace, sandbox: Sandbox, gateway: Service) -> None:
    told = found(ready, sandbox, gateway.url)
    assert {name: one[0] for name, one in told.items()} == {"address": "ok", "gateway": "ok", "port": "note"}
    assert f"port {gateway.port}" in told["port"][1]
    assert "443" in told["port"][2]
    assert gateway.rejected("method") == 0
    assert ready("check").exit_code == 0


@pytest.mark.parametrize("host", ["notify.example", "127.0.0.1:8500"])
def test_plain_http_is_refused(ready: Workplace, sandbox: Sandbox, host: str) -> None:
    status, detail, remedy = found(ready, sandbox, f"http://{host}")["https"]
    assert status == "missing"
    assert "not https" in detail
    assert "certificate" in remedy
    assert ready("check").exit_code == 1


def test_an_address_where_nobody_listens_says_how_to_start_the_gateway(ready: Workplace, sandbox: Sandbox) -> None:
    status, detail, remedy = found(ready, sandbox, f"https://127.0.0.1:{free_port()}")["address"]
    assert (status, "no connection" in detail, "'sagezoho up'" in remedy) == ("missing", True, True)


@pytest.mark.parametrize(("status", "headers"), [(200, {}), (404, {}), (302, {"Location": "https://login.example"})])
def test_what_answers_and_is_not_our_gateway_is_said_so(
    ready: Workplace, sandbox: Sandbox, status: int, headers: dict[str, str]
) -> None:
    with answering(status, **headers) as url:
        state, detail, remedy = found(ready, sandbox, url)["address"]
    assert state == "missing"
    assert f"not our gateway: HTTP {status}" in detail
    assert "reverse proxy" in remedy


def test_a_gateway_with_another_configuration_is_said_so(ready: Workplace, sandbox: Sandbox, engine: Engine) -> None:
    other = settings().model_copy(update={"connections": {}})
    store = PostgresChannelStore(engine, Vault(engine, keys=MasterKeys([bytes(32)], source="the test")))
    with serving(PostgresLedger(engine), store, other, tls=own_certificate()) as service:
        state, detail, _ = found(ready, sandbox, service.url)["address"]
    assert state == "missing"
    assert "does not know this connection" in detail


def test_an_https_address_without_a_certificate_is_said_so(ready: Workplace, sandbox: Sandbox, engine: Engine) -> None:
    store = PostgresChannelStore(engine, Vault(engine, keys=MasterKeys([bytes(32)], source="the test")))
    with serving(PostgresLedger(engine), store) as plain:
        told = found(ready, sandbox, f"https://127.0.0.1:{plain.port}")
    assert {name: one[0] for name, one in told.items()} == {"port": "note", "certificate": "missing"}


def test_a_certificate_that_this_system_does_not_trust_is_said_so(
    ready: Workplace, sandbox: Sandbox, gateway: Service
) -> None:
    del ready.env["REQUESTS_CA_BUNDLE"]
    status, detail, remedy = found(ready, sandbox, gateway.url)["certificate"]
    assert status == "missing"
    assert "no certificate that can be trusted" in detail
    assert "gateway.tls" in remedy


def test_without_notifications_nothing_is_asked(ready: Workplace) -> None:
    findings = ready.json("check")["connections"]["saminc"]
    assert not [one for one in findings if one["area"] == "Notifications"]


def test_a_channel_of_a_removed_connection_is_named_until_it_expires(ready: Workplace, engine: Engine) -> None:
    store = PostgresChannelStore(engine, Vault(engine, keys=MasterKeys([bytes.fromhex(MASTER_KEY)], source="the test")))
    now = datetime.now(UTC)
    for number, (name, days) in enumerate((("former", 1), ("long-gone", -1), ("saminc", 1)), start=1):
        url = f"https://notify.example/notifications/{name}"
        store.save(Channel(name, number, url, ["Deals.edit"], "token", expires_at=now + timedelta(days=days)))
    [told] = [one for one in ready.json("check")["installation"] if one["area"] == "Notifications"]
    assert (told["name"], told["status"]) == ("channel of former", "note")
    assert "https://notify.example/notifications/former" in told["detail"]
    assert "put former back" in told["remedy"]
    assert "job former__channels" in told["remedy"]
