"""The vendors' descriptions of their entities as last seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine, text

from sagezoho_pipelines.domain.records import AuditEntry, Row
from sagezoho_pipelines.ledger import audit
from sagezoho_pipelines.ledger.sqljson import to_json

_SEEN = text("SELECT system, entity, fields FROM sagezoho.seen_metadata WHERE connection = :connection")

_REMEMBER = text("""
INSERT INTO sagezoho.seen_metadata (connection, system, entity, fields, seen_at)
SELECT :connection, s.system, s.entity, CAST(s.fields AS jsonb), :at
FROM unnest(CAST(:systems AS text[]), CAST(:entities AS text[]), CAST(:fields AS text[])) AS s (system, entity, fields)
ORDER BY s.system, s.entity
ON CONFLICT (connection, system, entity) DO UPDATE SET fields = EXCLUDED.fields, seen_at = EXCLUDED.seen_at
""")


class PostgresMetadataStore:
    """Implements the engine's `MetadataStore` port. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def seen(self, connection: str) -> dict[tuple[str, str], Row]:
        with self._engine.connect() as database:
            rows = database.execute(_SEEN, {"connection": connection})
            return {(row.system, row.entity): row.fields for row in rows}

    def remember(
        self,
        connection: str,
        fields: Mapping[tuple[str, str], Row],
        *,
        at: datetime,
        audit_entries: Sequence[AuditEntry],
    ) -> None:
        if not fields and not audit_entries:
            return
        with self._engine.begin() as database:
            if fields:
                values = {
                    "connection": connection,
                    "at": at,
                    "systems": [str(system) for system, _ in fields],
                    "entities": [entity for _, entity in fields],
                    "fields": [to_json(described) for described in fields.values()],
                }
                database.execute(_REMEMBER, values)
            audit.append(database, audit_entries)
