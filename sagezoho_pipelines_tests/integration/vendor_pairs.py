"""Vendors and the accounts they are paired with: edited on either side, settled, looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import AuditEntry, Row
from sagezoho_pipelines.engine.ports import ZohoCrm
from sagezoho_pipelines.ledger import reports
from sagezoho_pipelines_tests.bench import Bench, bench


@contextmanager
def at_desk(engine: Engine, **identity: Any) -> Iterator[Bench]:
    """A company of a few vendors, all linked and at rest."""
    with bench(engine, vendors=8, deals=1, flows={"identity": identity}) as desk:
        desk.sync("vendors", "identity")
        desk.reset_counters()
        yield desk


def number_of(desk: Bench, place: int = 2) -> str:
    """A vendor with an address and a phone."""
    return sorted(str(row["VendorNumber"]).strip() for row in desk.state("sage300", "APVendors"))[place]


def vendor(desk: Bench, number: str) -> dict[str, Any]:
    return next(row for row in desk.state("sage300", "APVendors") if str(row["VendorNumber"]).strip() == number)


def account(desk: Bench, number: str) -> dict[str, Any]:
    return next(row for row in desk.state("zoho_crm", "Accounts") if row.get("Sage_Vendor_Number") == number)


def in_sage(desk: Bench, number: str, **fields: Any) -> None:
    desk.act("sage300", "edit_vendor", vendor=number, fields=fields)


def in_zoho(desk: Bench, number: str, **values: Any) -> None:
    desk.act("zoho_crm", "edit_account", account_id=account(desk, number)["id"], values=values)


def settle(desk: Bench) -> None:
    """One poll carries everything; the next one writes nothing."""
    desk.sync("vendors", "identity")
    desk.reset_counters()
    desk.sync("vendors", "identity")
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}


def audited(desk: Bench, number: str, operation: str) -> list[AuditEntry]:
    lines = [line.entry for line in reports.audit_entries(desk.engine, record_id=number)]
    return [entry for entry in lines if entry.operation == operation]


class EditsAfterReading:
    """Zoho, at whose screen somebody edits a record right after it was read."""

    def __init__(self, zoho: ZohoCrm, edit: Callable[[], None]) -> None:
        self._zoho = zoho
        self._edit: Callable[[], None] | None = edit

    def get_many(self, module: str, ids: Sequence[str], *, fields: Sequence[str]) -> list[Row]:
        rows = self._zoho.get_many(module, ids, fields=fields)
        if self._edit is not None:
            self._edit()
        self._edit = None
        return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._zoho, name)
