"""The planning ledger does what the real one does, whatever is asked of it, and the real one never hears of it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sagezoho_pipelines.domain.errors import BusinessKeyTaken, LinkTaken
from sagezoho_pipelines.domain.records import (
    CapturedRecord,
    Cause,
    Change,
    ChangeState,
    EntityRef,
    Link,
    Look,
    Outcome,
    System,
)
from sagezoho_pipelines.domain.settlement import IntentRequest, Settlement
from sagezoho_pipelines.engine.planning.shadow_ledger import ShadowLedger
from sagezoho_pipelines.engine.ports import Ledger
from sagezoho_pipelines.ledger.ledger import PostgresLedger

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
VENDORS = EntityRef("saminc", System.SAGE300, "vendors")
DEALS = EntityRef("saminc", System.ZOHO_CRM, "deals")


def _script(seed: int, length: int) -> list[tuple[str, dict[str, Any]]]:
    """Steps in any order: pages, looks, claims and ends of every kind, of a few records that meet again and again."""
    dice = random.Random(seed)
    steps: list[tuple[str, dict[str, Any]]] = []
    for _ in range(length):
        kind = dice.choice(["capture", "capture", "enqueue", "deliver", "deliver", "release", "sweep"])
        keys = dice.sample("abcdef", dice.randint(1, 4))
        steps.append(
            (
                kind,
                {
                    "entity": dice.choice([VENDORS, DEALS]),
                    "keys": keys,
                    "digests": [dice.choice(["1", "2", "3"]) for _ in keys],
                    "ends": [dice.choice(["created", "noop", "refused", "conflicted", "retrying"]) for _ in range(6)],
                    "limit": dice.randint(1, 4),
                    "force": dice.random() < 0.1,
                },
            )
        )
    return steps


def _step(ledger: Ledger, kind: str, asked: dict[str, Any]) -> Any:
    """Carry out one step; what the ledger said, without the numbers it gives out."""
    entity: EntityRef = asked["entity"]
    if kind == "capture":
        records = [
            CapturedRecord(key, digest, {"id": key, "v": digest} if digest != "3" else None, f"record {key}")
            for key, digest in zip(asked["keys"], asked["digests"], strict=True)
        ]
        other = DEALS if entity == VENDORS else VENDORS
        looks = [Look(other, asked["keys"][0], Cause.POLL, "points at it")]
        return ledger.capture(entity, records, cause=Cause.POLL, at=AT, looks=looks, force=asked["force"])
    if kind == "enqueue":
        return ledger.enqueue([Look(entity, key, Cause.NOTIFICATION) for key in asked["keys"]], at=AT)
    if kind == "sweep":
        return ledger.open_changes(entity)
    claimed = ledger.claim(entity, worker="w", limit=asked["limit"], lease_seconds=600, at=AT)
    if kind == "release":
        ledger.release(claimed, retry_at=AT)
    else:
        ends = zip(claimed, asked["ends"], strict=False)
        ledger.settle([_end(change, Outcome(end)) for change, end in ends], at=AT)
    return [_shown(change) for change in claimed]


def _end(change: Change, outcome: Outcome) -> Settlement:
    states = {
        Outcome.REFUSED: ChangeState.REFUSED,
        Outcome.CONFLICTED: ChangeState.CONFLICTED,
        Outcome.RETRYING: ChangeState.QUEUED,
    }
    state = states.get(outcome, ChangeState.DELIVERED)
    links = [_link(change.key)] if outcome is Outcome.CREATED and change.entity == VENDORS else []
    error = {"code": "NO", "details": {"account": change.key}} if state in states.values() else {}
    seen = change if change.digest is not None else replace(change, digest="2")
    retry_at = AT + timedelta(hours=1) if state is ChangeState.QUEUED else None
    return Settlement(seen, state, outcome, links=links, error=error, retry_at=retry_at)


def _shown(change: Change) -> tuple[Any, ...]:
    return change.entity, change.key, change.digest, change.payload, str(change.cause), change.attempt, change.reason


def _link(key: str, zoho_id: str = "") -> Link:
    return Link("saminc", "vendors", key, "Accounts", zoho_id or f"9{ord(key)}", sage_name=key, written={"A": key})


def _known(ledger: Ledger) -> list[Any]:
    """What a ledger answers about everything."""
    keys = list("abcdef")
    return [
        [
            (ledger.open_changes(entity), ledger.last_error(entity, key), ledger.standing(entity, [key]))
            for entity in (VENDORS, DEALS)
            for key in keys
        ],
        [ledger.refused_with(entity, codes=["NO"], name="account", values=keys) for entity in (VENDORS, DEALS)],
        [ledger.refused_with(entity, codes=["NO"], name="account") for entity in (VENDORS, DEALS)],
        ledger.links_by_sage("saminc", "vendors", "Accounts", keys),
        ledger.links_by_zoho("saminc", "Accounts", "vendors", [f"9{ord(key)}" for key in keys]),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_the_shadow_answers_as_the_ledger_would(ledger: PostgresLedger, engine: Engine, seed: int) -> None:
    """Half of the steps reach the ledger first; then the rest on a shadow of it, and again on the ledger itself."""
    steps = _script(seed, 40)
    for kind, asked in steps[:20]:
        _step(ledger, kind, asked)
    shadow = ShadowLedger(ledger, at=AT)
    before = _rows(engine)
    foretold = [_step(shadow, kind, asked) for kind, asked in steps[20:]]
    foretold.append(_known(shadow))
    assert _rows(engine) == before
    happened = [_step(ledger, kind, asked) for kind, asked in steps[20:]]
    happened.append(_known(ledger))
    assert foretold == happened


def test_numbers_and_intents_go_on_from_the_ledgers(ledger: PostgresLedger) -> None:
    ledger.next_number("saminc", "customers:Z")
    request = IntentRequest("sage300", "customers", "Z000001", "deal_accounts", "77", "d1")
    ledger.begin_intents("saminc", [request], at=AT)
    shadow = ShadowLedger(ledger, at=AT)
    assert [shadow.next_number("saminc", "customers:Z") for _ in range(2)] == [2, 3]
    assert shadow.numbers == {"customers:Z": 3}
    [known] = shadow.begin_intents("saminc", [replace(request, payload_digest="d2")], at=AT).values()
    assert (known.fresh, known.payload_digest, known.attempt) == (False, "d1", 2)
    with pytest.raises(BusinessKeyTaken):
        shadow.begin_intents("saminc", [replace(request, source_key="78")], at=AT)
    with pytest.raises(BusinessKeyTaken):
        shadow.begin_intents("saminc", [replace(request, business_key="Z000009")], at=AT)
    assert ledger.next_number("saminc", "customers:Z") == 2


def test_a_target_that_belongs_to_another_record_is_refused(ledger: PostgresLedger) -> None:
    shadow = ShadowLedger(ledger, at=AT)
    shadow.enqueue([Look(VENDORS, key, Cause.POLL) for key in "ab"], at=AT)
    one, other = shadow.claim(VENDORS, worker="w", limit=2, lease_seconds=60, at=AT)
    shadow.settle([replace(_end(one, Outcome.NOOP), links=[_link("a", "500")])], at=AT)
    with pytest.raises(LinkTaken):
        shadow.settle([replace(_end(other, Outcome.NOOP), links=[_link("b", "500")])], at=AT)
    assert ledger.links_by_sage("saminc", "vendors", "Accounts", ["a"]) == {}


def _rows(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return [
            connection.execute(text(f"SELECT CAST(t AS text) FROM sagezoho.{name} t ORDER BY 1")).scalars().all()
            for name in ("changes", "records", "links", "watermarks", "intents", "sequences", "audit")
        ]
