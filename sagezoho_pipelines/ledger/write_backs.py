"""What Zoho records were told about their other side, and where each source record stands now."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from sagezoho_pipelines.domain.records import EntityRef, Row
from sagezoho_pipelines.domain.write_backs import Standing, Told
from sagezoho_pipelines.ledger.sqljson import whose

_STANDING = text("""
SELECT DISTINCT ON (key) key, state, digest, error, settled_at FROM sagezoho.changes
WHERE connection = :connection AND system = :system AND entity = :entity AND key = ANY (CAST(:keys AS text[]))
  AND (state IN ('refused', 'conflicted') OR (state = 'dismissed' AND CAST(:or_dismissed AS boolean)))
ORDER BY key, id DESC
""")

_DISMISSED = text("""
SELECT DISTINCT ON (key) key, error FROM sagezoho.changes
WHERE connection = :connection AND system = :system AND entity = :entity AND key = ANY (CAST(:keys AS text[]))
  AND state = 'dismissed' AND error ->> 'code' = :code
ORDER BY key, id DESC
""")

_TOLD = text("""
SELECT record_id, digest, modified_time FROM sagezoho.write_backs
WHERE connection = :connection AND module = :module AND record_id = ANY (CAST(:ids AS text[]))
""")

_TELL = text("""
INSERT INTO sagezoho.write_backs (connection, module, record_id, digest, modified_time)
SELECT :connection, :module, t.record_id, t.digest, t.modified_time
FROM unnest(CAST(:ids AS text[]), CAST(:digests AS text[]), CAST(:times AS timestamptz[]))
     AS t (record_id, digest, modified_time) ORDER BY t.record_id
ON CONFLICT (connection, module, record_id) DO UPDATE SET
    digest = EXCLUDED.digest, modified_time = EXCLUDED.modified_time
""")


def standing(
    connection: Connection, entity: EntityRef, keys: Sequence[str], *, or_dismissed: bool
) -> dict[str, Standing]:
    rows = connection.execute(_STANDING, {**whose(entity), "keys": list(keys), "or_dismissed": or_dismissed})
    return {row.key: Standing(row.state, row.digest, row.error or {}, row.settled_at) for row in rows}


def dismissed(connection: Connection, entity: EntityRef, keys: Sequence[str], code: str) -> dict[str, Row]:
    rows = connection.execute(_DISMISSED, {**whose(entity), "keys": list(keys), "code": code})
    return {row.key: row.error for row in rows}


def told(connection: Connection, name: str, module: str, ids: Sequence[str]) -> dict[str, Told]:
    rows = connection.execute(_TOLD, {"connection": name, "module": module, "ids": list(ids)})
    return {row.record_id: Told(row.record_id, row.digest, row.modified_time) for row in rows}


def tell(connection: Connection, name: str, module: str, rows: Sequence[Told]) -> None:
    values = {
        "connection": name,
        "module": module,
        "ids": [row.record_id for row in rows],
        "digests": [row.digest for row in rows],
        "times": [row.modified_time for row in rows],
    }
    connection.execute(_TELL, values)
