"""What names a write, so that a plan and the run that carries it out mean the same one."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sagezoho_pipelines.domain.digest import canonical_json
from sagezoho_pipelines.domain.planned import PlannedWrite
from sagezoho_pipelines.domain.records import Row

#: What Sage gives a new record itself, and the field of ours that tells two of them apart.
ASSIGNED: Mapping[str, tuple[Sequence[str], str, str]] = {
    "OE/OEOrders": (("OrderNumber", "OrderUniquifier"), "OrderReference", "order of deal"),
}
_NEW = "(new "
_SINGULAR = {"Accounts": "account", "Contacts": "contact", "Products": "product", "Invoices": "invoice"}


def sage_create(entity_set: str, body: Row) -> PlannedWrite:
    assigned, by, what = ASSIGNED.get(entity_set, ((), "", ""))
    key = str(body.get(by) or "") if by else _first(body)
    return _write(f"sage300 create {entity_set}", key, body, f"{_NEW}{what} {key})" if assigned else "")


def sage_patch(entity_set: str, key: str | int, body: Row) -> PlannedWrite:
    return _write(f"sage300 patch {entity_set}", str(key), body)


def sage_key_of(row: Row) -> str:
    """A Zoho record that we make carries its Sage key in a unique field."""
    return next((str(value) for name, value in row.items() if name.startswith("Sage_") and name.endswith("_Key")), "")


def zoho_insert(module: str, row: Row) -> PlannedWrite:
    key = sage_key_of(row)
    return _write(f"zoho_crm insert {module}", key, row, placeholder(module, key))


def zoho_upsert(module: str, row: Row, unique: Sequence[str]) -> PlannedWrite:
    key = next((str(row[name]) for name in unique if row.get(name)), "")
    return _write(f"zoho_crm upsert {module}", key, row, placeholder(module, key))


def zoho_update(module: str, row: Row) -> PlannedWrite:
    return _write(f"zoho_crm update {module}", str(row.get("id") or ""), row)


def placeholder(module: str, key: str) -> str:
    """What stands for the id of a record that does not exist yet."""
    return f"{_NEW}{_SINGULAR.get(module, module)} {key})"


def is_placeholder(value: object) -> bool:
    return isinstance(value, str) and value.startswith(_NEW)


def replaced(value: Any, known: Mapping[str, str]) -> Any:
    """A record with each text that `known` names put in place of another: an id for a placeholder, or back."""
    if isinstance(value, str):
        return known.get(value, value)
    if isinstance(value, Mapping):
        return {name: replaced(item, known) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [replaced(item, known) for item in value]
    return value


class Names:
    """Which placeholders of a plan have become which ids. Thread-safe; with no plan at hand it knows of none."""

    def __init__(self, planned: Iterable[str] = (), ids: Mapping[str, str] | None = None) -> None:
        self._planned = {*planned} - {""}
        self._known = dict(ids or {})
        self._lock = threading.Lock()

    def named(self, row: Row) -> Row:
        """The row as the plan shows it: placeholders in place of the ids they have become."""
        with self._lock:
            shown: Row = replaced(row, self._known) if self._known else row
        return shown

    def became(self, placeholder: str, record_id: object) -> None:
        if placeholder in self._planned and record_id not in (None, ""):
            with self._lock:
                self._known[str(record_id).strip()] = placeholder

    def completes(self, row: Row) -> bool:
        """Whether an update only empties fields of a record that the plan makes: it was found after a lost answer."""
        named = self.named(row)
        return named.get("id") in self._planned and all(row[name] is None for name in row if name != "id")

    def saw_in_sage(self, entity_set: str, row: Row) -> None:
        """A record read back by its business key is the planned one, though its link may not have been settled."""
        assigned, by, what = ASSIGNED.get(entity_set, ((), "", ""))
        if assigned and row.get(by):
            self.became(f"{_NEW}{what} {str(row[by]).strip()})", row.get(assigned[0]))

    def saw_in_zoho(self, module: str, row: Row) -> None:
        """The same for a record found by its unique Sage key."""
        self.became(placeholder(module, sage_key_of(row)), row.get("id"))


def _write(call: str, key: str, row: Row, makes: str = "") -> PlannedWrite:
    said = canonical_json({"call": call, "key": key, "row": row})
    return PlannedWrite(call, key, hashlib.sha256(said.encode()).hexdigest(), makes)


def _first(body: Row) -> str:
    return next((str(value) for value in body.values() if isinstance(value, str)), "")
