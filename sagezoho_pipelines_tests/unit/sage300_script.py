"""A requests adapter that answers from a script, and clients wired to it: nothing is patched, nothing waits."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import MaxRetryError, NewConnectionError

from sagezoho_pipelines.sage300.client import Sage300Client


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


def json_reply(body: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})


def rows_reply(*rows: Mapping[str, Any], more: bool = False) -> Reply:
    return json_reply({"value": list(rows), **({"@odata.nextLink": "http://x/y?$skip=1"} if more else {})})


def fault_reply(status: int, code: str, text: str, **headers: str) -> Reply:
    return json_reply({"error": {"code": code, "message": {"lang": "en-US", "value": text}}}, status, **headers)


def html_reply(status: int, title: str) -> Reply:
    page = f"<html><head><title>{title}</title></head><body><h2>{title}</h2></body></html>"
    return Reply(status, page.encode(), {"Content-Type": "text/html"})


def refused_connection() -> requests.ConnectionError:
    unmade = NewConnectionError(None, "refused")  # type: ignore[arg-type]
    return requests.ConnectionError(MaxRetryError(None, "/", unmade))  # type: ignore[arg-type]


def lost_connection() -> requests.ConnectionError:
    return requests.ConnectionError(ConnectionResetError("reset by peer"))


Answerer = Callable[[requests.PreparedRequest], Reply | Exception]


class ScriptedAdapter(BaseAdapter):
    """Answers by a function, or by a list of replies of which the last is repeated."""

    def __init__(self, *script: Reply | Exception, answer: Answerer | None = None) -> None:
        super().__init__()
        self.requests: list[requests.PreparedRequest] = []
        self.timeouts: list[Any] = []
        self._script = list(script)
        self._answer = answer
        self._lock = threading.Lock()

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
        with self._lock:
            self.requests.append(request)
            self.timeouts.append(how.get("timeout"))
            if self._answer is not None:
                reply = self._answer(request)
            else:
                reply = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(reply, Exception):
            raise reply
        response = requests.Response()
        response.status_code = reply.status
        response.headers.update(reply.headers)
        response.raw = HTTPResponse(
            body=io.BytesIO(reply.body), headers=dict(reply.headers), status=reply.status, preload_content=False
        )
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        pass

    def options(self, number: int = -1) -> dict[str, str]:
        """The query options of a request, decoded."""
        query = urlsplit(self.requests[number].url or "").query
        return {name: values[0] for name, values in parse_qs(str(query), keep_blank_values=True).items()}

    def path(self, number: int = -1) -> str:
        return unquote(str(urlsplit(self.requests[number].url or "").path))


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def client_of(adapter: BaseAdapter, time: FakeTime | None = None, **options: Any) -> Sage300Client:
    time = time or FakeTime()
    settings: dict[str, Any] = {
        "base_url": "http://sage.example/Sage300WebApi",
        "company": "SAMINC",
        "credentials": lambda: {"username": "webapi", "password": "s3cret"},
        "transport": adapter,
        "clock": time.clock,
        "sleep": time.sleep,
        "random": lambda: 1.0,
    }
    return Sage300Client(**{**settings, **options})
