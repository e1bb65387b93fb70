"""One HTTP exchange with the Web API: either a whole answer, or a failure that says whether anything was sent."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import requests
from requests.adapters import BaseAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from sagezoho_pipelines.calls.wire import Failure, failure_of, new_session, whole_body


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "")


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
        self._session = new_session(connections, adapter)

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
                content = whole_body(response, deadline=deadline, clock=self._clock)
                return Answer(response.status_code, response.headers, auth.hidden(content))
        except (requests.RequestException, HTTPError, OSError) as error:
            return failure_of(error)

    def close(self) -> None:
        self._session.close()
