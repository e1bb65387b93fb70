"""Which connections are at rest, and for how long. Nothing of a connection at rest is claimed: see `queue.py`."""

from __future__ import annotations

from sqlalchemy import Connection, text

from sagezoho_pipelines.domain.pauses import Pause
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.ledger.sqljson import clean

_PAUSE = text("""
INSERT INTO sagezoho.pauses AS p (connection, system, code, text, advice, since, until)
VALUES (:connection, :system, :code, :text, :advice, :since, :until)
ON CONFLICT (connection, system) DO UPDATE SET
    since = CASE WHEN p.code = EXCLUDED.code THEN p.since ELSE EXCLUDED.since END,
    code = EXCLUDED.code, text = EXCLUDED.text, advice = EXCLUDED.advice, until = EXCLUDED.until
RETURNING since <> :since
""")

_PAUSES = text("""
SELECT connection, system, code, text, advice, since, until FROM sagezoho.pauses
WHERE CAST(:connection AS text) IS NULL OR connection = :connection ORDER BY connection, system
""")

_LIFT = text("DELETE FROM sagezoho.pauses WHERE connection = :connection AND system = :system")


def pause(connection: Connection, rest: Pause) -> bool:
    """Begin a rest, or draw it out; whether it was known already for the same reason."""
    values = {
        "connection": rest.connection, "system": str(rest.system), "code": rest.code, "text": clean(rest.text),
        "advice": rest.advice, "since": rest.since, "until": rest.until,
    }  # fmt: skip
    return bool(connection.execute(_PAUSE, values).scalar_one())


def pauses(connection: Connection, name: str | None) -> list[Pause]:
    """All of them, those that are over included: they are lifted by the first success."""
    rows = connection.execute(_PAUSES, {"connection": name}).mappings()
    return [Pause(**{**row, "system": System(row["system"])}) for row in rows]


def lift(connection: Connection, name: str, system: System) -> None:
    connection.execute(_LIFT, {"connection": name, "system": str(system)})
