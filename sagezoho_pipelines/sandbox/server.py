"""Both simulated vendors on loopback ports: in background threads for tests, or until a signal for the command."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import ASGIApp

from sagezoho_pipelines.sandbox.clock import SandboxClock
from sagezoho_pipelines.sandbox.known_vendors import existing_accounts
from sagezoho_pipelines.sandbox.sage300.app import ROOT
from sagezoho_pipelines.sandbox.sage300.app import create_app as sage_app
from sagezoho_pipelines.sandbox.sage300.company import founded
from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches
from sagezoho_pipelines.sandbox.sage300.world import SageWorld
from sagezoho_pipelines.sandbox.transport import AbortableProtocol

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches
    from sagezoho_pipelines.sandbox.zoho_crm.world import ZohoWorld

HOST = "127.0.0.1"
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 120
"""As IIS holds an idle connection."""


@dataclass(frozen=True)
class SageHandle:
    """How to reach the simulated company, and the company itself."""

    url: str
    company: str
    username: str
    password: str
    world: SageWorld

    def connection(self) -> dict[str, str]:
        return {"url": self.url, "company": self.company, "username": self.username, "password": self.password}

    @property
    def control_url(self) -> str:
        return self.url.removesuffix(ROOT) + "/__sandbox__"


@dataclass(frozen=True)
class ZohoHandle:
    """How to reach the simulated organisation, and the organisation itself."""

    accounts_url: str
    api_domain: str
    client_id: str
    client_secret: str
    refresh_token: str
    world: ZohoWorld

    def connection(self) -> dict[str, str]:
        names = ("accounts_url", "api_domain", "client_id", "client_secret", "refresh_token")
        return {name: getattr(self, name) for name in names}

    @property
    def control_url(self) -> str:
        return self.accounts_url + "/__sandbox__"


class Sandbox:
    """Two vendors sharing one clock. Ports of 0 are picked by the system; sockets are bound on construction.

    Of the organisation's `accounts`, `known_vendors` really are vendors of the company, typed by other people: which
    ones, the control API tells as `state/known_vendors`. Raises OSError where a port is taken, ValueError for more
    known vendors than there are accounts or vendors, or a file in `trust_ca` without a certificate.

    Zoho's callbacks trust the authorities in `trust_ca` beside those of this system; `connect_to` says where a public
    host name really is, whatever the port.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        vendors: int = 50,
        deals: int = 20,
        sage_port: int = 0,
        zoho_port: int = 0,
        clock: SandboxClock | None = None,
        sage_switches: SageSwitches | None = None,
        zoho_switches: ZohoSwitches | None = None,
        edition: str = "enterprise",
        accounts: int | None = None,
        known_vendors: int = 0,
        trust_ca: Sequence[Path] = (),
        connect_to: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        # Imported here so that the Sage side alone stays light to import.
        from sagezoho_pipelines.sandbox.zoho_crm.app import create_app as zoho_app
        from sagezoho_pipelines.sandbox.zoho_crm.internet import Internet
        from sagezoho_pipelines.sandbox.zoho_crm.world import ZohoWorld

        self.clock = clock or SandboxClock(datetime.now(UTC))
        sage = founded(seed=seed, vendors=vendors, clock=self.clock, switches=sage_switches)
        rows = sage.table("APVendors")
        existing = existing_accounts(rows, seed=seed, accounts=accounts or 0, known=known_vendors)
        internet = Internet(trust_ca, connect_to)
        if trust_ca:
            _ = internet.tls
        sage_socket, zoho_socket = _bound(sage_port), _bound(zoho_port)
        zoho_url = _url(zoho_socket)
        zoho = ZohoWorld(
            seed=seed,
            deals=deals,
            clock=self.clock,
            base_url=zoho_url,
            accounts=accounts,
            edition=edition,
            switches=zoho_switches,
            existing=existing,
            internet=internet,
        )
        self.sage300 = SageHandle(_url(sage_socket) + ROOT, sage.company, sage.username, sage.password, sage)
        self.zoho_crm = ZohoHandle(zoho_url, zoho_url, zoho.client_id, zoho.client_secret, zoho.refresh_token, zoho)
        self._hosts = (AppHost(sage_app(sage), sage_socket), AppHost(zoho_app(zoho), zoho_socket))

    @classmethod
    @contextmanager
    def running(cls, **options: Any) -> Iterator[Sandbox]:
        """A sandbox that answers while the block runs. Options are those of the constructor."""
        sandbox = cls(**options)
        sandbox.start()
        try:
            yield sandbox
        finally:
            sandbox.stop()

    def start(self) -> None:
        """Returns when both vendors accept connections."""
        for host in self._hosts:
            host.start()

    def stop(self) -> None:
        for host in self._hosts:
            host.stop()
        self.zoho_crm.world.close()

    def connections(self) -> dict[str, dict[str, str]]:
        """Addresses and credentials of both vendors, as the command prints them."""
        return {"sage300": self.sage300.connection(), "zoho_crm": self.zoho_crm.connection()}

    def serve(self, *, json_line: bool) -> None:
        """Serves until SIGTERM or SIGINT. With `json_line` the first line written is `connections()` as JSON."""
        over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        self.start()
        if json_line:
            sys.stdout.write(json.dumps(self.connections()) + "\n")
        else:
            sys.stdout.write(f"Sage 300 Web API  {self.sage300.url}\nZoho CRM          {self.zoho_crm.accounts_url}\n")
        sys.stdout.flush()
        try:
            # Waking now and then lets signals in on platforms where an endless wait holds them back.
            while not over.wait(0.5):
                pass
        finally:
            self.stop()


class AppHost:
    """One application on one bound socket, served by uvicorn in a thread of its own."""

    def __init__(self, app: ASGIApp, bound: socket.socket) -> None:
        self._socket = bound
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=AbortableProtocol,
                ws="none",
                lifespan="off",
                access_log=False,
                log_level="error",
                server_header=False,
                date_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [bound]}, daemon=True)

    @property
    def url(self) -> str:
        return _url(self._socket)

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the sandbox did not start on {self.url}")
            time.sleep(0.005)

    def stop(self) -> None:
        self._server.should_exit = True
        # Idle keep-alive connections and hanging requests are not waited for.
        self._server.force_exit = True
        self._thread.join(_STOP_SECONDS)
        self._socket.close()


def listening(app: ASGIApp, port: int = 0) -> AppHost:
    """A host for an application on loopback, bound but not started."""
    return AppHost(app, _bound(port))


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
    except OSError:
        bound.close()
        raise
    return bound


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://{host}:{port}"
