"""The ledger writes sets: as many statements for two hundred records as for two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from sagezoho_pipelines.domain.links import LeftAlone, LinkEdits
from sagezoho_pipelines.domain.records import (
    AuditEntry,
    CapturedRecord,
    Cause,
    Change,
    ChangeState,
    EntityRef,
    FieldChange,
    GivesWay,
    Link,
    Look,
    Outcome,
    System,
)
from sagezoho_pipelines.domain.settlement import IntentRequest, Settlement
from sagezoho_pipelines.domain.write_backs import Told
from sagezoho_pipelines.ledger.ledger import PostgresLedger

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FEW, MANY = 2, 200


@contextmanager
def counted(ledger: PostgresLedger) -> Iterator[list[str]]:
    """The statements that reach the server meanwhile; one for each set of parameters where there are several."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        seen.extend([statement] * (len(parameters) if many else 1))

    event.listen(ledger.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(ledger.engine, "before_cursor_execute", note)


def records(count: int, version: int = 1) -> list[CapturedRecord]:
    return [CapturedRecord(f"V{n:03}", f"{n}-{version}", {"n": n}, f"Vendor {n}") for n in range(count)]


def captured(ledger: PostgresLedger, here: EntityRef, count: int) -> None:
    ledger.capture(here, records(count), cause=Cause.POLL, at=NOON, watermark={"date": "2026-03-02"})


def claimed(ledger: PostgresLedger, here: EntityRef, count: int) -> list[Change]:
    captured(ledger, here, count)
    changes = ledger.claim(here, worker="w", limit=count, lease_seconds=60, at=NOON)
    assert len(changes) == count
    return changes


def link(here: EntityRef, n: int, **more: Any) -> Link:
    return Link(here.connection, "vendors", f"V{n:03}", "Accounts", f"Z{n:03}", **more)


def linked(ledger: PostgresLedger, here: EntityRef, count: int) -> list[Link]:
    ledger.edit_links(LinkEdits(add=[link(here, n) for n in range(count)]), at=NOON)
    return [link(here, n) for n in range(count)]


def entry(here: EntityRef, change: Change, n: int) -> AuditEntry:
    return AuditEntry(
        at=NOON, actor="test", connection=here.connection, flow="vendors", direction="sage300->zoho_crm",
        source_system="sage300", source_entity="vendors", source_id=change.key, target_system="zoho_crm",
        target_entity="Accounts", target_id=f"Z{n:03}", operation="create", outcome="created", change_id=change.id,
        fields=[FieldChange("Account_Name", ("VendorName",), f"trim({here.connection})", None, change.name)],
    )  # fmt: skip


def capture_page(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    captured(ledger, here, count)
    looks = [Look(here, f"L{n:03}", Cause.NOTIFICATION) for n in range(count)]
    return lambda: ledger.capture(
        here, records(count, 2), cause=Cause.POLL, at=NOON, looks=looks, watermark={"date": "2026-03-03"}
    )


def find_missing(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    captured(ledger, here, count)
    later = NOON + timedelta(hours=1)
    return lambda: ledger.mark_missing(here, not_seen_since=later, at=later)


def claim(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    captured(ledger, here, count)
    return lambda: ledger.claim(here, worker="w", limit=count, lease_seconds=60, at=NOON)


def extend(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    changes = claimed(ledger, here, count)
    return lambda: ledger.extend(changes, lease_seconds=60, at=NOON)


def release(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    changes = claimed(ledger, here, count)
    return lambda: ledger.release(changes, retry_at=NOON)


def announce(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    asked = [IntentRequest("sage300", "orders", f"D{n}", "deals", f"D{n}", "digest") for n in range(count)]
    return lambda: ledger.begin_intents(here.connection, asked, at=NOON)


def settle(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    """New links, ends of old ones, closed intents, looks and audit, all at once."""
    changes = claimed(ledger, here, count)
    old = [Link(here.connection, "vendors", f"O{n:03}", "Accounts", f"A{n:03}") for n in range(count)]
    ledger.edit_links(LinkEdits(add=old), at=NOON)
    asked = [IntentRequest("zoho_crm", "Accounts", change.key, "vendors", change.key, "d") for change in changes]
    intents = ledger.begin_intents(here.connection, asked, at=NOON)
    settlements = [
        Settlement(
            change,
            ChangeState.DELIVERED,
            Outcome.CREATED,
            links=[link(here, n)],
            audit=[entry(here, change, n)],
            looks=[Look(here, f"N{n:03}", Cause.POLL)],
            intents=[(intents[change.key].id, "settled", f"Z{n:03}")],
            ended=[old[n]],
        )
        for n, change in enumerate(changes)
    ]
    return lambda: ledger.settle(settlements, at=NOON)


def settle_again(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    """Links that are known, each settled by another delivery since it was read."""
    linked(ledger, here, count)
    changes = claimed(ledger, here, count)
    stale = NOON - timedelta(days=1)
    settlements = [
        Settlement(
            change, ChangeState.DELIVERED, Outcome.UPDATED, links=[link(here, n, written={"Phone": "1"}, read_at=stale)]
        )
        for n, change in enumerate(changes)
    ]
    return lambda: ledger.settle(settlements, at=NOON)


def unsettle(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    links = linked(ledger, here, count)
    return lambda: ledger.unsettle([(one, ["Phone"]) for one in links])


def give_way(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    links = linked(ledger, here, count)
    noted = GivesWay(System.ZOHO_CRM, "Phone", "1", "2", "because")
    return lambda: ledger.give_way([(one, [noted]) for one in links])


def edit_links(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    links = linked(ledger, here, count)
    new = [Link(here.connection, "vendors", f"N{n:03}", "Accounts", f"B{n:03}") for n in range(count)]
    left = [LeftAlone(here, f"X{n:03}", "", "test", "because", NOON) for n in range(count)]
    edits = LinkEdits(add=new, remove=links, leave=left, looks=[Look(here, one.sage_id, Cause.POLL) for one in new])
    return lambda: ledger.edit_links(edits, at=NOON)


def tell(ledger: PostgresLedger, here: EntityRef, count: int) -> Callable[[], Any]:
    return lambda: ledger.tell(here.connection, "Deals", [Told(f"D{n}", "digest", NOON) for n in range(count)])


@pytest.mark.parametrize(
    "step",
    [
        capture_page, find_missing, claim, extend, release, announce, settle, settle_again, unsettle, give_way,
        edit_links, tell,
    ],
)  # fmt: skip
def test_a_set_of_records_takes_as_many_statements_as_two(
    ledger: PostgresLedger, step: Callable[[PostgresLedger, EntityRef, int], Callable[[], Any]]
) -> None:
    taken = {}
    for count in (FEW, MANY):
        work = step(ledger, EntityRef(f"with{count}", System.SAGE300, "vendors"), count)
        with counted(ledger) as taken[count]:
            work()
    assert len(taken[FEW]) > 1
    assert sorted(taken[MANY]) == sorted(taken[FEW])
