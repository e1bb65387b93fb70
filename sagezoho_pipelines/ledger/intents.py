"""Creates announced before they are sent, and the numbers they are made under."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from sagezoho_pipelines.domain.errors import BusinessKeyTaken
from sagezoho_pipelines.domain.settlement import Intent, IntentRequest
from sagezoho_pipelines.ledger.sqljson import clean

# An earlier settled intent of the key says that the target may exist already: then the intent is not fresh either,
# and the target is read back before anything is sent.
_BEGIN = text("""
INSERT INTO sagezoho.intents AS i (connection, target_system, target_entity, business_key, source_entity, source_key,
                                   payload_digest, names, state, attempts, run_id, opened_at)
SELECT :connection, target_system, target_entity, business_key, source_entity, source_key, payload_digest,
       CASE WHEN name = '' THEN CAST('[]' AS jsonb) ELSE jsonb_build_array(name) END, 'open', 1, :run_id, :at
FROM unnest(CAST(:target_systems AS text[]), CAST(:target_entities AS text[]), CAST(:business_keys AS text[]),
            CAST(:source_entities AS text[]), CAST(:source_keys AS text[]), CAST(:digests AS text[]),
            CAST(:names AS text[]))
     AS q (target_system, target_entity, business_key, source_entity, source_key, payload_digest, name)
ORDER BY target_system, target_entity, business_key
ON CONFLICT (connection, target_system, target_entity, business_key) WHERE state = 'open'
DO UPDATE SET attempts = i.attempts + 1, run_id = EXCLUDED.run_id,
    names = CASE WHEN i.names @> EXCLUDED.names THEN i.names ELSE i.names || EXCLUDED.names END
    WHERE i.source_entity = EXCLUDED.source_entity AND i.source_key = EXCLUDED.source_key
RETURNING i.id, i.business_key, i.attempts, i.payload_digest, i.names, i.attempts = 1 AND NOT EXISTS (
    SELECT 1 FROM sagezoho.intents o
    WHERE o.connection = i.connection AND o.target_system = i.target_system AND o.target_entity = i.target_entity
      AND o.business_key = i.business_key AND o.state = 'settled') AS fresh
""")

_SENDING = text("UPDATE sagezoho.intents SET payload_digest = :digest WHERE id = :id AND state = 'open'")

_OPEN_OF = text("""
SELECT id, business_key, attempts, payload_digest, names FROM sagezoho.intents
WHERE state = 'open' AND connection = :connection AND target_system = :target_system
  AND target_entity = :target_entity AND source_entity = :source_entity AND source_key = :source_key
""")

_OWNER = text("""
SELECT source_entity, source_key FROM sagezoho.intents
WHERE state = 'open' AND connection = :connection AND target_system = :target_system
  AND target_entity = :target_entity AND business_key = :business_key
""")

# Connection by connection, since that is what the indexes begin with.
_ELSEWHERE = text("""
WITH others AS (SELECT DISTINCT connection FROM sagezoho.watermarks WHERE connection <> :connection)
SELECT l.connection, l.sage_id FROM others
JOIN sagezoho.links l ON l.connection = others.connection AND l.zoho_entity = :zoho_entity AND l.zoho_id = :source_key
    AND l.sage_entity = :target_entity
UNION ALL
SELECT i.connection, '' FROM sagezoho.intents i
WHERE i.state = 'open' AND i.connection <> :connection AND i.target_system = :target_system
  AND i.target_entity = :target_entity AND i.business_key = :business_key AND i.id < :before
LIMIT 1
""")

_CLOSE = text("""
UPDATE sagezoho.intents i SET state = c.state, target_id = c.target_id, closed_at = :at
FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:target_ids AS text[])) AS c (id, state, target_id)
WHERE i.id = c.id AND i.state = 'open'
""")

_NEXT = text("""
INSERT INTO sagezoho.sequences AS s (connection, name, value) VALUES (:connection, :name, :start)
ON CONFLICT (connection, name) DO UPDATE SET value = greatest(s.value + 1, EXCLUDED.value)
RETURNING value
""")


def begin(
    connection: Connection, name: str, requests: Sequence[IntentRequest], *, at: datetime, run_id: str
) -> dict[str, Intent]:
    wanted: dict[str, IntentRequest] = {}
    for request in requests:
        if _owner(wanted.setdefault(request.business_key, request)) != _owner(request):
            raise _taken(name, request, *_owner(wanted[request.business_key])[2:])
    if not wanted:
        return {}
    chosen = list(wanted.values())
    values = {
        "connection": name,
        "target_systems": [str(request.target_system) for request in chosen],
        "target_entities": [request.target_entity for request in chosen],
        "business_keys": [request.business_key for request in chosen],
        "source_entities": [request.source_entity for request in chosen],
        "source_keys": [request.source_key for request in chosen],
        "digests": [request.payload_digest for request in chosen],
        "names": [clean(request.name) for request in chosen],
        "at": at,
        "run_id": run_id,
    }
    begun = {
        row.business_key: Intent(
            row.id, row.business_key, row.attempts, row.fresh, row.payload_digest, tuple(row.names)
        )
        for row in connection.execute(_BEGIN, values)
    }
    for key in sorted(wanted.keys() - begun.keys()):
        request = wanted[key]
        where = {"connection": name, "target_system": str(request.target_system)}
        owner = connection.execute(
            _OWNER, {**where, "target_entity": request.target_entity, "business_key": key}
        ).one_or_none()
        raise _taken(name, request, *(owner or ("another record", "")))
    return begun


def open_of(
    connection: Connection, name: str, target_system: str, target_entity: str, source_entity: str, source_key: str
) -> Intent | None:
    row = connection.execute(
        _OPEN_OF,
        {
            "connection": name,
            "target_system": str(target_system),
            "target_entity": target_entity,
            "source_entity": source_entity,
            "source_key": source_key,
        },
    ).one_or_none()
    if row is None:
        return None
    return Intent(row.id, row.business_key, row.attempts, False, row.payload_digest, tuple(row.names))


def made_elsewhere(
    connection: Connection, name: str, request: IntentRequest, zoho_entity: str, *, before: int
) -> str | None:
    values = {
        "connection": name, "zoho_entity": zoho_entity, "source_key": request.source_key, "before": before,
        "target_system": str(request.target_system), "target_entity": request.target_entity,
        "business_key": request.business_key,
    }  # fmt: skip
    row = connection.execute(_ELSEWHERE, values).one_or_none()
    if row is None:
        return None
    what = request.target_entity.removesuffix("s")
    return f"{what} {row.sage_id} of {row.connection}" if row.sage_id else f"about to be an {what} of {row.connection}"


def sending(connection: Connection, intent_id: int, payload_digest: str) -> None:
    connection.execute(_SENDING, {"id": intent_id, "digest": payload_digest})


def close(connection: Connection, closed: Iterable[tuple[int, str, str]], *, at: datetime) -> None:
    """Close open intents: (id, `settled` or `refused`, target id)."""
    final = {intent_id: (str(state), target_id) for intent_id, state, target_id in closed}
    if not final:
        return
    values: dict[str, Any] = {
        "ids": list(final),
        "states": [state for state, _ in final.values()],
        "target_ids": [target_id for _, target_id in final.values()],
        "at": at,
    }
    connection.execute(_CLOSE, values)


def next_number(connection: Connection, name: str, sequence: str, *, start: int) -> int:
    return int(connection.execute(_NEXT, {"connection": name, "name": sequence, "start": start}).scalar_one())


def _owner(request: IntentRequest) -> tuple[str, str, str, str]:
    return str(request.target_system), request.target_entity, request.source_entity, request.source_key


def _taken(name: str, request: IntentRequest, entity: str, key: str) -> BusinessKeyTaken:
    return BusinessKeyTaken(
        f"{name}: {request.source_entity} {request.source_key} cannot become {request.target_system} "
        f"{request.target_entity} {request.business_key}: {entity} {key} is about to. "
        "Give one of the two another number."
    )
