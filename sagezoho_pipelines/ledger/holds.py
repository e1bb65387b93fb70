"""Flows that wait for a person, and the weight of what waits. Nothing of a held entity is due: see `due.py`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from sagezoho_pipelines.domain.holds import Hold, Weight
from sagezoho_pipelines.domain.records import EntityRef, System
from sagezoho_pipelines.ledger.sqljson import whose

_HOLD = text("""
INSERT INTO sagezoho.holds AS h (connection, system, entity, flow, code, text, advice, since)
VALUES (:connection, :system, :entity, :flow, :code, :text, :advice, :since)
ON CONFLICT (connection, system, entity) DO UPDATE SET
    since = CASE WHEN h.code = EXCLUDED.code THEN h.since ELSE EXCLUDED.since END,
    flow = EXCLUDED.flow, code = EXCLUDED.code, text = EXCLUDED.text, advice = EXCLUDED.advice
""")

_HOLDS = text("""
SELECT connection, system, entity, flow, code, text, advice, since FROM sagezoho.holds
WHERE CAST(:connection AS text) IS NULL OR connection = :connection ORDER BY connection, flow, system, entity
""")

_LET_GO = text("DELETE FROM sagezoho.holds WHERE (connection, system, entity) = (:connection, :system, :entity)")

_WEIGH = """
SELECT count(*) FILTER (WHERE l.id IS NULL AND r.deleted_at IS NULL) AS creates,
       count(*) FILTER (WHERE l.id IS NOT NULL AND r.deleted_at IS NULL) AS updates,
       count(*) FILTER (WHERE l.id IS NOT NULL AND r.deleted_at IS NOT NULL) AS deletes,
       (SELECT count(*) FROM sagezoho.links
        WHERE connection = :connection AND sage_entity = :sage_entity AND zoho_entity = :zoho_entity) AS linked
FROM sagezoho.changes c
LEFT JOIN sagezoho.links l ON l.connection = c.connection AND l.sage_entity = :sage_entity
    AND l.zoho_entity = :zoho_entity AND l.{side} = c.key
LEFT JOIN sagezoho.records r
    ON r.connection = c.connection AND r.system = c.system AND r.entity = c.entity AND r.key = c.key
WHERE c.connection = :connection AND c.system = :system AND c.entity = :entity
  AND c.state IN ('queued', 'claimed')
  AND CASE c.state WHEN 'claimed' THEN c.lease_until ELSE c.next_attempt_at END <= :at
"""
_WEIGH_FROM = {
    System.SAGE300: text(_WEIGH.format(side="sage_id")),
    System.ZOHO_CRM: text(_WEIGH.format(side="zoho_id")),
}

_MADE = text("""
SELECT EXISTS (SELECT 1 FROM sagezoho.links WHERE connection = :connection AND sage_entity = :sage_entity
               AND zoho_entity = :zoho_entity AND made_by = 'created')
""")


def hold(connection: Connection, one: Hold) -> None:
    values = {"flow": one.flow, "code": one.code, "text": one.text, "advice": one.advice, "since": one.since}
    connection.execute(_HOLD, {**whose(one.entity), **values})


def holds(connection: Connection, name: str | None) -> list[Hold]:
    return [
        Hold(
            EntityRef(row.connection, System(row.system), row.entity),
            row.flow,
            row.code,
            row.text,
            row.advice,
            row.since,
        )
        for row in connection.execute(_HOLDS, {"connection": name})
    ]


def let_go(connection: Connection, entity: EntityRef) -> None:
    connection.execute(_LET_GO, whose(entity))


def weigh(connection: Connection, entity: EntityRef, sage_entity: str, zoho_entity: str, *, at: datetime) -> Weight:
    values = {**whose(entity), "sage_entity": sage_entity, "zoho_entity": zoho_entity, "at": at}
    row = connection.execute(_WEIGH_FROM[entity.system], values).one()
    return Weight(row.creates, row.updates, row.deletes, row.linked)


def has_made(connection: Connection, name: str, sage_entity: str, zoho_entity: str) -> bool:
    """Whether a sync of ours has ever created a record of this pair."""
    values = {"connection": name, "sage_entity": sage_entity, "zoho_entity": zoho_entity}
    return bool(connection.execute(_MADE, values).scalar_one())
