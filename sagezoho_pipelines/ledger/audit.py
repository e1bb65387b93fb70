"""The audit: one immutable line per movement, each bound to the one before it by a hash.

A line's hash covers the previous hash, the line's number and the digest of all it says, so a change, an insertion or
a removal anywhere in a connection's chain breaks it from there on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from sagezoho_pipelines.domain.records import AuditEntry
from sagezoho_pipelines.ledger import transformations
from sagezoho_pipelines.ledger.sqljson import clean, rows, to_json

GENESIS = "0" * 64

_TEXTS = (
    "actor", "flow", "direction", "source_system", "source_entity", "source_id", "target_system", "target_entity",
    "target_id", "operation", "outcome", "cause", "run_id",
)  # fmt: skip

_LOCK_HEAD = text("""
INSERT INTO sagezoho.audit_heads AS h (connection, seq, hash) VALUES (:connection, 0, :genesis)
ON CONFLICT (connection) DO UPDATE SET seq = h.seq
RETURNING seq, hash
""")

_MOVE_HEAD = text("UPDATE sagezoho.audit_heads SET seq = :seq, hash = :hash WHERE connection = :connection")

_APPENDED = {
    "seq": "bigint", "at": "timestamptz", **dict.fromkeys(_TEXTS, "text"), "fields": "text", "answer": "text",
    "change_id": "bigint", "prev_hash": "text", "hash": "text",
}  # fmt: skip

# What was hashed is stored to the letter, so JSON travels as text.
_APPEND = text(f"""
INSERT INTO sagezoho.audit (connection, seq, at, {", ".join(_TEXTS)}, fields, answer, change_id, prev_hash, hash)
SELECT :connection, seq, at, {", ".join(_TEXTS)}, CAST(fields AS json), CAST(answer AS json), change_id, prev_hash, hash
FROM {rows(_APPENDED)}
""")

_CHAIN = text(f"""
SELECT seq, at, {", ".join(_TEXTS)}, CAST(fields AS text) AS fields, CAST(answer AS text) AS answer, change_id,
       prev_hash, hash
FROM sagezoho.audit WHERE connection = :connection ORDER BY seq
""")

_HEAD = text("SELECT seq, hash FROM sagezoho.audit_heads WHERE connection = :connection")

# Lines without a head are a chain whose head somebody removed.
_CONNECTIONS = text("""
SELECT connection FROM sagezoho.audit_heads UNION SELECT connection FROM sagezoho.audit ORDER BY connection
""")


def append(connection: Connection, entries: Iterable[AuditEntry]) -> None:
    """Add entries in the order given. Takes the chain's lock until the transaction ends: call it last.

    What can be computed is computed before the lock: writers of one connection wait for each other under it.
    """
    chains: dict[str, list[dict[str, Any]]] = {}
    used: transformations.Used = {}
    for entry in entries:
        chains.setdefault(entry.connection, []).append(_line(entry, used))
    transformations.store(connection, used)
    for name in sorted(chains):
        _extend(connection, name, chains[name])


def first_broken(connection: Connection, name: str) -> int | None:
    """The number of the first line that is not what was written, or None when the whole chain holds.

    A line that names a transformation which is gone or altered is broken too. One past the last line when lines were
    cut off the end.
    """
    rules = transformations.known(connection)
    sound = {one for one, rule in rules.items() if transformations.identity(rule) == one}
    expected, before = 1, GENESIS
    lines = connection.execute(_CHAIN, {"connection": name}, execution_options={"yield_per": 1000})
    for row in ({**line} for line in lines.mappings()):
        said = _digest(name, row)
        if row["seq"] != expected or row["prev_hash"] != before or row["hash"] != _hash(before, expected, said):
            return expected
        if not sound.issuperset(field[0] for field in json.loads(row["fields"])):
            return expected
        expected, before = expected + 1, row["hash"]
    return None if head(connection, name) == (expected - 1, before) else expected


def head(connection: Connection, name: str) -> tuple[int, str]:
    """The number and the hash of the last line that was written."""
    found = connection.execute(_HEAD, {"connection": name}).one_or_none()
    return (0, GENESIS) if found is None else (found.seq, found.hash)


def chains(connection: Connection) -> list[str]:
    return list(connection.execute(_CONNECTIONS).scalars())


def _extend(connection: Connection, name: str, lines: list[dict[str, Any]]) -> None:
    for line in lines:
        line["digest"] = _digest(name, line)
    seq, before = connection.execute(_LOCK_HEAD, {"connection": name, "genesis": GENESIS}).one()
    for line in lines:
        seq += 1
        line |= {"seq": seq, "prev_hash": before}
        before = line["hash"] = _hash(before, seq, line.pop("digest"))
        line["at"] = line["at"].isoformat()
    connection.execute(_APPEND, {"connection": name, "rows": to_json(lines)})
    connection.execute(_MOVE_HEAD, {"connection": name, "seq": seq, "hash": before})


def _line(entry: AuditEntry, used: transformations.Used) -> dict[str, Any]:
    return {
        "at": entry.at.astimezone(UTC),
        **{name: clean(getattr(entry, name)) for name in _TEXTS},
        "fields": transformations.compact(entry.fields, used),
        "answer": to_json(entry.answer),
        "change_id": entry.change_id,
    }


def _digest(name: str, line: Mapping[str, Any]) -> str:
    """Of all that a line says. Each part is preceded by its length, so that none can pass for another."""
    at: datetime = line["at"]
    parts = [
        name,
        at.astimezone(UTC).isoformat(timespec="microseconds"),
        *(line[column] for column in _TEXTS),
        line["fields"],
        line["answer"],
        str(line["change_id"]),
    ]
    return hashlib.sha256("".join([f"{len(part)}:{part}" for part in parts]).encode()).hexdigest()


def _hash(before: str, seq: int, said: str) -> str:
    return hashlib.sha256(f"{before}:{seq}:{said}".encode()).hexdigest()
