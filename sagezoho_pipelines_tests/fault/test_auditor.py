"""The auditor finds what is planted: each kind of corruption, in a state that was clean before."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines_tests.fault import agreement, auditor, bindings, evidence, questions
from sagezoho_pipelines_tests.fault.auditor import judge
from sagezoho_pipelines_tests.fault.evidence import KINDS, Tables, tables_of
from sagezoho_pipelines_tests.fault.scene import Scene, scene

State = dict[tuple[str, str], list[dict[str, Any]]]
_COLLECTIONS = {
    "sage300": ("APVendors", "ARCustomers", "OEOrders", "OEInvoices", "ARInvoiceBatches", "ARPostedDocuments"),
    "zoho_crm": ("Accounts", "Contacts", "Deals", "Quotes", "Invoices", "Products"),
}


Ledger = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Finished:
    """A day's work, delivered: both vendors' state after it, and the ledger's."""

    day: Scene
    state: State
    tables: Tables


@pytest.fixture(scope="module")
def finished(module_engine: Engine) -> Iterator[Finished]:
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
        state = {(v, c): day.desk.state(v, c) for v, names in _COLLECTIONS.items() for c in names}
        yield Finished(day, state, tables_of(module_engine))


def _judged(finished: Finished, corrupt: Callable[[State, Ledger], Any]) -> evidence.Verdict:
    state = {place: [dict(row) for row in rows] for place, rows in finished.state.items()}
    ledger = {name: [dict(row) for row in rows] for name, rows in finished.tables.items()}
    corrupt(state, ledger)
    return judge(lambda vendor, collection: state[vendor, collection], ledger)


def test_the_auditor_knows_nothing_of_the_product() -> None:
    for module in (agreement, auditor, bindings, evidence, questions):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        imported = {
            name
            for node in ast.walk(tree)
            for name in (
                [node.module or ""] if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            )
        }  # fmt: skip
        assert not [name for name in imported if name.split(".")[0] == "sagezoho_pipelines"], module.__name__


def test_a_day_without_faults_is_clean(finished: Finished) -> None:
    verdict = finished.day.audit()
    assert verdict.clean, str(verdict)
    assert verdict.expected >= 6 + 3 + 4
    assert set(verdict.figures().values()) == {0}
    assert _judged(finished, lambda _state, _ledger: None).clean


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
    "another sum": ("wrong", lambda s: _edit(s["zoho_crm", "Invoices"], 0, Grand_Total=1)),
    "another open amount": ("wrong", lambda s: _edit(s["zoho_crm", "Invoices"], 0, Sage_Open_Amount=1)),
    "another deal": ("wrong", lambda s: _edit(s["zoho_crm", "Invoices"], 0, Deal_Name__s={"id": "77"})),
    "a line lost": ("wrong", lambda s: _edit(s["zoho_crm", "Invoices"], 0, Invoiced_Items=[])),
    "an invoice of nothing": ("wrong", lambda s: _again(s["zoho_crm", "Invoices"], 0, id="77", Sage_Invoice_Key="X/1")),
}


@pytest.mark.parametrize("name", _CORRUPTIONS)
def test_a_corrupted_vendor_is_found_out(finished: Finished, name: str) -> None:
    kind, corrupt = _CORRUPTIONS[name]
    verdict = _judged(finished, lambda state, _ledger: corrupt(state))
    assert verdict.figures()[kind] >= 1, str(verdict)


def _links(ledger: Ledger, sage_entity: str, zoho_entity: str) -> list[dict[str, Any]]:
    kind = (sage_entity, zoho_entity)
    return [row for row in ledger["links"] if (row["sage_entity"], row["zoho_entity"]) == kind]


def _swapped(ledger: Ledger, sage_entity: str, zoho_entity: str) -> None:
    """Two records of each side, each bound to the other's: no side is missing, none is bound twice."""
    one, other = _links(ledger, sage_entity, zoho_entity)[:2]
    one["zoho_id"], other["zoho_id"] = other["zoho_id"], one["zoho_id"]


def _twice(ledger: Ledger, side: str, sage_entity: str, zoho_entity: str) -> None:
    one, other = _links(ledger, sage_entity, zoho_entity)[:2]
    other[side] = one[side]


def _nowhere(ledger: Ledger, sage_entity: str, zoho_entity: str) -> None:
    ledger["links"].append({**_links(ledger, sage_entity, zoho_entity)[0], "sage_id": "NOBODY", "zoho_id": "77"})


def _keyless(state: State, ledger: Ledger) -> None:
    """A vendor bound by hand to an account that carries no key, and another name."""
    link = _links(ledger, "vendors", "Accounts")[0]
    stranger = {**state["zoho_crm", "Accounts"][_account(state)], "id": "77", "Account_Name": "Somebody else"}
    state["zoho_crm", "Accounts"].append({**stranger, "Sage_Vendor_Key": None, "Sage_Vendor_Number": None})
    link["zoho_id"] = "77"


def _second_customer(state: State, ledger: Ledger) -> None:
    """Another customer of an account that is one already, with a reservation of its own."""
    intent = next(row for row in ledger["intents"] if row["target_entity"] == "customers")
    ledger["intents"].append({**intent, "id": 99_999, "business_key": "Z000099", "target_id": "Z000099"})
    state["sage300", "ARCustomers"].append({**state["sage300", "ARCustomers"][-1], "CustomerNumber": "Z000099"})


def _asked(ledger: Ledger) -> None:
    """Everybody's newest change waits in the inbox."""
    for row in ledger["changes"]:
        row["state"] = "refused"


_PAIRS = (
    ("vendors", "Accounts"), ("vendors", "Contacts"), ("customers", "Accounts"), ("orders", "Deals"),
    ("invoices", "Invoices"), ("items", "Products"),
)  # fmt: skip
_MISLINKED: dict[str, Callable[[State, Ledger], Any]] = {
    **{f"{s} bound to others' {z}": lambda _, ledger, s=s, z=z: _swapped(ledger, s, z) for s, z in _PAIRS},
    **{f"{s} with two of the {z}": lambda _, ledger, s=s, z=z: _twice(ledger, "sage_id", s, z) for s, z in _PAIRS},
    **{f"{z} with two of the {s}": lambda _, ledger, s=s, z=z: _twice(ledger, "zoho_id", s, z) for s, z in _PAIRS},
    **{f"{s} and {z} that are nowhere": lambda _, ledger, s=s, z=z: _nowhere(ledger, s, z) for s, z in _PAIRS},
    "an account without key and another name": _keyless,
    "a vendor gone from Sage, its account still active": lambda state, _: state["sage300", "APVendors"].pop(0),
    "an account gone from Zoho": lambda state, _: state["zoho_crm", "Accounts"].pop(_account(state)),
}


@pytest.mark.parametrize("name", _MISLINKED)
def test_a_wrong_binding_is_found_out(finished: Finished, name: str) -> None:
    verdict = _judged(finished, _MISLINKED[name])
    assert verdict.figures()["mislinked"] >= 1, str(verdict)


@pytest.mark.parametrize("pair", _PAIRS)
def test_nobody_being_asked_excuses_a_binding_that_keys_contradict(finished: Finished, pair: tuple[str, str]) -> None:
    def corrupt(_state: State, ledger: Ledger) -> None:
        _asked(ledger)
        _swapped(ledger, *pair)

    assert _judged(finished, corrupt).figures()["mislinked"] >= 1


def test_two_accounts_of_a_vendor_and_two_customers_of_an_account_are_doubles(finished: Finished) -> None:
    def another_account(state: State, ledger: Ledger) -> None:
        _asked(ledger)
        _again(state["zoho_crm", "Accounts"], _account(state), id="77", Sage_Vendor_Key=None)

    for corrupt in (another_account, _second_customer):
        assert _judged(finished, corrupt).figures()["duplicated"] >= 1, corrupt.__name__


def _last(ledger: Ledger, table: str, **values: Any) -> None:
    ledger[table][-1].update(values)


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda _, ledger: _last(ledger, "changes", state="queued"),
        lambda _, ledger: _last(ledger, "changes", state="claimed"),
        lambda _, ledger: _last(ledger, "changes", outcome=None),
        lambda _, ledger: _last(ledger, "intents", state="open"),
        lambda _, ledger: ledger["audit"].clear(),
    ],
    ids=["queued", "held", "without outcome", "open intent", "no audit"],
)
def test_what_nobody_can_explain_is_found_out(finished: Finished, corrupt: Callable[[State, Ledger], Any]) -> None:
    verdict = _judged(finished, corrupt)
    assert verdict.figures()["unexplained"] >= 1, str(verdict)


def test_every_kind_of_finding_has_been_provoked() -> None:
    assert {*(kind for kind, _ in _CORRUPTIONS.values()), "mislinked", "unexplained"} == set(KINDS)


def test_what_a_person_was_asked_about_is_neither_lost_nor_wrong(engine: Engine) -> None:
    with scene(engine, seed=4) as day:
        day.fault("sage300", "status", method="POST", path="/OEOrders", status=409)
        day.deal()
        day.desk.sync()
        assert len(day.inbox()) == 1
        assert day.audit().clean, str(day.audit())
