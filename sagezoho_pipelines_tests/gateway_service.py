"""A gateway that really listens, in a thread of the test's, and what a stranger or Zoho would send it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import Engine, text

from sagezoho_pipelines.config import Settings
from sagezoho_pipelines.domain.channels import Channel, ChannelState
from sagezoho_pipelines.engine.ports import ChannelStore, Ledger
from sagezoho_pipelines.gateway.app import Gateway
from sagezoho_pipelines.gateway.server import RenewingServer, listening, server_of
from sagezoho_pipelines.gateway.tls import Tls
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.masterkeys import MasterKeys
from sagezoho_pipelines.ledger.vault import Vault
from sagezoho_pipelines_tests.tls import certificates, trusting

CONNECTION, CHANNEL_ID = "saminc", 1105420521999070702
KEYS = MasterKeys([bytes(range(32))], source="the test")
TOKEN = "t" * 48


@dataclass
class Service:
    gateway: Gateway
    server: RenewingServer
    url: str
    port: int
    stop: Callable[[], None]

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", **{"timeout": 60, "trust_env": False, "verify": trusting(), **options})

    def post(self, body: Any = None, *, connection: str = CONNECTION, **options: Any) -> httpx.Response:
        content = options.pop("content", None) or json.dumps(callback() if body is None else body)
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        address = f"{self.url}/notifications/{connection}"
        options = {"timeout": 60, "trust_env": False, "verify": trusting(), **options}
        return httpx.post(address, content=content, headers=headers, **options)

    def waiting(self) -> float:
        """Callbacks that no commit has begun for."""
        return self.gateway.metrics.registry.get_sample_value("sagezoho_notifications_waiting") or 0.0

    def rejected(self, reason: str) -> float:
        value = self.gateway.metrics.registry.get_sample_value(
            "sagezoho_notifications_rejected_total", {"reason": reason}
        )
        return value or 0.0


def callback(*ids: str, module: str = "Deals", operation: str = "insert", **more: Any) -> dict[str, Any]:
    """What Zoho sends; an insert names its records in `ids` alone."""
    return {
        "server_time": 1750102639787,
        "query_params": {},
        "module": module,
        "resource_uri": f"https://www.zohoapis.com/crm/v2/{module}",
        "ids": list(ids or ("675000000000001",)),
        "affected_fields": [],
        "operation": operation,
        "channel_id": str(CHANNEL_ID),
        "token": TOKEN,
        **more,
    }


def settings(**gateway: Any) -> Settings:
    connection = {
        "first_sync": "allow",
        "sage300": {"url": "http://127.0.0.1:9/Sage300WebApi", "company": "SAMINC"},
        "notifications": {"url": "http://127.0.0.1:9"},
    }
    return Settings.model_validate({"connections": {CONNECTION: connection}, "gateway": gateway})


def channel(**values: Any) -> Channel:
    now = datetime.now(UTC)
    known: Mapping[str, Any] = {
        "connection": CONNECTION, "channel_id": CHANNEL_ID, "notify_url": "http://127.0.0.1:9",
        "events": ("Deals.edit",),
        "token": TOKEN, "state": ChannelState.ALIVE, "subscribed_at": now, "renewed_at": now, "known_good_at": now,
        "expires_at": now + timedelta(days=1),
    }  # fmt: skip
    return Channel(**{**known, **values})


def own_certificate() -> Tls:
    return Tls(certificates().certificate, certificates().key)


@contextmanager
def serving(
    ledger: Ledger,
    store: ChannelStore,
    configured: Settings | None = None,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    tls: Tls | None = None,
) -> Iterator[Service]:
    """With `tls` it is reached directly, without it through a reverse proxy."""
    gateway = Gateway(configured or settings(), ledger, store, clock=clock, public=tls is not None)
    sock = listening("127.0.0.1", 0)
    port = sock.getsockname()[1]
    server = server_of(gateway, tls)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started and time.monotonic() < until:
        time.sleep(0.005)

    def stop() -> None:
        server.should_exit = True
        thread.join(20)

    try:
        scheme = "http" if tls is None else "https"
        yield Service(gateway, server, f"{scheme}://127.0.0.1:{port}", port, stop)
    finally:
        stop()
        sock.close()


def store_of(engine: Engine) -> PostgresChannelStore:
    """A channel store that holds the channel whose callbacks are believed."""
    made = PostgresChannelStore(engine, Vault(engine, keys=KEYS))
    made.save(channel())
    return made


def queued(engine: Engine) -> list[tuple[str, str, str]]:
    """What waits in the queue: entity, key and cause."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT entity, key, cause FROM sagezoho.changes ORDER BY entity, key"))
        return [(row.entity, row.key, row.cause) for row in rows]
