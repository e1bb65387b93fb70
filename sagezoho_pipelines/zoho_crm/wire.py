"""The one seam to the network: signed requests, bounded waits, whole answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from sagezoho_pipelines.calls.wire import Failure, failure_of, whole_body


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


class NoAnswer(Exception):
    """No whole answer came back; `failure` says whether the request may have been carried out."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.text)


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
    """Send once. Raises NoAnswer, whose text names the problem and never the request's contents."""
    started = monotonic()
    try:
        with session.request(
            method, url, params=params, headers=headers, data=body, auth=auth, stream=True, allow_redirects=False,
            timeout=(timeouts.connect, timeouts.read),
        ) as response:  # fmt: skip
            content = auth.hidden(whole_body(response, deadline=started + timeouts.total, clock=monotonic))
            return Answer(response.status_code, response.headers, content, monotonic() - started)
    except (requests.RequestException, HTTPError, OSError) as error:
        raise NoAnswer(failure_of(error)) from None


def host_of(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
