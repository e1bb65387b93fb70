"""Guards: a sync that would do more than was allowed stops before its first write, says so, and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sagezoho_pipelines.config import FLOWS, Guards
from sagezoho_pipelines.domain.records import Cause, EntityRef, Look, Outcome, System
from sagezoho_pipelines.engine import guards
from sagezoho_pipelines.engine.planning import carrying
from sagezoho_pipelines.engine.planning.approval import bound
from sagezoho_pipelines.engine.planning.document import Seal
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger.due import due_changes
from sagezoho_pipelines.ledger.plans import PostgresPlanStore
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench

SEAL = Seal("test", b"k" * 32)


@contextmanager
def _desk(engine: Engine, **guarded: Any) -> Iterator[Bench]:
    flows = {flow: {"guards": limits} for flow, limits in guarded.items()}
    with bench(engine, vendors=8, deals=6, flows=flows) as made:
        made.reset_counters()
        yield made


def _apply(desk: Bench, *flows: str) -> int:
    plan = desk.plan(*flows)
    store = PostgresPlanStore(desk.engine)
    number = carrying.begin(desk.planning(), desk.ledger, store, plan, SEAL, actor="test")
    for flow in plan.flows:
        tally = run_flow(bound(desk.context(), plan.redacted(SEAL), SEAL), flow, Window.incremental())
        assert (tally.held, tally.count(Outcome.RETRYING)) == (0, 0)
    store.end(number, state="done", at=desk.now())
    return number


def test_too_many_creates_stop_before_the_first_write(engine: Engine) -> None:
    with _desk(engine, vendors={"max_creates": 7}) as desk:
        tally = desk.sync("vendors")
        assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
        assert (tally.held, tally.left_over) == (8, 8)
        [note] = tally.notes
        assert "8 records would be created, and max_creates is 7." in note
        assert "sagezoho plan vendors --connection saminc" in note
        assert "sagezoho apply" in note
        assert desk.ledger.open_changes(EntityRef(CONNECTION, System.SAGE300, "vendors")) == 8


def test_what_a_guard_holds_is_due_for_nobody(engine: Engine) -> None:
    """Neither worker nor sensor spins on it; a standing note says why, since the first time."""
    with _desk(engine, vendors={"max_creates": 7}) as desk:
        desk.sync("vendors")
        [first] = desk.ledger.holds(CONNECTION)
        assert [due.entity.entity for due in due_changes(engine, at=desk.now())] == []
        desk.later(minutes=10)
        desk.sync("vendors")
        assert [(one.code, one.since) for one in desk.ledger.holds()] == [("max_creates", first.since)]


def test_a_guard_that_is_not_crossed_lets_everything_through(engine: Engine) -> None:
    with _desk(engine, vendors={"max_creates": 8, "max_updates_pct": 0, "max_deletes": 0}) as desk:
        assert desk.sync("vendors").left_over == 0
        assert desk.ledger.holds() == []


@pytest.mark.parametrize("flow", ["vendors", "customers", "orders", "invoices"])
def test_each_flow_has_guards_of_its_own(engine: Engine, flow: str) -> None:
    """Everything before it has been synced, and a guard stops what is new in this one."""
    with bench(engine, vendors=4, deals=0) as desk:
        desk.win_deal("Harbour Lights")
        for earlier in FLOWS[: FLOWS.index(flow)]:
            desk.sync(earlier)
        if flow == "invoices":
            [order] = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'orders'")
            desk.act("sage300", "ship_and_invoice_order", order=order["sage_id"])
        guarded = getattr(desk.settings.flows, flow).model_copy(update={"guards": Guards(max_creates=0)})
        flows = desk.settings.flows.model_copy(update={flow: guarded})
        desk.settings = desk.settings.model_copy(update={"flows": flows})
        desk.reset_counters()
        tally = desk.sync(flow)
        assert tally.held > 0
        assert {(one.flow, one.code) for one in desk.ledger.holds()} == {(flow, "max_creates")}
        assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
        _apply(desk, flow)
        assert sum(desk.writes().values()) > 0
        assert desk.ledger.holds() == []


def test_a_raised_guard_lets_go_of_what_it_held(engine: Engine) -> None:
    with _desk(engine, vendors={"max_creates": 7}) as desk:
        desk.sync("vendors")
        flows = desk.settings.flows
        raised = flows.vendors.model_copy(update={"guards": flows.vendors.guards.model_copy(update={"max_creates": 9})})
        desk.settings = desk.settings.model_copy(update={"flows": flows.model_copy(update={"vendors": raised})})
        assert desk.sync("vendors").left_over == 0
        assert desk.ledger.holds() == []


def test_too_many_updates_stop_by_their_share_of_the_linked_records(engine: Engine) -> None:
    with _desk(engine, vendors={"max_updates_pct": 25}) as desk:
        assert desk.sync("vendors").left_over == 0
        numbers = [str(row["VendorNumber"]).strip() for row in desk.state("sage300", "APVendors")]
        for number in numbers[:2]:
            desk.act("sage300", "edit_vendor", vendor=number, fields={"City": "Nanaimo"})
        assert desk.sync("vendors").left_over == 0
        for number in numbers[:3]:
            desk.act("sage300", "edit_vendor", vendor=number, fields={"City": "Kelowna"})
        before = desk.writes()
        tally = desk.sync("vendors")
        assert desk.writes() == before
        assert "3 linked records would be updated (37.5 % of 8), and max_updates_pct is 25." in tally.notes[0]


def test_too_many_deletions_stop(engine: Engine) -> None:
    with _desk(engine, vendors={"max_deletes": 0}) as desk:
        assert desk.sync("vendors").left_over == 0
        gone = desk.act("sage300", "add_vendor", fields={"VendorNumber": "GONE1", "VendorName": "Gone Ltd"})
        assert desk.sync("vendors").left_over == 0
        desk.act("sage300", "delete_vendor", vendor=gone.get("vendor", "GONE1"))
        before = desk.writes()
        tally = desk.sync("vendors", window=Window.sweep())
        assert desk.writes() == before
        assert any("1 records are gone in the source, and max_deletes is 0." in note for note in tally.notes)
        _apply(desk, "vendors")
        [account] = [row for row in desk.state("zoho_crm", "Accounts") if row.get("Sage_Vendor_Number") == "GONE1"]
        assert account["Sage_Vendor_Status"] == "Deleted in Sage"


def test_a_plan_tells_of_each_guard_that_a_sync_stops_at_and_of_no_other(engine: Engine) -> None:
    """A guard counts what is queued, also where it would come to nothing, and orders stop with their customers."""
    limits = {"vendors": {"max_updates_pct": 0}, "customers": {"max_creates": 0}, "invoices": {"max_creates": 0}}
    with _desk(engine, **limits) as desk:
        _apply(desk)
        edited = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'vendors' ORDER BY 1")[0]["sage_id"]
        desk.act("sage300", "edit_vendor", vendor=edited, fields={"LegalName": "Another Legal Name"})
        desk.win_deal("Harbour Lights")
        plan = desk.plan()
        told = sorted(note.partition(":")[0] for note in plan.notes if "a sync would stop at a guard" in note)
        stopped = {}
        for flow in FLOWS:
            stopped[flow] = desk.sync(flow).held > 0
        assert [item.outcome for item in plan.items if item.flow == "vendors"] == ["noop"]
        assert told == ["customers", "vendors"]
        assert stopped == {"vendors": True, "customers": True, "orders": True, "invoices": False, "identity": True}


def test_applying_a_plan_passes_the_guards_for_what_was_planned(engine: Engine) -> None:
    with _desk(engine, vendors={"max_creates": 3}, customers={"max_creates": 0}) as desk:
        assert desk.sync().held
        assert any("a sync would stop at a guard" in note for note in desk.plan().notes)
        _apply(desk)
        assert desk.ledger.holds() == []
        assert desk.sync().left_over == 0


def test_orders_wait_where_their_customers_are_held(engine: Engine) -> None:
    """They are not tried in vain, attempt after attempt."""
    with _desk(engine, customers={"max_creates": 0}) as desk:
        for account in range(2):
            made = desk.act(
                "zoho_crm", "add_account", name=f"Held {account}",
                values={"Billing_Street": "1 Quay", "Billing_City": "Vancouver", "Billing_State": "BC",
                        "Billing_Code": "V6B", "Billing_Country": "Canada"},
            )  # fmt: skip
            desk.act("zoho_crm", "add_deal", name="Refit", account_id=made["id"], amount="9", stage="Closed Won")
        desk.reset_counters()
        desk.sync("customers", "orders")
        assert desk.writes()["sage300"] == 0
        assert desk.query("SELECT 1 FROM sagezoho.changes WHERE entity = 'deals' AND attempts > 0") == []


def test_a_guard_that_cannot_be_computed_holds(engine: Engine) -> None:
    with _desk(engine, vendors={"max_creates": 100}) as desk:
        stray = EntityRef(CONNECTION, System.SAGE300, "no_such_pair")
        held = guards.held_back(desk.context(), "vendors", stray)
        assert held is not None
        assert held.code == "guards"
        assert "could not be computed" in held.text
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE sagezoho.links RENAME COLUMN zoho_entity TO zoho_entity_away"))
        held = guards.held_back(desk.context(), "vendors", EntityRef(CONNECTION, System.SAGE300, "vendors"))
        assert held is not None
        assert held.code == "guards"


def test_a_flow_without_guards_is_never_weighed(engine: Engine) -> None:
    """What costs nothing cannot fail either."""
    with _desk(engine) as desk, engine.begin() as connection:
        connection.execute(text("ALTER TABLE sagezoho.links RENAME COLUMN zoho_entity TO zoho_entity_away"))
        connection.rollback()
        assert guards.held_back(desk.context(), "vendors", EntityRef(CONNECTION, System.SAGE300, "no_such")) is None


@pytest.fixture
def new(engine: Engine) -> Iterator[Bench]:
    """A connection whose first sync needs a plan."""
    with bench(engine, vendors=5, deals=6) as made:
        made.settings = made.settings.model_copy(update={"first_sync": "plan"})
        made.reset_counters()
        yield made


@pytest.mark.parametrize("flow", FLOWS)
def test_a_first_sync_needs_an_applied_plan(new: Bench, flow: str) -> None:
    tally = new.sync(flow)
    assert new.writes() == {"sage300": 0, "zoho_crm": 0}
    assert tally.captured == 0
    assert tally.left_over > 0
    assert "needs an applied plan" in tally.notes[0]
    assert f"sagezoho plan {flow} --connection saminc" in tally.notes[0]


def test_after_the_applied_plan_every_sync_goes_on(new: Bench) -> None:
    new.sync()
    assert {one.code for one in new.ledger.holds()} == {"first_sync"}
    _apply(new)
    new.act("sage300", "add_vendor", fields={"VendorNumber": "NEXT1", "VendorName": "Next Ltd"})
    assert new.sync().left_over == 0
    assert new.ledger.holds() == []
    assert "SAMINC/NEXT1" in {row.get("Sage_Vendor_Key") for row in new.state("zoho_crm", "Accounts")}


def test_a_plan_of_one_flow_opens_no_other(new: Bench) -> None:
    _apply(new, "customers")
    before = new.writes()
    assert "needs an applied plan" in new.sync("orders").notes[0]
    assert new.writes() == before


def test_notifications_before_the_first_plan_wait(new: Bench) -> None:
    """A look that Zoho asked for is kept, and is due for nobody once the flow has said that it waits."""
    deals = EntityRef(CONNECTION, System.ZOHO_CRM, "deals")
    new.ledger.enqueue([Look(deals, "1", Cause.NOTIFICATION)], at=new.now())
    new.sync("orders")
    assert due_changes(new.engine, at=new.now()) == []
    assert new.ledger.open_changes(deals) == 1
