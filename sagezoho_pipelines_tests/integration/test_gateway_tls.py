"""The gateway without a proxy before it: https of its own, and what it shows to strangers."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.gateway.tls import Tls
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.sandbox.certificates import make as make_certificates
from sagezoho_pipelines_tests.gateway_service import (
    Service,
    callback,
    own_certificate,
    queued,
    serving,
    store_of,
)


@pytest.fixture
def store(engine: Engine) -> PostgresChannelStore:
    return store_of(engine)


@pytest.fixture
def public(ledger: PostgresLedger, store: PostgresChannelStore, tmp_path: Path) -> Iterator[Service]:
    """A gateway without a proxy, whose certificate may be replaced."""
    made = make_certificates(tmp_path)
    with serving(ledger, store, tls=Tls(made.certificate, made.key)) as service:
        yield service


def presented(gateway: Service, authority: Path) -> bytes:
    """The certificate that a new connection is shown; raises ssl.SSLError unless the authority vouches for it."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as plain:
        context = ssl.create_default_context(cafile=authority)
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            found = secure.getpeercert(binary_form=True)
    assert found is not None
    return found


def test_callbacks_come_by_https_without_a_proxy(
    ledger: PostgresLedger, store: PostgresChannelStore, engine: Engine
) -> None:
    with serving(ledger, store, tls=own_certificate()) as gateway:
        assert gateway.url.startswith("https://")
        assert gateway.post(callback("11")).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.post(gateway.url.replace("https", "http"), trust_env=False)
    assert [key for _, key, _ in queued(engine)] == ["11"]


def test_without_a_proxy_health_and_figures_are_for_this_machine_only(
    ledger: PostgresLedger, store: PostgresChannelStore
) -> None:
    with serving(ledger, store, tls=own_certificate()) as gateway:
        for path in ("/health", "/metrics"):
            assert gateway.get(path).status_code == 200
            assert gateway.get(path, headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404


def test_a_renewed_certificate_is_shown_to_new_connections(public: Service, tmp_path: Path) -> None:
    first = presented(public, tmp_path / "ca.pem")
    assert not public.server.renew_certificate()
    make_certificates(tmp_path)
    assert public.server.renew_certificate()
    assert presented(public, tmp_path / "ca.pem") != first
    assert not public.server.renew_certificate()


def test_files_that_do_not_fit_together_leave_the_certificate_as_it_was(public: Service, tmp_path: Path) -> None:
    first = presented(public, tmp_path / "ca.pem")
    other = make_certificates(tmp_path / "other")
    (tmp_path / "gateway.pem").write_bytes(other.certificate.read_bytes())
    assert not public.server.renew_certificate()
    assert presented(public, tmp_path / "ca.pem") == first
    (tmp_path / "gateway.key").unlink()
    assert not public.server.renew_certificate()
    assert presented(public, tmp_path / "ca.pem") == first
    (tmp_path / "gateway.key").write_bytes(other.key.read_bytes())
    assert public.server.renew_certificate()
    assert presented(public, other.authority) != first


def test_silence_where_a_handshake_is_due_keeps_nobody_else_waiting(public: Service, tmp_path: Path) -> None:
    silent = [socket.create_connection(("127.0.0.1", public.port)) for _ in range(50)]
    assert presented(public, tmp_path / "ca.pem")
    for each in silent:
        each.close()
