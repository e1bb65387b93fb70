"""The mapping table: which Sage record and which Zoho record are the same thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, TextClause, text

from sagezoho_pipelines.domain.digest import equal
from sagezoho_pipelines.domain.errors import LinkTaken
from sagezoho_pipelines.domain.links import sides
from sagezoho_pipelines.domain.records import Authority, GivesWay, Link, System
from sagezoho_pipelines.ledger.sqljson import rows, to_json

#: What a link is read by, together with `updated_at`: see `link_of`.
COLUMNS = """connection, sage_entity, sage_id, zoho_entity, zoho_id, sage_name, zoho_name, authority, made_by,
       source_digest, written, target_time, details, exceptions, agreed, seen_equal_at, unsettled"""

_BY_SAGE = text(f"""
SELECT {COLUMNS}, updated_at FROM sagezoho.links
WHERE connection = :connection AND sage_entity = :sage_entity AND zoho_entity = :zoho_entity
  AND sage_id = ANY (CAST(:ids AS text[]))
""")

_BY_ZOHO = text(f"""
SELECT {COLUMNS}, updated_at FROM sagezoho.links
WHERE connection = :connection AND sage_entity = :sage_entity AND zoho_entity = :zoho_entity
  AND zoho_id = ANY (CAST(:ids AS text[]))
""")

_KINDS = {"target_time": "timestamptz", "seen_equal_at": "timestamptz"} | dict.fromkeys(
    ("written", "details", "exceptions", "agreed", "unsettled"), "jsonb"
)
_INPUT = rows({name: _KINDS.get(name, "text") for name in COLUMNS.replace(",", " ").split()})


def _bind(constraint: str, *, overwrite: bool) -> TextClause:
    """Insert links whose source side is `constraint`; a source record keeps one link, pointed anew if need be.

    Who leads stays as it is: a person may have decided that while this delivery was under way.
    """
    action = """UPDATE SET
    sage_id = EXCLUDED.sage_id, zoho_id = EXCLUDED.zoho_id, made_by = CASE
        WHEN k.sage_id = EXCLUDED.sage_id AND k.zoho_id = EXCLUDED.zoho_id THEN k.made_by ELSE EXCLUDED.made_by END,
    sage_name = CASE WHEN EXCLUDED.sage_name = '' THEN k.sage_name ELSE EXCLUDED.sage_name END,
    zoho_name = CASE WHEN EXCLUDED.zoho_name = '' THEN k.zoho_name ELSE EXCLUDED.zoho_name END,
    source_digest = EXCLUDED.source_digest, written = EXCLUDED.written, target_time = EXCLUDED.target_time,
    details = EXCLUDED.details, agreed = EXCLUDED.agreed, unsettled = EXCLUDED.unsettled,
    seen_equal_at = coalesce(EXCLUDED.seen_equal_at, k.seen_equal_at), updated_at = EXCLUDED.updated_at"""
    return text(f"""
INSERT INTO sagezoho.links AS k ({COLUMNS}, linked_at, updated_at)
SELECT {COLUMNS}, :at, :at FROM {_INPUT}
ORDER BY connection, sage_entity, zoho_entity, sage_id
ON CONFLICT {f"ON CONSTRAINT {constraint}" if overwrite else ""} DO {action if overwrite else "NOTHING"}
""")


_BIND = {
    System.SAGE300: _bind("links_sage_side", overwrite=True),
    System.ZOHO_CRM: _bind("links_zoho_side", overwrite=True),
}
_BIND_IF_ABSENT = _bind("", overwrite=False)

_BY_NAME = text(f"""
SELECT {COLUMNS}, updated_at FROM sagezoho.links
WHERE connection = :connection AND sage_entity = :sage_entity AND zoho_entity = :zoho_entity
  AND sage_name = ANY (CAST(:names AS text[])) AND (seen_equal_at IS NULL OR seen_equal_at < :before)
ORDER BY id
""")

_SIDE = ("connection", "sage_entity", "sage_id", "zoho_entity")

_END = text(f"""
DELETE FROM sagezoho.links k USING {rows(dict.fromkeys((*_SIDE, "zoho_id"), "text"))}
WHERE k.connection = r.connection AND k.sage_entity = r.sage_entity AND k.sage_id = r.sage_id
  AND k.zoho_entity = r.zoho_entity AND k.zoho_id = r.zoho_id
""")

_HOLD = text(f"""
SELECT k.connection, k.sage_entity, k.sage_id, k.zoho_entity, k.written, k.unsettled, k.updated_at
FROM sagezoho.links k
JOIN {rows(dict.fromkeys(_SIDE, "text"))}
  ON k.connection = r.connection AND k.sage_entity = r.sage_entity AND k.sage_id = r.sage_id
     AND k.zoho_entity = r.zoho_entity
ORDER BY k.id FOR UPDATE OF k
""")

_UNSETTLE = text("""
UPDATE sagezoho.links k
SET unsettled = (SELECT coalesce(jsonb_agg(DISTINCT name), '[]')
                 FROM jsonb_array_elements_text(k.unsettled || CAST(u.names AS jsonb)) AS n (name))
FROM unnest(CAST(:connections AS text[]), CAST(:sage_entities AS text[]), CAST(:sage_ids AS text[]),
            CAST(:zoho_entities AS text[]), CAST(:names AS text[]))
     AS u (connection, sage_entity, sage_id, zoho_entity, names)
WHERE k.connection = u.connection AND k.sage_entity = u.sage_entity AND k.sage_id = u.sage_id
  AND k.zoho_entity = u.zoho_entity
""")

_GIVE_WAY = text(f"""
UPDATE sagezoho.links k
SET details = jsonb_set(k.details, '{{giving_way}}', coalesce(k.details -> 'giving_way', '[]') || r.noted)
FROM {rows({**dict.fromkeys(_SIDE, "text"), "noted": "jsonb"})}
WHERE k.connection = r.connection AND k.sage_entity = r.sage_entity AND k.sage_id = r.sage_id
  AND k.zoho_entity = r.zoho_entity
""")


def by_sage(
    connection: Connection, name: str, sage_entity: str, zoho_entity: str, ids: Iterable[str]
) -> dict[str, Link]:
    values = {"connection": name, "sage_entity": sage_entity, "zoho_entity": zoho_entity, "ids": list(ids)}
    return {link.sage_id: link for link in map(link_of, connection.execute(_BY_SAGE, values))}


def by_zoho(
    connection: Connection, name: str, zoho_entity: str, sage_entity: str, ids: Iterable[str]
) -> dict[str, Link]:
    values = {"connection": name, "sage_entity": sage_entity, "zoho_entity": zoho_entity, "ids": list(ids)}
    return {link.zoho_id: link for link in map(link_of, connection.execute(_BY_ZOHO, values))}


def by_name(
    connection: Connection, name: str, sage_entity: str, zoho_entity: str, names: Sequence[str], *, before: datetime
) -> list[Link]:
    values: dict[str, Any] = {"connection": name, "sage_entity": sage_entity, "zoho_entity": zoho_entity}
    values |= {"names": list(names), "before": before}
    return [link_of(row) for row in connection.execute(_BY_NAME, values)] if names else []


def end(connection: Connection, links: Sequence[Link]) -> None:
    """Remove links whose record goes by another id now."""
    if links:
        ended = [{name: getattr(link, name) for name in (*_SIDE, "zoho_id")} for link in links]
        connection.execute(_END, {"rows": to_json(ended)})


def bind(connection: Connection, links: Iterable[Link], *, source: System, at: datetime) -> list[tuple[Link, set[str]]]:
    """Write links found or made while delivering records of `source`; returns those that another delivery had settled
    since they were read, each with the fields of which nobody knows whose write came last.

    The source record may be pointed at another target than before (the old one is gone); a target record that
    belongs to another source record raises LinkTaken, and nothing is written.
    """
    wanted = _distinct(links, source)
    if not wanted:
        return []
    _refuse_held(connection, wanted, source)
    overtaken = _overtaken(connection, [link for link in wanted if link.read_at is not None])
    connection.execute(_BIND[source], {"rows": to_json(list(map(_values, wanted))), "at": at})
    unsettle(connection, overtaken)
    return overtaken


def _overtaken(connection: Connection, links: Sequence[Link]) -> list[tuple[Link, set[str]]]:
    """Links that are no longer as they were read, and what would be forgotten of them. Holds them all till the end."""
    if not links:
        return []
    asked = to_json([{name: getattr(link, name) for name in _SIDE} for link in links])
    found = []
    now = {
        (row.connection, row.sage_entity, row.sage_id, row.zoho_entity): row
        for row in connection.execute(_HOLD, {"rows": asked})
    }
    for link in links:
        row = now.get((link.connection, link.sage_entity, link.sage_id, link.zoho_entity))
        if row is None or row.updated_at == link.read_at:
            continue
        names = {
            name for name in {**row.written, **link.written} if not equal(row.written.get(name), link.written.get(name))
        }
        if names or row.unsettled:
            found.append((link, names | set(row.unsettled)))
    return found


def _refuse_held(connection: Connection, wanted: Sequence[Link], source: System) -> None:
    """Raise LinkTaken for a target that another source record holds.

    Asked by kind of pair with plain key lists: a join with the batch leaves the planner free to read the whole table
    while its statistics are behind, as they are on a first sync.
    """
    by_target = {_target(link, source): link for link in wanted}
    kinds = sorted({(link.connection, link.sage_entity, link.zoho_entity) for link in wanted})
    for name, sage_entity, zoho_entity in kinds:
        pair = [
            link
            for link in wanted
            if (link.connection, link.sage_entity, link.zoho_entity) == (name, sage_entity, zoho_entity)
        ]
        if source is System.SAGE300:
            present = by_zoho(connection, name, zoho_entity, sage_entity, [link.zoho_id for link in pair])
        else:
            present = by_sage(connection, name, sage_entity, zoho_entity, [link.sage_id for link in pair])
        for held in present.values():
            asked = by_target[_target(held, source)]
            if _source(asked, source) != _source(held, source):
                raise LinkTaken(asked, held)


def bind_if_absent(connection: Connection, links: Sequence[Link], *, at: datetime) -> None:
    """Keep what a worker found whose lease had run out: it is a fact, but newer facts go first."""
    if links:
        connection.execute(_BIND_IF_ABSENT, {"rows": to_json(list(map(_values, links))), "at": at})


def unsettle(connection: Connection, sent: Iterable[tuple[Link, Iterable[str]]]) -> None:
    """Note which fields are about to be written: until that is settled, nobody knows what the target holds there."""
    chosen = sorted(((link, sorted(names)) for link, names in sent), key=lambda one: sides(one[0])[0])
    if chosen:
        values = {
            "connections": [link.connection for link, _ in chosen],
            "sage_entities": [link.sage_entity for link, _ in chosen],
            "sage_ids": [link.sage_id for link, _ in chosen],
            "zoho_entities": [link.zoho_entity for link, _ in chosen],
            "names": [to_json(names) for _, names in chosen],
        }
        connection.execute(_UNSETTLE, values)


def give_way(connection: Connection, noted: Iterable[tuple[Link, Sequence[GivesWay]]]) -> None:
    """Note what is about to be overridden, beside what earlier attempts have left; a settled link forgets it."""
    by_side: dict[tuple[str, ...], list[GivesWay]] = {}
    for link, values in noted:
        by_side.setdefault(sides(link)[0], []).extend(values)
    if by_side:
        lines = [{**dict(zip(_SIDE, side, strict=True)), "noted": by_side[side]} for side in sorted(by_side)]
        connection.execute(_GIVE_WAY, {"rows": to_json(lines)})


def link_of(row: Any) -> Link:
    return Link(
        connection=row.connection,
        sage_entity=row.sage_entity,
        sage_id=row.sage_id,
        zoho_entity=row.zoho_entity,
        zoho_id=row.zoho_id,
        sage_name=row.sage_name,
        zoho_name=row.zoho_name,
        authority=Authority(row.authority),
        made_by=row.made_by,
        source_digest=row.source_digest,
        written=row.written,
        target_time=row.target_time,
        details=row.details,
        exceptions=row.exceptions,
        agreed=row.agreed,
        seen_equal_at=row.seen_equal_at,
        unsettled=tuple(row.unsettled),
        read_at=row.updated_at,
    )


def _source(link: Link, source: System) -> tuple[str, ...]:
    return sides(link)[source is System.ZOHO_CRM]


def _target(link: Link, source: System) -> tuple[str, ...]:
    return sides(link)[source is System.SAGE300]


def _distinct(links: Iterable[Link], source: System) -> list[Link]:
    """The last link of each source record; two source records that want one target are refused here."""
    wanted = {_source(link, source): link for link in links}
    owners: dict[tuple[str, ...], Link] = {}
    for link in wanted.values():
        other = owners.setdefault(_target(link, source), link)
        if other is not link:
            raise LinkTaken(link, other)
    return list(wanted.values())


def _values(link: Link) -> dict[str, Any]:
    return {
        "connection": link.connection,
        "sage_entity": link.sage_entity,
        "sage_id": link.sage_id,
        "zoho_entity": link.zoho_entity,
        "zoho_id": link.zoho_id,
        "sage_name": link.sage_name,
        "zoho_name": link.zoho_name,
        "authority": link.authority,
        "made_by": link.made_by,
        "source_digest": link.source_digest,
        "written": link.written,
        "target_time": link.target_time and link.target_time.isoformat(),
        "details": link.details,
        "exceptions": link.exceptions,
        "agreed": link.agreed,
        "seen_equal_at": link.seen_equal_at and link.seen_equal_at.isoformat(),
        "unsettled": list(link.unsettled),
    }
