"""Everything known about one record, in order: found by any of its ids, on either side, or by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from sagezoho_pipelines.ledger import transformations

#: The detail by which an invoice's link points at its order.
ORDER = "order"
_NAMED_AT_MOST = 200
#: What the changes of a linked record are captured under, where that is another name than its link's.
_CAPTURED_AS = {
    ("zoho_crm", "Deals"): ("deals",),
    ("zoho_crm", "Accounts"): ("deal_accounts", "vendor_accounts"),
    ("sage300", "customers"): ("customer_records",),
}


@dataclass(frozen=True, slots=True)
class Node:
    """One record of one system."""

    connection: str
    system: str
    entity: str
    key: str

    def __str__(self) -> str:
        return f"{self.system} {self.entity} {self.key}"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a record. `kind` is seen, deleted, captured, waiting, settled,
    linked, intent or audit."""

    at: datetime
    kind: str
    record: Node
    summary: str
    other: Node | None = None
    run_id: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Named:
    """A record that bears a name, with the one it is linked to."""

    name: str
    record: Node
    other: Node | None = None


_FIND = text("""
SELECT connection, system, entity, key FROM sagezoho.records WHERE key = :id
UNION SELECT connection, system, entity, key FROM sagezoho.changes WHERE key = :id
UNION SELECT connection, source_system, source_entity, source_id FROM sagezoho.audit
      WHERE source_id = :id OR target_id = :id
UNION SELECT connection, target_system, target_entity, target_id FROM sagezoho.audit WHERE target_id = :id
UNION SELECT connection, CASE target_system WHEN 'sage300' THEN 'zoho_crm' ELSE 'sage300' END, source_entity, source_key
      FROM sagezoho.intents WHERE business_key = :id OR source_key = :id OR target_id = :id
UNION SELECT l.connection, s.system, s.entity, s.key FROM sagezoho.links l, LATERAL (VALUES
          ('sage300', l.sage_entity, l.sage_id), ('zoho_crm', l.zoho_entity, l.zoho_id)) AS s (system, entity, key)
      WHERE l.sage_id = :id OR l.zoho_id = :id
         OR EXISTS (SELECT 1 FROM jsonb_each_text(l.details) AS d WHERE d.value = :id)
""")

# The few that are told are picked before their links are looked up: a short word is part of very many names.
_NAMED = text("""
WITH names AS (
    SELECT connection, system, entity, key, name FROM sagezoho.records
    UNION SELECT l.connection, s.system, s.entity, s.key, s.name FROM sagezoho.links l, LATERAL (VALUES
        ('sage300', l.sage_entity, l.sage_id, l.sage_name),
        ('zoho_crm', l.zoho_entity, l.zoho_id, l.zoho_name)) AS s (system, entity, key, name)
), named AS (
    SELECT connection, system, entity, key, name FROM names
    WHERE strpos(lower(name), lower(:words)) > 0 AND (CAST(:connection AS text) IS NULL OR connection = :connection)
    ORDER BY name, connection, system, entity, key LIMIT :limit
)
SELECT n.connection, n.system, n.entity, n.key, n.name, l.sage_entity, l.sage_id, l.zoho_entity, l.zoho_id
FROM named n LEFT JOIN sagezoho.links l ON l.connection = n.connection AND (
    (n.system = 'sage300' AND l.sage_id = n.key) OR (n.system = 'zoho_crm' AND l.zoho_id = n.key))
ORDER BY n.name, n.connection, n.system, n.entity, n.key, l.id
""")

_NODES = """unnest(CAST(:connections AS text[]), CAST(:systems AS text[]), CAST(:entities AS text[]),
            CAST(:keys AS text[])) AS n (connection, system, entity, key)"""

# Linked records, and those of the same order: the invoices of an order, the order of an invoice.
_AROUND = text(f"""
WITH mine AS (
    SELECT DISTINCT l.* FROM {_NODES} JOIN sagezoho.links l ON l.connection = n.connection AND (
        (n.system = 'sage300' AND l.sage_entity = n.entity AND l.sage_id = n.key)
     OR (n.system = 'zoho_crm' AND l.zoho_entity = n.entity AND l.zoho_id = n.key))
), numbers AS (
    SELECT connection, details ->> '{ORDER}' AS number FROM mine WHERE details ? '{ORDER}'
    UNION SELECT connection, sage_id FROM mine WHERE sage_entity = 'orders'
), near AS (
    SELECT * FROM mine
    UNION SELECT l.* FROM numbers JOIN sagezoho.links l
        ON l.connection = numbers.connection AND l.details ->> '{ORDER}' = numbers.number
    UNION SELECT l.* FROM numbers JOIN sagezoho.links l
        ON l.connection = numbers.connection AND l.sage_entity = 'orders' AND l.sage_id = numbers.number
)
SELECT near.connection, s.system, s.entity, s.key FROM near, LATERAL (VALUES
    ('sage300', near.sage_entity, near.sage_id),
    ('zoho_crm', near.zoho_entity, near.zoho_id)) AS s (system, entity, key)
""")

_RECORDS = text(f"SELECT r.* FROM {_NODES} JOIN sagezoho.records r USING (connection, system, entity, key)")

_CHANGES = text(f"""
SELECT c.id, c.connection, c.system, c.entity, c.key, c.name, c.cause, c.reason, c.state, c.outcome, c.attempts,
       c.error, c.captured_at, c.settled_at, c.next_attempt_at, c.captured_run_id, c.run_id
FROM {_NODES} JOIN sagezoho.changes c USING (connection, system, entity, key) ORDER BY c.id
""")

_LINKS = text(f"""
SELECT DISTINCT l.* FROM {_NODES} JOIN sagezoho.links l ON l.connection = n.connection AND (
    (n.system = 'sage300' AND l.sage_entity = n.entity AND l.sage_id = n.key)
 OR (n.system = 'zoho_crm' AND l.zoho_entity = n.entity AND l.zoho_id = n.key)) ORDER BY l.id
""")

_INTENTS = text(f"""
SELECT i.*, n.system AS source_system FROM {_NODES} JOIN sagezoho.intents i
  ON i.connection = n.connection AND i.source_entity = n.entity AND i.source_key = n.key
 AND i.target_system <> n.system ORDER BY i.id
""")

_AUDIT = text(f"""
SELECT DISTINCT ON (a.connection, a.seq) a.connection, a.seq, a.at, a.actor, a.flow, a.source_system, a.source_entity,
       a.source_id, a.target_system, a.target_entity, a.target_id, a.operation, a.outcome, a.fields, a.answer, a.cause,
       a.run_id, a.change_id
FROM {_NODES} JOIN sagezoho.audit a ON a.connection = n.connection AND (
    (a.source_id = n.key AND a.source_entity = n.entity AND a.source_system = n.system)
 OR (a.target_id = n.key AND a.target_entity = n.entity AND a.target_system = n.system))
ORDER BY a.connection, a.seq
""")


def explain(engine: Engine, record_id: str, *, connection: str | None = None) -> list[Event]:
    """What happened to the record of that id, and to those linked to it, in time order; empty when nothing is known.

    The id may be a Sage number, an order or invoice number, a Zoho id, or any other id kept with a link. Sage writes
    its numbers in upper case; here they may be in lower case.
    """
    with engine.connect() as database:
        found = _found(database, record_id, connection) or _found(database, record_id.upper(), connection)
        if not found:
            return []
        found |= {Node(*row) for row in database.execute(_AROUND, _arrays(found))}
        found |= {replace(one, entity=name) for one in found for name in _CAPTURED_AS.get((one.system, one.entity), ())}
        nodes = _arrays(found)
        events = [*_seen(database, nodes), *_changes(database, nodes), *_links(database, nodes)]
        events += [*_intents(database, nodes), *_movements(database, nodes)]
    return sorted(events, key=lambda event: event.at)


def named(engine: Engine, words: str, *, connection: str | None = None) -> list[Named]:
    """Records whose name holds these words, in upper or lower case: each once, with the one it is linked to, by name.

    Of records that share an id, a vendor and its contact, the first stands for all: `explain` tells them together.
    """
    found: list[Named] = []
    told: set[tuple[str, str]] = set()
    with engine.connect() as database:
        for row in database.execute(_NAMED, {"words": words, "connection": connection, "limit": _NAMED_AT_MOST}):
            record, other = Node(row.connection, row.system, row.entity, row.key), None
            if row.sage_id is not None:
                record = Node(row.connection, "sage300", row.sage_entity, row.sage_id)
                other = Node(row.connection, "zoho_crm", row.zoho_entity, row.zoho_id)
            ids = {(node.connection, node.key) for node in (record, other) if node is not None}
            if told.isdisjoint(ids):
                found.append(Named(row.name, record, other))
            told |= ids
    return found


def _found(database: Connection, record_id: str, connection: str | None) -> set[Node]:
    found = {Node(*row) for row in database.execute(_FIND, {"id": record_id})}
    return {node for node in found if node.key and connection in (None, node.connection)}


def _seen(database: Connection, nodes: dict[str, list[str]]) -> Iterable[Event]:
    for row in database.execute(_RECORDS, nodes):
        node = Node(row.connection, row.system, row.entity, row.key)
        yield Event(row.first_seen_at, "seen", node, f"first seen{f': {row.name}' if row.name else ''}")
        if row.deleted_at is not None:
            yield Event(row.deleted_at, "deleted", node, "no longer in the source")


def _changes(database: Connection, nodes: dict[str, list[str]]) -> Iterable[Event]:
    for row in database.execute(_CHANGES, nodes):
        node = Node(row.connection, row.system, row.entity, row.key)
        why = f" ({row.reason})" if row.reason else ""
        facts = {"change_id": row.id, "cause": row.cause}
        yield Event(
            row.captured_at, "captured", node, f"captured by {row.cause}{why}", None, row.captured_run_id, facts
        )
        if row.state == "queued" and row.attempts:
            due = f"{row.next_attempt_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
            waits = f"{row.outcome or 'released'}: attempt {row.attempts + 1} is due at {due}"
            yield Event(row.captured_at, "waiting", node, waits, None, row.run_id, facts | {"error": row.error})
        if row.settled_at is not None:
            outcome = row.state if row.outcome in (None, row.state) else f"{row.state}, {row.outcome}"
            yield Event(row.settled_at, "settled", node, outcome, None, row.run_id, facts | {"error": row.error})


def _links(database: Connection, nodes: dict[str, list[str]]) -> Iterable[Event]:
    for row in database.execute(_LINKS, nodes):
        sage = Node(row.connection, "sage300", row.sage_entity, row.sage_id)
        zoho = Node(row.connection, "zoho_crm", row.zoho_entity, row.zoho_id)
        facts = {"details": row.details, "authority": row.authority, "updated_at": row.updated_at}
        yield Event(row.linked_at, "linked", sage, f"linked to {zoho} ({row.made_by})", zoho, "", facts)


def _intents(database: Connection, nodes: dict[str, list[str]]) -> Iterable[Event]:
    for row in database.execute(_INTENTS, nodes):
        node = Node(row.connection, row.source_system, row.source_entity, row.source_key)
        target = Node(row.connection, row.target_system, row.target_entity, row.target_id or row.business_key)
        what = f"create of {row.target_entity} {row.business_key} in {row.target_system}"
        yield Event(row.opened_at, "intent", node, f"{what} announced", target, row.run_id)
        if row.closed_at is not None:
            yield Event(row.closed_at, "intent", node, f"{what} {row.state}", target, row.run_id)


def _movements(database: Connection, nodes: dict[str, list[str]]) -> Iterable[Event]:
    rules = transformations.known(database)
    for row in database.execute(_AUDIT, nodes):
        fields = [field._asdict() for field in transformations.expanded(row.fields, rules)]
        source = Node(row.connection, row.source_system, row.source_entity, row.source_id)
        target = Node(row.connection, row.target_system, row.target_entity, row.target_id)
        facts = {"seq": row.seq, "actor": row.actor, "fields": fields, "answer": row.answer, "flow": row.flow}
        summary = f"{row.operation} {target}: {row.outcome}"
        yield Event(row.at, "audit", source, summary, target, row.run_id, facts)


def _arrays(nodes: Iterable[Node]) -> dict[str, list[str]]:
    ordered = sorted(nodes, key=lambda node: (node.connection, node.system, node.entity, node.key))
    return {
        "connections": [node.connection for node in ordered],
        "systems": [node.system for node in ordered],
        "entities": [node.entity for node in ordered],
        "keys": [node.key for node in ordered],
    }
