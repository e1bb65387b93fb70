"""The OAuth access token of each connection, shared by all processes and refreshed by one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from sagezoho_pipelines.domain.errors import LedgerUnavailable, VaultError
from sagezoho_pipelines.domain.tokens import AccessToken
from sagezoho_pipelines.ledger.envelope import Sealed, seal, unseal
from sagezoho_pipelines.ledger.transactions import sqlstate
from sagezoho_pipelines.ledger.vault import Vault

#: How long to wait for another process's refresh: longer than its HTTP call may take, retries included.
LOCK_TIMEOUT_SECONDS = 120

LOCK_NOT_AVAILABLE = "55P03"

_COLUMNS = "key_id, wrapped_key, ciphertext, api_domain, expires_at, blocked_until"

_READ = text(f"SELECT {_COLUMNS} FROM sagezoho.tokens WHERE connection = :connection")

_LOCK_TIMEOUT = text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")

_MAKE = text("INSERT INTO sagezoho.tokens (connection) VALUES (:connection) ON CONFLICT DO NOTHING")

_LOCK = text(f"SELECT {_COLUMNS} FROM sagezoho.tokens WHERE connection = :connection FOR UPDATE")

_SAVE = text("""
UPDATE sagezoho.tokens SET key_id = :key_id, wrapped_key = :wrapped_key, ciphertext = :ciphertext,
    api_domain = :api_domain, expires_at = :expires_at, obtained_at = now(), blocked_until = NULL
WHERE connection = :connection
""")

_BLOCK = text("UPDATE sagezoho.tokens SET blocked_until = :until WHERE connection = :connection")


class PostgresTokenStore:
    """Tokens in the ledger, sealed by the vault. A token that does not open counts as none: a new one is fetched.

    Nor does one that another accounts server gave: a wrong address is told at once, not when the old token ends.
    """

    def __init__(self, engine: Engine, vault: Vault, *, accounts_url: str = "") -> None:
        self._engine = engine
        self._vault = vault
        self._accounts_url = accounts_url

    def read(self, connection: str) -> AccessToken | None:
        with self._engine.connect() as database:
            return self._token(connection, database.execute(_READ, {"connection": connection}).one_or_none())

    @contextmanager
    def locked(self, connection: str) -> Iterator[LockedToken]:
        """Admit one holder at a time, over all processes. What it saves is kept, even if it then fails.

        The lock is the row's, so it ends with its holder, however that one ends.
        """
        with self._engine.connect() as database:
            # Committed first: a row that exists only in an open transaction cannot be waited for by its lock.
            database.execute(_MAKE, {"connection": connection})
            database.commit()
            database.execute(_LOCK_TIMEOUT)
            try:
                row = database.execute(_LOCK, {"connection": connection}).one()
            except OperationalError as error:
                if sqlstate(error) != LOCK_NOT_AVAILABLE:
                    raise
                raise LedgerUnavailable(
                    f"{connection}: another process has held the access token's lock for {LOCK_TIMEOUT_SECONDS} s. "
                    "It may hang in a refresh: end it, and try again."
                ) from None
            held = LockedToken(self, database, connection, self._token(connection, row), row.blocked_until)
            try:
                yield held
            finally:
                database.commit()

    def _token(self, connection: str, row: Any) -> AccessToken | None:
        if row is None or row.ciphertext is None:
            return None
        sealed = Sealed(row.key_id, bytes(row.wrapped_key), bytes(row.ciphertext))
        try:
            value = unseal(self._vault.keys, sealed, place=self._place(connection)).decode()
        except VaultError:
            return None
        return AccessToken(value=value, api_domain=row.api_domain, expires_at=row.expires_at)

    def _sealed(self, connection: str, token: AccessToken) -> Sealed:
        return seal(self._vault.keys, token.value.encode(), place=self._place(connection))

    def _place(self, connection: str) -> str:
        return f"{connection}/zoho_crm/access token of {self._accounts_url}"


class LockedToken:
    """A connection's token while its lock is held. `blocked_until`: refreshing before then would be refused."""

    def __init__(
        self,
        store: PostgresTokenStore,
        database: Connection,
        connection: str,
        token: AccessToken | None,
        blocked_until: datetime | None,
    ) -> None:
        self._store = store
        self._database = database
        self._connection = connection
        self.token = token
        self.blocked_until = blocked_until

    def save(self, token: AccessToken) -> None:
        sealed = self._store._sealed(self._connection, token)
        self._database.execute(
            _SAVE,
            {
                "connection": self._connection,
                "key_id": sealed.key_id,
                "wrapped_key": sealed.wrapped_key,
                "ciphertext": sealed.ciphertext,
                "api_domain": token.api_domain,
                "expires_at": token.expires_at,
            },
        )
        self.token, self.blocked_until = token, None

    def block(self, until: datetime) -> None:
        """Note that Zoho refuses refreshes until then, for all processes."""
        self._database.execute(_BLOCK, {"connection": self._connection, "until": until})
        self.blocked_until = until
