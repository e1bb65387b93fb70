"""What planning reads of the ledger beyond what a sync reads. Nothing here writes or locks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from sagezoho_pipelines.domain.errors import BusinessKeyTaken
from sagezoho_pipelines.domain.planned import OpenChange
from sagezoho_pipelines.domain.records import EntityRef
from sagezoho_pipelines.domain.settlement import Intent, IntentRequest
from sagezoho_pipelines.ledger.queue import change_of
from sagezoho_pipelines.ledger.sqljson import whose

_OPEN = text("""
SELECT id, key, digest, payload, cause, attempts, captured_at, name, reason, override, state = 'queued' AS queued,
       CASE state WHEN 'claimed' THEN lease_until ELSE next_attempt_at END <= :at AS due
FROM sagezoho.changes
WHERE connection = :connection AND system = :system AND entity = :entity AND state IN ('queued', 'claimed')
ORDER BY id
""")

_SEEN = text("""
SELECT key, digest FROM sagezoho.records
WHERE connection = :connection AND system = :system AND entity = :entity AND deleted_at IS NULL
  AND (CAST(:keys AS text[]) IS NULL OR key = ANY (CAST(:keys AS text[])))
""")

_SEQUENCE = text("SELECT value FROM sagezoho.sequences WHERE connection = :connection AND name = :name")

_INTENTS = text("""
SELECT id, target_system, target_entity, business_key, source_entity, source_key, attempts, payload_digest, names, state
FROM sagezoho.intents
WHERE connection = :connection AND business_key = ANY (CAST(:keys AS text[])) AND state IN ('open', 'settled')
ORDER BY id
""")


def open_changes(connection: Connection, entity: EntityRef, *, at: datetime) -> list[OpenChange]:
    """The queue of one entity, oldest first; `attempt` counts the attempts made so far."""
    return [
        OpenChange(change_of(row, entity), due=bool(row.due), queued=row.queued)
        for row in connection.execute(_OPEN, {**whose(entity), "at": at})
    ]


def seen(connection: Connection, entity: EntityRef, keys: Sequence[str] | None) -> dict[str, str | None]:
    """Digests of the records that are known and not deleted; all of them where no keys are given."""
    rows = connection.execute(_SEEN, {**whose(entity), "keys": None if keys is None else list(keys)})
    return {row.key: row.digest for row in rows}


def sequence(connection: Connection, name: str, sequence_name: str) -> int | None:
    """The last number handed out, or None."""
    value = connection.execute(_SEQUENCE, {"connection": name, "name": sequence_name}).scalar()
    return None if value is None else int(value)


def intents_as_begun(connection: Connection, name: str, requests: Sequence[IntentRequest]) -> dict[str, Intent]:
    """What beginning these intents would give, by business key; id 0 for one that is not open yet.

    Raises BusinessKeyTaken for a key that belongs to another source record.
    """
    keys = sorted({request.business_key for request in requests})
    rows = list(connection.execute(_INTENTS, {"connection": name, "keys": keys})) if keys else []
    begun: dict[str, Intent] = {}
    for request in requests:
        target = (str(request.target_system), request.target_entity, request.business_key)
        mine = [row for row in rows if (row.target_system, row.target_entity, row.business_key) == target]
        settled = any(row.state == "settled" for row in mine)
        held = next((row for row in mine if row.state == "open"), None)
        if held is None:
            names = (request.name,) if request.name else ()
            begun[request.business_key] = Intent(0, request.business_key, 1, not settled, request.payload_digest, names)
        elif (held.source_entity, held.source_key) == (request.source_entity, request.source_key):
            names = tuple(dict.fromkeys([*held.names, *([request.name] if request.name else ())]))
            begun[request.business_key] = Intent(
                held.id, request.business_key, held.attempts + 1, False, held.payload_digest, names
            )
        else:
            raise BusinessKeyTaken(
                f"{name}: {request.source_entity} {request.source_key} cannot become {request.target_system} "
                f"{request.target_entity} {request.business_key}: {held.source_entity} {held.source_key} is about to."
            )
    return begun
