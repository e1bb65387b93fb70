"""The auditor finds what is planted: each kind of corruption, in a state that was clean before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sagezoho_pipelines_tests.fault.auditor import audit
from sagezoho_pipelines_tests.fault.scene import Scene, scene

State = dict[tuple[str, str], list[dict[str, Any]]]
_COLLECTIONS = {
    "sage300": ("APVendors", "ARCustomers", "OEOrders", "OEInvoices", "ARInvoiceBatches", "ARPostedDocuments"),
    "zoho_crm": ("Accounts", "Contacts", "Deals", "Quotes", "Invoices", "Products"),
}


@pytest.fixture(scope="module")
def finished(module_engine: Engine) -> Iterator[tuple[Scene, State]]:
    """A day's work, delivered, and both vendors' state after it."""
    with scene(module_engine, seed=3) as day:
        for _ in range(3):
            day.deal()
        day.desk.sync()
        for _ in range(3):
            day.ship()
        day.service()
        day.desk.sync()
        day.pay()
        day.desk.sync()
        yield day, {(v, c): day.desk.state(v, c) for v, names in _COLLECTIONS.items() for c in names}


def test_a_day_without_faults_is_clean(finished: tuple[Scene, State]) -> None:
    verdict = finished[0].audit()
    assert verdict.clean, str(verdict)
    assert verdict.expected >= 6 + 3 + 4
    assert set(verdict.figures().values()) == {0}


def _zoho_invoice(state: State) -> dict[str, Any]:
    return state["zoho_crm", "Invoices"][0]


def _ours(state: State) -> int:
    deals = {str(row["id"]) for row in state["zoho_crm", "Deals"]}
    rows = state["sage300", "OEOrders"]
    return next(i for i, row in enumerate(rows) if str(row["OrderReference"]).strip() in deals)


def _account(state: State) -> int:
    return next(i for i, row in enumerate(state["zoho_crm", "Accounts"]) if row["Sage_Vendor_Key"])


def _contact(state: State) -> int:
    return next(i for i, row in enumerate(state["zoho_crm", "Contacts"]) if row["Sage_Contact_Key"])


def _again(rows: list[dict[str, Any]], index: int, **values: Any) -> None:
    rows.append({**rows[index], **values})


def _edit(rows: list[dict[str, Any]], index: int, **values: Any) -> None:
    rows[index] = {**rows[index], **values}


_CORRUPTIONS: dict[str, tuple[str, Callable[[State], Any]]] = {
    "an account is missing": ("lost", lambda s: s["zoho_crm", "Accounts"].pop(_account(s))),
    "a contact is missing": ("lost", lambda s: s["zoho_crm", "Contacts"].pop(_contact(s))),
    "an order is missing": ("lost", lambda s: s["sage300", "OEOrders"].pop(_ours(s))),
    "an invoice is missing": ("lost", lambda s: s["zoho_crm", "Invoices"].pop(0)),
    "an account twice": ("duplicated", lambda s: _again(s["zoho_crm", "Accounts"], _account(s), id="77")),
    "a contact twice": ("duplicated", lambda s: _again(s["zoho_crm", "Contacts"], _contact(s), id="77")),
    "an order twice": (
        "duplicated",
        lambda s: _again(s["sage300", "OEOrders"], _ours(s), OrderNumber="ORD9", OrderUniquifier=9),
    ),
    "a customer twice": (
        "duplicated",
        lambda s: s["sage300", "ARCustomers"].append({**s["sage300", "ARCustomers"][-1], "CustomerNumber": "Z000099"}),
    ),
    "an invoice twice": ("duplicated", lambda s: _again(s["zoho_crm", "Invoices"], 0, id="77")),
    "a line twice": (
        "duplicated",
        lambda s: _edit(s["zoho_crm", "Invoices"], 0, Invoiced_Items=_zoho_invoice(s)["Invoiced_Items"] * 2),
    ),
    "a product twice": ("duplicated", lambda s: _again(s["zoho_crm", "Products"], 0, id="77")),
    "another city": ("wrong", lambda s: _edit(s["zoho_crm", "Accounts"], _account(s), Billing_City="Nowhere")),
    "another customer": ("wrong", lambda s: _edit(s["sage300", "OEOrders"], _ours(s), CustomerNumber="1200")),
    "another total": ("wrong", lambda s: _edit(s["sage300", "OEOrders"], _ours(s), OrderTotalBeforeTax=1)),
    "another open amount": ("wrong", lambda s: _edit(s["zoho_crm", "Invoices"], 0, Sage_Open_Amount=1)),
    "another deal": ("wrong", lambda s: _edit(s["zoho_crm", "Invoices"], 0, Deal_Name__s={"id": "77"})),
    "a line lost": ("wrong", lambda s: _edit(s["zoho_crm", "Invoices"], 0, Invoiced_Items=[])),
    "an invoice of nothing": ("wrong", lambda s: _again(s["zoho_crm", "Invoices"], 0, id="77", Sage_Invoice_Key="X/1")),
}


@pytest.mark.parametrize("name", _CORRUPTIONS)
def test_a_corrupted_vendor_is_found_out(finished: tuple[Scene, State], name: str) -> None:
    day, state = finished
    kind, corrupt = _CORRUPTIONS[name]
    changed = {place: list(rows) for place, rows in state.items()}
    corrupt(changed)
    verdict = audit(lambda vendor, collection: changed[vendor, collection], day.desk.engine)
    assert verdict.figures()[kind] >= 1, str(verdict)


def _first(table: str, change: str, which: str = "true") -> str:
    return f"UPDATE sagezoho.{table} SET {change} WHERE id = (SELECT min(id) FROM sagezoho.{table} WHERE {which})"


@pytest.mark.parametrize(
    ("kind", "sql"),
    [
        ("mislinked", _first("links", "zoho_id = '77'")),
        ("mislinked", _first("links", "sage_id = 'ORD9'", "sage_entity = 'orders'")),
        ("unexplained", _first("changes", "state = 'queued'")),
        ("unexplained", _first("changes", "state = 'claimed'")),
        ("unexplained", _first("intents", "state = 'open'")),
    ],
)
def test_a_corrupted_ledger_is_found_out(
    finished: tuple[Scene, State], module_engine: Engine, kind: str, sql: str
) -> None:
    day, _ = finished
    saved = ("links", "changes", "intents")
    with module_engine.begin() as connection:
        for table in saved:
            connection.execute(text(f"CREATE TABLE saved_{table} AS TABLE sagezoho.{table}"))
        connection.execute(text(sql))
    try:
        verdict = day.audit()
    finally:
        with module_engine.begin() as connection:
            for table in saved:
                connection.execute(text(f"DELETE FROM sagezoho.{table}"))
                connection.execute(
                    text(f"INSERT INTO sagezoho.{table} OVERRIDING SYSTEM VALUE SELECT * FROM saved_{table}")
                )
                connection.execute(text(f"DROP TABLE saved_{table}"))
    assert verdict.figures()[kind] >= 1, str(verdict)


def test_what_a_person_was_asked_about_is_neither_lost_nor_wrong(engine: Engine) -> None:
    with scene(engine, seed=4) as day:
        day.fault("sage300", "status", method="POST", path="/OEOrders", status=409)
        day.deal()
        day.desk.sync()
        assert len(day.inbox()) == 1
        assert day.audit().clean, str(day.audit())
