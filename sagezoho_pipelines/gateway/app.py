"""The ASGI application: `/notifications/{connection}`, `/health`, `/metrics`."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sagezoho_pipelines.config import Settings
from sagezoho_pipelines.engine.channel_health import PATH, READY, needs_attention
from sagezoho_pipelines.engine.notifications import Notification, looks_of, watched_modules
from sagezoho_pipelines.engine.ports import ChannelStore, Ledger
from sagezoho_pipelines.gateway import bodies
from sagezoho_pipelines.gateway.bodies import Rejected
from sagezoho_pipelines.gateway.intake import Intake, NotStored
from sagezoho_pipelines.gateway.known import KnownChannels
from sagezoho_pipelines.gateway.metrics import CONTENT_TYPE, Metrics
from sagezoho_pipelines.gateway.sources import Sources, is_loopback

log = logging.getLogger(__name__)

#: A channel's last sign of life is written down at most this often.
HEARD_EVERY_SECONDS = 5.0
#: After an answer that the sender may not have finished its request for, the connection is of no use any more.
_CLOSING = (408, 413)
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Gateway:
    """Receives callbacks. 200 means committed; 4xx means not believed; 503 means not stored.

    One that is `public` has no proxy before it: what is for you, /health and /metrics, it shows to this machine only.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        store: ChannelStore,
        *,
        clock: Callable[[], datetime],
        public: bool = False,
    ) -> None:
        self.settings = settings
        self.public = public
        self.metrics = Metrics()
        self._ledger, self._store, self._clock = ledger, store, clock
        self._sources = Sources(settings.gateway.requests_per_second)
        self._known = KnownChannels(store, clock=clock)
        self._intake = Intake(self._write)
        self._heard: dict[str, datetime] = {}
        self._heard_at = float("-inf")
        self.metrics.waiting.set_function(lambda: self._intake.waiting)

    def app(self) -> Starlette:
        routes = [
            Route(PATH + "{connection}", self.notified, methods=_METHODS),
            Route("/health", self.health),
            Route("/metrics", self.measured),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan)

    async def notified(self, request: Request) -> Response:
        """One callback of Zoho's, or somebody who asks whether we are there: Zoho may, before it makes a channel."""
        began = time.monotonic()
        try:
            await self._admit(request)
            if request.method in ("GET", "HEAD"):
                return _answer(200, READY)
            notification = await self._proven(request)
            watched = notification.module in watched_modules(self.settings.connections[notification.connection])
            if watched:
                await self._intake.accept(notification)
        except Rejected as rejected:
            self.metrics.rejected.labels(rejected.reason).inc()
            return _answer(rejected.status, rejected.reason)
        except NotStored:
            self.metrics.not_stored.inc()
            return _answer(503, "not_stored")
        module = notification.module if watched else "other"
        self.metrics.notifications.labels(notification.connection, module).inc()
        self.metrics.records.labels(notification.connection, module).inc(len(notification.ids))
        self.metrics.seconds.observe(time.monotonic() - began)
        return _answer(200, "ok")

    async def health(self, request: Request) -> Response:
        """Whether callbacks can be stored, and how each connection's channel fares."""
        if not self._for_you(request):
            return _answer(404, "not_found")
        try:
            channels = await self._known.channels()
        except Exception as error:  # noqa: BLE001 - whatever it is, the ledger cannot be read
            log.warning("the ledger cannot be read: %s", type(error).__name__)
            return JSONResponse({"status": "the ledger cannot be read"}, 503)
        now = self._clock()
        told = {
            name: needs_attention(channels.get(name), now=now) or "alive"
            for name, connection in sorted(self.settings.connections.items())
            if connection.notifications.active
        }
        return JSONResponse({"status": "ok", "channels": told})

    async def measured(self, request: Request) -> Response:
        if not self._for_you(request):
            return _answer(404, "not_found")
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    def _for_you(self, request: Request) -> bool:
        return not self.public or (request.client is not None and is_loopback(request.client.host))

    async def _admit(self, request: Request) -> None:
        """Raises Rejected for a source that sends too much, and for connections that are none of ours."""
        if not await self._sources.admit(request.client.host if request.client else ""):
            raise Rejected(429, "too_many")
        if request.path_params["connection"] not in self.settings.connections:
            raise Rejected(404, "unknown_connection")

    async def _proven(self, request: Request) -> Notification:
        """The callback, once it has proved to be Zoho's. Raises Rejected for anything else."""
        connection = request.path_params["connection"]
        if request.method != "POST":
            raise Rejected(405, "method")
        bodies.require_json(request)
        limits = self.settings.gateway
        content = await bodies.read(request, limit=limits.max_body_kilobytes * 1024, seconds=limits.read_timeout)
        body = bodies.parsed(content)
        await self._believe(connection, body)
        try:
            return Notification.parse(connection, body)
        except ValueError:
            raise Rejected(400, "not_a_callback") from None

    async def _believe(self, connection: str, body: Mapping[str, Any]) -> None:
        channel_id, token = body.get("channel_id"), body.get("token")
        if not isinstance(channel_id, str | int) or not isinstance(token, str):
            raise Rejected(403, "no_token")
        try:
            believed = await self._known.believes(connection, str(channel_id), token)
        except Exception as error:  # noqa: BLE001 - whatever it is, the ledger cannot be read
            log.warning("the ledger cannot be read: %s", type(error).__name__)
            raise NotStored from None
        if not believed:
            raise Rejected(403, "wrong_token")

    def _write(self, notifications: Sequence[Notification]) -> None:
        """In the intake's thread: one transaction for all ids of all callbacks that came together."""
        now = self._clock()
        queued = self._ledger.enqueue(looks_of(self._ledger, notifications, self.settings.connections), at=now)
        self.metrics.commits.inc()
        self.metrics.changes.inc(queued)
        self._heard.update({notification.connection: now for notification in notifications})
        if time.monotonic() - self._heard_at >= HEARD_EVERY_SECONDS:
            self._tell_heard()

    def _tell_heard(self) -> None:
        """When something was last heard is a hint for people: failing to write it must not refuse a callback."""
        heard, self._heard = self._heard, {}
        self._heard_at = time.monotonic()
        try:
            if heard:
                self._store.heard(heard)
        except Exception as error:  # noqa: BLE001
            log.warning("when channels were last heard could not be stored: %s", type(error).__name__)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self._intake.start()
        try:
            yield
        finally:
            await self._intake.stop()
            self._tell_heard()


def _answer(status: int, told: str) -> Response:
    headers = {"Connection": "close"} if status in _CLOSING else {}
    if status == 503:
        headers["Retry-After"] = "5"
    if status == 405:
        headers["Allow"] = "GET, HEAD, POST"
    return JSONResponse({"status": told}, status, headers)
