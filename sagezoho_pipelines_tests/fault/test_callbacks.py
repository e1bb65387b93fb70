"""Callbacks through the real gateway: doubled, reordered, dropped, forged, replayed, oversized; and none is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Cause, EntityRef, Look, System
from sagezoho_pipelines.engine.channel_health import needs_attention
from sagezoho_pipelines_tests.bench import CONNECTION
from sagezoho_pipelines_tests.fault.scene import THOROUGH, Scene, scene
from sagezoho_pipelines_tests.gateway_service import Service, callback


@pytest.fixture
def day(engine: Engine) -> Iterator[Scene]:
    with scene(engine, seed=21, vendors=3) as made:
        yield made


@pytest.fixture
def gateway(day: Scene) -> Iterator[Service]:
    with day.gateway(expiry_hours=48) as service:
        day.keep_channel()
        yield service


def _lost(day: Scene) -> list[str]:
    """What the auditor has to say of deals by now."""
    return [str(finding) for finding in day.audit().findings if finding.record.startswith("deal ")]


def _delivered_as_told(day: Scene) -> None:
    """Callbacks come and are delivered, what must be tried again too; nothing is polled."""
    day.told()
    day.deliver()
    day.desk.later(minutes=2)
    day.deliver()


def _queued(day: Scene) -> int:
    [row] = day.desk.query("SELECT count(*) AS n FROM sagezoho.changes WHERE cause = 'notification'")
    return int(row["n"])


def test_callbacks_five_times_and_in_any_order_are_one_order_each(day: Scene, gateway: Service, receipts: Path) -> None:
    switches = day.desk.sandbox.zoho_crm.world.switches
    switches.callback_duplicate_rate, switches.callback_copies, switches.callback_reorder_rate = 1.0, 4, 0.5
    for _ in range(4):
        for _ in range(3):
            day.deal()
        day.reopen_and_close()
        day.move_account()
        _delivered_as_told(day)
        day.reopen_and_close()
    _delivered_as_told(day)
    assert _lost(day) == []  # and nothing has been polled yet
    day.injected += day.desk.sandbox.zoho_crm.world.courier.delivered
    assert gateway.rejected("wrong_token") == 0
    day.close("callbacks doubled and reordered", receipts)
    assert day.injected > 5 * 12


def test_a_week_of_dropped_callbacks_is_noticed_and_loses_nothing(day: Scene, gateway: Service, receipts: Path) -> None:
    zoho = day.desk.sandbox.zoho_crm.world
    zoho.switches.callback_drop_rate = 1.0  # before the first write, or a callback of it may still come through
    day.desk.sync()
    noticed = []
    for _ in range(7):
        for _ in range(3):
            day.somebody()
        day.deal()
        day.desk.sync()
        assert _lost(day) == []
        day.later(days=1)
        noticed.append(day.keep_channel().silent)
    day.told()
    assert gateway.waiting() == 0
    assert _queued(day) == 0
    assert sum(noticed) > 0
    zoho.switches.callback_drop_rate = 0.0
    day.injected += zoho.courier.dropped
    day.deal()
    _delivered_as_told(day)
    assert _lost(day) == []
    day.close("a week without callbacks", receipts)
    assert day.injected > 7


def test_forged_replayed_and_oversized_callbacks_do_nothing(day: Scene, gateway: Service, receipts: Path) -> None:
    deals = [day.deal() for _ in range(3)]
    _delivered_as_told(day)
    day.told()  # of our own writes too
    channel = day.channels().read(CONNECTION)
    assert channel is not None
    before = _queued(day)

    def send(status: int, connection: str = CONNECTION, **body: Any) -> None:
        proof = {"channel_id": str(channel.channel_id), "token": channel.token}
        content = body.pop("content", None)
        sent = callback(*body.pop("ids", deals), **{**proof, **body})
        assert gateway.post(sent, connection=connection, content=content).status_code == status
        day.injected += 1

    for forged in ("", "t" * 48, channel.token[:-1], channel.token + "x", channel.token.swapcase()):
        send(403, token=forged)
    send(403, channel_id="1")
    send(404, connection="another")
    send(400, ids=["1 OR 1=1"])
    send(413, filler="x" * 300_000)
    send(413, content=b"[" * 400_000)
    send(400, content=b"{" * 1000)
    assert _queued(day) == before

    for _ in range(5):  # recorded by somebody, and sent again: they say no more than "look at this record"
        send(200)
    day.deliver()
    day.later(hours=25)
    assert day.keep_channel().done == ["renew"]
    day.later(minutes=30)
    day.told()
    after = _queued(day)
    send(403, token="t" * 48)  # makes the gateway look, which knows its channels for seconds otherwise
    send(403)  # what was recorded is of no use once the token has been rotated
    assert _queued(day) == after
    day.close("forged, replayed, oversized", receipts)


def test_looks_that_come_twice_late_and_for_nobody_do_no_harm(day: Scene, receipts: Path) -> None:
    deals, vendors = [day.deal() for _ in range(4)], [day.vendor() for _ in range(3)]
    zoho, sage = EntityRef(CONNECTION, System.ZOHO_CRM, "deals"), EntityRef(CONNECTION, System.SAGE300, "vendors")
    looks = [Look(zoho, key, Cause.NOTIFICATION, "callback") for key in [*deals, "4371531000009999999"]]
    looks += [Look(sage, key, Cause.NOTIFICATION, "callback") for key in [*vendors, "NOBODY"]]
    for round_ in range(5):
        day.random.shuffle(looks)
        for look in looks * 2:
            day.desk.ledger.enqueue([look], at=day.desk.now())
            day.injected += 1
        if round_ % 2:
            day.desk.sync()
        day.rename_vendor(vendors[0])
        day.reopen_and_close()
    day.close("looks", receipts)


#: What the channel is at, and the moments at which its keeper is killed.
_TURNS = {
    "subscribe": timedelta(0),
    "renew": timedelta(hours=13),
    "lapse": timedelta(hours=30),
}
_MOMENTS = (
    ("before channel", 1), ("channel kept", 1), ("before send", 1), ("sent", 1), ("answered", 1),
    ("before channel", 2), ("channel kept", 2),
)  # fmt: skip


def _moments(turn: str) -> Sequence[tuple[str, int]]:
    """All of them; in a short run the turns share them, and each is killed between Zoho's act and its answer."""
    place = list(_TURNS).index(turn)
    return _MOMENTS if THOROUGH else [one for i, one in enumerate(_MOMENTS) if i % len(_TURNS) == place or i == 3]


@pytest.mark.parametrize("turn", _TURNS)
def test_a_kill_while_the_channel_is_renewed_leaves_it_believed_and_alive(
    day: Scene, turn: str, receipts: Path
) -> None:
    with day.gateway() as gateway:
        for label, hit in _moments(turn):
            if turn == "subscribe":
                day.told()  # or what is on its way would come with the token of a channel that is gone
                with day.desk.engine.begin() as connection:
                    connection.exec_driver_sql("DELETE FROM sagezoho.channels")
                day.desk.sandbox.zoho_crm.world.channels.held.clear()
            else:
                day.keep_channel()
                day.later(seconds=_TURNS[turn].total_seconds())
            assert day.process(flows=[], channel=True, die_at=(label, hit)) == -9, label
            day.injected += 1
            day.deal()
            day.told()
            day.pass_leases()
            assert day.process(flows=[], channel=True) == 0
            channel = day.channels().read(CONNECTION)
            assert needs_attention(channel, now=day.desk.now()) == "", label
            day.deal()
            _delivered_as_told(day)
            # What was done before anybody listened, the next poll finds.
            assert len(_lost(day)) <= (turn == "subscribe"), label
            assert gateway.rejected("wrong_token") == 0, label
            if turn == "subscribe":
                day.desk.sync("customers", "orders")
        day.close(f"kills while the channel is at {turn}", receipts)
