"""Notification channels, their tokens sealed like every other secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, text

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.channels import Channel, ChannelState, Unannounced
from sagezoho_pipelines.domain.records import AuditEntry
from sagezoho_pipelines.ledger import audit
from sagezoho_pipelines.ledger.envelope import Sealed, seal, unseal
from sagezoho_pipelines.ledger.vault import Vault, channel_place

#: How exactly it is known how far Zoho's clock and ours are apart, when one tells whether a callback came after an
#: edit: callbacks and polls may be of machines whose clocks differ.
CLOCKS_APART = timedelta(seconds=60)

_COLUMNS = (
    "channel_id", "notify_url", "events", "key_id", "wrapped_key", "ciphertext", "previous_until", "state", "problem",
    "subscribed_at", "renewed_at", "expires_at", "known_good_at", "catch_up_from",
)  # fmt: skip

_READ = text("SELECT * FROM sagezoho.channels WHERE connection = :connection")

_READ_ALL = text("SELECT * FROM sagezoho.channels ORDER BY connection")

# `last_notification_at` is the gateway's, which may be writing it at this moment.
_SAVE = text(f"""
INSERT INTO sagezoho.channels (connection, {", ".join(_COLUMNS)})
VALUES (:connection, {", ".join("CAST(:events AS jsonb)" if c == "events" else f":{c}" for c in _COLUMNS)})
ON CONFLICT (connection) DO UPDATE SET {", ".join(f"{column} = EXCLUDED.{column}" for column in _COLUMNS)}
""")

_FORGET = text("DELETE FROM sagezoho.channels WHERE connection = :connection")

_HEARD = text("""
UPDATE sagezoho.channels AS c SET last_notification_at = greatest(c.last_notification_at, heard.at)
FROM unnest(CAST(:connections AS text[]), CAST(:ats AS timestamptz[])) AS heard (connection, at)
WHERE c.connection = heard.connection
""")

_TURN = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:connection, 2042))")

# A poll's version that Zoho says was edited while the channel was alive, when nothing was heard of its module since.
# When that was last is one step in an index; whether any came later would be a search among all of them, for each.
_UNANNOUNCED = text("""
SELECT DISTINCT c.entity, c.key FROM sagezoho.changes c
CROSS JOIN LATERAL (SELECT CAST(c.payload ->> 'Modified_Time' AS timestamptz) - :apart AS edited) AS e
WHERE c.connection = :connection AND c.system = 'zoho_crm' AND c.cause = 'poll' AND c.payload ? 'Modified_Time'
  AND c.captured_at > :after AND c.captured_at < :until AND e.edited > :since
  AND coalesce((
    SELECT max(n.captured_at) FROM sagezoho.changes n
    WHERE n.connection = c.connection AND n.system = c.system AND n.entity = c.entity AND n.cause = 'notification'
  ) <= e.edited, true)
ORDER BY 1, 2 LIMIT :limit
""")


class PostgresChannelStore:
    """Implements the engine's `ChannelStore` port. Thread-safe."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault

    @contextmanager
    def turn(self, connection: str) -> Iterator[bool]:
        """Whether this process may work on the channel now: one at a time does. The turn ends with its holder."""
        with self._engine.begin() as database:
            yield bool(database.execute(_TURN, {"connection": connection}).scalar())

    def read(self, connection: str) -> Channel | None:
        with self._engine.connect() as database:
            row = database.execute(_READ, {"connection": connection}).mappings().one_or_none()
        return None if row is None else self._channel({**row})

    def read_all(self) -> list[Channel]:
        with self._engine.connect() as database:
            rows = database.execute(_READ_ALL).mappings().all()
        return [self._channel({**row}) for row in rows]

    def save(self, channel: Channel, audit_entries: Sequence[AuditEntry] = ()) -> None:
        """The channel and the audit of what happened to it, in one transaction."""
        with self._engine.begin() as database:
            self._save(database, channel)
            audit.append(database, audit_entries)

    def forget(self, connection: str, audit_entries: Sequence[AuditEntry]) -> None:
        """The connection has no channel any more; said in the audit, in one transaction."""
        with self._engine.begin() as database:
            database.execute(_FORGET, {"connection": connection})
            audit.append(database, audit_entries)

    def heard(self, at: Mapping[str, datetime]) -> None:
        """When each connection's channel last told anything."""
        with self._engine.begin() as database:
            database.execute(_HEARD, {"connections": list(at), "ats": list(at.values())})

    def unannounced(
        self, connection: str, *, since: datetime, after: datetime, until: datetime, ahead: timedelta, limit: int
    ) -> list[Unannounced]:
        """Records that polls captured between `after` and `until`, edited after `since`, in modules heard nothing of.

        Zoho tells of edits by its own clock, which is so far `ahead` of that of the moments.
        """
        values = {
            "connection": connection, "since": since, "after": max(since, after), "until": until, "limit": limit,
            "apart": CLOCKS_APART + ahead,
        }  # fmt: skip
        with self._engine.connect() as database:
            return [Unannounced(entity, key) for entity, key in database.execute(_UNANNOUNCED, values)]

    def _save(self, database: Connection, channel: Channel) -> None:
        tokens = json.dumps({"token": channel.token, "previous": channel.previous}).encode()
        sealed = seal(self._vault.keys, tokens, place=channel_place(channel.connection))
        values: dict[str, Any] = {name: getattr(channel, name, None) for name in _COLUMNS}
        values |= {
            "connection": channel.connection,
            "events": json.dumps(list(channel.events)),
            "state": str(channel.state),
            "key_id": sealed.key_id,
            "wrapped_key": sealed.wrapped_key,
            "ciphertext": sealed.ciphertext,
        }
        database.execute(_SAVE, values)

    def _channel(self, row: Mapping[str, Any]) -> Channel:
        sealed = Sealed(row["key_id"], bytes(row["wrapped_key"]), bytes(row["ciphertext"]))
        tokens = json.loads(unseal(self._vault.keys, sealed, place=channel_place(row["connection"])))
        kept = {
            name: row[name]
            for name in (*_COLUMNS, "connection", "last_notification_at")
            if name not in ("key_id", "wrapped_key", "ciphertext", "state", "events")
        }
        return Channel(
            **kept,
            events=tuple(row["events"]),
            state=ChannelState(row["state"]),
            token=tokens["token"],
            previous=tokens["previous"],
        )
