"""The queue: changes claimed under a lease, given back, and settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from sagezoho_pipelines.domain.records import Cause, Change, EntityRef, Override
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.ledger.sqljson import rows, to_json, whose

# A record has at most one queued and one claimed change, the claimed one being the older: while it is claimed, even
# under a lease that ran out, the queued one is not offered. So a record's changes are delivered one by one, in order.
_CLAIM = text("""
WITH due AS (
    SELECT c.id FROM sagezoho.changes c
    WHERE c.connection = :connection AND c.system = :system AND c.entity = :entity
      AND c.state IN ('queued', 'claimed')
      AND CASE c.state
          WHEN 'claimed' THEN c.lease_until <= :at
          ELSE c.next_attempt_at <= :at AND NOT EXISTS (
              SELECT 1 FROM sagezoho.changes o
              WHERE o.state = 'claimed' AND o.connection = c.connection AND o.system = c.system
                AND o.entity = c.entity AND o.key = c.key)
          END
      AND NOT EXISTS (SELECT 1 FROM sagezoho.pauses p WHERE p.connection = c.connection AND p.until > :at)
    ORDER BY c.id LIMIT :limit FOR UPDATE OF c SKIP LOCKED
)
UPDATE sagezoho.changes c
SET state = 'claimed', claimed_by = :worker, lease_until = :lease_until, attempts = c.attempts + 1, run_id = :run_id
FROM due WHERE c.id = due.id
RETURNING c.id, c.key, c.digest, c.payload, c.cause, c.attempts, c.captured_at, c.name, c.reason, c.override
""")

# The attempt number is the fence: a worker whose lease ran out, and whose change another took, no longer holds it.
_RELEASE = text("""
UPDATE sagezoho.changes c SET
    state = CASE WHEN EXISTS (
        SELECT 1 FROM sagezoho.changes n WHERE n.state = 'queued' AND n.connection = c.connection
          AND n.system = c.system AND n.entity = c.entity AND n.key = c.key
    ) THEN 'superseded' ELSE 'queued' END,
    attempts = c.attempts - 1, next_attempt_at = :retry_at, claimed_by = '', lease_until = NULL
FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS bigint[])) AS g (id, attempt)
WHERE c.id = g.id AND c.state = 'claimed' AND c.attempts = g.attempt
""")

_EXTEND = text("""
UPDATE sagezoho.changes c SET lease_until = :lease_until
FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS bigint[])) AS g (id, attempt)
WHERE c.id = g.id AND c.state = 'claimed' AND c.attempts = g.attempt
RETURNING c.id
""")

_SETTLED = {
    "id": "bigint", "attempt": "bigint", "state": "text", "outcome": "text", "error": "jsonb", "digest": "text",
    "name": "text", "retry_at": "timestamptz",
}  # fmt: skip

_SETTLE = text(f"""
UPDATE sagezoho.changes c SET
    state = CASE WHEN s.state = 'queued' AND EXISTS (
        SELECT 1 FROM sagezoho.changes n WHERE n.state = 'queued' AND n.connection = c.connection
          AND n.system = c.system AND n.entity = c.entity AND n.key = c.key
    ) THEN 'superseded' ELSE s.state END,
    outcome = s.outcome,
    error = s.error,
    digest = coalesce(s.digest, c.digest),
    name = CASE WHEN s.name = '' THEN c.name ELSE s.name END,
    next_attempt_at = coalesce(s.retry_at, c.next_attempt_at),
    settled_at = CASE WHEN s.state = 'queued' THEN NULL ELSE CAST(:at AS timestamptz) END,
    claimed_by = '',
    lease_until = NULL
FROM (SELECT * FROM {rows(_SETTLED)}) AS s
WHERE c.id = s.id AND c.state = 'claimed' AND c.attempts = s.attempt
RETURNING c.id
""")

# What a delivery learned about a record it had to fetch: the next poll then knows this version. Not where a newer
# version has been captured meanwhile.
_LEARN = text("""
INSERT INTO sagezoho.records AS r (connection, system, entity, key, name, digest, first_seen_at, seen_at)
SELECT c.connection, c.system, c.entity, c.key, c.name, c.digest, :at, :at FROM sagezoho.changes c
WHERE c.id = ANY (CAST(:ids AS bigint[])) AND c.state = 'delivered' AND c.payload IS NULL AND c.digest IS NOT NULL
  AND NOT EXISTS (
      SELECT 1 FROM sagezoho.changes n WHERE n.connection = c.connection AND n.system = c.system
        AND n.entity = c.entity AND n.key = c.key AND n.id > c.id AND n.digest IS NOT NULL)
ORDER BY c.key
ON CONFLICT (connection, system, entity, key) DO UPDATE SET
    digest = EXCLUDED.digest, name = CASE WHEN EXCLUDED.name = '' THEN r.name ELSE EXCLUDED.name END, deleted_at = NULL
""")

_FORGET = text("""
UPDATE sagezoho.records r SET digest = '' FROM sagezoho.changes c
WHERE c.id = ANY (CAST(:ids AS bigint[]))
  AND r.connection = c.connection AND r.system = c.system AND r.entity = c.entity AND r.key = c.key
""")

# The inbox holds a record's latest trouble only.
_RESOLVE = text("""
UPDATE sagezoho.changes o SET state = 'superseded'
FROM sagezoho.changes d
WHERE d.id = ANY (CAST(:ids AS bigint[])) AND d.state IN ('delivered', 'refused', 'conflicted')
  AND o.connection = d.connection AND o.system = d.system AND o.entity = d.entity AND o.key = d.key
  AND o.id < d.id AND o.state IN ('refused', 'conflicted')
""")

_REFUSED_WITH = text("""
SELECT c.error -> 'details' ->> :name AS value, c.key FROM sagezoho.changes c
WHERE c.connection = :connection AND c.state = 'refused' AND c.system = :system AND c.entity = :entity
  AND c.error ->> 'code' = ANY (CAST(:codes AS text[])) AND c.error -> 'details' ->> :name IS NOT NULL
  AND (CAST(:values AS text[]) IS NULL OR c.error -> 'details' ->> :name = ANY (CAST(:values AS text[])))
  AND NOT EXISTS (
      SELECT 1 FROM sagezoho.changes n WHERE n.connection = c.connection AND n.system = c.system
        AND n.entity = c.entity AND n.key = c.key AND n.id > c.id)
ORDER BY c.key
""")

_LAST_ERROR = text("""
SELECT CASE WHEN state IN ('refused', 'conflicted') THEN error END FROM sagezoho.changes
WHERE connection = :connection AND system = :system AND entity = :entity AND key = :key
ORDER BY id DESC LIMIT 1
""")

_ATTEMPTING = text(f"""
UPDATE sagezoho.changes c SET attempted = c.attempted || jsonb_build_array(r.payload)
FROM (SELECT * FROM {rows({"id": "bigint", "payload": "jsonb"})}) AS r
WHERE c.id = r.id AND c.payload IS NULL AND c.attempted -> -1 IS DISTINCT FROM r.payload
""")

# An attempt that ended well is followed by a link, which knows what was written: those before it say nothing more. One
# that was given back counts too: a part of its batch may have been sent.
_TRIED = text("""
SELECT c.id, c.key, c.digest, version.payload, c.cause, c.attempts, c.captured_at, c.name, c.reason, c.override
FROM sagezoho.changes c
CROSS JOIN LATERAL (
    SELECT c.payload, 0 AS place WHERE c.payload IS NOT NULL
    UNION ALL
    SELECT a.payload, a.place FROM jsonb_array_elements(c.attempted) WITH ORDINALITY AS a (payload, place)
) AS version
WHERE c.connection = :connection AND c.system = :system AND c.entity = :entity AND c.key = ANY (CAST(:keys AS text[]))
  AND (c.attempts > 0 OR c.run_id <> '') AND c.id <> ALL (CAST(:first AS bigint[]))
  AND NOT EXISTS (
      SELECT 1 FROM sagezoho.changes d WHERE d.connection = c.connection AND d.system = c.system
        AND d.entity = c.entity AND d.key = c.key AND d.id >= c.id AND d.state = 'delivered')
ORDER BY c.id, version.place
""")

_OPEN = text("""
SELECT count(*) FROM sagezoho.changes
WHERE connection = :connection AND system = :system AND entity = :entity AND state IN ('queued', 'claimed')
""")


@dataclass(frozen=True, slots=True)
class Settled:
    """Settlements of changes the worker still held, and of those it had lost to another one meanwhile."""

    held: Sequence[Settlement]
    lost: Sequence[Settlement]


def claim(
    connection: Connection,
    entity: EntityRef,
    *,
    worker: str,
    limit: int,
    lease_seconds: float,
    at: datetime,
    run_id: str,
) -> list[Change]:
    values = {
        **whose(entity),
        "worker": worker,
        "limit": limit,
        "lease_until": at + timedelta(seconds=lease_seconds),
        "at": at,
        "run_id": run_id,
    }
    claimed = (change_of(row, entity) for row in connection.execute(_CLAIM, values))
    return sorted(claimed, key=lambda change: change.id)


def change_of(row: Any, entity: EntityRef) -> Change:
    return Change(
        id=row.id,
        entity=entity,
        key=row.key,
        digest=row.digest,
        payload=row.payload,
        cause=Cause(row.cause),
        attempt=row.attempts,
        captured_at=row.captured_at,
        name=row.name,
        reason=row.reason,
        override=Override(**row.override) if row.override else None,
    )


def release(connection: Connection, changes: Sequence[Change], *, retry_at: datetime) -> None:
    connection.execute(_RELEASE, {**_held(changes), "retry_at": retry_at})


def extend(connection: Connection, changes: Sequence[Change], *, lease_seconds: float, at: datetime) -> set[int]:
    lease_until = at + timedelta(seconds=lease_seconds)
    return set(connection.execute(_EXTEND, {**_held(changes), "lease_until": lease_until}).scalars())


def settle(connection: Connection, settlements: Sequence[Settlement], *, at: datetime) -> Settled:
    lines = [
        {
            "id": settlement.change.id,
            "attempt": settlement.change.attempt,
            "state": settlement.state,
            "outcome": settlement.outcome,
            "error": settlement.error or None,
            "digest": settlement.change.digest,
            "name": settlement.change.name,
            "retry_at": settlement.retry_at and settlement.retry_at.isoformat(),
        }
        for settlement in settlements
    ]
    held = set(connection.execute(_SETTLE, {"rows": to_json(lines), "at": at}).scalars())
    if held:
        forgotten = {one.change.id for one in settlements if one.forgotten} & held
        connection.execute(_LEARN, {"ids": sorted(held - forgotten), "at": at})
        if forgotten:
            connection.execute(_FORGET, {"ids": sorted(forgotten)})
        connection.execute(_RESOLVE, {"ids": sorted(held)})
    return Settled(
        held=[settlement for settlement in settlements if settlement.change.id in held],
        lost=[settlement for settlement in settlements if settlement.change.id not in held],
    )


def attempting(connection: Connection, changes: Sequence[Change]) -> None:
    if changes:
        lines = [{"id": change.id, "payload": change.payload} for change in sorted(changes, key=lambda one: one.id)]
        connection.execute(_ATTEMPTING, {"rows": to_json(lines)})


def tried(connection: Connection, entity: EntityRef, held: Sequence[Change]) -> dict[str, list[Change]]:
    first = [change.id for change in held if change.attempt == 1]
    wanted = {**whose(entity), "keys": [change.key for change in held], "first": first}
    found: dict[str, list[Change]] = {}
    for row in connection.execute(_TRIED, wanted):
        found.setdefault(row.key, []).append(change_of(row, entity))
    return found


def open_changes(connection: Connection, entity: EntityRef) -> int:
    return int(connection.execute(_OPEN, whose(entity)).scalar_one())


def refused_with(
    connection: Connection, entity: EntityRef, *, codes: Sequence[str], name: str, values: Sequence[str] | None = None
) -> dict[str, list[str]]:
    wanted = {"codes": list(codes), "name": name, "values": None if values is None else list(values)}
    found: dict[str, list[str]] = {}
    for value, key in connection.execute(_REFUSED_WITH, {**whose(entity), **wanted}):
        found.setdefault(value, []).append(key)
    return found


def last_error(connection: Connection, entity: EntityRef, key: str) -> Mapping[str, Any] | None:
    error: Mapping[str, Any] | None = connection.execute(_LAST_ERROR, {**whose(entity), "key": key}).scalar()
    return error


def _held(changes: Sequence[Change]) -> dict[str, list[int]]:
    return {"ids": [change.id for change in changes], "attempts": [change.attempt for change in changes]}
