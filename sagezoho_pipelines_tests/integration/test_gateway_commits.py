"""The gateway says 200 of what is committed, and of nothing else; callbacks that come together share a commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

import httpx
import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.errors import LedgerUnavailable
from sagezoho_pipelines.domain.records import Look
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines_tests.gateway_service import (
    CONNECTION,
    Service,
    callback,
    queued,
    serving,
    store_of,
)


@pytest.fixture
def store(engine: Engine) -> PostgresChannelStore:
    return store_of(engine)


class Slow(PostgresLedger):
    """A ledger whose commits take long, or wait for a gate; `failing` ones do not happen."""

    def __init__(self, engine: Engine, seconds: float) -> None:
        super().__init__(engine)
        self.seconds, self.failing, self.commits, self.held = seconds, False, 0, 0
        self.gate = threading.Event()
        self.gate.set()

    def enqueue(self, looks: Sequence[Look], *, at: datetime, run_id: str = "") -> int:
        self.held = len(looks)
        self.gate.wait(60)
        time.sleep(self.seconds)
        self.commits += 1
        if self.failing:
            raise LedgerUnavailable("the test's")
        return super().enqueue(looks, at=at, run_id=run_id)


@contextmanager
def twenty_waiting(ledger: Slow, store: PostgresChannelStore) -> Iterator[tuple[Service, list[Future[httpx.Response]]]]:
    """A gateway with twenty callbacks that wait at the ledger's shut gate."""
    ledger.gate.clear()
    with serving(ledger, store) as gateway, ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(gateway.post, callback(str(number)), timeout=60) for number in range(100, 120)]
        until = time.monotonic() + 60
        while gateway.waiting() + ledger.held < 20 and time.monotonic() < until:
            time.sleep(0.01)
        yield gateway, answers


def test_callbacks_that_come_together_are_committed_together(engine: Engine, store: PostgresChannelStore) -> None:
    ledger = Slow(engine, 0)
    with twenty_waiting(ledger, store) as (_, answers):
        ledger.gate.set()
        assert [answer.result().status_code for answer in answers] == [200] * 20
    assert len(queued(engine)) == 20
    assert ledger.commits in (1, 2), "what came while the gate was shut shares a commit"


def test_what_is_not_committed_is_not_acknowledged(engine: Engine, store: PostgresChannelStore) -> None:
    ledger = Slow(engine, 0)
    with serving(ledger, store) as gateway:
        ledger.failing = True
        answer = gateway.post(callback("1"))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        ledger.failing = False
        assert gateway.post(callback("2")).status_code == 200
    assert [key for _, key, _ in queued(engine)] == ["2"]


def test_a_graceful_end_answers_what_is_under_way_after_its_commit(engine: Engine, store: PostgresChannelStore) -> None:
    ledger = Slow(engine, 0)
    with twenty_waiting(ledger, store) as (gateway, answers):
        stopping = threading.Thread(target=gateway.stop)
        stopping.start()
        time.sleep(0.2)
        assert queued(engine) == []
        ledger.gate.set()
        stopping.join()
        assert [answer.result().status_code for answer in answers] == [200] * 20
    assert len(queued(engine)) == 20
    kept = store.read(CONNECTION)
    assert kept is not None
    assert kept.last_notification_at is not None
