"""What applying a plan does, as the vendors themselves hold it afterwards: every record of the plan, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.reconcile import same
from sagezoho_pipelines.engine.planning import carrying
from sagezoho_pipelines.engine.planning.approval import bound, names_of
from sagezoho_pipelines.engine.planning.document import Plan, Seal, to_text
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger.plans import PostgresPlanStore
from sagezoho_pipelines_tests.bench import Bench, bench

SEAL = Seal("test", b"k" * 32)
#: Where each vendor keeps what a plan calls by these names, and the field that holds the id.
_COLLECTIONS = {
    ("sage300", "vendors"): ("APVendors", "VendorNumber"),
    ("sage300", "customers"): ("ARCustomers", "CustomerNumber"),
    ("sage300", "orders"): ("OEOrders", "OrderNumber"),
    **{("zoho_crm", name): (name, "id") for name in ("Accounts", "Contacts", "Deals", "Products", "Invoices")},
}
#: What either vendor keeps up by itself.
_OF_THE_VENDOR = frozenset({"Modified_Time", "Modified_By", "DateLastMaintained"})

_Place = tuple[str, str, str]


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=8, deals=0) as made:
        made.win_deal("Harbour Lights")
        made.win_deal("Quay Works")
        yield made


def _held(desk: Bench) -> dict[_Place, dict[str, Any]]:
    """Every record of both vendors."""
    return {
        (system, name, str(row[key]).strip()): {field: _plain(value) for field, value in row.items()}
        for (system, name), (collection, key) in _COLLECTIONS.items()
        for row in desk.state(system, collection)
    }


def _changed(before: Mapping[_Place, Any], after: Mapping[_Place, Any]) -> dict[_Place, dict[str, Any]]:
    """What is new, whole, and of what was there the fields that hold something else now."""
    found = {}
    for place, row in after.items():
        held = before.get(place)
        fields = row if held is None else {name: row[name] for name in row if row[name] != held.get(name)}
        if fields:
            found[place] = fields
    assert before.keys() <= after.keys(), "a record is gone"
    return found


def _planned(plan: Plan) -> dict[_Place, dict[str, Any]]:
    found: dict[_Place, dict[str, Any]] = {}
    for item in plan.items:
        if item.outcome in ("created", "updated") and item.fields:
            place = (item.target_system, item.target_entity, item.target_id)
            found.setdefault(place, {}).update({one.name: one.new for one in item.fields})
    return found


def _plain(value: Any) -> Any:
    """A value without what the vendors show of it besides: of a lookup its id, of a text no blanks at its end."""
    if isinstance(value, Mapping):
        return {"id": value["id"]} if "id" in value else value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value.strip() or None
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _apply(desk: Bench, plan: Plan) -> None:
    store = PostgresPlanStore(desk.engine)
    carrying.begin(desk.planning(), desk.ledger, store, plan, SEAL, actor="test")
    for flow in plan.flows:
        run_flow(bound(desk.context(), plan.redacted(SEAL), SEAL), flow, Window.incremental())


def _must_be_exact(desk: Bench) -> dict[_Place, dict[str, Any]]:
    """Plan, apply, and compare what the vendors hold with the plan, record by record and field by field."""
    plan, before = desk.plan(), _held(desk)
    planned = _planned(plan)
    _apply(desk, plan)
    names = names_of(plan, desk.ledger)
    done: dict[_Place, dict[str, Any]] = {}
    for (system, entity, record), fields in _changed(before, _held(desk)).items():
        place = (system, entity, str(names.named({"id": record})["id"]))
        done[place] = dict(names.named(fields))
        if (system, entity, record) in before:
            assert fields.keys() - _OF_THE_VENDOR <= planned.get(place, {}).keys(), place
    assert done.keys() == {
        place for place, fields in planned.items() if place in done or _says_more(before, place, fields)
    }
    for place, fields in done.items():
        for name, value in planned[place].items():
            if name in fields and not isinstance(value, list):
                assert same(_plain(value), fields[name]), (place, name, value, fields[name])
    return done


def _says_more(before: Mapping[_Place, Any], place: _Place, fields: Mapping[str, Any]) -> bool:
    """Whether the plan would change anything of the record: a field may be written that holds the value already."""
    held = before.get(place)
    return held is None or any(not same(_plain(value), held.get(name)) for name, value in fields.items())


def test_a_first_sync_makes_the_records_of_its_plan_and_no_other(desk: Bench) -> None:
    done = _must_be_exact(desk)
    assert {entity for _, entity, _ in done} >= {"Accounts", "Contacts", "customers", "orders", "Deals"}


def test_edits_on_both_sides_and_an_invoice_come_to_what_the_plan_said(desk: Bench) -> None:
    desk.sync()
    [order, *_] = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'orders' ORDER BY 1")
    desk.act("sage300", "ship_and_invoice_order", order=order["sage_id"])
    linked = desk.query(
        "SELECT sage_id, zoho_id FROM sagezoho.links WHERE sage_entity = 'vendors' AND zoho_entity = 'Accounts'"
    )
    desk.act("sage300", "edit_vendor", vendor=linked[0]["sage_id"], fields={"PhoneNumber": "604-555-0177"})
    desk.act(
        "zoho_crm", "edit_record", module="Accounts", id=linked[0]["zoho_id"], values={"Website": "www.quay.example"}
    )
    desk.act("zoho_crm", "edit_record", module="Accounts", id=linked[1]["zoho_id"], values={"Fax": "604-555-0166"})
    done = _must_be_exact(desk)
    assert {entity for _, entity, _ in done} == {"Accounts", "Contacts", "Products", "Invoices"}


SECRET = "Wolkenstein"


def test_a_redacted_plan_shows_nothing_of_any_record(desk: Bench) -> None:
    """A word that stands in names, addresses, e-mails, sites and messages, of what is made, changed, refused, in
    conflict and passed over, stands nowhere in the file; ids and codes do."""
    said = {
        "VendorName": f"{SECRET} Ltd", "LegalName": f"{SECRET} Legal", "AddressLine1": f"1 {SECRET} Road",
        "City": SECRET, "ContactName": f"Anna {SECRET}", "Email": f"office@{SECRET}.example",
        "ContactsEmail": f"anna@{SECRET}.example", "WebSite": f"www.{SECRET}.example",
    }  # fmt: skip
    desk.act("sage300", "add_vendor", fields={"VendorNumber": "S1", **said})
    desk.act("sage300", "add_vendor", fields={"VendorNumber": "S2", **said, "ContactsEmail": f"{SECRET} at nowhere"})
    desk.sync("vendors")
    desk.act("sage300", "edit_vendor", vendor="S1", fields={"VendorName": f"New {SECRET}"})
    [link] = desk.query("SELECT zoho_id FROM sagezoho.links WHERE sage_id = 'S1' AND zoho_entity = 'Accounts'")
    desk.act("zoho_crm", "edit_record", module="Accounts", id=link["zoho_id"], values={"Account_Name": f"Old {SECRET}"})
    desk.act("sage300", "add_vendor", fields={"VendorNumber": "S3", **said})
    desk.act("sage300", "edit_vendor", vendor="S2", fields={"ContactsEmail": f"still {SECRET}"})
    for city in (SECRET, SECRET * 4):
        desk.win_deal(f"{SECRET} of {city}", Billing_Street=f"1 {SECRET}", Billing_City=city)
    plan = desk.plan()
    open_text, closed = to_text(plan, SEAL), to_text(plan.redacted(SEAL), SEAL)
    totals = plan.totals
    assert totals["created"]
    assert totals["updated"]
    assert totals["refused"]
    assert open_text.casefold().count(SECRET.casefold()) > 30
    assert SECRET.casefold() not in closed.casefold()
    assert '"S3"' in closed
