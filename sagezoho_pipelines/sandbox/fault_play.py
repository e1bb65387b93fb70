"""Faults played: what stands between the server and a simulated vendor, and breaks what the vendor's FaultBook says.

A reset is a real one: the peer sees RST, not an orderly close.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sagezoho_pipelines.sandbox.counters import Counters
from sagezoho_pipelines.sandbox.faults import CONTROL_PREFIX, Canned, FaultBook, FaultRule
from sagezoho_pipelines.sandbox.transport import reset_connection


class FaultMiddleware:
    """Counts every request to a vendor and plays the faults due; the control API passes untouched."""

    def __init__(self, app: ASGIApp, faults: FaultBook, counters: Counters) -> None:
        self.app = app
        self.faults = faults
        self.counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PREFIX):
            await self.app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        refused = self.faults.admit(self.counters.begin(method, path))
        recorder = _Recorder(send)
        try:
            body = await _read_body(receive)
            if refused is not None:
                await _send_canned(refused, recorder)
                return
            due = self.faults.due(method, path, scope.get("query_string", b"").decode("latin-1"), body)
            if self.faults.latency:
                await asyncio.sleep(self.faults.latency)
            await self._play(due, scope, _replay(body, receive), recorder)
        finally:
            self.counters.end(recorder.outcome)

    async def _play(self, due: list[FaultRule], scope: Scope, receive: Receive, send: _Recorder) -> None:
        for rule in due:
            if rule.action == "latency":
                await asyncio.sleep(rule.seconds)
            elif rule.action == "token_revoked":
                self.faults.hooks["token_revoked"]()
        ending = next((rule for rule in due if rule.action in _ENDING), None)
        if ending is None:
            shaped = [rule for rule in due if rule.action in ("slow_body", "truncate")]
            if shaped:
                await self._shaped(shaped, scope, receive, send)
            else:
                await self.app(scope, receive, send)
        elif ending.action == "reset_before":
            send.outcome = "reset"
            reset_connection(scope)
        elif ending.action == "reset_after":
            await self.app(scope, receive, _swallow)
            send.outcome = "reset"
            reset_connection(scope)
        elif ending.action in ("hang", "hang_after"):
            if ending.action == "hang_after":
                await self.app(scope, receive, _swallow)
            send.outcome = "hang"
            await asyncio.sleep(ending.seconds or 3600)
            reset_connection(scope)
        else:
            await _send_canned(self.faults.canned(ending), send)

    async def _shaped(self, rules: list[FaultRule], scope: Scope, receive: Receive, send: _Recorder) -> None:
        """Runs the application into memory, then sends its answer slowly, or cut off and reset."""
        held = _Held()
        await self.app(scope, receive, held)
        await send(held.start)
        slow = sum(rule.seconds for rule in rules if rule.action == "slow_body")
        cut = next((rule for rule in rules if rule.action == "truncate"), None)
        body = held.body
        if cut is not None:
            body = body[: cut.keep if cut.keep is not None else len(body) // 2]
        pieces = 10 if slow else 1
        size = max(1, -(-len(body) // pieces))
        for at in range(0, len(body), size):
            await send({"type": "http.response.body", "body": body[at : at + size], "more_body": True})
            if slow:
                await asyncio.sleep(slow / pieces)
        if cut is None:
            await send({"type": "http.response.body", "body": b""})
        else:
            # The bytes written must be on the wire before the connection goes; an RST would take them back.
            await asyncio.sleep(0.02)
            send.outcome = "reset"
            reset_connection(scope, orderly=True)


_ENDING = frozenset(
    {"status", "respond", "day_end", "post_in_progress", "reset_before", "reset_after", "hang", "hang_after"},
)


class _Recorder:
    """Notes the status sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.outcome = "none"

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.outcome = str(message["status"])
        await self._send(message)


class _Held:
    """Collects an application's answer."""

    def __init__(self) -> None:
        self.start: Message = {}
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


async def _swallow(_message: Message) -> None:
    return None


async def _read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed


async def _send_canned(answer: Canned, send: _Recorder) -> None:
    payload = answer.body.encode()
    headers = {name.lower(): value for name, value in answer.headers.items()}
    headers["content-length"] = str(len(payload))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": payload})
