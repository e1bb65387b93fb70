"""A transport that plays scripted answers in place of Zoho, and what the tests of the client share."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.response import HTTPResponse

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.tokens import AccessToken
from sagezoho_pipelines.zoho_crm.client import ZohoCrmClient
from sagezoho_pipelines.zoho_crm.oauth import MemoryTokenStore, TokenSource

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DATE = "Mon, 02 Mar 2026 09:00:00 GMT"
API = "https://www.zohoapis.eu"
SECRETS = {"client_id": "1000.CLIENT", "client_secret": "s3cret-of-client", "refresh_token": "1000.refresh.s3cret"}


class Sent:
    """One request as Zoho would see it."""

    def __init__(self, request: requests.PreparedRequest) -> None:
        parts = urlsplit(str(request.url))
        self.method = str(request.method)
        self.host = parts.netloc
        self.path = parts.path
        self.params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.headers = dict(request.headers)
        self.raw = request.body or b""

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def form(self) -> dict[str, str]:
        text = self.raw.decode() if isinstance(self.raw, bytes) else self.raw
        return {name: values[0] for name, values in parse_qs(text).items()}

    @property
    def query(self) -> str:
        return str(self.body["select_query"])

    @property
    def token(self) -> str:
        return self.headers["Authorization"].removeprefix("Zoho-oauthtoken ")


class Play:
    """One scripted answer."""

    def __init__(
        self, body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None, raw: bytes | None = None
    ) -> None:
        self.status = status
        self.content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json;charset=UTF-8"} if raw is None and body is not None else {}
        self.headers = {"Date": DATE, **kind, **(headers or {})}


Step = Play | Exception | Callable[[Sent], Play]


class Script(HTTPAdapter):
    """Answers requests from a list of steps, or from one function for all of them; keeps what was sent."""

    def __init__(self, steps: Iterable[Step] | Callable[[Sent], Play]) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._rule = steps if callable(steps) else None
        self._steps = [] if callable(steps) else list(steps)
        self.sent: list[Sent] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        sent = Sent(request)
        with self._lock:
            self.sent.append(sent)
            step = self._rule if self._rule is not None else self._steps.pop(0)
        if isinstance(step, Exception):
            raise step
        play = step if isinstance(step, Play) else step(sent)
        return self.build_response(
            request,
            HTTPResponse(
                body=io.BytesIO(play.content), status=play.status, headers=play.headers, preload_content=False
            ),
        )  # fmt: skip


def session(script: Script) -> requests.Session:
    made = requests.Session()
    made.mount("https://", script)
    made.mount("http://", script)
    return made


class Waits:
    """Sleeps that pass at once, and a monotonic clock that they move."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


def token_answer(value: str = "1000.access", **changes: Any) -> Play:
    body = {"access_token": value, "api_domain": API, "token_type": "Bearer", "expires_in": 3600, **changes}
    return Play({name: each for name, each in body.items() if each is not None})


def token_source(steps: Iterable[Step] | Callable[[Sent], Play], **changes: Any) -> tuple[TokenSource, Script]:
    script = Script(steps)
    options: dict[str, Any] = {
        "connection": "saminc", "accounts_url": "https://accounts.zoho.eu", "credentials": lambda: SECRETS,
        "store": MemoryTokenStore(), "session": session(script), "clock": Clock(), "sleep": Waits().sleep,
        "random": lambda: 0.0, **changes,
    }  # fmt: skip
    return TokenSource(**options), script


def client(steps: Iterable[Step] | Callable[[Sent], Play], **changes: Any) -> tuple[ZohoCrmClient, Script, Waits]:
    """A client with a token in hand, so that the script holds API answers only."""
    script, waits = Script(steps), Waits()
    store = MemoryTokenStore()
    with store.locked("saminc") as held:
        held.save(AccessToken("1000.access", API, NOW + timedelta(hours=1)))
    tokens = changes.pop("tokens", ())
    source, _ = token_source(tokens, store=store)
    made = ZohoCrmClient(
        connection="saminc", token_source=source, session=session(script), clock=Clock(), sleep=waits.sleep,
        monotonic=waits.monotonic, random=lambda: 0.0, **changes,
    )  # fmt: skip
    return made, script, waits


def ok_row(record_id: str, **changes: Any) -> dict[str, Any]:
    details = {"id": record_id, "Modified_Time": "2026-03-02T11:00:00+02:00"}
    return {"code": "SUCCESS", "details": details, "message": "record updated", "status": "success", **changes}


def bad_row(code: str, **details: Any) -> dict[str, Any]:
    return {"code": code, "details": details, "message": "no", "status": "error"}


def failure(code: str, status: int, **details: Any) -> Play:
    return Play({"code": code, "details": details, "message": "no", "status": "error"}, status=status)
