"""The vault: credentials of both systems, sealed in the database, and only there."""

from __future__ import annotations

import hashlib
import hmac
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection, Engine, text

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.errors import CredentialsMissing, VaultError
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.ledger.envelope import Sealed, rewrap, seal, unseal
from sagezoho_pipelines.ledger.masterkeys import MasterKeys

#: Earlier versions kept after a new secret is set: what the vendor may still accept while it takes effect.
KEPT_VERSIONS = 2

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 2041))")

_PUT = text("""
INSERT INTO sagezoho.secrets (connection, system, version, key_id, wrapped_key, ciphertext)
VALUES (:connection, :system, :version, :key_id, :wrapped_key, :ciphertext)
""")

_LATEST = text("""
SELECT version, key_id, wrapped_key, ciphertext FROM sagezoho.secrets
WHERE connection = :connection AND system = :system ORDER BY version DESC LIMIT 1
""")

_FORGET = text("DELETE FROM sagezoho.secrets WHERE connection = :connection AND system = :system AND version <= :last")

_LIST = text("SELECT connection, system, version, key_id, created_at FROM sagezoho.secrets ORDER BY 1, 2, 3")

_SECRETS_UNDER_OTHER_KEYS = text("""
SELECT connection, system, version, key_id, wrapped_key, ciphertext FROM sagezoho.secrets
WHERE key_id <> :key_id FOR UPDATE
""")

_REWRAP_SECRET = text("""
UPDATE sagezoho.secrets SET key_id = :key_id, wrapped_key = :wrapped_key
WHERE connection = :connection AND system = :system AND version = :version
""")

_CHANNELS_UNDER_OTHER_KEYS = text("""
SELECT connection, key_id, wrapped_key, ciphertext FROM sagezoho.channels WHERE key_id <> :key_id FOR UPDATE
""")

_REWRAP_CHANNEL = text("""
UPDATE sagezoho.channels SET key_id = :key_id, wrapped_key = :wrapped_key WHERE connection = :connection
""")

# A token lasts an hour and is replaced by any process: simpler forgotten than wrapped anew.
_FORGET_TOKENS = text("""
UPDATE sagezoho.tokens SET key_id = NULL, wrapped_key = NULL, ciphertext = NULL, expires_at = NULL
WHERE key_id <> :key_id
""")

# It was given for other credentials, maybe of another organisation. Waits for a refresh that is under way.
_FORGET_TOKEN = text("""
UPDATE sagezoho.tokens SET key_id = NULL, wrapped_key = NULL, ciphertext = NULL, expires_at = NULL, api_domain = '',
    blocked_until = NULL
WHERE connection = :connection
""")


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """That a secret exists, not what it says."""

    connection: str
    system: str
    version: int
    key_id: str
    created_at: datetime


class Vault:
    """Reads and writes secrets. Thread-safe; the master key is looked for when it is first needed."""

    def __init__(self, engine: Engine, env: Mapping[str, str] | None = None, *, keys: MasterKeys | None = None) -> None:
        self._engine = engine
        self._env = os.environ if env is None else env
        self._given = keys

    @cached_property
    def keys(self) -> MasterKeys:
        return self._given or MasterKeys.from_env(self._env)

    def put(self, connection: str, system: str, secret: Mapping[str, str]) -> int:
        """Store a new version and return its number. Sage user names are upper-cased, as Sage itself does.

        The access token that the credentials before gave is forgotten with them.

        Raises VaultError for a value that no request could carry.
        """
        values = dict(secret)
        for name, value in values.items():
            if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
                # Said here: where it is sent, the library's own complaint would repeat the value.
                raise VaultError(f"The {name} holds a control character or half a character. Type or copy it again.")
        if system == System.SAGE300 and "username" in values:
            values["username"] = values["username"].upper()
        row = {"connection": connection, "system": str(system)}
        with self._engine.begin() as database:
            database.execute(_LOCK, {"name": f"{connection}/{system}"})
            latest = database.execute(_LATEST, row).one_or_none()
            version = 1 if latest is None else latest.version + 1
            sealed = seal(self.keys, json.dumps(values).encode(), place=_place(connection, system, version))
            database.execute(_PUT, {**row, "version": version, **_columns(sealed)})
            database.execute(_FORGET, {**row, "last": version - 1 - KEPT_VERSIONS})
            self._sign_off(database, connection, system)
        return version

    @staticmethod
    def _sign_off(database: Connection, connection: str, system: str) -> None:
        if system == System.ZOHO_CRM:
            database.execute(_FORGET_TOKEN, {"connection": connection})

    def get(self, connection: str, system: str) -> Mapping[str, str]:
        """The newest version. Raises CredentialsMissing where there is none, VaultError where it does not open."""
        with self._engine.connect() as database:
            row = database.execute(_LATEST, {"connection": connection, "system": str(system)}).one_or_none()
        if row is None:
            raise CredentialsMissing(
                f"No credentials for {system} of connection {connection}. "
                f"Set them with: sagezoho credentials set {connection} {system}"
            )
        sealed = Sealed(row.key_id, bytes(row.wrapped_key), bytes(row.ciphertext))
        secret: Mapping[str, str] = json.loads(unseal(self.keys, sealed, place=_place(connection, system, row.version)))
        return secret

    def delete(self, connection: str, system: str) -> int:
        """Forget every version, and the access token that they gave; returns how many versions there were."""
        with self._engine.begin() as database:
            self._sign_off(database, connection, system)
            return database.execute(_FORGET, {"connection": connection, "system": str(system), "last": 2**62}).rowcount

    def forget_old(self, connection: str, system: str) -> int:
        """Forget all versions but the newest, which the vendor no longer accepts; returns how many there were."""
        row = {"connection": connection, "system": str(system)}
        with self._engine.begin() as database:
            latest = database.execute(_LATEST, row).one_or_none()
            return 0 if latest is None else database.execute(_FORGET, {**row, "last": latest.version - 1}).rowcount

    def derived(self, purpose: str) -> tuple[str, bytes]:
        """A key for one purpose, made from the current master key, and the name of that master key."""
        name, key = self.keys.current
        return name, hmac.new(key, f"sagezoho {purpose}".encode(), hashlib.sha256).digest()

    def versions(self) -> list[SecretVersion]:
        with self._engine.connect() as database:
            return [SecretVersion(**row) for row in database.execute(_LIST).mappings()]

    def rewrap(self) -> int:
        """Wrap everything by the current master key; returns how many secrets were under another.

        Rotation without downtime: give all processes the new key beside the old one (`NEW,OLD`), rewrap, then give
        the new one alone. Needs every key that is still in use.
        """
        key_id, _ = self.keys.current
        with self._engine.begin() as database:
            rows = database.execute(_SECRETS_UNDER_OTHER_KEYS, {"key_id": key_id}).all()
            for row in rows:
                sealed = Sealed(row.key_id, bytes(row.wrapped_key), bytes(row.ciphertext))
                anew = rewrap(self.keys, sealed, place=_place(row.connection, row.system, row.version))
                where = {"connection": row.connection, "system": row.system, "version": row.version}
                database.execute(_REWRAP_SECRET, {**where, "key_id": anew.key_id, "wrapped_key": anew.wrapped_key})
            for row in database.execute(_CHANNELS_UNDER_OTHER_KEYS, {"key_id": key_id}).all():
                sealed = Sealed(row.key_id, bytes(row.wrapped_key), bytes(row.ciphertext))
                anew = rewrap(self.keys, sealed, place=channel_place(row.connection))
                where = {"connection": row.connection}
                database.execute(_REWRAP_CHANNEL, {**where, "key_id": anew.key_id, "wrapped_key": anew.wrapped_key})
            database.execute(_FORGET_TOKENS, {"key_id": key_id})
        return len(rows)


def channel_place(connection: str) -> str:
    """What the tokens of a connection's notification channel are bound to."""
    return f"{connection}/zoho_crm/channel"


def _place(connection: str, system: str, version: int) -> str:
    return f"{connection}/{system}/{version}"


def _columns(sealed: Sealed) -> dict[str, str | bytes]:
    return {"key_id": sealed.key_id, "wrapped_key": sealed.wrapped_key, "ciphertext": sealed.ciphertext}
