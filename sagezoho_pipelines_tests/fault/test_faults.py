"""Every kind of fault, under load: once it stops, one poll brings both sides together, nothing lost, nothing double."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.domain.records import Cause, EntityRef, Look, System
from sagezoho_pipelines.ledger import embedded
from sagezoho_pipelines.ledger.migrations import migrate
from sagezoho_pipelines.ledger.postgres import DRIVER, engine_for
from sagezoho_pipelines_tests.bench import CONNECTION
from sagezoho_pipelines_tests.fault.scene import Scene, scene

_WRITES = "POST|PUT|PATCH"


@pytest.fixture
def day(engine: Engine) -> Iterator[Scene]:
    with scene(engine, seed=11) as made:
        yield made


def _both(day: Scene, action: Any, **options: Any) -> None:
    for vendor in ("sage300", "zoho_crm"):
        day.fault(vendor, action, seed=day.seed, **options)


def _lost_first_replies(day: Scene) -> None:
    for path in ("/ARCustomers", "/OEOrders"):
        day.fault("sage300", "reset_after", method="POST", path=path, nth=1)
    for path in ("/Accounts", "/Contacts", "/Invoices", "/Products"):
        day.fault("zoho_crm", "reset_after", method="POST", path=path, nth=1)


def _busy(day: Scene) -> None:
    _both(day, "status", status=503, rate=0.1)
    _both(day, "status", status=429, rate=0.1)


def _slow(day: Scene) -> None:
    day.fault("sage300", "latency", method="POST", seconds=3.3, nth=1)
    day.fault("zoho_crm", "latency", method="POST", path="/Invoices", seconds=3.3, nth=1)
    day.fault("sage300", "slow_body", method="GET", seconds=4, nth=9)


FAULTS: dict[str, Callable[[Scene], None]] = {
    "lost first replies": _lost_first_replies,
    "resets before": lambda day: _both(day, "reset_before", method=_WRITES, rate=0.4),
    "resets after": lambda day: _both(day, "reset_after", method=_WRITES, rate=0.4),
    "busy": _busy,
    "truncated": lambda day: _both(day, "truncate", rate=0.05),
    "slow": _slow,
    "tokens revoked": lambda day: day.fault("zoho_crm", "token_revoked", rate=0.03, times=3),
    "service down": lambda day: _both(day, "status", status=500, method=_WRITES, times=12),
    "forbidden in the middle": lambda day: day.fault("sage300", "status", status=403, rate=0.1, times=4),
}


def _sync(day: Scene) -> None:
    """A run that may be stopped by what concerns the whole connection; the next one goes on."""
    try:
        day.desk.sync()
    except SagezohoError:
        day.acted.append("stopped run")


def _shift(day: Scene) -> None:
    """An afternoon's work on both sides, with runs between."""
    for _ in range(3):
        day.deal()
        day.vendor()
        day.rename_vendor()
        day.bill()
        _sync(day)
        day.ship()
        day.service()
        day.move_account()
        day.pay()
        _sync(day)
        day.desk.later(minutes=2)


def _landed(day: Scene) -> None:
    """A request that its sender gave up is carried out all the same; no retry is so early that it comes before it."""
    worlds = (day.desk.sandbox.sage300.world, day.desk.sandbox.zoho_crm.world)
    deadline = time.monotonic() + 10
    while any(world.counters.in_flight for world in worlds) and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stops_leaves_nothing_behind(day: Scene, fault: str, receipts: Path) -> None:
    FAULTS[fault](day)
    _shift(day)
    _landed(day)
    day.close(fault, receipts)
    assert day.injected > 0


def test_refused_records_wait_in_the_inbox_and_hold_back_nobody(day: Scene, receipts: Path) -> None:
    day.fault("sage300", "status", status=409, method="POST", path="/OEOrders", rate=0.5, seed=3)
    deals = [day.deal() for _ in range(6)]
    _sync(day)
    refused = [entry["key"] for entry in day.inbox()]
    assert 0 < len(refused) < len(deals)
    assert day.audit().clean, str(day.audit())
    day.calm()
    for deal in refused:
        day.desk.act(
            "zoho_crm", "edit_deal", deal_id=deal, values={"Next_Step": "again", "Deal_Name": f"Mended {deal}"}
        )
    day.close("refusals", receipts)


def test_day_end_for_a_minute(day: Scene, receipts: Path) -> None:
    day.fault("sage300", "day_end")
    for _ in range(3):
        day.deal()
    for _ in range(6):
        _sync(day)
        day.desk.later(seconds=10)
    day.close("day end", receipts)
    assert day.injected > 0


def test_a_database_that_restarts_in_the_middle(receipts: Path) -> None:
    home = Path(tempfile.mkdtemp(prefix="sagezoho-restart-"))
    home.chmod(0o755)
    url = embedded.start(home).set(drivername=DRIVER)
    engine = engine_for(url)
    try:
        migrate(engine)
        with scene(engine, seed=12) as day:
            for restart in range(2):
                for _ in range(3):
                    day.deal()
                    day.vendor()
                worker = day.begin(rounds=3)
                time.sleep(0.25 + 0.2 * restart)
                embedded.stop(home)
                day.injected += 1
                embedded.start(home)
                worker.join()
                engine.dispose()
            day.close("database restarts", receipts)
    finally:
        engine.dispose()
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)


def test_edits_in_the_same_second_and_on_the_same_date_as_the_last_poll(day: Scene, receipts: Path) -> None:
    account, vendor = day.account(), day.vendor()
    for _ in range(4):
        day.deal(account)
        day.desk.sync()
        day.deal(account)
        day.move_account()
        day.rename_vendor(vendor)
        day.desk.sync()
        day.rename_vendor(vendor)
    day.close("same second", receipts)


def test_an_edit_with_a_session_date_set_back_is_found_by_the_poll(day: Scene, receipts: Path) -> None:
    day.desk.sync()
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    day.desk.act("sage300", "set_session_date", date=yesterday)
    day.rename_vendor(day.vendor())
    day.close("set back", receipts)


def test_records_that_change_while_a_read_is_paging(engine: Engine, receipts: Path) -> None:
    with scene(engine, seed=13, vendors=320) as day:
        for vendor in ("sage300", "zoho_crm"):
            day.fault(vendor, "latency", method="GET|POST", seconds=0.03)
        done = threading.Event()

        def clerk() -> None:
            while not done.is_set():
                day.rename_vendor()
                day.vendor()
                time.sleep(0.02)

        working = threading.Thread(target=clerk)
        working.start()
        day.desk.sync("vendors")
        done.set()
        working.join()
        day.close("paging", receipts)


def test_two_processes_and_a_third_race_on_the_same_changes(day: Scene, receipts: Path) -> None:
    assert day.process() == 0  # one token for all, and the products
    for _ in range(2):
        for _ in range(5):
            day.deal()
            day.rename_vendor()
            day.ship()
        workers = [day.begin(rounds=2) for _ in range(2)]
        _sync(day)
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        day.injected += 1
    day.close("races", receipts)


def test_a_deal_closed_reopened_and_closed_again_is_one_order(day: Scene, receipts: Path) -> None:
    deal = day.deal()
    for stage in ("Qualification", "Closed Won") * 3:
        day.desk.act("zoho_crm", "move_deal", deal_id=deal, stage=stage)
        day.desk.sync("orders")
    day.close("reopened", receipts)


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
            _sync(day)
        day.rename_vendor(vendors[0])
        day.reopen_and_close()
    day.close("looks", receipts)


def test_a_week_without_a_single_callback(day: Scene, receipts: Path) -> None:
    for _ in range(7):
        for _ in range(4):
            day.somebody()
        day.deal()
        day.desk.sandbox.clock.advance(timedelta(days=1))
        day.desk.later(days=1)
        _sync(day)
    day.close("a week of polling", receipts)
