"""Envelope encryption: each secret has a data key of its own, wrapped by a master key. AES-256-GCM throughout."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sagezoho_pipelines.domain.errors import VaultError
from sagezoho_pipelines.ledger.masterkeys import MasterKeys

_NONCE = 12


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is stored: the wrapped data key, the id of the master key that wrapped it, and the ciphertext."""

    key_id: str
    wrapped_key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


def seal(keys: MasterKeys, plaintext: bytes, *, place: str) -> Sealed:
    """Seal for one place, e.g. one row: what is moved to another place does not open there."""
    key_id, master = keys.current
    data_key = AESGCM.generate_key(256)
    return Sealed(key_id, _encrypt(master, data_key, _wrapping(place)), _encrypt(data_key, plaintext, place.encode()))


def unseal(keys: MasterKeys, sealed: Sealed, *, place: str) -> bytes:
    """Raises VaultError when the master key is not at hand, or the row is not the one that was written."""
    try:
        data_key = _decrypt(keys.get(sealed.key_id), sealed.wrapped_key, _wrapping(place))
        return _decrypt(data_key, sealed.ciphertext, place.encode())
    except (InvalidTag, ValueError):
        raise VaultError(
            f"The secret of {place} does not open: its row was altered or moved here. Set it anew."
        ) from None


def rewrap(keys: MasterKeys, sealed: Sealed, *, place: str) -> Sealed:
    """The same secret, its data key wrapped by the current master key. The ciphertext stays."""
    try:
        data_key = _decrypt(keys.get(sealed.key_id), sealed.wrapped_key, _wrapping(place))
    except (InvalidTag, ValueError):
        raise VaultError(f"The secret of {place} cannot be wrapped anew: its row was altered. Set it anew.") from None
    key_id, master = keys.current
    return Sealed(key_id, _encrypt(master, data_key, _wrapping(place)), sealed.ciphertext)


def _wrapping(place: str) -> bytes:
    return f"key of {place}".encode()


def _encrypt(key: bytes, plaintext: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound_to)


def _decrypt(key: bytes, stored: bytes, bound_to: bytes) -> bytes:
    return AESGCM(key).decrypt(stored[:_NONCE], stored[_NONCE:], bound_to)
