"""The gateway on a real port and a real ledger: what it believes, what it refuses, and what it tells."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.config import Settings
from sagezoho_pipelines.domain.records import EntityRef, Link, System
from sagezoho_pipelines.ledger import links
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines_tests.gateway_service import (
    CONNECTION,
    TOKEN,
    Service,
    callback,
    channel,
    queued,
    serving,
    settings,
    store_of,
)


@pytest.fixture
def store(engine: Engine) -> PostgresChannelStore:
    return store_of(engine)


@pytest.fixture
def gateway(ledger: PostgresLedger, store: PostgresChannelStore) -> Iterator[Service]:
    with serving(ledger, store) as service:
        yield service


def test_every_id_of_a_callback_is_a_look(gateway: Service, engine: Engine) -> None:
    assert gateway.post(callback("11", "12", "13")).status_code == 200
    assert queued(engine) == [("deals", "11", "notification"), ("deals", "12", "notification"),
                              ("deals", "13", "notification")]  # fmt: skip


def test_an_update_s_values_are_not_what_counts(gateway: Service, engine: Engine) -> None:
    values = [{"record_id": "99", "values": {"Deal_Name": "x"}}]
    gateway.post(callback("11", "12", operation="update", affected_values=values))
    assert [key for _, key, _ in queued(engine)] == ["11", "12"]


def test_replayed_and_doubled_callbacks_collapse(gateway: Service, engine: Engine) -> None:
    for _ in range(5):
        assert gateway.post(callback("11", "11", "12")).status_code == 200
    assert [key for _, key, _ in queued(engine)] == ["11", "12"]


def test_an_account_counts_once_it_is_a_customer(gateway: Service, engine: Engine) -> None:
    link = Link(CONNECTION, "customers", "Z000001", "Accounts", "21")
    with engine.begin() as connection:
        links.bind(connection, [link], source=System.ZOHO_CRM, at=datetime.now(UTC))
    assert gateway.post(callback("21", "22", module="Accounts")).status_code == 200
    assert queued(engine) == [("deal_accounts", "21", "notification")]


def test_unknown_modules_are_acknowledged_and_counted(gateway: Service, engine: Engine) -> None:
    assert gateway.post(callback("1", module="Leads")).status_code == 200
    assert queued(engine) == []
    assert 'sagezoho_notifications_total{connection="saminc",module="other"} 1.0' in metrics(gateway)


def test_what_no_enabled_flow_wants_is_acknowledged_and_left_alone(
    ledger: PostgresLedger, store: PostgresChannelStore, engine: Engine
) -> None:
    configured = settings()
    off = {"orders": {"enabled": False}, "customers": {"enabled": False}}
    values = configured.model_dump()
    values["connections"][CONNECTION]["flows"] |= off
    with serving(ledger, store, Settings.model_validate(values)) as gateway:
        assert gateway.post(callback("11")).status_code == 200
    assert queued(engine) == []


def metrics(gateway: Service) -> str:
    return gateway.get("/metrics").text


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (callback(token="x" * 48), 403, "wrong_token"),
        (callback(token=""), 403, "wrong_token"),
        (callback(token="\ud800"), 403, "wrong_token"),
        (callback(token=None), 403, "no_token"),
        (callback(channel_id="7"), 403, "wrong_token"),
        (callback(channel_id=None), 403, "no_token"),
        ({"ids": ["1"]}, 403, "no_token"),
        ([1, 2], 400, "not_a_callback"),
        (callback(ids="11"), 400, "not_a_callback"),
        (callback("11; DROP TABLE changes"), 400, "not_a_callback"),
        (callback(module=None), 400, "not_a_callback"),
    ],
)
def test_forged_and_malformed_callbacks_leave_no_trace(
    gateway: Service, engine: Engine, body: Any, status: int, reason: str
) -> None:
    answer = gateway.post(body)
    assert answer.status_code == status
    assert gateway.rejected(reason) == 1
    assert queued(engine) == []


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b'"x"'])
def test_what_is_no_json_object_is_refused(gateway: Service, content: bytes) -> None:
    assert gateway.post(content=content).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
    ],
)
def test_only_plain_json_is_taken(gateway: Service, headers: dict[str, str]) -> None:
    assert gateway.post(headers=headers).status_code == 415
    assert gateway.rejected("content_type") == 1


def asked(gateway: Service, method: str, connection: str = CONNECTION) -> httpx.Response:
    return httpx.request(method, f"{gateway.url}/notifications/{connection}", timeout=60, trust_env=False)


def test_only_post_is_answered_and_only_for_known_connections(gateway: Service) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        assert asked(gateway, method).status_code == 405
    assert gateway.post(connection="other").status_code == 404
    assert gateway.rejected("method") == 3
    assert gateway.rejected("unknown_connection") == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_asks_whether_it_is_there_is_told_so_and_nothing_more(
    gateway: Service, engine: Engine, method: str
) -> None:
    there = asked(gateway, method)
    assert there.status_code == 200
    assert there.text == ("" if method == "HEAD" else '{"status":"ready"}')
    assert asked(gateway, method, "other").status_code == 404
    assert queued(engine) == []


def test_an_oversized_body_is_refused_whether_it_says_its_size_or_not(
    ledger: PostgresLedger, store: PostgresChannelStore, engine: Engine
) -> None:
    with serving(ledger, store, settings(max_body_kilobytes=1)) as gateway:
        large = json.dumps(callback(*(str(number) for number in range(10_000, 10_400))))
        assert gateway.post(content=large).status_code == 413
        assert gateway.post(content=iter([large[:600].encode(), large[600:].encode()])).status_code == 413
        assert gateway.rejected("too_large") == 2
        assert queued(engine) == []
        assert gateway.post().status_code == 200


def test_a_slow_body_is_given_up(ledger: PostgresLedger, store: PostgresChannelStore) -> None:
    with serving(ledger, store, settings(read_timeout=1)) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.port)) as sender:
            sender.settimeout(60)
            sender.sendall(
                b"POST /notifications/saminc HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            answer = sender.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408")
        assert gateway.rejected("too_slow") == 1
        # A second is little for a body when many tests run at once.
        assert 200 in (gateway.post().status_code for _ in range(30))


def test_headers_without_end_are_cut_off(gateway: Service) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as sender:
        sender.settimeout(60)
        sender.sendall(b"POST /notifications/saminc HTTP/1.1\r\nHost: x\r\n")
        endless = (b"X-Filler: " + b"a" * 8000 + b"\r\n") * 10_000
        with pytest.raises(OSError, match=r"reset|pipe"):
            sender.sendall(endless)


def test_one_source_cannot_send_without_end(ledger: PostgresLedger, store: PostgresChannelStore) -> None:
    with serving(ledger, store, settings(requests_per_second=1)) as gateway:
        statuses: set[int] = set()
        until = time.monotonic() + 60
        with ThreadPoolExecutor(8) as pool:
            # A busy machine may spread a volley over so many seconds that the limit has room for all of it.
            while statuses != {200, 429} and time.monotonic() < until:
                statuses |= set(pool.map(lambda _: gateway.post().status_code, range(8)))
        assert statuses == {200, 429}
        other = gateway.post(headers={"X-Forwarded-For": "203.0.113.9"})
        assert other.status_code == 200, "a proxy on this host speaks for its callers"


def test_the_old_token_is_honoured_for_its_overlap_only(gateway: Service, store: PostgresChannelStore) -> None:
    now = datetime.now(UTC)
    known = channel(token="n" * 48, previous=TOKEN, previous_until=now + timedelta(hours=1))
    store.save(known)
    assert gateway.post(callback("1", token="n" * 48)).status_code == 200, "a new token is believed at once"
    assert gateway.post(callback("2", token=TOKEN)).status_code == 200
    store.save(replace(known, previous_until=now - timedelta(seconds=1)))
    assert gateway.post(callback("3", token="f" * 48)).status_code == 403  # has the ledger read anew
    assert gateway.post(callback("4", token=TOKEN)).status_code == 403
    assert gateway.post(callback("5", token="n" * 48)).status_code == 200


def test_a_token_is_never_logged(gateway: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        gateway.post()
        gateway.post(callback(token="w" * 48))
        gateway.post(content=TOKEN.encode())
    assert TOKEN not in caplog.text
    assert "w" * 48 not in caplog.text
    assert TOKEN not in metrics(gateway)


def test_health_tells_how_each_channel_fares(gateway: Service) -> None:
    assert gateway.get("/health").json() == {
        "status": "ok",
        "channels": {"saminc": "alive"},
    }
    assert TOKEN not in gateway.get("/health").text


def test_a_notification_of_a_record_that_is_being_delivered_is_kept_for_afterwards(
    gateway: Service, ledger: PostgresLedger, engine: Engine
) -> None:
    deals = EntityRef(CONNECTION, System.ZOHO_CRM, "deals")
    gateway.post(callback("11"))
    ledger.claim(deals, worker="w", limit=5, lease_seconds=60, at=datetime.now(UTC))
    gateway.post(callback("11"))
    assert [key for _, key, _ in queued(engine)] == ["11", "11"]


# with a certificate of its own
