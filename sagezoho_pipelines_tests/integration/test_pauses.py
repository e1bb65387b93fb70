"""Pressure on a whole connection: refused sign-ins and used-up credits pause it, a bad row holds nobody back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, text

from sagezoho_pipelines.domain.errors import LedgerUnavailable, VendorError
from sagezoho_pipelines.domain.records import Outcome, System
from sagezoho_pipelines.ledger.due import due_changes
from sagezoho_pipelines.ledger.pressure import LOOK_EVERY, SharedPressure
from sagezoho_pipelines.sage300.client import Sage300Client
from sagezoho_pipelines.sage300.pressure import Pressure
from sagezoho_pipelines.wiring import Installation
from sagezoho_pipelines.zoho_crm.oauth import MemoryTokenStore
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench
from sagezoho_pipelines_tests.integration.defs_site import Site, opened
from sagezoho_pipelines_tests.unit.sage300_script import FakeTime, ScriptedAdapter, client_of, html_reply, rows_reply


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=5, deals=0) as made:
        yield made


def _calls(desk: Bench) -> int:
    worlds = (desk.sandbox.sage300.world, desk.sandbox.zoho_crm.world)
    return sum(int(world.counters.snapshot()["total"]) for world in worlds)


def _refuse_sign_in(desk: Bench) -> int:
    """Zoho forgets the refresh token: the access token at hand goes with it."""
    desk.tokens = MemoryTokenStore()
    body = {"error": "invalid_code"}
    return desk.sandbox.zoho_crm.world.faults.add("respond", path="/oauth/", status=200, body=body).id


def _refused(desk: Bench) -> VendorError:
    with pytest.raises(VendorError) as caught:
        desk.sync("vendors")
    return caught.value


def test_a_revoked_token_pauses_the_connection_and_is_told_once(desk: Bench) -> None:
    rule = _refuse_sign_in(desk)
    assert _refused(desk).code == "invalid_code"
    desk.reset_counters()
    tally = desk.sync("vendors", "orders")
    assert _calls(desk) == 0
    [note] = tally.notes
    assert "invalid_code" in note
    assert "credentials set" in note
    desk.later(hours=2)
    again = desk.sync("vendors")  # asked once more, still refused: a note, no second error
    assert any("invalid_code" in note for note in again.notes)
    desk.sandbox.zoho_crm.world.faults.remove(rule)
    desk.later(hours=2)
    assert desk.sync("vendors").count(Outcome.CREATED) == 5
    assert desk.ledger.pauses(CONNECTION) == []


def test_nothing_is_claimed_and_nothing_is_due_while_paused(desk: Bench) -> None:
    rule = desk.sandbox.zoho_crm.world.faults.add("status", path="/Accounts", status=429)
    tally = desk.sync("vendors")
    assert tally.left_over == 0
    assert any("TOO_MANY_REQUESTS" in note for note in tally.notes)
    entity = desk.context().sage_entity("vendors")
    assert desk.ledger.open_changes(entity) == 5
    desk.later(seconds=20)
    assert due_changes(desk.engine, at=desk.now()) == []
    assert desk.ledger.claim(entity, worker="w", limit=9, lease_seconds=60, at=desk.now()) == []
    desk.sandbox.zoho_crm.world.faults.remove(rule.id)
    desk.later(minutes=3)
    assert desk.sync("vendors").count(Outcome.CREATED) == 5
    attempts = desk.query("SELECT max(attempts) AS most FROM sagezoho.changes")[0]["most"]
    assert attempts == 1  # waiting for credits uses up no attempt


def test_what_was_done_before_a_pause_is_counted(engine: Engine) -> None:
    with bench(engine, vendors=2100, deals=0) as desk:
        # The fifth batch: by then all four workers have had one, and what they hold they finish.
        desk.sandbox.zoho_crm.world.faults.add("status", path="/Accounts", contains="SAMINC/V002099", status=429)
        tally = desk.sync("vendors")
        assert any("TOO_MANY_REQUESTS" in note for note in tally.notes)
        assert tally.captured > 2100
        assert tally.count(Outcome.CREATED) == 2000


def test_used_up_credits_pause_for_longer_than_a_burst(desk: Bench) -> None:
    faults = desk.sandbox.zoho_crm.world.faults
    body = {"code": "TOO_MANY_REQUESTS", "details": {}, "message": "too many requests", "status": "error"}
    faults.add("respond", path="/crm/", status=429, body=body, headers={"X-API-CREDITS-REMAINING": "0"})
    desk.sync("vendors")
    [rest] = desk.ledger.pauses(CONNECTION)
    assert 14 * 60 < (rest.until - desk.now()).total_seconds() <= 15 * 60


def test_the_other_connections_go_on(desk: Bench) -> None:
    desk.sandbox.zoho_crm.world.faults.add("status", path="/Accounts", status=429)
    desk.sync("vendors")
    assert desk.ledger.pauses("elsewhere") == []
    assert [rest.connection for rest in desk.ledger.pauses()] == [CONNECTION]


def test_a_503_of_sage_slows_every_caller_of_the_process(desk: Bench) -> None:
    desk.sandbox.sage300.world.faults.add(
        "respond", path="APVendors", times=1, status=503, headers={"Retry-After": "1"}, body="Service Unavailable"
    )
    handle, settings = desk.sandbox.sage300, desk.settings.sage300
    client = Sage300Client(
        base_url=settings.url,
        company=settings.company,
        credentials=lambda: {"username": handle.username, "password": handle.password},
        concurrency=4,
    )

    def read(entity_set: str, key: str) -> float:
        client.find(entity_set, where=[], select=[key], limit=1)
        return time.monotonic()

    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(read, "AP/APVendors", "VendorNumber")
        while client.pressure.allowed == 4:
            time.sleep(0.01)
        other = pool.submit(read, "AR/ARCustomers", "CustomerNumber")
        assert first.result() - began >= 1
        assert other.result() - began >= 1


@pytest.mark.parametrize("system", ["sage300", "zoho_crm"])
def test_what_pushes_one_run_back_slows_all_runs_of_the_process(postgres_url: URL, tmp_path: Path, system: str) -> None:
    with opened(postgres_url, tmp_path, vendors=2, deals=0) as site:
        sage, zoho = site.installation.sage300, site.installation.zoho_crm
        handle = getattr(site.sandbox, system)
        handle.world.faults.add("respond", times=1, status=429, headers={"Retry-After": "2"}, body="")

        def read() -> float:
            """By a client of a run of its own; when it was answered."""
            if system == "sage300":
                sage(CONNECTION).find("AP/APVendors", where=[], select=["VendorNumber"], limit=1)
            else:
                zoho(CONNECTION).org()
            return time.monotonic()

        began = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(read)
            _pushed_back(site)
            other = pool.submit(read)
            assert first.result() - began >= 2
            assert other.result() - began >= 2


@pytest.mark.parametrize(("system", "status"), [("sage300", 503), ("zoho_crm", 429)])
def test_what_pushes_one_process_back_slows_the_others(
    postgres_url: URL, tmp_path: Path, system: str, status: int
) -> None:
    with (
        opened(postgres_url, tmp_path, vendors=2, deals=0) as site,
        Installation(site.installation.env, settings=site.installation.settings) as elsewhere,
        ThreadPoolExecutor(1) as pool,
    ):

        def read(installation: Installation) -> None:
            if system == "sage300":
                installation.sage300(CONNECTION).find("AP/APVendors", where=[], select=["VendorNumber"], limit=1)
            else:
                installation.zoho_crm(CONNECTION).org()

        getattr(site.sandbox, system).world.faults.add(
            "respond", times=1, status=status, headers={"Retry-After": "4"}, body=""
        )
        first = pool.submit(read, site.installation)
        until = _pushed_back(site)
        read(elsewhere)
        with site.installation.database.connect() as connection:
            assert connection.execute(text("SELECT clock_timestamp()")).scalar_one() >= until
        first.result()


def _pushed_back(site: Site) -> datetime:
    """Waits until the client knows that the vendor pushes back, and has told; until when it rests."""
    while True:
        with site.installation.database.connect() as connection:
            until = connection.execute(text("SELECT max(until) FROM sagezoho.pressure")).scalar_one()
        if until is not None:
            assert isinstance(until, datetime)
            return until
        time.sleep(0.01)


def _shared(engine: Engine, clock: FakeTime, connection: str = CONNECTION) -> SharedPressure:
    return SharedPressure(lambda: engine, connection, System.SAGE300, clock=clock.clock)


def _left(shared: SharedPressure, clock: FakeTime) -> float:
    clock.sleep(LOOK_EVERY)
    left = shared.left()
    assert left is not None
    return left


def test_the_longest_rest_that_was_noted_counts(engine: Engine) -> None:
    clock = FakeTime()
    one, other = _shared(engine, clock), _shared(engine, clock)
    assert one.left() is None
    one.note(600)
    other.note(300)
    assert 300 < _left(one, clock) <= 600
    assert 300 < _left(other, clock) <= 600
    other.note(1200)
    assert 600 < _left(one, clock) <= 1200
    assert _shared(engine, clock, "elsewhere").left() is None


def test_the_ledger_is_asked_once_a_second(engine: Engine) -> None:
    clock = FakeTime()
    shared = _shared(engine, clock)
    shared.note(600)
    assert shared.left() is not None
    assert shared.left() is None
    clock.sleep(LOOK_EVERY)
    assert shared.left() is not None


def test_an_unreachable_ledger_holds_no_call_back() -> None:
    clock, looks = FakeTime(), []

    def away() -> Engine:
        looks.append(clock.at)
        raise LedgerUnavailable("Postgres cannot be reached")

    shared = SharedPressure(away, CONNECTION, System.SAGE300, clock=clock.clock)
    client = client_of(
        ScriptedAdapter(html_reply(503, "x"), rows_reply()),
        clock,
        pressure=Pressure(2, clock=clock.clock, heard=shared.left, tell=shared.note),
    )
    for _ in range(10):
        client.exists("AP/APVendors", where=[])
    assert looks == [1000.0]  # and then left alone for a while
