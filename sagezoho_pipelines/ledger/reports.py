"""What the command, the checks and the Dagster pages read: audit, links, open changes. Nothing here writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from sagezoho_pipelines.domain.records import AuditEntry, Link
from sagezoho_pipelines.ledger import audit, links, transformations

#: Links read at once, movements of a run that are shown, and changes that are listed at the most.
_PAGE, _MOST = 100, 1000

_AUDIT = """
SELECT connection, seq, at, actor, flow, direction, source_system, source_entity, source_id, target_system,
       target_entity, target_id, operation, outcome, fields, answer, cause, run_id, change_id, hash
FROM sagezoho.audit
WHERE (CAST(:connection AS text) IS NULL OR connection = :connection)
  AND (CAST(:record AS text) IS NULL OR source_id IN (:record, upper(:record))
       OR target_id IN (:record, upper(:record)))
  AND (CAST(:run_id AS text) IS NULL OR run_id = :run_id
       OR (length(CAST(:run_id AS text)) = 8 AND left(run_id, 8) = :run_id))
  AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
  AND (CAST(:operations AS text[]) IS NULL OR operation = ANY (CAST(:operations AS text[])))
"""

_CHANGES = """
SELECT id, connection, system, entity, key, name, state, cause, attempts, error, captured_at, settled_at, run_id
FROM sagezoho.changes
"""

# Open for longer than any retry should take: waiting, held by a worker, or held by one that is gone.
_STUCK = text(f"""{_CHANGES}
WHERE state IN ('queued', 'claimed') AND captured_at < :before
  AND (CAST(:connection AS text) IS NULL OR connection = :connection)
  AND (CAST(:entity AS text) IS NULL OR entity = :entity)
  AND (CAST(:run_ids AS text[]) IS NULL OR run_id = ANY (CAST(:run_ids AS text[])))
ORDER BY id LIMIT :limit
""")

_RETRYING = text(f"""{_CHANGES}
WHERE state = 'queued' AND attempts > 0 AND connection = :connection AND entity = ANY(:entities)
ORDER BY id LIMIT :limit
""")

# Others each turn, and the same for whoever asks again in that turn.
_LINK_SAMPLE = text(f"""
SELECT {links.COLUMNS}, updated_at, count(*) OVER () AS total
FROM sagezoho.links
WHERE connection = :connection AND sage_entity = :sage_entity AND zoho_entity = :zoho_entity
ORDER BY md5(:turn || sage_id || zoho_id) LIMIT :limit
""")

_LINK_PAGE = text(f"""
SELECT id, {links.COLUMNS}, updated_at
FROM sagezoho.links
WHERE connection = :connection AND sage_entity = :sage_entity AND zoho_entity = :zoho_entity AND id > :after
ORDER BY id LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An audit entry at its place in the chain."""

    seq: int
    hash: str
    entry: AuditEntry


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One change as it is listed. `error` is the vendor's answer with our advice."""

    id: int
    connection: str
    system: str
    entity: str
    key: str
    name: str
    state: str
    cause: str
    attempts: int
    error: Mapping[str, Any] | None
    captured_at: datetime
    settled_at: datetime | None
    run_id: str


def audit_entries(
    engine: Engine,
    *,
    connection: str | None = None,
    record_id: str | None = None,
    since: datetime | None = None,
    run_id: str | None = None,
    operations: Sequence[str] | None = None,
    limit: int | None = None,
) -> Iterator[AuditLine]:
    """Stream the audit in order, whatever its size; `record_id` is a source's or a target's, `run_id` may be the first
    eight signs, as runs are shown."""
    query = text(f"{_AUDIT} ORDER BY connection, seq {'LIMIT :limit' if limit is not None else ''}")
    values: dict[str, Any] = {"connection": connection, "record": record_id, "since": since, "run_id": run_id}
    values["operations"] = list(operations) if operations is not None else None
    if limit is not None:
        values["limit"] = limit
    with engine.connect() as database:
        rules = transformations.known(database)
        for row in database.execute(query, values, execution_options={"yield_per": 500}):
            yield _audit_line(row, rules)


def link_sample(
    engine: Engine, *, connection: str, sage_entity: str, zoho_entity: str, turn: str, limit: int
) -> tuple[int, list[Link]]:
    """How many links of a kind there are, and some of them: others each `turn`."""
    values = {"connection": connection, "sage_entity": sage_entity, "zoho_entity": zoho_entity}
    with engine.connect() as database:
        rows = database.execute(_LINK_SAMPLE, {**values, "turn": turn, "limit": limit}).all()
    return (rows[0].total if rows else 0), [links.link_of(row) for row in rows]


def link_pages(engine: Engine, *, connection: str, sage_entity: str, zoho_entity: str) -> Iterator[list[Link]]:
    """All links of a kind, page by page; no transaction stays open in between."""
    values = {"connection": connection, "sage_entity": sage_entity, "zoho_entity": zoho_entity, "limit": _PAGE}
    after = 0
    while True:
        with engine.connect() as database:
            rows = database.execute(_LINK_PAGE, {**values, "after": after}).all()
        if not rows:
            return
        yield [links.link_of(row) for row in rows]
        after = rows[-1].id


def run_entries(engine: Engine, run_id: str) -> list[AuditLine]:
    """The first movements of one run, e.g. for its sample table."""
    return list(audit_entries(engine, run_id=run_id, limit=_PAGE))


def verify_chain(engine: Engine, connection: str) -> int | None:
    """The number of the first audit line that was altered, removed or added; None when the chain is whole."""
    with engine.connect() as database:
        return audit.first_broken(database, connection)


def audited_connections(engine: Engine) -> list[str]:
    with engine.connect() as database:
        return audit.chains(database)


def audit_head(engine: Engine, connection: str) -> tuple[int, str]:
    """How many lines a connection's audit has, and the hash of the last: noted elsewhere, it tells any other audit."""
    with engine.connect() as database:
        return audit.head(database, connection)


def stuck(
    engine: Engine,
    *,
    captured_before: datetime,
    connection: str | None = None,
    entity: str | None = None,
    run_ids: Collection[str] | None = None,
    limit: int = _MOST,
) -> list[ChangeLine]:
    """Changes still open that were captured before then, oldest first."""
    values = {
        "before": captured_before, "connection": connection, "entity": entity, "limit": limit,
        "run_ids": None if run_ids is None else sorted(run_ids),
    }  # fmt: skip
    with engine.connect() as database:
        return [ChangeLine(**row) for row in database.execute(_STUCK, values).mappings()]


def retrying(engine: Engine, connection: str, entities: Collection[str]) -> list[ChangeLine]:
    """Changes of these source entities that were tried, and wait for their next attempt; oldest first."""
    values = {"connection": connection, "entities": sorted(entities), "limit": _MOST}
    with engine.connect() as database:
        return [ChangeLine(**row) for row in database.execute(_RETRYING, values).mappings()]


def _audit_line(row: Any, rules: Mapping[str, transformations.Transformation]) -> AuditLine:
    known = {name: getattr(row, name) for name in AuditEntry.__slots__ if name != "fields"}
    fields = tuple(transformations.expanded(row.fields, rules))
    return AuditLine(row.seq, row.hash, AuditEntry(**known, fields=fields))
