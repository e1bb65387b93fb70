"""The one seam to the network: a pooled session, bounded waits, and what went wrong put in plain terms."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, between two pieces of an answer, and for a whole answer however slowly it trickles."""

    connect: float = 5.0
    read: float = 60.0
    total: float = 180.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer; `elapsed` in seconds."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    elapsed: float

    def header(self, name: str) -> str:
        return self.headers.get(name) or ""


class NotConnected(Exception):
    """The request never left: sending it again can do no harm."""


class NoAnswer(Exception):
    """The request left, and no whole answer came back."""


class TokenAuth(AuthBase):
    """Sets the header last, so that neither the environment nor a netrc file puts another one in its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Zoho-oauthtoken {self._token}"
        return request

    def hidden(self, content: bytes) -> bytes:
        """An answer without our token, should it repeat the request's headers."""
        return content.replace(self._token.encode(), b"***")


class NoAuth(AuthBase):
    """For the token endpoint: keeps `requests` from adding what a netrc file says."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request

    def hidden(self, content: bytes) -> bytes:
        """The answer as it is: the token in it is what was asked for."""
        return content


def new_session(connections: int) -> requests.Session:
    """A session that many threads may share: it keeps connections, and no cookies."""
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=connections, max_retries=0, pool_block=False)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def exchange(
    session: requests.Session,
    method: str,
    url: str,
    *,
    auth: TokenAuth | NoAuth,
    timeouts: Timeouts,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | Mapping[str, str] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Answer:
    """Send once. Raises NotConnected or NoAnswer, whose texts name the problem and never the request's contents."""
    started = monotonic()
    try:
        with session.request(
            method, url, params=params, headers=headers, data=body, auth=auth, stream=True, allow_redirects=False,
            timeout=(timeouts.connect, timeouts.read),
        ) as response:  # fmt: skip
            content = auth.hidden(_read(response, started + timeouts.total, monotonic))
            return Answer(response.status_code, response.headers, content, monotonic() - started)
    except requests.exceptions.RequestException as error:
        raise _judged(error) from None
    except (HTTPError, OSError) as error:
        raise NoAnswer(_named(error)) from None


def host_of(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _read(response: requests.Response, deadline: float, monotonic: Callable[[], float]) -> bytes:
    parts: list[bytes] = []
    while part := response.raw.read1(_CHUNK, decode_content=True):
        parts.append(part)
        if monotonic() > deadline:
            raise requests.exceptions.ReadTimeout
    return b"".join(parts)


def _judged(error: requests.exceptions.RequestException) -> NotConnected | NoAnswer:
    if isinstance(error, requests.exceptions.ReadTimeout):
        return NoAnswer("it took too long")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return NotConnected("connecting took too long")
    if isinstance(error, (requests.exceptions.SSLError, requests.exceptions.ProxyError)):
        return NotConnected("the TLS certificate was not accepted" if _is_tls(error) else "the proxy did not connect")
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return NotConnected("the address is not a valid URL")
    cause = _reason(error)
    if isinstance(cause, NameResolutionError):
        return NotConnected("its name cannot be resolved")
    if isinstance(cause, (NewConnectionError, ConnectTimeoutError, SSLError, ProxyError)):
        return NotConnected("the connection was refused")
    return NoAnswer("the connection broke")


def _is_tls(error: BaseException) -> bool:
    return isinstance(error, requests.exceptions.SSLError)


def _reason(error: BaseException) -> Any:
    """urllib3's own error inside a requests error: it alone tells whether anything was sent."""
    inner = error.args[0] if error.args else None
    return getattr(inner, "reason", inner)


def _named(error: BaseException) -> str:
    return "it took too long" if isinstance(error, TimeoutError) else "the connection broke"
