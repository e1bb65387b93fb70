"""The ASGI application of the simulated Zoho: accounts server and CRM API on one address.

Outermost stands the gate that counts calls in flight, then the faults (so that a slow answer occupies its place as it
would at the vendor), then the application itself, which answers one call at a time under the world's lock.
"""

from __future__ import annotations

from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

import simplejson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sagezoho_pipelines.sandbox.control import control_routes
from sagezoho_pipelines.sandbox.fault_play import FaultMiddleware
from sagezoho_pipelines.sandbox.zoho_crm.calls import API, Answer, Call
from sagezoho_pipelines.sandbox.zoho_crm.errors import ApiError, invalid_url
from sagezoho_pipelines.sandbox.zoho_crm.oauth import Access
from sagezoho_pipelines.sandbox.zoho_crm.record_routes import records, run_coql
from sagezoho_pipelines.sandbox.zoho_crm.settings_routes import get_org, get_users, run_settings, run_watch
from sagezoho_pipelines.sandbox.zoho_crm.values import show_instant
from sagezoho_pipelines.sandbox.zoho_crm.world import ZohoWorld

CALL = "sagezoho.zoho_call"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
JSON_HEADERS = {
    "Content-Type": "application/json;charset=UTF-8",
    "Content-Disposition": "attachment; filename=response.json",
}
COMMON_HEADERS = {
    "Server": "ZGS",
    "Cache-Control": "no-store, no-cache, must-revalidate, private",
    "Pragma": "no-cache",
    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    "Content-Language": "en-US",
}


def create_app(world: ZohoWorld) -> ASGIApp:
    """The application that serves `world`, its control API included."""
    desk = _Desk(world)
    inner = Starlette(
        routes=[
            *control_routes(world),
            Route("/oauth/v2/token", desk.token, methods=METHODS),
            Route("/oauth/v2/token/revoke", desk.revoke, methods=METHODS),
            Route("/{path:path}", desk.crm, methods=METHODS),
        ]
    )
    return _Gate(FaultMiddleware(inner, world.faults, world.counters), desk)


class _Desk:
    """Turns HTTP into calls and answers into HTTP."""

    def __init__(self, world: ZohoWorld) -> None:
        self.world = world

    async def token(self, request: Request) -> Response:
        given = await _form(request)
        if request.method != "POST":
            return self.respond(405, {"error": "invalid_request"})
        with self.world.lock:
            return self.respond(*self.world.oauth.token(given))

    async def revoke(self, request: Request) -> Response:
        given = await _form(request)
        with self.world.lock:
            return self.respond(*self.world.oauth.revoke(given.get("token", "")))

    async def crm(self, request: Request) -> Response:
        call: Call | None = request.scope.get(CALL)
        access: Access | None = None
        if call is not None:
            await self._probe(call)
        with self.world.lock:
            try:
                if call is None:
                    raise invalid_url()
                access = self.world.oauth.presented(call.headers.get("authorization"))
                call.admit(access)
                self.world.limits.spend(call.credits(self.world.switches))
                answer = self.route(call)
            except ApiError as error:
                return self.refuse(call, error, access)
            return self.respond(answer.status, answer.body, access)

    def refuse(self, call: Call | None, error: ApiError, access: Access | None = None) -> Response:
        switches = self.world.switches
        told = self.spelled(call, error)
        response = self.respond(told.status, told.body(), access)
        if told.status == 429 and switches.retry_after_seconds is not None:
            response.headers["Retry-After"] = str(switches.retry_after_seconds)
        return response

    async def _probe(self, call: Call) -> None:
        """Ask at the addresses of a subscription, outside the lock and the event loop: whoever answers may be slow."""
        if call.parts != ("actions", "watch") or call.method not in ("POST", "PUT", "PATCH"):
            return
        try:
            with self.world.lock:
                self.world.oauth.presented(call.headers.get("authorization"))
                urls = self.world.channels.to_probe(call.rows("watch"))
        except ApiError:
            return  # the call is refused for what it is
        reached = [url for url in urls if await run_in_threadpool(self.world.courier.reached, url)]
        call.reached = frozenset(reached)

    def route(self, call: Call) -> Answer:
        if "" in call.parts:
            raise invalid_url()
        match call.parts:
            case ("coql",):
                return run_coql(self.world, call)
            case ("org",):
                return get_org(self.world, call)
            case ("users",):
                return get_users(self.world, call)
            case ("settings", *_):
                return run_settings(self.world, call)
            case ("actions", "watch"):
                return run_watch(self.world, call)
            case (name, *_) if name and name != "actions":
                return records(self.world, call)
        raise invalid_url()

    def spelled(self, call: Call | None, error: ApiError) -> ApiError:
        """The refusal under the name and status that the switches choose for it."""
        code, status = error.code, error.status
        if code == "INVALID_TOKEN":
            code = self.world.switches.dead_token_code
        elif code == "OAUTH_SCOPE_MISMATCH":
            status = self.world.switches.scope_mismatch_status
        elif self.world.switches.code_spellings == "of the OpenAPI file":
            if code == "INVALID_REQUEST_METHOD":
                code, status = "METHOD_NOT_ALLOWED", 405
            elif code == "TOO_MANY_REQUESTS" and call is not None and call.parts == ("actions", "watch"):
                code = "RATE_LIMIT_EXCEEDED"
        return ApiError(status, code, error.message, error.details)

    def respond(self, status: int, body: dict[str, Any] | None, access: Access | None = None) -> Response:
        headers = {**COMMON_HEADERS, "Date": format_datetime(self.world.clock.now().replace(microsecond=0), True)}
        if access is not None:
            headers["X-ACCESSTOKEN-RESET"] = show_instant(access.expires, self.world.org.zone)
            remaining = self.world.limits.remaining_header()
            if remaining is not None:
                headers["X-API-CREDITS-REMAINING"] = remaining
        if body is None:
            return Response(status_code=status, headers=headers)
        text = simplejson.dumps(body, use_decimal=True, ensure_ascii=False, separators=(",", ":"))
        return Response(text, status_code=status, headers={**headers, **JSON_HEADERS})


class _Gate:
    """Counts calls in flight and turns away what the edition does not allow at once."""

    def __init__(self, app: ASGIApp, desk: _Desk) -> None:
        self.app = app
        self.desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(API):
            await self.app(scope, receive, send)
            return
        raw = await _read(receive)
        call = Call(
            method=scope["method"],
            parts=tuple(scope["path"][len(API) :].split("/")),
            params=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            raw=raw,
        )
        scope[CALL] = call
        try:
            with self.desk.world.limits.flight(heavy=call.heavy()):
                await self.app(scope, _replay(raw, receive), send)
        except ApiError as error:
            counters = self.desk.world.counters
            counters.begin(call.method, scope["path"])
            counters.end(str(error.status))
            await self.desk.refuse(call, error)(scope, receive, send)


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return b"".join(parts)


def _replay(raw: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": raw, "more_body": False}

    return replayed


async def _form(request: Request) -> dict[str, str]:
    """Parameters of the accounts server: query string, form or multipart, the body's winning."""
    given = dict(request.query_params)
    async with request.form() as form:
        given |= {name: value for name, value in form.items() if isinstance(value, str)}
    return given
