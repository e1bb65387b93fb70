"""Capture, looks, claims and settling, on a real Postgres."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, text

from sagezoho_pipelines.domain.records import (
    CapturedRecord,
    Cause,
    Change,
    ChangeState,
    EntityRef,
    Look,
    Outcome,
    System,
)
from sagezoho_pipelines.domain.settlement import CaptureResult, Settlement
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.ledger.postgres import engine_for

VENDORS = EntityRef("saminc", System.SAGE300, "vendors")
DEALS = EntityRef("saminc", System.ZOHO_CRM, "deals")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def record(key: str, version: str = "1", **payload: Any) -> CapturedRecord:
    return CapturedRecord(
        key=key, digest=f"{key}-{version}", payload={"VendorNumber": key, **payload}, name=f"Vendor {key}"
    )


def captured(ledger: PostgresLedger, *records: CapturedRecord, at: datetime = NOON, **more: Any) -> CaptureResult:
    return ledger.capture(VENDORS, records, cause=Cause.POLL, at=at, run_id="run-1", **more)


def claimed(ledger: PostgresLedger, *, at: datetime = NOON, limit: int = 100, worker: str = "w1") -> list[Change]:
    return ledger.claim(VENDORS, worker=worker, limit=limit, lease_seconds=60, at=at, run_id="run-2")


def settled(
    ledger: PostgresLedger,
    changes: Sequence[Change],
    state: ChangeState = ChangeState.DELIVERED,
    *,
    at: datetime = NOON,
    **more: Any,
) -> None:
    outcome = {ChangeState.DELIVERED: Outcome.CREATED, ChangeState.QUEUED: Outcome.RETRYING}.get(state, Outcome.REFUSED)
    ledger.settle([Settlement(change, state, outcome, **more) for change in changes], at=at)


def states(ledger: PostgresLedger, key: str) -> list[str]:
    with ledger.engine.connect() as connection:
        found = connection.execute(
            text("SELECT state FROM sagezoho.changes WHERE key = :key ORDER BY id"), {"key": key}
        )
        return list(found.scalars())


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run works in threads that start together."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        gate.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_a_captured_page_becomes_changes_once(ledger: PostgresLedger) -> None:
    page = [record("V1"), record("V2"), record("V3")]
    assert captured(ledger, *page) == CaptureResult(3, 3, 0)
    assert captured(ledger, *page) == CaptureResult(3, 0, 3)
    assert captured(ledger, record("V1"), record("V2", "2")) == CaptureResult(2, 1, 1)
    assert [change.digest for change in claimed(ledger)] == ["V1-1", "V3-1", "V2-2"]


def test_payloads_come_back_digit_for_digit(ledger: PostgresLedger) -> None:
    payload = {"total": Decimal("1234567890.1234567890"), "small": Decimal("0.00"), "count": 3, "none": None, "é": "ü"}
    captured(ledger, record("V1", **payload))
    (change,) = claimed(ledger)
    assert change.payload == {"VendorNumber": "V1", **payload}
    assert str(change.payload["small"]) == "0.00"


def test_a_nul_or_half_a_surrogate_does_not_fail_the_page(ledger: PostgresLedger) -> None:
    captured(ledger, record("V1", a="x\x00y", b="\ud83d", c="\\u0000 as words"), record("V2"))
    first, _ = claimed(ledger)
    assert first.payload == {"VendorNumber": "V1", "a": "x\ufffdy", "b": "?", "c": "\\u0000 as words"}


def test_a_newer_version_supersedes_the_queued_one(ledger: PostgresLedger) -> None:
    captured(ledger, record("V1"))
    captured(ledger, record("V1", "2"))
    assert states(ledger, "V1") == ["superseded", "queued"]
    assert [change.digest for change in claimed(ledger)] == ["V1-2"]


def test_a_newer_version_waits_for_the_one_being_delivered(ledger: PostgresLedger) -> None:
    captured(ledger, record("V1"))
    first = claimed(ledger)
    captured(ledger, record("V1", "2"))
    assert claimed(ledger, worker="w2") == []
    settled(ledger, first)
    assert [change.digest for change in claimed(ledger, worker="w2")] == ["V1-2"]


def test_a_refused_version_is_not_captured_again_until_it_changes(ledger: PostgresLedger) -> None:
    captured(ledger, record("V1"))
    settled(ledger, claimed(ledger), ChangeState.REFUSED, error={"code": "X", "details": {"item": "A1"}})
    assert captured(ledger, record("V1")) == CaptureResult(1, 0, 1)
    assert ledger.last_error(VENDORS, "V1") == {"code": "X", "details": {"item": "A1"}}
    assert ledger.refused_with(VENDORS, codes=["X"], name="item", values=["A1", "A2"]) == {"A1": ["V1"]}
    assert ledger.refused_with(VENDORS, codes=["Y", "X"], name="item") == {"A1": ["V1"]}
    assert ledger.refused_with(VENDORS, codes=["X"], name="item", values=["B"]) == {}
    assert ledger.refused_with(VENDORS, codes=["X"], name="account") == {}
    assert ledger.refused_with(VENDORS, codes=["Y"], name="item") == {}

    captured(ledger, record("V1", "2"))
    assert ledger.last_error(VENDORS, "V1") is None
    settled(ledger, claimed(ledger))
    assert states(ledger, "V1") == ["superseded", "delivered"]


def test_a_forced_capture_delivers_known_versions_again(ledger: PostgresLedger) -> None:
    captured(ledger, record("V1"))
    settled(ledger, claimed(ledger))
    assert captured(ledger, record("V1"), force=True) == CaptureResult(1, 1, 0)
    assert len(claimed(ledger)) == 1


def test_the_watermark_moves_with_its_page_or_not_at_all(ledger: PostgresLedger) -> None:
    assert ledger.watermark(VENDORS) is None
    captured(ledger, record("V1"), watermark={"date": "2026-03-02"})
    assert ledger.watermark(VENDORS) == {"date": "2026-03-02"}
    broken = replace(record("V2"), key=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="null value"):
        captured(ledger, record("V3"), broken, watermark={"date": "2026-03-03"})
    assert ledger.watermark(VENDORS) == {"date": "2026-03-02"}
    assert states(ledger, "V3") == []
    assert captured(ledger, record("V3")).changed == 1


def test_a_record_that_comes_back_after_its_deletion_is_news(ledger: PostgresLedger) -> None:
    captured(ledger, record("V1"), record("V2"))
    settled(ledger, claimed(ledger))
    captured(ledger, record("V2"), at=NOON + MINUTE)
    assert ledger.mark_missing(VENDORS, not_seen_since=NOON + MINUTE, at=NOON + MINUTE) == 1
    assert ledger.mark_missing(VENDORS, not_seen_since=NOON + MINUTE, at=NOON + MINUTE) == 0
    (look,) = claimed(ledger, at=NOON + MINUTE)
    assert (look.key, look.payload, look.cause) == ("V1", None, Cause.SWEEP)
    settled(ledger, [look])
    assert captured(ledger, record("V1"), at=NOON + 2 * MINUTE).changed == 1


def test_looks_collapse_and_outrank_versions(ledger: PostgresLedger) -> None:
    look = Look(DEALS, "7", Cause.NOTIFICATION, "deal closed")
    assert ledger.enqueue([look, look, Look(DEALS, "8", Cause.NOTIFICATION)], at=NOON) == 2
    assert ledger.enqueue([look], at=NOON) == 0
    ledger.capture(DEALS, [CapturedRecord("8", "d8", {"id": "8"})], cause=Cause.POLL, at=NOON)
    changes = ledger.claim(DEALS, worker="w", limit=9, lease_seconds=60, at=NOON)
    # What the poll read may be older than the notification: the record is read when it is delivered.
    assert [(change.key, change.digest, change.payload) for change in changes] == [("7", None, None), ("8", "d8", None)]
    assert changes[0].reason == "deal closed"
    assert ledger.enqueue([look], at=NOON) == 1, "a claimed look may have been read already"


def test_what_a_look_found_is_known_to_the_next_poll(ledger: PostgresLedger) -> None:
    ledger.enqueue([Look(VENDORS, "V1", Cause.NOTIFICATION)], at=NOON)
    (look,) = claimed(ledger)
    found = record("V1")
    settled(ledger, [replace(look, digest=found.digest, payload=found.payload, name=found.name)])
    assert captured(ledger, found) == CaptureResult(1, 0, 1)


def test_a_retry_waits_its_time_and_counts_attempts(ledger: PostgresLedger) -> None:
    captured(ledger, record("V1"))
    settled(ledger, claimed(ledger), ChangeState.QUEUED, retry_at=NOON + MINUTE)
    assert claimed(ledger) == []
    (again,) = claimed(ledger, at=NOON + MINUTE)
    assert again.attempt == 2
    assert ledger.open_changes(VENDORS) == 1


def test_a_retry_gives_way_to_a_version_captured_meanwhile(ledger: PostgresLedger) -> None:
    captured(ledger, record("V1"))
    first = claimed(ledger)
    captured(ledger, record("V1", "2"))
    settled(ledger, first, ChangeState.QUEUED, retry_at=NOON + MINUTE)
    assert states(ledger, "V1") == ["superseded", "queued"]


def test_released_changes_are_as_they_were(ledger: PostgresLedger) -> None:
    captured(ledger, record("V1"))
    ledger.release(claimed(ledger), retry_at=NOON + MINUTE)
    (again,) = claimed(ledger, at=NOON + MINUTE)
    assert again.attempt == 1


def test_a_dead_workers_changes_return_after_their_lease(ledger: PostgresLedger) -> None:
    captured(ledger, record("V1"))
    (dead,) = claimed(ledger)
    assert claimed(ledger, worker="w2", at=NOON + timedelta(seconds=59)) == []
    (taken,) = claimed(ledger, worker="w2", at=NOON + timedelta(seconds=60))
    assert (taken.id, taken.attempt) == (dead.id, 2)
    settled(ledger, [dead], ChangeState.REFUSED)  # it was only slow, and has lost the change
    assert states(ledger, "V1") == ["claimed"]
    settled(ledger, [taken])
    assert states(ledger, "V1") == ["delivered"]


def tried(ledger: PostgresLedger, held: Sequence[Change]) -> list[Any]:
    found = ledger.tried(VENDORS, held)
    assert found.keys() <= {change.key for change in held}
    return [version.payload["City"] for versions in found.values() for version in versions if version.payload]


def test_what_earlier_attempts_may_have_sent_is_known_until_one_ends_well(ledger: PostgresLedger) -> None:
    for version in ("1", "2"):
        captured(ledger, record("V1", version, City=version), record("V2", version, City="other"))
        first = [change for change in claimed(ledger) if change.key == "V1"]
        assert tried(ledger, first) == ["1", "2"][: int(version) - 1]
        settled(ledger, first, ChangeState.QUEUED, retry_at=NOON)
    held = claimed(ledger)
    assert tried(ledger, held) == ["1", "2"]
    settled(ledger, held)
    captured(ledger, record("V1", "3", City="3"))
    assert tried(ledger, claimed(ledger)) == []


def test_a_version_that_nobody_claimed_was_not_tried_one_that_was_given_back_may_have_been(
    ledger: PostgresLedger,
) -> None:
    captured(ledger, record("V1", "1", City="1"))
    captured(ledger, record("V1", "2", City="2"))
    ledger.release(claimed(ledger), retry_at=NOON)
    captured(ledger, record("V1", "3", City="3"))
    assert tried(ledger, claimed(ledger)) == ["2"]


def test_of_a_look_it_is_known_what_it_was_about_to_send(ledger: PostgresLedger) -> None:
    ledger.enqueue([Look(VENDORS, "V1", Cause.NOTIFICATION)], at=NOON)
    (look,) = claimed(ledger)
    settled(ledger, [look], ChangeState.QUEUED, retry_at=NOON)  # cut off before anything was sent
    (look,) = claimed(ledger)
    assert tried(ledger, [look]) == []
    balance = Decimal("1234567890123456.789")
    for city in ("1", "1", "2"):
        ledger.attempting([replace(look, payload={"City": city, "Balance": balance})])
    settled(ledger, [look], ChangeState.QUEUED, retry_at=NOON)
    (look,) = claimed(ledger)
    assert look.payload is None, "it is read again"
    assert tried(ledger, [look]) == ["1", "2"]
    assert [version.payload["Balance"] for version in ledger.tried(VENDORS, [look])["V1"]] == [balance, balance]


def test_a_lease_can_be_extended_while_it_is_held(ledger: PostgresLedger) -> None:
    captured(ledger, record("V1"))
    (held,) = claimed(ledger)
    assert ledger.extend([held], lease_seconds=60, at=NOON + MINUTE / 2) == {held.id}
    assert claimed(ledger, worker="w2", at=NOON + MINUTE) == []


def test_claimers_in_a_race_never_share_a_record(ledger: PostgresLedger) -> None:
    captured(ledger, *(record(f"V{n:03}") for n in range(200)))

    def drain(worker: str) -> list[str]:
        mine: list[str] = []
        while changes := claimed(ledger, limit=7, worker=worker):
            mine += [change.key for change in changes]
        return mine

    taken = at_once(*(lambda w=f"w{n}": drain(w) for n in range(4)))  # type: ignore[misc]
    keys = [key for keys in taken for key in keys]
    assert sorted(keys) == [f"V{n:03}" for n in range(200)]


def test_captures_of_one_page_in_a_race_make_one_change_a_record(ledger: PostgresLedger) -> None:
    page = [record(f"V{n:03}") for n in range(100)]
    results = at_once(*(lambda p=p: captured(ledger, *p) for p in (page, page[::-1], page, page[::-1])))  # type: ignore[misc]
    assert sorted(result.changed for result in results) == [0, 0, 0, 100]
    assert ledger.open_changes(VENDORS) == 100


def test_enqueues_in_a_race_with_captures_leave_one_look_a_record(ledger: PostgresLedger) -> None:
    keys = [f"V{n:03}" for n in range(50)]

    def look(order: Sequence[str]) -> None:
        ledger.enqueue([Look(VENDORS, key, Cause.NOTIFICATION) for key in order], at=NOON)

    for version in ("1", "2", "3"):
        at_once(
            lambda: look(keys),
            lambda: look(keys[::-1]),
            lambda v=version: captured(ledger, *(record(key, v) for key in keys)),  # type: ignore[misc]
        )
    changes = claimed(ledger)
    assert sorted(change.key for change in changes) == keys


def test_new_changes_are_announced(ledger: PostgresLedger) -> None:
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("LISTEN sagezoho_changes"))
        captured(ledger, record("V1"), record("V2"))
        connection.execute(text("SELECT 1"))
        driver: Any = connection.connection.driver_connection
        driver.poll()
        assert [notify.payload for notify in driver.notifies] == ["saminc/sage300/vendors"]


def test_a_claim_passes_over_what_another_is_taking_without_waiting(ledger: PostgresLedger) -> None:
    captured(ledger, *(record(f"V{n}") for n in range(6)))
    impatient = engine_for(ledger.engine.url)
    event.listen(impatient, "connect", lambda driver, _: driver.cursor().execute("SET lock_timeout = '100ms'"))
    try:
        with ledger.engine.begin() as taking:
            taking.execute(text("SELECT id FROM sagezoho.changes WHERE key < 'V3' FOR UPDATE"))
            changes = claimed(PostgresLedger(impatient), limit=2)
    finally:
        impatient.dispose()
    assert [change.key for change in changes] == ["V3", "V4"]
