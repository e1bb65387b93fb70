"""Pages of source records and looks, on their way into the queue. A handful of statements, whatever the page's size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from sagezoho_pipelines.domain.records import GONE_FROM_SOURCE, CapturedRecord, Cause, EntityRef, Look, Row
from sagezoho_pipelines.domain.settlement import CaptureResult
from sagezoho_pipelines.ledger import watermarks
from sagezoho_pipelines.ledger.sqljson import rows, to_json, whose

#: Where new changes are announced; the payload is the entity, e.g. `saminc/zoho_crm/deals`.
CHANNEL = "sagezoho_changes"

# Two captures of one entity take turns: neither can miss what the other has just seen, nor deadlock with it.
_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(:entity, 2040))")

# Both parts of the statement read one snapshot: `before` is the record as it was.
_SEE = text(f"""
WITH page AS (
    SELECT * FROM {rows({"key": "text", "digest": "text", "name": "text"})}
), before AS (
    SELECT key, r.digest, r.deleted_at FROM sagezoho.records r JOIN page USING (key)
    WHERE r.connection = :connection AND r.system = :system AND r.entity = :entity
), seen AS (
    INSERT INTO sagezoho.records AS r (connection, system, entity, key, name, digest, first_seen_at, seen_at)
    SELECT :connection, :system, :entity, key, name, digest, :at, :at FROM page ORDER BY key
    ON CONFLICT (connection, system, entity, key) DO UPDATE SET
        digest = EXCLUDED.digest,
        name = CASE WHEN EXCLUDED.name = '' THEN r.name ELSE EXCLUDED.name END,
        seen_at = greatest(r.seen_at, EXCLUDED.seen_at),
        deleted_at = NULL
)
SELECT key FROM page LEFT JOIN before USING (key)
WHERE before.key IS NULL OR before.digest IS DISTINCT FROM page.digest OR before.deleted_at IS NOT NULL
""")

_SUPERSEDE = text("""
WITH stale AS (
    SELECT c.id FROM sagezoho.changes c
    WHERE c.state = 'queued' AND c.connection = :connection AND c.system = :system AND c.entity = :entity
      AND c.key = ANY (CAST(:keys AS text[]))
      AND (NOT CAST(:only_versions AS boolean) OR c.payload IS NOT NULL)
    ORDER BY c.key FOR UPDATE
)
UPDATE sagezoho.changes c SET state = 'superseded', settled_at = :at FROM stale
WHERE c.id = stale.id AND c.state = 'queued'
RETURNING c.key, c.payload IS NULL
""")

_QUEUED = {
    "place": "int", "key": "text", "name": "text", "digest": "text", "payload": "jsonb", "cause": "text",
    "reason": "text",
}  # fmt: skip

_INSERT = text(f"""
INSERT INTO sagezoho.changes (connection, system, entity, key, name, digest, payload, cause, reason, state,
                              next_attempt_at, captured_run_id, captured_at)
SELECT :connection, :system, :entity, key, name, digest, payload, cause, reason, 'queued', :at, :run_id, :at
FROM {rows(_QUEUED)}
ORDER BY place
ON CONFLICT (connection, system, entity, key) WHERE state = 'queued' DO NOTHING
""")

#: Key, name, digest, payload, cause, reason.
_Queued = tuple[str, str, str | None, Row | None, Cause, str]

_NOTIFY = text("SELECT pg_notify(:channel, :entity)")

_MISSING = text("""
UPDATE sagezoho.records SET deleted_at = :at
WHERE connection = :connection AND system = :system AND entity = :entity AND deleted_at IS NULL AND seen_at < :since
RETURNING key
""")


def capture(
    connection: Connection,
    entity: EntityRef,
    records: Sequence[CapturedRecord],
    *,
    cause: Cause,
    at: datetime,
    run_id: str,
    looks: Sequence[Look],
    watermark: Row | None,
    force: bool,
) -> CaptureResult:
    page = {record.key: record for record in records}  # a key twice in one page: the later row is the newer one
    versions = [record for record in page.values() if record.digest is not None]
    changed: list[CapturedRecord] = []
    if versions:
        connection.execute(_TURN, {"entity": str(entity)})
        news = _see(connection, entity, versions, at=at)
        unsettled = [record for record in versions if not record.settled]
        changed = unsettled if force else [record for record in unsettled if record.key in news]
        _queue_versions(connection, entity, changed, cause=cause, at=at, run_id=run_id)
    asked = [Look(entity, record.key, cause) for record in page.values() if record.digest is None]
    enqueue(connection, [*asked, *looks], at=at, run_id=run_id)
    if watermark is not None:
        watermarks.move(connection, entity, watermark, run_id=run_id)
    new = len(changed) + len(asked)
    return CaptureResult(captured=len(records), changed=new, unchanged=len(records) - new)


def enqueue(connection: Connection, looks: Iterable[Look], *, at: datetime, run_id: str) -> int:
    """Queue looks. A queued look already there stands for the new one: it reads the record when it is delivered.

    A queued version gives way, since the record may have changed after it was read. One that a worker holds right
    now does not: the worker may have read the record already.
    """
    by_entity: dict[EntityRef, dict[str, Look]] = {}
    for look in looks:
        by_entity.setdefault(look.entity, {}).setdefault(look.key, look)
    new = 0
    for entity in sorted(by_entity):
        chosen = [by_entity[entity][key] for key in sorted(by_entity[entity])]
        _supersede(connection, entity, [look.key for look in chosen], at=at, only_versions=True)
        queued: list[_Queued] = [(look.key, "", None, None, look.cause, look.reason) for look in chosen]
        new += _insert(connection, entity, queued, at=at, run_id=run_id)
    return new


def announce(connection: Connection, entity: EntityRef) -> None:
    """Give word of new changes to whoever waits for them."""
    connection.execute(_NOTIFY, {"channel": CHANNEL, "entity": str(entity)})


def mark_missing(
    connection: Connection, entity: EntityRef, *, not_seen_since: datetime, at: datetime, run_id: str
) -> int:
    """Records that a whole sweep did not meet: marked deleted, and each looked at once more."""
    gone = connection.execute(_MISSING, {**whose(entity), "since": not_seen_since, "at": at}).scalars().all()
    enqueue(connection, [Look(entity, key, Cause.SWEEP, GONE_FROM_SOURCE) for key in gone], at=at, run_id=run_id)
    return len(gone)


def _see(connection: Connection, entity: EntityRef, versions: Sequence[CapturedRecord], *, at: datetime) -> set[str]:
    seen = connection.execute(
        _SEE,
        {
            **whose(entity),
            "rows": to_json([{"key": one.key, "digest": one.digest, "name": one.name} for one in versions]),
            "at": at,
        },
    )
    return set(seen.scalars())


def _queue_versions(
    connection: Connection,
    entity: EntityRef,
    changed: Sequence[CapturedRecord],
    *,
    cause: Cause,
    at: datetime,
    run_id: str,
) -> None:
    if not changed:
        return
    stale = _supersede(connection, entity, [record.key for record in changed], at=at, only_versions=False)
    looked_for = {key for key, was_look in stale if was_look}
    queued: list[_Queued] = []
    for record in sorted(changed, key=lambda record: record.key):
        # A notification may be newer than the page: where a look was waiting, the record is read at delivery.
        fetched_later = record.payload is None or record.key in looked_for
        payload = None if fetched_later else record.payload
        queued.append((record.key, record.name, record.digest, payload, cause, ""))
    _insert(connection, entity, queued, at=at, run_id=run_id)


def _supersede(
    connection: Connection, entity: EntityRef, keys: Sequence[str], *, at: datetime, only_versions: bool
) -> list[tuple[str, bool]]:
    values = {**whose(entity), "keys": list(keys), "at": at, "only_versions": only_versions}
    return [(key, was_look) for key, was_look in connection.execute(_SUPERSEDE, values)]


def _insert(connection: Connection, entity: EntityRef, queued: Sequence[_Queued], *, at: datetime, run_id: str) -> int:
    lines = [dict(zip(_QUEUED, (place, *values), strict=True)) for place, values in enumerate(queued)]
    inserted = connection.execute(
        _INSERT,
        {
            **whose(entity),
            "rows": to_json(lines),
            "at": at,
            "run_id": run_id,
        },
    ).rowcount
    if inserted:
        announce(connection, entity)
    return inserted
