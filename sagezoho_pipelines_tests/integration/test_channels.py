"""The notification channel against the simulated Zoho: subscribed, renewed, moved, refused, ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.config import Flows
from sagezoho_pipelines.domain.channels import ChannelState
from sagezoho_pipelines.domain.errors import ConfigurationError, OutcomeUnknown, VendorError
from sagezoho_pipelines.engine.channel_health import needs_attention
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.masterkeys import MasterKeys
from sagezoho_pipelines.ledger.vault import Vault
from sagezoho_pipelines_tests.bench import CONNECTION, bench
from sagezoho_pipelines_tests.integration.channel_desk import DEAF, EVENTS, NEW_KEY, OLD_KEY, Desk, at_desk
from sagezoho_pipelines_tests.tls import PUBLIC_URL, door, lead_to


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    with at_desk(engine) as made:
        yield made


def test_the_first_look_subscribes_to_what_the_flows_need(desk: Desk) -> None:
    report = desk.keep()
    channel = desk.channel()
    assert report.done == ["subscribe"]
    assert channel.state is ChannelState.ALIVE
    assert list(channel.events) == EVENTS
    assert channel.notify_url == f"{DEAF}/notifications/{CONNECTION}"
    assert channel.expires_at is not None
    assert abs(channel.expires_at - desk.bench.now() - timedelta(hours=24)) < timedelta(seconds=30)
    assert set(desk.watched()) == {"Deals", "Accounts"}
    for one in desk.watched().values():
        assert one.token == channel.token
        assert one.related is False
        assert one.operations == {"create", "edit", "delete"}
    assert 43 <= len(channel.token) <= 50
    assert desk.audit() == [("subscribe", "done")]
    assert needs_attention(channel, now=desk.bench.now()) == ""


def test_only_deals_are_watched_where_no_account_is_of_interest(engine: Engine) -> None:
    off = {"enabled": False}
    with bench(engine, vendors=2, deals=0, flows={"customers": off, "identity": off}) as made, door() as port:
        lead_to(made.sandbox.zoho_crm.world, port)
        desk = Desk(made)
        desk.keep()
        assert set(desk.watched()) == {"Deals"}


def test_without_an_address_there_is_no_channel(desk: Desk) -> None:
    desk.notifications(url="")
    with pytest.raises(ConfigurationError, match=r"notifications\.url"):
        desk.keep()
    assert desk.watched() == {}


def test_before_half_of_its_life_a_channel_is_only_verified(desk: Desk) -> None:
    desk.keep()
    token = desk.channel().token
    desk.later(hours=11)
    before = desk.bench.sandbox.zoho_crm.world.counters.snapshot()["writes"]
    assert desk.keep().done == ["verified"]
    assert desk.bench.sandbox.zoho_crm.world.counters.snapshot()["writes"] == before
    assert desk.channel().token == token
    assert desk.channel().known_good_at == pytest.approx(desk.bench.now(), abs=timedelta(seconds=30))


def test_at_half_life_it_is_renewed_with_a_new_token_and_the_old_one_is_honoured_for_a_while(desk: Desk) -> None:
    desk.keep()
    old = desk.channel()
    desk.later(hours=12, minutes=1)
    assert desk.keep().done == ["renew"]
    new = desk.channel()
    now = desk.bench.now()
    assert new.token != old.token
    assert {one.token for one in desk.watched().values()} == {new.token}
    assert new.believes(new.token, at=now)
    assert new.believes(old.token, at=now)
    assert not new.believes(old.token, at=now + timedelta(minutes=11))
    assert not new.believes("", at=now)
    assert new.expires_at is not None
    assert new.expires_at > now + timedelta(hours=23)
    assert desk.audit() == [("subscribe", "done"), ("renew", "done")]


def test_tokens_are_sealed_and_appear_nowhere_else(desk: Desk) -> None:
    desk.keep()
    token = desk.channel().token
    stored = desk.bench.query("SELECT CAST(c AS text) AS row FROM sagezoho.channels c")
    audited = desk.bench.query("SELECT CAST(a AS text) AS row FROM sagezoho.audit a")
    assert all(token not in row["row"] for row in [*stored, *audited])
    assert token.encode().hex() not in stored[0]["row"]
    assert token not in repr(desk.channel())


def test_tokens_open_under_a_new_master_key(desk: Desk) -> None:
    desk.keep()
    token = desk.channel().token
    Vault(desk.bench.engine, keys=MasterKeys([NEW_KEY, OLD_KEY], source="the test")).rewrap()
    alone = MasterKeys([NEW_KEY], source="the test")
    found = PostgresChannelStore(desk.bench.engine, Vault(desk.bench.engine, keys=alone)).read(CONNECTION)
    assert found is not None
    assert found.token == token


def test_a_renewal_that_fails_keeps_both_tokens_until_one_is_confirmed(desk: Desk) -> None:
    desk.keep()
    old = desk.channel().token
    desk.later(hours=13)
    faults = desk.bench.sandbox.zoho_crm.world.faults
    faults.add("reset_after", method="PATCH", path="/actions/watch")
    with pytest.raises(OutcomeUnknown):
        desk.keep()
    pending = desk.channel()
    assert pending.state is ChannelState.PENDING
    assert "renew failed" in needs_attention(pending, now=desk.bench.now())
    far = desk.bench.now() + timedelta(days=1)
    assert pending.believes(old, at=far)
    assert pending.believes(pending.token, at=far)
    faults.clear()
    assert desk.keep().done == ["renew"]
    settled = desk.channel()
    assert settled.token == pending.token
    assert not settled.believes(old, at=far)
    assert {one.token for one in desk.watched().values()} == {settled.token}
    assert desk.audit() == [("subscribe", "done"), ("renew", "failed"), ("renew", "done")]


def test_a_new_address_replaces_the_channel(desk: Desk) -> None:
    desk.keep()
    desk.notifications(url=f"{PUBLIC_URL}/hooks/")
    assert desk.keep().done == ["replace"]
    assert {one.notify_url for one in desk.watched().values()} == {f"{PUBLIC_URL}/hooks/notifications/saminc"}


@pytest.mark.parametrize("settings", [{"url": ""}, {"url": DEAF, "enabled": False}], ids=["no address", "switched off"])
def test_a_channel_that_nobody_wants_any_more_is_unsubscribed_and_may_come_back(
    desk: Desk, settings: dict[str, Any]
) -> None:
    desk.keep()
    first = desk.channel()
    desk.notifications(**settings)
    assert desk.keep().done == ["unsubscribe"]
    assert desk.watched() == {}
    assert desk.store.read(CONNECTION) is None
    assert desk.audit() == [("subscribe", "done"), ("unsubscribe", "done")]
    desk.notifications(url=DEAF)
    assert desk.keep().done == ["subscribe"]
    assert set(desk.watched()) == {"Deals", "Accounts"}
    assert desk.channel().token != first.token


def test_without_a_flow_that_listens_the_channel_is_unsubscribed(desk: Desk) -> None:
    desk.keep()
    off = {"enabled": False}
    flows = Flows.model_validate(dict.fromkeys(Flows.model_fields, off))
    desk.bench.settings = desk.bench.settings.model_copy(update={"flows": flows})
    assert desk.keep().done == ["unsubscribe"]
    assert desk.watched() == {}


def test_an_unsubscription_that_fails_is_told_and_tried_again(desk: Desk) -> None:
    desk.keep()
    desk.notifications(url="")
    faults = desk.bench.sandbox.zoho_crm.world.faults
    faults.add("status", method="DELETE", path="/actions/watch", status=503)
    with pytest.raises(VendorError):
        desk.keep()
    assert "unsubscribe failed" in desk.channel().problem
    faults.clear()
    desk.bench.sandbox.zoho_crm.world.channels.held.clear()  # it has forgotten the channel meanwhile
    assert desk.keep().done == ["unsubscribe"]
    assert desk.audit() == [("subscribe", "done"), ("unsubscribe", "failed"), ("unsubscribe", "done")]


def test_what_somebody_changed_in_zoho_is_put_right(desk: Desk) -> None:
    desk.keep()
    held = desk.bench.sandbox.zoho_crm.world.channels.held
    next(one for one in held.values() if one.module.api_name == "Deals").operations.discard("create")
    assert desk.keep().done == ["replace"]
    assert desk.watched()["Deals"].operations == {"create", "edit", "delete"}
    for one in held.values():
        one.notify_url = "https://elsewhere.example"
    assert desk.keep().done == ["replace"]
    assert desk.keep().done == ["verified"]


def test_a_refused_subscription_is_told_and_tried_again(desk: Desk) -> None:
    faults = desk.bench.sandbox.zoho_crm.world.faults
    faults.add("status", method="POST", path="/actions/watch", status=503)
    with pytest.raises(VendorError):
        desk.keep()
    token = desk.channel().token
    assert desk.audit() == [("subscribe", "failed")]
    faults.clear()
    assert desk.keep().done == ["subscribe"]
    assert desk.channel().token == token


def test_a_gateway_that_zoho_does_not_reach_is_said_so_with_the_remedy(desk: Desk) -> None:
    routes = desk.bench.sandbox.zoho_crm.world.courier.internet.routes
    there = dict(routes)
    routes.clear()  # the gateway is down, or nothing leads to it
    with pytest.raises(VendorError) as caught:
        desk.keep()
    remedy = f"Zoho does not take {PUBLIC_URL}/notifications/{CONNECTION}, or does not reach it. Start the gateway"
    assert remedy in caught.value.advice
    assert remedy in needs_attention(desk.channel(), now=desk.bench.now())
    assert desk.watched() == {}
    routes |= there
    assert desk.keep().done == ["subscribe"]
    desk.later(hours=13)
    routes.clear()
    desk.notifications(url=f"{PUBLIC_URL}/moved")
    with pytest.raises(VendorError, match="does not reach it"):
        desk.keep()
    assert set(desk.watched()) == {"Deals", "Accounts"}, "what Zoho has, it keeps"
    routes |= there
    assert desk.keep().done == ["replace"]


def test_only_one_process_works_on_a_channel_at_a_time(desk: Desk) -> None:
    with desk.store.turn(CONNECTION) as mine:
        assert mine
        assert desk.keep().done == ["another process is working on the channel"]
    assert desk.keep().done == ["subscribe"]


def test_a_channel_can_be_dropped_and_zoho_says_so_when_there_is_none(desk: Desk) -> None:
    desk.keep()
    zoho = desk.bench.context().zoho
    zoho.disable_channel(desk.channel().channel_id)
    assert zoho.channel(desk.channel().channel_id) == []
    with pytest.raises(VendorError) as caught:
        zoho.disable_channel(desk.channel().channel_id)
    assert caught.value.code == "NOT_SUBSCRIBED"
    assert zoho.usage.credits == 3
