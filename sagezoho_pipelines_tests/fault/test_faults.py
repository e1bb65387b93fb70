"""Every kind of fault, under load: once it stops, one poll brings both sides together, nothing lost, nothing double."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger import inbox
from sagezoho_pipelines_tests.fault.scene import THOROUGH, Scene, scene

_WRITES = "POST|PUT|PATCH"


@pytest.fixture
def day(engine: Engine) -> Iterator[Scene]:
    with scene(engine, seed=11) as made:
        yield made


def _both(day: Scene, action: Any, **options: Any) -> None:
    for vendor in ("sage300", "zoho_crm"):
        day.fault(vendor, action, seed=day.seed, **options)


def _lost_first_replies(day: Scene) -> None:
    """Every POST that is sent for the first time is carried out, and its answer lost: token, query, record or batch."""
    _both(day, "reset_after", method="POST", first_sending=True)


def _busy(day: Scene) -> None:
    _both(day, "status", status=503, rate=0.1)
    _both(day, "status", status=429, rate=0.1)


def _slow(day: Scene) -> None:
    for name in ("sage300", "zoho_crm"):
        hasty = getattr(day.desk.settings, name).model_copy(update={"read_timeout": 3})
        day.desk.settings = day.desk.settings.model_copy(update={name: hasty})
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


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stops_leaves_nothing_behind(day: Scene, fault: str, receipts: Path) -> None:
    FAULTS[fault](day)
    _shift(day)
    day.close(fault, receipts)
    assert day.injected > 0


def test_rows_refused_inside_bulk_answers_hold_back_no_other_row(engine: Engine, receipts: Path) -> None:
    """Half of them are locked for a while; the others a person retries once what was wrong with them is mended."""
    with scene(engine, seed=14, vendors=200) as day:
        for number, code in enumerate(("RECORD_LOCKED", "INVALID_DATA")):
            modules = "/(Accounts|Contacts|Products|Invoices)"
            day.fault("zoho_crm", "refuse_row", code=code, path=modules, rate=0.01, seed=number)
        for _ in range(4):
            day.deal()
        _sync(day)
        day.desk.later(minutes=2)
        day.rename_vendor()
        day.ship()
        _sync(day)
        refused = inbox.entries(day.desk.engine)
        assert {(entry.error or {})["code"] for entry in refused} == {"INVALID_DATA"}
        assert len(day.desk.query("SELECT 1 FROM sagezoho.changes WHERE state = 'delivered'")) > 200
        waiting = {row["key"] for row in day.desk.query("SELECT key FROM sagezoho.changes WHERE state = 'queued'")}
        strays = [str(one) for one in day.audit().findings if not any(key in one.record for key in waiting)]
        assert strays == []
        day.calm()
        for entry in refused:
            inbox.retry(day.desk.engine, entry, who="anna", at=day.desk.now(), read_again=True)
        day.close("rows refused", receipts)
        assert len(refused) >= 2
        assert day.injected >= 5


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
    for _ in range(6 if THOROUGH else 3):
        _sync(day)
        day.desk.later(seconds=10 if THOROUGH else 20)
    day.close("day end", receipts)
    assert day.injected > 0


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


@contextmanager
def _meanwhile(day: Scene, act: Callable[[], Any]) -> Iterator[None]:
    """Somebody who does the same again and again while a run reads."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            act()
            day.injected += 1
            time.sleep(0.02)

    working = threading.Thread(target=work)
    working.start()
    try:
        yield
    finally:
        done.set()
        working.join()


def test_vendors_that_change_and_come_while_they_are_paged(engine: Engine, receipts: Path) -> None:
    with scene(engine, seed=13, vendors=320) as day:
        for vendor in ("sage300", "zoho_crm"):
            day.fault(vendor, "latency", method="GET|POST", seconds=0.03)
        with _meanwhile(day, lambda: (day.rename_vendor(), day.vendor())):
            day.desk.sync("vendors")
        day.close("paging Sage", receipts)


def test_accounts_that_change_and_come_while_they_are_paged(engine: Engine, receipts: Path) -> None:
    with scene(engine, seed=15, vendors=2, accounts=450) as day:
        accounts = [day.account() for _ in range(5)]
        for account in accounts:
            day.deal(account)
        day.desk.sync()
        day.fault("zoho_crm", "latency", path="/coql", seconds=0.05)

        def call() -> None:
            chosen, phone = day.random.choice(accounts), f"604-555-{day.injected:04d}"
            day.edit_account(chosen, Phone=phone)
            day.account()

        with _meanwhile(day, call):
            day.desk.sync("customers", window=Window.sweep())
        day.close("paging Zoho", receipts)


def test_two_processes_and_a_third_race_on_the_same_changes(day: Scene, receipts: Path) -> None:
    assert day.process() == 0  # one token for all, and the products
    for _ in range(2 if THOROUGH else 1):
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
