"""When a change is tried again: no sooner than the vendor asks, later each time, and not for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import new_account, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


def fault(code: str, text: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": {"lang": "en-US", "value": text}}}


def attempted(desk: Bench) -> tuple[str, timedelta]:
    """How the order's change stands after one attempt, and how long it waits from now on."""
    before = desk.now()
    desk.sync("orders")
    [row] = desk.query("SELECT state, next_attempt_at FROM sagezoho.changes WHERE entity = 'deals' ORDER BY id")
    return row["state"], row["next_attempt_at"] - before


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        ({"status": 429, "headers": {"Retry-After": "900"}, "body": fault("TooManyRequests", "flooded")}, 900),
        ({"status": 409, "body": fault("RecordDuplicate", "Day End Processing is running.")}, 60),
        ({"status": 409, "body": fault("General", "Post in Progress")}, 60),
    ],
)
def test_a_change_waits_as_long_as_sage_asks(desk: Bench, answer: dict[str, Any], asked: int) -> None:
    won_deal(desk, new_account(desk))
    desk.sync("customers")
    desk.sandbox.sage300.world.faults.add("respond", method="POST", path="OEOrders", **answer)
    state, wait = attempted(desk)
    assert (state, wait >= timedelta(seconds=asked)) == ("queued", True)


def test_each_attempt_waits_longer_and_the_last_lands_in_the_inbox(desk: Bench) -> None:
    retries = desk.settings.retries
    deal = won_deal(desk, new_account(desk))
    desk.sync("customers")
    locked = desk.sandbox.sage300.world.faults.add(
        "respond", method="POST", path="OEOrders", status=423, body=fault("Locked", "locked")
    )
    for attempt in range(1, retries.max_attempts):
        state, wait = attempted(desk)
        least = min(retries.cap_seconds, retries.base_seconds * 2 ** (attempt - 1)) / 2
        assert (state, wait >= timedelta(seconds=least)) == ("queued", True)
        assert attempted(desk)[0] == "queued", "not before its time"
        desk.later(seconds=retries.cap_seconds)
    assert attempted(desk)[0] == "refused"
    [entry] = desk.open_inbox()
    assert (entry["key"], entry["error"]["code"]) == (deal, "Locked")
    assert entry["error"]["advice"].startswith(f"given up after {retries.max_attempts} attempts")
    desk.sandbox.sage300.world.faults.remove(locked.id)
    desk.edit_inbox(deal)
    desk.sync("orders")
    assert len(orders(desk)) == 1
