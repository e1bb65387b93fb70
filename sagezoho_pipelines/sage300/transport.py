"""One HTTP exchange with the Web API: either a whole answer, or a failure that says whether anything was sent."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

#: A page larger than this is not read to its end: memory stays bounded.
MAX_BODY = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "")


@dataclass(frozen=True, slots=True)
class Failure:
    """No whole answer. `sent` False only when it is proved that the server saw nothing of the request."""

    code: str
    text: str
    sent: bool
    transient: bool = True


class _Basic(AuthBase):
    """Basic authentication, written per request. Being an `auth`, it also keeps .netrc out."""

    def __init__(self, username: str, password: str) -> None:
        self._pair = base64.b64encode(f"{username}:{password}".encode())

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Basic {self._pair.decode('ascii')}"
        return request

    def hidden(self, body: bytes) -> bytes:
        """An answer without our sign-on: error pages of proxies repeat the headers of the request."""
        return body.replace(self._pair, b"***")


class Transport:
    """A pool of connections. Cookies are refused: the Web API is stateless, and a shared jar is not thread-safe."""

    def __init__(
        self,
        *,
        connect_timeout: float,
        read_timeout: float,
        connections: int,
        clock: Callable[[], float],
        adapter: BaseAdapter | None = None,
    ) -> None:
        self._timeout = (connect_timeout, read_timeout)
        self._read_timeout = read_timeout
        self._clock = clock
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        pool = adapter or HTTPAdapter(pool_connections=2, pool_maxsize=connections, max_retries=0)
        self._session.mount("http://", pool)
        self._session.mount("https://", pool)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        username: str,
        password: str,
        body: bytes | None = None,
    ) -> Answer | Failure:
        deadline = self._clock() + self._read_timeout
        auth = _Basic(username, password)
        try:
            with self._session.request(
                method,
                url,
                headers=dict(headers),
                data=body,
                auth=auth,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                whole = b"".join(self._chunks(response, deadline))
                return Answer(response.status_code, response.headers, auth.hidden(whole))
        except (requests.RequestException, HTTPError, OSError) as error:
            return _failure(error)

    def close(self) -> None:
        self._session.close()

    def _chunks(self, response: requests.Response, deadline: float) -> Iterator[bytes]:
        """The body as it arrives. The socket's time-out starts anew with each byte, so a slow body needs its own."""
        size = 0
        while chunk := response.raw.read1(65536, decode_content=True):
            yield chunk
            size += len(chunk)
            if size > MAX_BODY:
                raise requests.exceptions.ContentDecodingError(f"the answer is larger than {MAX_BODY} bytes")
            if self._clock() > deadline:
                raise requests.exceptions.ReadTimeout(f"the answer took longer than {self._read_timeout:g} s")


def _failure(error: Exception) -> Failure:
    causes = list(_causes(error))
    names = {type(cause) for cause in causes}
    if any(issubclass(kind, ssl.SSLCertVerificationError) for kind in names):
        return Failure("Unreachable", "its TLS certificate is not trusted by this machine", sent=False, transient=False)
    if any(issubclass(kind, NameResolutionError) for kind in names):
        return Failure("Unreachable", "its name cannot be resolved", sent=False)
    if any(issubclass(kind, requests.exceptions.ConnectTimeout) for kind in names):
        return Failure("Unreachable", "it did not accept a connection in time", sent=False)
    if any(issubclass(kind, NewConnectionError) for kind in names):
        return Failure("Unreachable", "it does not accept connections", sent=False)
    if any(issubclass(kind, requests.exceptions.SSLError | ssl.SSLError) for kind in names):
        return Failure("Unreachable", "no TLS connection could be kept: does it speak https on this port?", sent=True)
    if any(issubclass(kind, requests.exceptions.ProxyError) for kind in names):
        return Failure("Unreachable", "the proxy in between did not connect", sent=True)
    if any(issubclass(kind, requests.exceptions.Timeout | TimeoutError) for kind in names):
        return Failure("Timeout", "it did not answer in time", sent=True)
    if any(issubclass(kind, requests.exceptions.InvalidURL) for kind in names):
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
