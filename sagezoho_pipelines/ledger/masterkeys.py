"""The keys that wrap every other key: from `SAGEZOHO_MASTER_KEY`, or from a file of the installation's own.

Both may hold several keys, the current one first: new secrets are sealed with it, the others still open old ones.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sagezoho_pipelines.domain.errors import VaultError
from sagezoho_pipelines.ledger import embedded

VARIABLE = "SAGEZOHO_MASTER_KEY"
FILE = "master.key"
BYTES = 32


class MasterKeys:
    """Master keys by id. `source` says in messages where they come from; a key never shows."""

    def __init__(
        self, keys: Sequence[bytes], *, source: str, reload: Callable[[], Sequence[bytes]] | None = None
    ) -> None:
        self.source = source
        self._reload = reload
        self._use(keys)

    def __repr__(self) -> str:
        return f"MasterKeys({', '.join(self._keys)} from {self.source})"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> MasterKeys:
        """Keys of the variable, where it is set, else of the file `$SAGEZOHO_HOME/master.key`, made when absent."""
        given = env.get(VARIABLE, "").strip()
        if given:
            return cls(parse(given, source=VARIABLE), source=VARIABLE)
        path = embedded.home(env) / FILE
        _make(path)
        return cls(_read(path), source=str(path), reload=lambda: _read(path))

    @property
    def current(self) -> tuple[str, bytes]:
        """Id and key that seal what is written now."""
        return next(iter(self._keys.items()))

    def get(self, key_id: str) -> bytes:
        """The key of that id; the file is read again for one not yet known, so that a rotation needs no restart."""
        if key_id not in self._keys and self._reload is not None:
            self._use(self._reload())
        try:
            return self._keys[key_id]
        except KeyError:
            raise VaultError(
                f"The vault was sealed with master key {key_id}, which {self.source} does not hold "
                f"(it holds {', '.join(self._keys)}). Give the key that was used, or set the credentials anew."
            ) from None

    def _use(self, keys: Sequence[bytes]) -> None:
        self._keys = {key_id(key): key for key in keys}


def key_id(key: bytes) -> str:
    """Names a key without telling it."""
    return hashlib.sha256(b"sagezoho master key\x00" + key).hexdigest()[:12]


def parse(given: str, *, source: str) -> list[bytes]:
    """Keys in hex or base64, 32 bytes each, apart by commas, spaces or lines. Raises VaultError, showing no key."""
    keys = [_decode(word) for word in re.split(r"[\s,]+", given) if word]
    if not keys or any(key is None or len(key) != BYTES for key in keys):
        raise VaultError(
            f"{source} does not hold a master key: 32 bytes, in hex or base64. "
            "Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return [key for key in keys if key is not None]


def add_key(home: Path) -> str:
    """Put a new key first in the key file, keeping the others for reading; returns its id."""
    path = home / FILE
    keys = [os.urandom(BYTES), *(_read(path) if path.exists() else ())]
    _replace(path, keys)
    return key_id(keys[0])


def _decode(word: str) -> bytes | None:
    try:
        if re.fullmatch(r"[0-9a-fA-F]{64}", word):
            return bytes.fromhex(word)
        plain = word.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _read(path: Path) -> list[bytes]:
    try:
        return parse(path.read_text(encoding="ascii"), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise VaultError(f"The master key file {path} cannot be read: {type(error).__name__}.") from None


def _make(path: Path) -> None:
    """Create the file whole or not at all; of several processes, the first one's key is kept."""
    if path.exists():
        return
    drafted = _draft(path, [os.urandom(BYTES)])
    try:
        os.link(drafted, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not path.exists():
            drafted.replace(path)
    finally:
        drafted.unlink(missing_ok=True)


def _replace(path: Path, keys: Sequence[bytes]) -> None:
    _draft(path, keys).replace(path)


def _draft(path: Path, keys: Sequence[bytes]) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write("".join(f"{key.hex()}\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
