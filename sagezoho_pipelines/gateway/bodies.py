"""Reading a request's body without trusting what it says of itself: within a size, and within a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request


class Rejected(Exception):
    """A request that is not taken: the HTTP status it gets, and the reason it is counted under."""

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(reason)


def require_json(request: Request) -> None:
    """Raises Rejected for anything but plain JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind != "application/json" or request.headers.get("content-encoding", "identity") != "identity":
        raise Rejected(415, "content_type")


async def read(request: Request, *, limit: int, seconds: float) -> bytes:
    """The whole body. Raises Rejected as soon as it is too large, or has taken too long."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise Rejected(413, "too_large")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise Rejected(413, "too_large")
                parts.append(part)
    except TimeoutError:
        raise Rejected(408, "too_slow") from None
    except ClientDisconnect:
        raise Rejected(400, "gone") from None
    return b"".join(parts)


def parsed(content: bytes) -> Mapping[str, Any]:
    """The JSON object that a body is. Raises Rejected when it is none."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise Rejected(400, "not_json") from None
    if not isinstance(body, dict):
        raise Rejected(400, "not_a_callback")
    return body
