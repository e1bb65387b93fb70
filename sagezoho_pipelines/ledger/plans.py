"""Plans that were applied: what was agreed to, by whom, and how far it got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from sagezoho_pipelines.domain.planned import Applied
from sagezoho_pipelines.ledger.sqljson import to_json

_COLUMNS = "id, connection, flows, digest, document, actor, state, begun_at"

_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(:digest, 2042))")

_AGAIN = text("""
UPDATE sagezoho.plans SET state = 'begun', actor = :actor, ended_at = NULL
WHERE connection = :connection AND digest = :digest AND state <> 'done' RETURNING id
""")

_BEGIN = text("""
INSERT INTO sagezoho.plans (connection, flows, digest, document, actor, state, begun_at)
VALUES (:connection, CAST(:flows AS jsonb), :digest, CAST(:document AS jsonb), :actor, 'begun', :at) RETURNING id
""")

_END = text("UPDATE sagezoho.plans SET state = :state, ended_at = :at WHERE id = :id AND state <> 'done'")

_READ = text(f"SELECT {_COLUMNS} FROM sagezoho.plans WHERE id = :id")

_FIND = text(f"""
SELECT {_COLUMNS} FROM sagezoho.plans WHERE connection = :connection AND digest = :digest ORDER BY id DESC LIMIT 1
""")

_DONE = text("""
SELECT EXISTS (SELECT 1 FROM sagezoho.plans
               WHERE connection = :connection AND state = 'done' AND flows @> to_jsonb(CAST(:flow AS text)))
""")


class PostgresPlanStore:
    """Implements the engine's `PlanStore` port. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(
        self,
        connection: str,
        flows: Sequence[str],
        *,
        digest: str,
        document: Mapping[str, Any],
        actor: str,
        at: datetime,
    ) -> int:
        named = {"connection": connection, "digest": digest, "actor": actor}
        with self._engine.begin() as database:
            database.execute(_TURN, {"digest": digest})
            known = database.execute(_AGAIN, named).scalar()
            if known is not None:
                return int(known)
            values = {**named, "flows": to_json(list(flows)), "document": to_json(document), "at": at}
            return int(database.execute(_BEGIN, values).scalar_one())

    def end(self, plan_id: int, *, state: str, at: datetime) -> None:
        with self._engine.begin() as database:
            database.execute(_END, {"id": plan_id, "state": state, "at": at})

    def read(self, plan_id: int) -> Applied | None:
        return self._one(_READ, id=plan_id)

    def find(self, connection: str, digest: str) -> Applied | None:
        return self._one(_FIND, connection=connection, digest=digest)

    def _one(self, query: Any, **values: Any) -> Applied | None:
        with self._engine.connect() as database:
            row = database.execute(query, values).mappings().one_or_none()
        return None if row is None else Applied(**row)


def has_applied(connection: Connection, name: str, flow: str) -> bool:
    """Whether a plan of this flow was carried out to its end, ever."""
    return bool(connection.execute(_DONE, {"connection": name, "flow": flow}).scalar_one())
