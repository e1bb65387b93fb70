"""A channel that Zoho has forgotten, that has expired or fallen silent: made again, and what was missed caught up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.channels import ChannelState
from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.records import Cause, Look
from sagezoho_pipelines.engine.channel_health import needs_attention
from sagezoho_pipelines_tests.integration.channel_desk import DEAF, Desk, at_desk

_ADDRESS = {"Billing_Street": "12 Harbour Road", "Billing_City": "Vancouver"}


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    with at_desk(engine) as made:
        yield made


def test_a_channel_that_zoho_has_forgotten_is_made_again_and_caught_up(desk: Desk) -> None:
    account = desk.bench.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values=_ADDRESS)["id"]
    desk.bench.sync("customers", "orders")
    desk.keep()
    good = desk.channel().known_good_at
    desk.bench.sandbox.zoho_crm.world.channels.held.clear()
    desk.bench.act("zoho_crm", "add_deal", name="Missed", account_id=account, amount="5", stage="Closed Won")
    desk.later(minutes=15)
    report = desk.keep()
    channel = desk.channel()
    assert set(desk.watched()) == {"Deals", "Accounts"}
    assert report.done == ["Zoho has forgotten the channel of Accounts, Deals", "subscribe"]
    assert report.caught_up is not None
    assert report.caught_up.changed == 1
    assert channel.state is ChannelState.ALIVE
    assert channel.catch_up_from is None
    assert desk.audit() == [("subscribe", "done"), ("lapse", "found"), ("subscribe", "done"), ("catch_up", "done")]
    [told] = desk.bench.query("SELECT answer FROM sagezoho.audit WHERE operation = 'catch_up'")
    assert good is not None
    assert told["answer"]["since"] == (good - timedelta(minutes=2)).isoformat()
    queued = desk.bench.query("SELECT cause FROM sagezoho.changes WHERE state = 'queued' AND entity = 'deals'")
    assert [row["cause"] for row in queued] == ["poll"]


def test_one_forgotten_module_is_a_lapse_too(desk: Desk) -> None:
    desk.keep()
    held = desk.bench.sandbox.zoho_crm.world.channels.held
    del held[next(key for key in held if key[1] == "Deals")]
    assert desk.keep().done == ["Zoho has forgotten the channel of Deals", "subscribe"]
    assert set(desk.watched()) == {"Deals", "Accounts"}


def test_a_channel_forgotten_between_the_look_and_the_renewal_is_made_again(desk: Desk) -> None:
    desk.keep()
    desk.later(hours=13)
    ctx = desk.bench.context()
    listed = ctx.zoho.channel(desk.channel().channel_id)
    desk.bench.sandbox.zoho_crm.world.channels.held.clear()

    class Forgetful:
        """Zoho as it was a moment ago, when it is asked what it knows."""

        def channel(self, _channel_id: int) -> Any:
            return listed

        def __getattr__(self, name: str) -> Any:
            return getattr(ctx.zoho, name)

    report = desk.keep(replace(ctx, zoho=Forgetful()))  # type: ignore[arg-type]
    assert report.done == ["Zoho has forgotten the channel", "subscribe"]
    assert set(desk.watched()) == {"Deals", "Accounts"}


def test_an_expired_channel_starts_a_catch_up_that_survives_a_crash(desk: Desk) -> None:
    desk.keep()
    desk.later(days=2)
    faults = desk.bench.sandbox.zoho_crm.world.faults
    faults.add("status", method="POST", path="/coql", status=503)
    with pytest.raises(VendorError):
        desk.keep()
    assert desk.channel().state is ChannelState.ALIVE
    assert "not caught up" in needs_attention(desk.channel(), now=desk.bench.now())
    faults.clear()
    report = desk.keep()
    assert report.caught_up is not None
    assert [line for line in desk.audit() if line[0] != "subscribe"] == [("lapse", "found"), ("catch_up", "done")]


def test_a_channel_that_is_silent_while_polling_finds_changes_is_subscribed_anew(desk: Desk) -> None:
    account = desk.bench.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values=_ADDRESS)["id"]
    desk.keep()
    first = desk.channel()
    desk.later(minutes=5)
    desk.bench.act("zoho_crm", "add_deal", name="Unheard", account_id=account, amount="5", stage="Closed Won")
    desk.bench.sync("orders")
    assert desk.keep().done == ["verified"]
    desk.later(minutes=10)
    report = desk.keep()
    assert report.silent == 1
    assert "alive but silent" in report.done[0]
    assert report.done[1] == "subscribe"
    assert desk.channel().token != first.token
    assert ("silence", "found") in desk.audit()
    desk.later(minutes=10)
    assert desk.keep().done == ["verified"]


def test_a_channel_that_told_what_polling_finds_is_not_silent(desk: Desk) -> None:
    account = desk.bench.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values=_ADDRESS)["id"]
    desk.keep()
    desk.later(minutes=5)
    deal = desk.bench.act("zoho_crm", "add_deal", name="Heard", account_id=account, amount="5", stage="Closed Won")
    look = Look(desk.bench.context().zoho_entity("deals"), deal["id"], Cause.NOTIFICATION)
    desk.bench.ledger.enqueue([look], at=desk.bench.now())
    desk.bench.sync("orders")
    desk.bench.sync("orders")
    desk.later(minutes=10)
    assert desk.keep().done == ["verified"]


@pytest.mark.parametrize("minutes", [-180, -5, 5, 180])
def test_a_channel_that_tells_after_the_poll_is_not_silent_however_far_the_clocks_are_apart(
    desk: Desk, minutes: int
) -> None:
    account = desk.bench.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values=_ADDRESS)["id"]
    desk.bench.later(minutes=minutes)
    desk.keep()
    desk.later(minutes=5)
    deal = desk.bench.act("zoho_crm", "add_deal", name="Heard late", account_id=account, amount="5", stage="Closed Won")
    desk.bench.sync("orders")
    look = Look(desk.bench.context().zoho_entity("deals"), deal["id"], Cause.NOTIFICATION)
    desk.bench.ledger.enqueue([look], at=desk.bench.now())
    desk.later(minutes=10)
    assert desk.keep().done == ["verified"]


@pytest.mark.parametrize("minutes", [-180, -5, 5, 180])
def test_a_silent_channel_is_noticed_however_far_the_clocks_are_apart(desk: Desk, minutes: int) -> None:
    account = desk.bench.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values=_ADDRESS)["id"]
    desk.bench.later(minutes=minutes)
    desk.keep()
    desk.later(minutes=5)
    desk.bench.act("zoho_crm", "add_deal", name="Unheard", account_id=account, amount="5", stage="Closed Won")
    desk.bench.sync("orders")
    desk.later(minutes=10)
    assert desk.keep().silent == 1
    desk.later(minutes=10)
    assert desk.keep().done == ["verified"]


@pytest.mark.parametrize(("hours", "expiry"), [(2, 168), (-2, 1), (-5, 4), (5, 4)])
def test_a_channel_lives_as_long_as_it_should_whatever_our_clock_says(desk: Desk, hours: int, expiry: int) -> None:
    desk.notifications(url=DEAF, expiry_hours=expiry)
    desk.bench.later(hours=hours)
    desk.keep()
    zoho = desk.bench.sandbox.clock
    left = {one.expires - zoho.now().timestamp() for one in desk.watched().values()}
    assert all(abs(one - expiry * 3600) < 60 for one in left)
    assert needs_attention(desk.channel(), now=desk.bench.now()) == ""
    for done in ("verified", "renew", "verified"):
        desk.later(minutes=20 * expiry)
        assert desk.keep().done == [done]


def test_what_was_deleted_while_it_was_away_is_found_though_our_clock_is_ahead(desk: Desk) -> None:
    account = desk.bench.act("zoho_crm", "add_account", name="Harbour Lights Ltd", values=_ADDRESS)["id"]
    deal = desk.bench.act("zoho_crm", "add_deal", name="Refit", account_id=account, amount="5", stage="Closed Won")
    assert desk.bench.sync("customers", "orders").left_over == 0
    desk.bench.later(minutes=30)
    desk.keep()
    desk.bench.sandbox.zoho_crm.world.channels.held.clear()
    desk.bench.act("zoho_crm", "delete_record", module="Deals", id=deal["id"])
    desk.later(minutes=15)
    desk.keep()
    queued = desk.bench.query("SELECT key FROM sagezoho.changes WHERE state = 'queued' AND entity = 'deals'")
    assert [row["key"] for row in queued] == [deal["id"]]
