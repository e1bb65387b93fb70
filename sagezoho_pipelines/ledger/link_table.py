"""What people do to the mapping table: read it, bind, unbind, say who leads, and leave records alone. Set-based."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from sagezoho_pipelines.domain.errors import LinkBusy, LinkGone, LinkTaken
from sagezoho_pipelines.domain.links import LeftAlone, LinkEdits, PairKind, sides, source_of
from sagezoho_pipelines.domain.records import EntityRef, Link
from sagezoho_pipelines.ledger import audit, capture, links
from sagezoho_pipelines.ledger.models.queue import INBOX, OPEN
from sagezoho_pipelines.ledger.sqljson import clean, to_json

# Read by the queue's two partial indexes, and once: asked for each link, every version its records ever had is read.
_WAITING = text(f"""
SELECT connection, system, entity, key FROM sagezoho.changes WHERE {OPEN}
UNION SELECT connection, system, entity, key FROM sagezoho.changes WHERE {INBOX}
""")

# Not known to agree: never seen equal, or a version of either record has not been delivered since. What waits comes as
# constants, which are hashed: a join would be planned by statistics from before so many were waiting.
_UNEQUAL = """(l.seen_equal_at IS NULL
    OR l.connection || chr(10) || l.sage_entity || chr(10) || l.sage_id = ANY (CAST(:waiting_sage AS text[]))
    OR l.connection || chr(10) || CASE l.zoho_entity
            WHEN 'Accounts' THEN CASE l.sage_entity WHEN 'vendors' THEN 'vendor_accounts' ELSE 'deal_accounts' END
            WHEN 'Deals' THEN 'deals' ELSE '' END
        || chr(10) || l.zoho_id = ANY (CAST(:waiting_zoho AS text[])))"""
#: Under what other name a Sage record of a pair waits.
_SAGE_SIDE = {"customer_records": "customers"}

_ENTRIES = text(f"""
SELECT * FROM (
    SELECT l.*, {_UNEQUAL} AS unequal FROM sagezoho.links l
    WHERE (CAST(:connection AS text) IS NULL OR l.connection = :connection)
      AND (CAST(:sage_entity AS text) IS NULL OR l.sage_entity = :sage_entity)
      AND (CAST(:zoho_entity AS text) IS NULL OR l.zoho_entity = :zoho_entity)
      AND (CAST(:name AS text) IS NULL OR strpos(lower(l.sage_name || chr(10) || l.zoho_name), lower(:name)) > 0)
      AND (CAST(:made_by AS text) IS NULL OR strpos(lower(l.made_by), lower(:made_by)) = 1)
      AND (CAST(:authority AS text) IS NULL OR l.authority = :authority
           OR EXISTS (SELECT 1 FROM jsonb_each_text(l.exceptions) AS x WHERE x.value = :authority))
      AND (CAST(:ids AS text[]) IS NULL
           OR CAST(:ids AS text[]) && ARRAY[CAST(l.id AS text), 'link-' || l.id, l.sage_id, l.zoho_id])
) AS found
WHERE unequal OR NOT CAST(:unequal AS boolean)
ORDER BY connection, sage_entity, zoho_entity, sage_id
""")

_ARRAYS = """CAST(:connections AS text[]), CAST(:sage_entities AS text[]), CAST(:sage_ids AS text[]),
            CAST(:zoho_entities AS text[]), CAST(:zoho_ids AS text[])"""
_PAIRS = f"unnest({_ARRAYS}) AS p (connection, sage_entity, sage_id, zoho_entity, zoho_id)"
_SAME_PAIR = """l.connection = p.connection AND l.sage_entity = p.sage_entity AND l.sage_id = p.sage_id
    AND l.zoho_entity = p.zoho_entity AND l.zoho_id = p.zoho_id"""

# Who is bound already is found by the constraints themselves: two people who bind at once wait for one another here.
_ADD = text(f"""
INSERT INTO sagezoho.links (connection, sage_entity, sage_id, zoho_entity, zoho_id, sage_name, zoho_name, authority,
                            made_by, written, details, exceptions, agreed, linked_at, updated_at)
SELECT connection, sage_entity, sage_id, zoho_entity, zoho_id, sage_name, zoho_name, authority, made_by,
       '{{}}', CAST(details AS jsonb), CAST(exceptions AS jsonb), '{{}}', :at, :at
FROM unnest({_ARRAYS}, CAST(:sage_names AS text[]),
            CAST(:zoho_names AS text[]), CAST(:authorities AS text[]), CAST(:made_bys AS text[]),
            CAST(:detailses AS text[]), CAST(:exceptionses AS text[]))
     AS n (connection, sage_entity, sage_id, zoho_entity, zoho_id, sage_name, zoho_name, authority, made_by, details,
           exceptions)
ORDER BY connection, sage_entity, zoho_entity, sage_id
ON CONFLICT DO NOTHING
RETURNING connection, sage_entity, sage_id, zoho_entity
""")

_REMOVE = text(f"""
DELETE FROM sagezoho.links l USING {_PAIRS} WHERE {_SAME_PAIR}
RETURNING l.connection, l.sage_entity, l.sage_id, l.zoho_entity
""")

# What the Zoho record was told of its other side no longer holds: another link has to tell it anew.
_UNTELL = text(f"""
DELETE FROM sagezoho.write_backs w USING {_PAIRS}
WHERE w.connection = p.connection AND w.module = p.zoho_entity AND w.record_id = p.zoho_id
""")

_LEAD = text(f"""
UPDATE sagezoho.links l SET authority = p.authority, exceptions = CAST(p.exceptions AS jsonb), updated_at = :at
FROM unnest({_ARRAYS}, CAST(:authorities AS text[]), CAST(:exceptionses AS text[]))
     AS p (connection, sage_entity, sage_id, zoho_entity, zoho_id, authority, exceptions)
WHERE {_SAME_PAIR}
RETURNING l.connection, l.sage_entity, l.sage_id, l.zoho_entity
""")

_RECORDS = """unnest(CAST(:connections AS text[]), CAST(:systems AS text[]), CAST(:entities AS text[]),
            CAST(:keys AS text[])) AS r (connection, system, entity, key)"""

# Locked, so that no worker takes up the record before this is committed.
_OPEN = text(f"""
SELECT c.key, c.state FROM {_RECORDS} JOIN sagezoho.changes c USING (connection, system, entity, key)
WHERE c.state IN ('queued', 'claimed') ORDER BY c.id FOR UPDATE OF c
""")

_LEAVE = text("""
INSERT INTO sagezoho.left_alone AS a (connection, system, entity, key, name, who, why, at, decided)
SELECT * FROM unnest(CAST(:connections AS text[]), CAST(:systems AS text[]), CAST(:entities AS text[]),
    CAST(:keys AS text[]), CAST(:names AS text[]), CAST(:whos AS text[]), CAST(:whys AS text[]),
    CAST(:ats AS timestamptz[]), CAST(:decideds AS boolean[]))
    AS r (connection, system, entity, key, name, who, why, at, decided)
ORDER BY connection, system, entity, key
ON CONFLICT (connection, system, entity, key) DO UPDATE SET
    who = EXCLUDED.who, why = EXCLUDED.why, at = EXCLUDED.at, decided = EXCLUDED.decided
""")

_RESUME = text(f"""
DELETE FROM sagezoho.left_alone a USING {_RECORDS}
WHERE a.connection = r.connection AND a.system = r.system AND a.entity = r.entity AND a.key = r.key
""")

_LEFT_ALONE = text("""
SELECT key, name, who, why, at, decided FROM sagezoho.left_alone
WHERE connection = :connection AND system = :system AND entity = :entity
  AND (CAST(:keys AS text[]) IS NULL OR key = ANY (CAST(:keys AS text[])))
ORDER BY key
""")


@dataclass(frozen=True, slots=True)
class LinkEntry:
    """One row of the mapping table. `unequal`: the two sides are not known to agree at the moment."""

    id: int
    link: Link
    linked_at: datetime
    updated_at: datetime
    unequal: bool


def entries(
    engine: Engine,
    *,
    connection: str | None = None,
    kind: PairKind | None = None,
    name: str | None = None,
    made_by: str | None = None,
    authority: str | None = None,
    unequal: bool = False,
    ids: Sequence[str] | None = None,
) -> list[LinkEntry]:
    """The mapping table, sorted. `name` is part of either name, `made_by` how it begins, `authority` leads the link or
    one of its fields, `ids` are link numbers, as `12` or `link-12`, or ids of records."""
    values = {
        "connection": connection,
        "sage_entity": kind.sage_entity if kind else None,
        "zoho_entity": kind.zoho_entity if kind else None,
        "name": name, "made_by": made_by, "authority": authority, "unequal": unequal,
        "ids": None if ids is None else list(ids),
    }  # fmt: skip
    with engine.connect() as database:
        return [
            LinkEntry(row.id, links.link_of(row), row.linked_at, row.updated_at, row.unequal)
            for row in database.execute(_ENTRIES, {**values, **_waiting(database)})
        ]


def _waiting(connection: Connection) -> dict[str, list[str]]:
    """The records with a version that has not been delivered, by side, as `_UNEQUAL` spells them."""
    found: dict[str, list[str]] = {"waiting_sage": [], "waiting_zoho": []}
    for row in connection.execute(_WAITING):
        side = "waiting_sage" if row.system == "sage300" else "waiting_zoho"
        found[side].append("\n".join((row.connection, _SAGE_SIDE.get(row.entity, row.entity), row.key)))
    return found


def edit(connection: Connection, edits: LinkEdits, *, at: datetime) -> None:
    """Carry out an edit. Raises LinkBusy, LinkGone or LinkTaken, and then nothing may be committed."""
    touched = [*edits.add, *edits.remove]
    _refuse_busy(connection, touched)
    if edits.remove:
        _all_of(edits.remove, connection.execute(_REMOVE, _pairs(edits.remove)).all())
        connection.execute(_UNTELL, _pairs(edits.remove))
    if edits.add:
        _add(connection, edits.add, at=at)
    if edits.lead:
        _all_of(edits.lead, connection.execute(_LEAD, {**_pairs(edits.lead), **_leading(edits.lead), "at": at}).all())
    resumed = [*edits.resume, *(source for link in edits.add if (source := source_of(link)) is not None)]
    if resumed:
        connection.execute(_RESUME, _records(resumed))
    if edits.leave:
        connection.execute(_LEAVE, _leaving(edits.leave))
    capture.enqueue(connection, edits.looks, at=at, run_id="")
    audit.append(connection, edits.audit)


def left_alone(connection: Connection, entity: EntityRef, keys: Sequence[str] | None) -> dict[str, LeftAlone]:
    values = {
        "connection": entity.connection, "system": str(entity.system), "entity": entity.entity,
        "keys": None if keys is None else list(keys),
    }  # fmt: skip
    found = connection.execute(_LEFT_ALONE, values)
    return {row.key: LeftAlone(entity, row.key, row.name, row.who, row.why, row.at, row.decided) for row in found}


def _add(connection: Connection, wanted: Sequence[Link], *, at: datetime) -> None:
    values = {
        **_pairs(wanted), **_leading(wanted), "at": at,
        "sage_names": [clean(link.sage_name) for link in wanted],
        "zoho_names": [clean(link.zoho_name) for link in wanted],
        "made_bys": [link.made_by for link in wanted],
        "detailses": [to_json(link.details) for link in wanted],
    }  # fmt: skip
    added = {tuple(row) for row in connection.execute(_ADD, values)}
    for link in wanted:
        if sides(link)[0] not in added:
            raise LinkTaken(link, _holder(connection, link, wanted))


def _holder(connection: Connection, link: Link, wanted: Sequence[Link]) -> Link:
    """What stands in the way of a link: a row of the table, or another of those that were asked for."""
    pair = (connection, link.connection)
    by_sage = links.by_sage(*pair, link.sage_entity, link.zoho_entity, [link.sage_id])
    by_zoho = links.by_zoho(*pair, link.zoho_entity, link.sage_entity, [link.zoho_id])
    held = by_sage.get(link.sage_id) or by_zoho.get(link.zoho_id)
    if held is None:
        others = [one for one in wanted if one is not link]
        held = next(one for one in others if sides(one)[0] == sides(link)[0] or one.zoho_id == link.zoho_id)
    return held


def _refuse_busy(connection: Connection, touched: Sequence[Link]) -> None:
    """A worker that delivers one of the records right now would settle on the pairing it has read."""
    records = [(source, link) for link in touched if (source := source_of(link)) is not None]
    if not records:
        return
    states = connection.execute(_OPEN, _records([source for source, _ in records])).all()
    claimed = {row.key for row in states if row.state == "claimed"}
    for (_, key), link in records:
        if key in claimed:
            raise LinkBusy(link)


def _all_of(wanted: Sequence[Link], done: Sequence[Any]) -> None:
    found = {tuple(row) for row in done}
    for link in wanted:
        if sides(link)[0] not in found:
            raise LinkGone(link)


def _pairs(chosen: Sequence[Link]) -> dict[str, list[str]]:
    return {
        "connections": [link.connection for link in chosen],
        "sage_entities": [link.sage_entity for link in chosen],
        "sage_ids": [link.sage_id for link in chosen],
        "zoho_entities": [link.zoho_entity for link in chosen],
        "zoho_ids": [link.zoho_id for link in chosen],
    }


def _leading(chosen: Sequence[Link]) -> dict[str, list[str]]:
    return {
        "authorities": [str(link.authority) for link in chosen],
        "exceptionses": [to_json(link.exceptions) for link in chosen],
    }


def _records(chosen: Sequence[tuple[EntityRef, str]]) -> dict[str, list[str]]:
    return {
        "connections": [entity.connection for entity, _ in chosen],
        "systems": [str(entity.system) for entity, _ in chosen],
        "entities": [entity.entity for entity, _ in chosen],
        "keys": [key for _, key in chosen],
    }


def _leaving(chosen: Sequence[LeftAlone]) -> Mapping[str, list[Any]]:
    return {
        **_records([(one.entity, one.key) for one in chosen]),
        "names": [clean(one.name) for one in chosen],
        "whos": [one.who for one in chosen],
        "whys": [clean(one.why) for one in chosen],
        "ats": [one.at for one in chosen],
        "decideds": [one.decided for one in chosen],
    }
