"""Sending by HTTP: a pool of connections, bodies of bounded size and time, and what it means that no answer came."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Final

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import NameResolutionError, NewConnectionError

#: Bytes. A body larger than this is not read to its end: memory stays bounded.
MAX_BODY: Final = 256 * 1024 * 1024
_CHUNK: Final = 65536


@dataclass(frozen=True, slots=True)
class Failure:
    """No whole answer. `sent` is False only where it is proved that the server saw nothing of the request."""

    code: str
    text: str
    sent: bool
    transient: bool = True

    @property
    def unreachable(self) -> bool:
        """Nobody may be there at all: address, network or proxy are to be looked at."""
        return self.code == "Unreachable"


def new_session(connections: int, adapter: BaseAdapter | None = None) -> requests.Session:
    """A session that many threads may share: it keeps connections, and no cookies."""
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    pool = adapter or HTTPAdapter(pool_connections=4, pool_maxsize=connections, max_retries=0)
    session.mount("https://", pool)
    session.mount("http://", pool)
    return session


def whole_body(response: requests.Response, *, deadline: float, clock: Callable[[], float]) -> bytes:
    """The body of a streamed answer. The socket's time-out starts anew with each byte, so a slow body needs its own.

    Raises an error of requests where the body is too large, or not there at `deadline`.
    """
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > MAX_BODY:
            raise requests.exceptions.ContentDecodingError(f"the answer is larger than {MAX_BODY} bytes")
        if clock() > deadline:
            raise requests.exceptions.ReadTimeout("the answer took too long")
    return bytes(body)


def failure_of(error: Exception) -> Failure:
    """What an error of requests, of urllib3 or of the socket proves, in words that hold nothing of the request."""
    kinds = {type(cause) for cause in _causes(error)}

    def is_any(*classes: type[BaseException]) -> bool:
        return any(issubclass(kind, classes) for kind in kinds)

    if is_any(ssl.SSLCertVerificationError):
        return Failure("Unreachable", "its TLS certificate is not trusted by this machine", sent=False, transient=False)
    if is_any(NameResolutionError):
        return Failure("Unreachable", "its name cannot be resolved", sent=False)
    if is_any(requests.exceptions.ConnectTimeout):
        return Failure("Unreachable", "it did not accept a connection in time", sent=False)
    if is_any(NewConnectionError):
        return Failure("Unreachable", "it does not accept connections", sent=False)
    if is_any(requests.exceptions.SSLError, ssl.SSLError):
        return Failure("Unreachable", "no TLS connection could be kept: does it speak https on this port?", sent=True)
    # urllib3 calls it a proxy's error too when the connection through a proxy broke after the request was sent.
    if is_any(requests.exceptions.ProxyError):
        return Failure("Unreachable", "the proxy in between did not connect", sent=True)
    if is_any(requests.exceptions.Timeout, TimeoutError):
        return Failure("Timeout", "it did not answer in time", sent=True)
    if is_any(requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema):
        return Failure("Unreachable", "its address is not a valid one", sent=False, transient=False)
    return Failure("ConnectionLost", "the connection broke before the whole answer had arrived", sent=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything wrapped in it: requests and urllib3 nest by argument, by `reason` and by cause."""
    seen: set[int] = set()
    pending: list[BaseException] = [error]
    while pending:
        cause = pending.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        # Not __context__: it would bring in whatever the caller happened to be handling when this request was made.
        nested = (*cause.args, getattr(cause, "reason", None), cause.__cause__)
        pending.extend(item for item in nested if isinstance(item, BaseException))
