"""Capture: a watermark never passes what is not in the queue yet, wherever a read ends before its time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.engine.capture import Feed, capture
from sagezoho_pipelines.engine.flows import identity, vendors
from sagezoho_pipelines.engine.flows.orders import flow as orders
from sagezoho_pipelines.engine.run import FLOWS, run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.wiring import Interrupted, InterruptibleLedger
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import new_account, won_deal
from sagezoho_pipelines_tests.integration.selling import orders as orders_of
from sagezoho_pipelines_tests.integration.vendor_pairs import account, at_desk, in_sage, in_zoho, number_of


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with at_desk(engine) as made:
        yield made


@pytest.mark.parametrize("feed", [vendors.feed, orders.feed], ids=["vendors", "deals"])
def test_a_page_that_never_became_changes_is_not_passed_by_the_watermark(engine: Engine, feed: Feed) -> None:
    with bench(engine, vendors=3, deals=0) as desk:
        won_deal(desk, new_account(desk))
        ending = threading.Event()
        context = desk.context()
        ending.set()
        interrupted = replace(context, ledger=InterruptibleLedger(engine, ending, threading.Event()))
        with pytest.raises(Interrupted):
            capture(interrupted, feed, Window.incremental())
        assert desk.ledger.watermark(feed.entity(context)) is None
        capture(context, feed, Window.incremental())
        assert desk.ledger.watermark(feed.entity(context)) is not None
        assert desk.ledger.open_changes(feed.entity(context)) > 0


def test_a_second_poll_reads_the_overlap_only(engine: Engine) -> None:
    with bench(engine, vendors=3, deals=0) as desk:
        feeds = (orders.feed, identity.accounts_feed)
        desk.sync("vendors")
        for name in ("Early", "Late"):
            account = desk.act("zoho_crm", "add_account", name=name)["id"]
            desk.act("zoho_crm", "add_deal", name=name, account_id=account, amount="10.00", stage="Closed Won")
            desk.sandbox.clock.advance(timedelta(minutes=30))
        number = number_of(desk, 1)
        in_zoho(desk, number, Phone="555 0100")
        desk.sandbox.clock.advance(timedelta(minutes=30))
        first = [capture(desk.context(), feed, Window.incremental()) for feed in feeds]
        desk.sandbox.clock.advance(timedelta(minutes=30))
        second = [capture(desk.context(), feed, Window.incremental()) for feed in feeds]
        assert [tally.captured for tally in first] == [2, 3]
        assert [(tally.captured, tally.changed) for tally in second] == [(1, 0), (1, 0)]


def test_our_own_writes_come_back_as_nothing_new(engine: Engine) -> None:
    with bench(engine, vendors=6, deals=0) as desk:
        won_deal(desk, new_account(desk))
        assert desk.sync("vendors", "customers", "orders").left_over == 0
        linked = [row["kind"] for row in desk.query("SELECT DISTINCT zoho_entity AS kind FROM sagezoho.links")]
        assert {"Accounts", "Deals"} <= {*linked}
        seen = [capture(desk.context(), feed, Window.incremental()) for feed in FLOWS["identity"].feeds.values()]
        assert all(tally.captured for tally in seen)
        assert [tally.changed for tally in seen] == [0, 0]


def test_a_deletion_that_could_not_be_read_is_not_passed_by_the_watermark(desk: Bench) -> None:
    gone, edited = number_of(desk, 1), number_of(desk, 2)
    desk.act("zoho_crm", "delete_record", module="Accounts", id=account(desk, gone)["id"])
    desk.sandbox.clock.advance(timedelta(minutes=30))
    in_zoho(desk, edited, Phone="555 0100")
    desk.sandbox.clock.advance(timedelta(minutes=30))
    broken = desk.sandbox.zoho_crm.world.faults.add("status", status=500, path=r"/deleted")
    with pytest.raises(VendorError):
        run_flow(desk.context(), "identity", Window.incremental())
    desk.sandbox.zoho_crm.world.faults.remove(broken.id)
    desk.sync("identity")
    assert [entry["key"] for entry in desk.open_inbox()] == [gone]


def test_after_a_clock_that_was_ahead_nothing_is_passed_over(desk: Bench) -> None:
    late, edited = number_of(desk, 1), number_of(desk, 2)
    today = desk.now().date()
    desk.act("sage300", "set_session_date", date=f"{today + timedelta(days=18)}")
    in_sage(desk, late, VendorName="Post-dated Ltd")
    desk.later(days=20)
    desk.sync("vendors")
    desk.later(days=-20)
    desk.act("sage300", "set_session_date", date=f"{today}")
    in_sage(desk, edited, VendorName="Edited Today Ltd")
    desk.sync("vendors")
    assert account(desk, edited)["Account_Name"] == "Edited Today Ltd"
    mark = desk.ledger.watermark(vendors.feed.entity(desk.context()))
    assert mark is not None
    assert f"{today}" <= mark["date"] <= f"{desk.now().date()}"


def test_what_is_edited_after_zohos_clock_was_put_back_is_found(engine: Engine) -> None:
    with bench(engine, vendors=2, deals=0) as desk:
        account, wanted = new_account(desk), []
        for hours in (0, 3, -2, 0):
            desk.sandbox.clock.advance(timedelta(hours=hours))
            wanted.append(won_deal(desk, account, closing_date="2026-03-09"))
            desk.sandbox.clock.advance(timedelta(minutes=10))
            desk.sync("customers", "orders")
        assert {str(row["OrderReference"]).strip() for row in orders_of(desk)} == {*wanted}
        again = capture(desk.context(), orders.feed, Window.incremental())
        assert again.changed == 0


def test_a_clock_that_is_put_back_during_a_sweep_makes_nothing_go_missing(desk: Bench) -> None:
    rows = desk.state("sage300", "APVendors")
    gone = next(row["VendorNumber"].strip() for row in rows if not row["BalanceDueInVendorCurrency"])
    desk.act("sage300", "delete_vendor", vendor=gone)
    desk.later(minutes=30)
    pages = iter([desk.now()])

    def clock() -> datetime:
        """Right when the sweep begins, and ten minutes slow from then on."""
        return next(pages, desk.now() - timedelta(minutes=10))

    swept = capture(replace(desk.context(), clock=clock), vendors.feed, Window.sweep())
    assert swept.notes == ["vendors: 1 no longer in the source"]
    queued = desk.query("SELECT key FROM sagezoho.changes WHERE state = 'queued'")
    assert [row["key"] for row in queued] == [gone]


def test_a_deletion_made_while_accounts_are_read_is_found_by_the_next_poll(engine: Engine) -> None:
    with bench(engine, vendors=205, deals=0) as desk:
        desk.sync("vendors")
        gone, edited = number_of(desk, 1), number_of(desk, 2)
        context, feed = desk.context(), identity.accounts_feed
        pages = feed.pages(context, Window.sweep())
        captured = [next(pages)]
        desk.act("zoho_crm", "delete_record", module="Accounts", id=account(desk, gone)["id"])
        desk.sandbox.clock.advance(timedelta(minutes=30))
        in_zoho(desk, edited, Phone="555 0100")  # comes with the second page, and carries the watermark on
        desk.sandbox.clock.advance(timedelta(minutes=30))
        captured += pages
        assert [len(page.records) > 0 for page in captured] == [False, True, True]
        for page in captured:
            desk.ledger.capture(
                feed.entity(context),
                page.records,
                cause=Window.sweep().cause,
                at=desk.now(),
                looks=page.looks,
                watermark=page.watermark,
            )
        desk.sync("identity")
        assert [entry["key"] for entry in desk.open_inbox()] == [gone]
