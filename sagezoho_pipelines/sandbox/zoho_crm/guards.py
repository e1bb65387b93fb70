"""What keeps a record from being changed: a lock, an approval that is pending, a share that only lets it be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sagezoho_pipelines.sandbox.zoho_crm.errors import RowError
from sagezoho_pipelines.sandbox.zoho_crm.table import Row, Table

Place = tuple[str, int]
"""A record: its module and its id."""
Change = Literal["update", "delete"]


@dataclass(frozen=True)
class Lock:
    """Who locked a record, when and why; a rule's lock has no reason and goes only with its rule."""

    id: int
    by: int
    at: int
    reason: str | None = None
    automatic: bool = False


@dataclass
class Guards:
    """The records of one organisation that are held."""

    locks: dict[Place, Lock] = field(default_factory=dict)
    pending: set[Place] = field(default_factory=set)
    """Sent in for approval, and neither approved nor rejected yet."""
    read_only: set[Place] = field(default_factory=set)
    """Shared with the integration user for reading only."""

    def require_free(self, module: str, row: Row, change: Change, *, ours: bool) -> None:
        """RowError where the record may not be changed now; `ours` where the integration user is to do it."""
        place, details = (module, row["id"]), {"id": str(row["id"])}
        if place in self.locks:
            raise RowError(
                "RECORD_LOCKED",
                "You cannot perform this operation as the record is locked.",
                {"action": "record_locking", **details},
            )
        if place in self.pending:
            verb = "Cannot update" if change == "update" else "cannot delete"
            raise RowError("NOT_APPROVED", f"{verb} record that is not approved yet", details)
        if ours and place in self.read_only:
            raise RowError(
                "AUTHORIZATION_FAILED", f"User does not have sufficient privilege to {change} records", details
            )

    def lock(self, table: Table, record_id: int, lock: Lock) -> Lock:
        """Locks the record, over a lock it may have."""
        self.locks[(table.module.api_name, record_id)] = lock
        table.put({**table.rows[record_id], "Locked__s": True})
        return lock

    def unlock(self, table: Table, record_id: int) -> None:
        if self.locks.pop((table.module.api_name, record_id), None) is not None:
            table.put({**table.rows[record_id], "Locked__s": False})
