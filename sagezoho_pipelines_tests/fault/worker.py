"""A real process that runs the flows, and can kill itself at a labelled point.

The points lie on the engine's ports and on the HTTP transports, which are passed in anyway, so the engine knows
nothing of them:

| label | when |
|---|---|
| `claimed` | changes are claimed, nothing is decided |
| `before intent`, `intent written` | around the intent of a create |
| `before send` | a write is about to leave |
| `sent` | the vendor has carried it out, its answer is not read |
| `answered` | the answer is read, nothing is settled |
| `before settle`, `settled` | around the settlement's transaction |
| `before page`, `page durable` | around a captured page; the watermark of a Sage entity moves in a later one |
| `before refresh`, `refreshed`, `token kept` | around a new access token: asked for, granted, stored for all |
| `before channel`, `channel kept` | around each state of the notification channel that is stored |
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from sqlalchemy import make_url

from sagezoho_pipelines.config import FLOWS, Settings
from sagezoho_pipelines.engine.channels import keep_channel
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.ledger.postgres import engine_for
from sagezoho_pipelines.ledger.tokens import PostgresTokenStore
from sagezoho_pipelines.ledger.vault import Vault
from sagezoho_pipelines.mappings import default_mapping
from sagezoho_pipelines.sage300.client import Sage300Client
from sagezoho_pipelines.zoho_crm.client import ZohoCrmClient
from sagezoho_pipelines.zoho_crm.oauth import TokenSource
from sagezoho_pipelines.zoho_crm.wire import Timeouts

Checkpoint = Callable[[str], None]

MAPPINGS = {flow: default_mapping(flow) for flow in FLOWS}

#: Forked from a clean process that has imported this module: a worker starts in milliseconds.
_processes = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Post:
    """What a worker process is told. `ahead` is how many seconds its clock is before the real one."""

    database: str
    settings: Settings
    connection: str
    sage: Mapping[str, str]
    zoho: Mapping[str, str]
    ahead: float = 0.0
    run_id: str = "worker"
    env: Mapping[str, str] | None = None


def begin(
    post: Post,
    *,
    flows: Sequence[str] = tuple(FLOWS),
    die_at: tuple[str, int] | None = None,
    rounds: int = 1,
    channel: bool = False,
) -> Any:
    """Start a worker process; `die_at` is a label and the hit of it at which the process kills itself.

    With `channel` it looks after the notification channel, before its flows.
    """
    _processes.set_forkserver_preload([__name__])
    process = _processes.Process(target=work, args=(post, tuple(flows), die_at, rounds, channel), daemon=True)
    process.start()
    return process


def run(post: Post, **options: Any) -> int:
    """Start a worker process and wait for its end; its exit code, -9 where it was killed."""
    process = begin(post, **options)
    process.join(200)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError("a worker process did not end")
    return int(process.exitcode)


def work(post: Post, flows: Sequence[str], die_at: tuple[str, int] | None, rounds: int, channel: bool) -> None:
    logging.disable(logging.CRITICAL)
    reach = Fuse(*die_at) if die_at is not None else _nothing
    engine = engine_for(make_url(post.database))
    if channel:
        store: Any = Watched(PostgresChannelStore(engine, Vault(engine, post.env or {})), reach, _CHANNELS)
        keep_channel(_context(post, engine, reach), store)
    for _ in range(rounds):
        for flow in flows:
            run_flow(_context(post, engine, reach), flow, Window.incremental())


class Fuse:
    """Kills the process at the n-th hit of a label, as the kernel does: nothing is closed, flushed or given back."""

    def __init__(self, label: str, hit: int) -> None:
        self._label, self._left = label, hit
        self._lock = threading.Lock()

    def __call__(self, label: str) -> None:
        with self._lock:
            self._left -= label == self._label
            if label == self._label and self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def _nothing(_label: str) -> None:
    pass


class Watched:
    """A port whose named methods pass a point before and after: {method: (label before, label after)}."""

    def __init__(self, port: Any, reach: Checkpoint, points: Mapping[str, tuple[str, str]]) -> None:
        self._port, self._reach, self._points = port, reach, points

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name not in self._points:
            return method
        before, after = self._points[name]

        def passed(*args: Any, **options: Any) -> Any:
            self._reach(before)
            answer = method(*args, **options)
            self._reach(after)
            return answer

        return passed


class Wire(HTTPAdapter):
    """The network, with a point where a write has been carried out and its answer not been read."""

    def __init__(self, reach: Checkpoint, writes: Callable[[str, str], bool], before: str, after: str) -> None:
        super().__init__(pool_connections=4, pool_maxsize=10, max_retries=0)
        self._reach, self._writes, self._before, self._after = reach, writes, before, after

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        writing = self._writes(str(request.method), str(request.url))
        if writing and self._before:
            self._reach(self._before)
        response = super().send(request, *args, **options)
        if writing:
            self._reach(self._after)
        return response


_SEND = ("before send", "answered")
_CHANNELS = {"save": ("before channel", "channel kept")}
_WATCHES = dict.fromkeys(("enable_channels", "replace_channels", "renew_channels"), _SEND)
_LEDGER = {
    "claim": ("before claim", "claimed"),
    "begin_intents": ("before intent", "intent written"),
    "settle": ("before settle", "settled"),
    "capture": ("before page", "page durable"),
}


def _context(post: Post, engine: Any, reach: Checkpoint) -> Context:
    settings = post.settings.connection(post.connection)
    sage = Sage300Client(
        base_url=settings.sage300.url,
        company=settings.sage300.company,
        credentials=lambda: dict(post.sage),
        concurrency=settings.sage300.concurrency,
        connect_timeout=settings.sage300.connect_timeout,
        read_timeout=settings.sage300.read_timeout,
        max_attempts=settings.sage300.max_attempts,
        transport=Wire(reach, lambda method, _url: method != "GET", "", "sent"),
        sleep=_briefly,
    )
    accounts = requests.Session()
    accounts.mount("http://", Wire(reach, lambda _method, url: "/oauth/" in url, "before refresh", "refreshed"))
    api = requests.Session()
    api.mount("http://", Wire(reach, lambda method, url: method != "GET" and "/coql" not in url, "", "sent"))
    source = TokenSource(
        connection=post.connection,
        accounts_url=settings.zoho_crm.accounts_url,
        credentials=lambda: dict(post.zoho),
        store=PostgresTokenStore(engine, Vault(engine, post.env or {})),
        allowed_domains=settings.zoho_crm.api_domains,
        session=accounts,
        sleep=_briefly,
    )
    zoho = ZohoCrmClient(
        connection=post.connection,
        token_source=Watched(source, reach, {"token": ("before token", "token kept")}),
        concurrency=settings.zoho_crm.concurrency,
        timeouts=Timeouts(connect=settings.zoho_crm.connect_timeout, read=settings.zoho_crm.read_timeout),
        max_attempts=settings.zoho_crm.max_attempts,
        session=api,
        sleep=_briefly,
    )
    return Context(
        connection=post.connection,
        settings=settings,
        sage=Watched(sage, reach, {"create": _SEND, "patch": _SEND}),
        zoho=Watched(zoho, reach, {"insert": _SEND, "update": _SEND, "upsert": _SEND, **_WATCHES}),
        ledger=Watched(PostgresLedger(engine), reach, _LEDGER),
        mappings=MAPPINGS,
        clock=lambda: datetime.now(UTC) + timedelta(seconds=post.ahead),
        random=random.Random(7).random,
        run_id=post.run_id,
        actor="test",
        worker=f"{os.getpid()}:{post.run_id}",
    )


def _briefly(seconds: float) -> None:
    time.sleep(min(seconds, 0.01))
