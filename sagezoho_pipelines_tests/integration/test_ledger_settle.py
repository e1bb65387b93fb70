"""What commits together when an attempt ends: state, links, intents, looks and the audit chain. And how it reads."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from sagezoho_pipelines.domain.errors import BusinessKeyTaken, LinkTaken
from sagezoho_pipelines.domain.records import (
    AuditEntry,
    CapturedRecord,
    Cause,
    Change,
    ChangeState,
    EntityRef,
    FieldChange,
    Link,
    Look,
    Outcome,
    System,
)
from sagezoho_pipelines.domain.settlement import IntentRequest, Settlement
from sagezoho_pipelines.ledger import audit, history, inbox, link_table, reports
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.ledger.transactions import in_transaction

VENDORS = EntityRef("saminc", System.SAGE300, "vendors")
INVOICES = EntityRef("saminc", System.SAGE300, "invoices")
DEALS = EntityRef("saminc", System.ZOHO_CRM, "deals")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def taken(
    ledger: PostgresLedger, entity: EntityRef, *keys: str, at: datetime = NOON, worker: str = "w"
) -> list[Change]:
    records = [CapturedRecord(key, f"{key}-{at:%H%M}", {"id": key}, f"Name of {key}") for key in keys]
    ledger.capture(entity, records, cause=Cause.POLL, at=at, run_id="capture-run")
    return ledger.claim(entity, worker=worker, limit=100, lease_seconds=60, at=at, run_id="run-1")


def to_account(key: str, zoho_id: str, **more: Any) -> Link:
    return Link("saminc", "vendors", key, "Accounts", zoho_id, **more)


def moved(change: Change, target_id: str, *, entity: str = "Accounts", **more: Any) -> AuditEntry:
    return AuditEntry(
        at=NOON,
        actor="engine",
        connection="saminc",
        flow="vendors",
        direction="sage300 to zoho_crm",
        source_system=str(change.entity.system),
        source_entity=change.entity.entity,
        source_id=change.key,
        target_system="zoho_crm" if change.entity.system is System.SAGE300 else "sage300",
        target_entity=entity,
        target_id=target_id,
        operation="create",
        outcome="created",
        run_id="run-1",
        change_id=change.id,
        **more,
    )


def delivered(change: Change, **more: Any) -> Settlement:
    return Settlement(change, ChangeState.DELIVERED, Outcome.CREATED, **more)


def count(ledger: PostgresLedger, table: str) -> int:
    with ledger.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM sagezoho.{table}")).scalar_one())


def test_links_are_found_from_either_side(ledger: PostgresLedger) -> None:
    first, second = taken(ledger, VENDORS, "V1", "V2")
    link = to_account(
        "V1", "901", sage_name="Chloride", zoho_name="Chloride Systems", written={"Amount": Decimal("1.50")},
        source_digest="d1", target_time=NOON, details={"number": "1"},
    )  # fmt: skip
    ledger.settle([delivered(first, links=[link]), delivered(second, links=[to_account("V2", "902")])], at=NOON)
    assert ledger.links_by_sage("saminc", "vendors", "Accounts", ["V1", "V9"]) == {"V1": link}
    assert ledger.links_by_zoho("saminc", "Accounts", "vendors", ["901"]) == {"901": link}
    assert ledger.links_by_sage("saminc", "vendors", "Accounts", []) == {}


def test_a_source_record_may_be_pointed_at_a_new_target(ledger: PostgresLedger) -> None:
    for hour, zoho_id in enumerate(["901", "902"]):
        at = NOON + timedelta(hours=hour)
        (change,) = taken(ledger, VENDORS, "V1", at=at)
        ledger.settle([delivered(change, links=[to_account("V1", zoho_id)])], at=at)
    assert ledger.links_by_zoho("saminc", "Accounts", "vendors", ["901", "902"]).keys() == {"902"}


def test_a_target_that_belongs_to_another_record_is_refused_by_name_and_nothing_commits(ledger: PostgresLedger) -> None:
    first, second, third = taken(ledger, VENDORS, "V1", "V2", "V3")
    ledger.settle([delivered(first, links=[to_account("V1", "901")])], at=NOON)
    with pytest.raises(LinkTaken, match=r"V2 and Zoho Accounts 901 cannot be linked: Sage vendors V1") as caught:
        ledger.settle([delivered(third), delivered(second, links=[to_account("V2", "901")])], at=NOON)
    assert (caught.value.link.sage_id, caught.value.held.sage_id) == ("V2", "V1")
    with pytest.raises(LinkTaken):
        ledger.settle(
            [delivered(second, links=[to_account("V2", "7")]), delivered(third, links=[to_account("V3", "7")])], at=NOON
        )
    assert ledger.open_changes(VENDORS) == 2


def test_two_workers_binding_one_target_in_a_race_leave_one_link(ledger: PostgresLedger) -> None:
    changes = taken(ledger, VENDORS, *(f"V{n}" for n in range(8)))
    gate = threading.Barrier(8)

    def bind(change: Change) -> bool:
        gate.wait()
        try:
            ledger.settle([delivered(change, links=[to_account(change.key, "901")])], at=NOON)
        except LinkTaken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(bind, changes)) == [False] * 7 + [True]
    assert count(ledger, "links") == 1


def test_what_a_worker_found_after_losing_its_lease_is_kept_but_overwrites_nothing(ledger: PostgresLedger) -> None:
    (slow,) = taken(ledger, VENDORS, "V1")
    (quick,) = taken(ledger, VENDORS, at=NOON + timedelta(minutes=2), worker="w2")
    ledger.settle(
        [delivered(quick, links=[to_account("V1", "901", zoho_name="new")], audit=[moved(quick, "901")])], at=NOON
    )
    ledger.settle(
        [delivered(slow, links=[to_account("V1", "901", zoho_name="old")], audit=[moved(slow, "901")])], at=NOON
    )
    assert ledger.links_by_sage("saminc", "vendors", "Accounts", ["V1"])["V1"].zoho_name == "new"
    assert count(ledger, "audit") == 2


def test_a_settlement_that_fails_midway_leaves_nothing(ledger: PostgresLedger) -> None:
    (change,) = taken(ledger, VENDORS, "V1")
    broken = replace(moved(change, "901"), change_id="no number")  # type: ignore[arg-type]  the last thing written
    look = Look(DEALS, "7", Cause.RETRY)
    with pytest.raises(DBAPIError):
        ledger.settle([delivered(change, links=[to_account("V1", "901")], looks=[look], audit=[broken])], at=NOON)
    assert (count(ledger, "links"), ledger.open_changes(DEALS), ledger.open_changes(VENDORS)) == (0, 0, 1)
    ledger.settle([delivered(change, links=[to_account("V1", "901")], looks=[look])], at=NOON)
    assert (count(ledger, "links"), ledger.open_changes(DEALS), ledger.open_changes(VENDORS)) == (1, 1, 0)


def request(business_key: str, source_key: str) -> IntentRequest:
    return IntentRequest("sage300", "orders", business_key, "deals", source_key, "digest")


def test_an_intent_is_fresh_once_and_stays_its_sources(ledger: PostgresLedger) -> None:
    begun = ledger.begin_intents("saminc", [request("K1", "7"), request("K2", "8")], at=NOON)
    assert {key: (intent.attempt, intent.fresh) for key, intent in begun.items()} == {"K1": (1, True), "K2": (1, True)}
    again = ledger.begin_intents("saminc", [request("K1", "7")], at=NOON)["K1"]
    assert (again.id, again.attempt, again.fresh) == (begun["K1"].id, 2, False)
    found = ledger.intent_of("saminc", "sage300", "orders", "deals", "7")
    assert found is not None
    assert (found.id, found.business_key) == (begun["K1"].id, "K1")
    with pytest.raises(BusinessKeyTaken, match="deals 7 is about to"):
        ledger.begin_intents("saminc", [request("K3", "9"), request("K1", "9")], at=NOON)
    with pytest.raises(BusinessKeyTaken, match="another business key"):
        ledger.begin_intents("saminc", [request("K4", "7")], at=NOON)
    assert ledger.intent_of("saminc", "sage300", "orders", "deals", "9") is None


def test_a_key_that_was_settled_before_is_read_back_before_it_is_sent_again(ledger: PostgresLedger) -> None:
    (change,) = taken(ledger, DEALS, "7")
    intent = ledger.begin_intents("saminc", [request("K1", "7")], at=NOON)["K1"]
    ledger.settle([delivered(change, intents=[(intent.id, "settled", "ORD1")])], at=NOON)
    assert ledger.intent_of("saminc", "sage300", "orders", "deals", "7") is None
    assert not ledger.begin_intents("saminc", [request("K1", "7")], at=NOON)["K1"].fresh


def test_numbers_are_handed_out_once(ledger: PostgresLedger) -> None:
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(lambda _: ledger.next_number("saminc", "customers", start=100), range(40)))
    assert sorted(numbers) == list(range(100, 140))
    assert ledger.next_number("other", "customers") == 1


def audited(ledger: PostgresLedger, number: int) -> None:
    changes = taken(ledger, VENDORS, *(f"V{n}" for n in range(number)))
    field = FieldChange("Amount", ["Balance", "Rate"], "Balance * Rate", None, Decimal("1.50"))
    answer = {"code": "SUCCESS", "amount": Decimal("1E+2"), "bad": "\x00"}
    ledger.settle(
        [delivered(c, audit=[moved(c, f"9{c.key}", fields=[field], answer=answer)]) for c in changes], at=NOON
    )


def test_the_audit_is_a_chain_that_appenders_in_a_race_keep_whole(ledger: PostgresLedger) -> None:
    audited(ledger, 5)
    (entry,) = (line.entry for line in reports.audit_entries(ledger.engine, record_id="V3"))
    assert entry.fields[0].after == Decimal("1.50")
    twice = [entry, replace(entry, connection="other")]

    def append(_: int) -> None:
        in_transaction(ledger.engine, lambda connection: audit.append(connection, twice))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(20)))
    assert [line.seq for line in reports.audit_entries(ledger.engine, connection="saminc")] == list(range(1, 26))
    assert reports.audited_connections(ledger.engine) == ["other", "saminc"]
    assert [reports.verify_chain(ledger.engine, name) for name in ("saminc", "other", "none")] == [None] * 3


@pytest.mark.parametrize(
    "statement", ["UPDATE sagezoho.audit SET actor = 'x'", "DELETE FROM sagezoho.audit", "TRUNCATE sagezoho.audit"]
)
def test_the_audit_refuses_to_be_rewritten(ledger: PostgresLedger, statement: str) -> None:
    audited(ledger, 1)
    with pytest.raises(DBAPIError, match="append-only"), ledger.engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize(
    ("tampering", "broken_at"),
    [
        ("UPDATE sagezoho.audit SET outcome = 'noop' WHERE seq = 3", 3),
        ("UPDATE sagezoho.audit SET fields = '[]' WHERE seq = 2", 2),
        ("UPDATE sagezoho.audit SET at = at + interval '1 microsecond' WHERE seq = 4", 4),
        ("DELETE FROM sagezoho.audit WHERE seq = 2", 2),
        ("DELETE FROM sagezoho.audit WHERE seq = 5", 5),
        ("DELETE FROM sagezoho.audit", 1),
        ("UPDATE sagezoho.transformations SET expression = 'Balance'", 1),
        ("DELETE FROM sagezoho.transformations", 1),
    ],
)
def test_tampering_behind_the_triggers_back_is_found(ledger: PostgresLedger, tampering: str, broken_at: int) -> None:
    audited(ledger, 5)
    with ledger.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(tampering))
    assert reports.verify_chain(ledger.engine, "saminc") == broken_at


def test_a_records_story_is_told_from_any_of_its_ids(ledger: PostgresLedger) -> None:
    (deal,) = taken(ledger, DEALS, "7001")
    intent = ledger.begin_intents("saminc", [request("7001", "7001")], at=NOON, run_id="run-1")["7001"]
    order = Link("saminc", "orders", "ORD1", "Deals", "7001", details={"uniquifier": "55"})
    ledger.settle(
        [
            delivered(
                deal,
                links=[order],
                intents=[(intent.id, "settled", "ORD1")],
                audit=[moved(deal, "ORD1", entity="orders")],
            )
        ],
        at=NOON + timedelta(seconds=1),
    )
    (invoice,) = taken(ledger, INVOICES, "IN9", at=NOON + timedelta(days=1))
    paper = Link("saminc", "invoices", "IN9", "Invoices", "8001", details={"order": "ORD1"})
    ledger.settle([delivered(invoice, links=[paper])], at=NOON + timedelta(days=1))

    stories = [history.explain(ledger.engine, any_id) for any_id in ("7001", "ORD1", "55", "IN9", "8001")]
    assert all(story == stories[0] for story in stories)
    assert [event.kind for event in stories[0]] == [
        "seen", "captured", "intent", "audit", "settled", "linked", "intent", "seen", "captured", "settled", "linked",
    ]  # fmt: skip
    assert history.explain(ledger.engine, "nothing") == []
    assert history.explain(ledger.engine, "7001", connection="other") == []


def test_the_inbox_lists_what_a_person_must_see(ledger: PostgresLedger) -> None:
    first, second, third = taken(ledger, VENDORS, "V1", "V2", "V3")
    refusal = Settlement(
        first, ChangeState.REFUSED, Outcome.REFUSED, error={"code": "MANDATORY", "limit": Decimal("0.10")}
    )
    ledger.settle([refusal, delivered(second, audit=[moved(second, "902")])], at=NOON)
    (line,) = inbox.entries(ledger.engine)
    assert (line.key, line.state, line.error) == ("V1", "refused", {"code": "MANDATORY", "limit": Decimal("0.10")})
    assert inbox.entries(ledger.engine, connection="other") == []
    assert inbox.entries(ledger.engine, run_ids=["run-1"]) == [line]
    assert inbox.entries(ledger.engine, run_ids=["another"]) == inbox.entries(ledger.engine, run_ids=[]) == []
    with ledger.engine.connect() as database:
        rows = database.execute(text("SELECT state, count(*) AS changes FROM sagezoho.changes GROUP BY state"))
        counted = {row.state: row.changes for row in rows}
    assert counted == {"claimed": 1, "delivered": 1, "refused": 1}
    assert [s.key for s in reports.stuck(ledger.engine, captured_before=NOON + timedelta(hours=1))] == [third.key]
    moved_in_run = [line.entry for line in reports.run_entries(ledger.engine, "run-1")]
    assert Counter((entry.flow, entry.outcome) for entry in moved_in_run) == {("vendors", "created"): 1}
    assert [entry.target_id for entry in moved_in_run] == ["902"]
    assert link_table.entries(ledger.engine) == []
