"""How far each entity has been polled."""

from __future__ import annotations

from sqlalchemy import Connection, text

from sagezoho_pipelines.domain.records import EntityRef, Row
from sagezoho_pipelines.ledger.sqljson import to_json, whose

_READ = text(
    "SELECT value FROM sagezoho.watermarks WHERE (connection, system, entity) = (:connection, :system, :entity)"
)

_MOVE = text("""
INSERT INTO sagezoho.watermarks AS w (connection, system, entity, value, run_id)
VALUES (:connection, :system, :entity, CAST(:value AS jsonb), :run_id)
ON CONFLICT (connection, system, entity)
DO UPDATE SET value = EXCLUDED.value, run_id = EXCLUDED.run_id, moved_at = now()
""")


def read(connection: Connection, entity: EntityRef) -> Row | None:
    value: Row | None = connection.execute(_READ, whose(entity)).scalar()
    return value


def move(connection: Connection, entity: EntityRef, value: Row, *, run_id: str) -> None:
    connection.execute(_MOVE, {**whose(entity), "value": to_json(value), "run_id": run_id})
