"""The gateway's process: uvicorn over one listening socket, with a limit of time and size for headers too."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.gateway.app import Gateway
from sagezoho_pipelines.gateway.tls import Tls

HEADER_SECONDS = 5.0
HEADER_BYTES = 65_536
MOST_CONNECTIONS = 2000
#: Requests under way when the process is asked to end get this long; each ends with its commit.
GRACE_SECONDS = 30
_BACKLOG = 2048
#: uvicorn ticks ten times a second.
_TICKS_BETWEEN_LOOKS = 600


class PunctualProtocol(HttpToolsProtocol):
    """Closes connections whose headers take too long or grow too large: uvicorn waits for them without end."""

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deadline is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._deadline is not None and self._header_bytes > HEADER_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        self._await_headers()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._headers_came()
        super().on_headers_complete()

    def _await_headers(self) -> None:
        if self._deadline is None:
            self._header_bytes = 0
            self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _headers_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def listening(host: str, port: int) -> socket.socket:
    """Raises SagezohoError when the address cannot be used."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SagezohoError(
            f"the gateway cannot listen on {host} port {port}: {error.strerror}. "
            "Another one may be running; set gateway.host and gateway.port, or use --port."
        ) from None


class RenewingServer(uvicorn.Server):
    """Looks now and then whether its certificate has been replaced."""

    def __init__(self, config: uvicorn.Config, tls: Tls | None) -> None:
        super().__init__(config)
        self._tls = tls

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_BETWEEN_LOOKS == 0:
            self.renew_certificate()
        return await super().on_tick(counter)

    def renew_certificate(self) -> bool:
        """Whether the files hold another one than is shown; connections that exist go on with theirs."""
        context = self.config.ssl
        return self._tls is not None and context is not None and self._tls.renew(context)


def server_of(gateway: Gateway, tls: Tls | None = None) -> RenewingServer:
    """A server that ends gracefully: it stops listening, answers what is under way, then writes what is left."""
    return RenewingServer(
        uvicorn.Config(
            gateway.app(),
            http=PunctualProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=list(gateway.settings.gateway.trusted_proxies),
            limit_concurrency=MOST_CONNECTIONS,
            backlog=_BACKLOG,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_certfile=tls.certificate if tls is not None else None,
            ssl_keyfile=tls.key if tls is not None else None,
        ),
        tls,
    )
