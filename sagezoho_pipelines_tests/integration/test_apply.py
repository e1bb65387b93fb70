"""A run that carries out a plan sends what the plan holds, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.config import FLOWS
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.engine.planning import carrying
from sagezoho_pipelines.engine.planning.approval import bound
from sagezoho_pipelines.engine.planning.document import Plan, Seal, from_document
from sagezoho_pipelines.engine.planning.moved import PlanMoved
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.tally import Tally
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger.plans import PostgresPlanStore
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench

SEAL = Seal("test", b"k" * 32)


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=6, deals=8) as made:
        yield made


def _begin(desk: Bench, plan: Plan) -> int:
    store = PostgresPlanStore(desk.engine)
    return carrying.begin(desk.planning(), desk.ledger, store, plan, SEAL, actor="test")


def _carry(desk: Bench, number: int, *flows: str) -> Tally:
    applied = PostgresPlanStore(desk.engine).read(number)
    assert applied is not None
    plan = from_document(applied.document, "the plan")
    total = Tally()
    for flow in flows or plan.flows:
        total.add(run_flow(bound(desk.context(), plan, SEAL), flow, Window.incremental()))
    return total


def test_what_changes_after_the_last_look_is_not_sent(desk: Bench) -> None:
    plan = desk.plan()
    number = _begin(desk, plan)
    vendor = str(desk.state("sage300", "APVendors")[0]["VendorNumber"]).strip()
    desk.act("sage300", "edit_vendor", vendor=vendor, fields={"VendorName": "Quite Another Name"})
    desk.act("sage300", "add_vendor", fields={"VendorNumber": "LATE1", "VendorName": "Late Comer Ltd"})
    tally = _carry(desk, number)
    keys = {row.get("Sage_Vendor_Key") for row in desk.state("zoho_crm", "Accounts")} - {None}
    assert len(keys) == 5
    assert keys.isdisjoint({f"SAMINC/{vendor}", "SAMINC/LATE1"})
    waiting = desk.query("SELECT key, error FROM sagezoho.changes WHERE state = 'queued' ORDER BY key")
    assert {row["key"] for row in waiting} == {vendor, "LATE1"}
    assert {row["error"]["code"] for row in waiting} == {"NOT_IN_PLAN"}
    assert tally.left_over == 2 + plan.totals["refused"]
    desk.later(hours=1)
    assert desk.sync().left_over == 0


def test_what_a_plan_points_at_is_found_by_the_ids_it_got(desk: Bench) -> None:
    """Contacts point at new accounts, orders at new customers, deals are told the numbers of new orders."""
    plan = desk.plan()
    assert len(plan.made) > 10
    assert _carry(desk, _begin(desk, plan)).left_over == plan.totals["refused"]
    told = [row for row in desk.state("zoho_crm", "Deals") if row.get("Sage_Order_Number")]
    assert len(told) == sum((item.target_entity, item.outcome) == ("orders", "created") for item in plan.items)
    assert all(not str(row["Sage_Order_Number"]).startswith("(") for row in told)
    assert desk.plan().totals["created"] == 0


def test_what_a_vendor_refuses_against_the_plan_leaves_nothing_of_it_to_do(desk: Bench) -> None:
    """It is in the inbox, and the next sync tells Zoho so."""
    desk.win_deal("Harbour Lights")
    plan = desk.plan()
    refusal = {"error": {"code": "General", "message": {"lang": "en-US", "value": "The books are being moved."}}}
    rule = desk.sandbox.sage300.world.faults.add("respond", method="POST", path="OEOrders", status=409, body=refusal)
    _carry(desk, _begin(desk, plan))
    assert {(row["entity"], row["error"]["code"]) for row in desk.open_inbox()} == {("deals", "General")}
    assert carrying.undone(desk.ledger, plan, at=desk.now()) == []
    desk.sandbox.sage300.world.faults.remove(rule.id)
    desk.later(hours=1)
    desk.sync("orders")
    told = [row["Sage_Sync_Message"] for row in desk.state("zoho_crm", "Deals") if row["Sage_Sync_Status"] == "Refused"]
    assert told
    assert all("The books are being moved" in str(one) for one in told)


def test_a_plan_goes_on_where_it_stopped(desk: Bench) -> None:
    """Stopped after two of its flows: planning again finds the rest of it, the placeholders resolved."""
    plan = desk.plan()
    number = _begin(desk, plan)
    _carry(desk, number, "vendors", "customers")
    assert _begin(desk, plan) == number
    assert _carry(desk, number).left_over == plan.totals["refused"]
    assert carrying.undone(desk.ledger, plan, at=desk.now()) == []
    PostgresPlanStore(desk.engine).end(number, state="done", at=desk.now())
    with pytest.raises(SagezohoError, match="was applied already"):
        _begin(desk, plan)


class _Killed(BaseException):
    """The process ends here."""


class _Dying:
    """A vendor's client in a process that is killed right after its call `name` was carried out."""

    def __init__(self, real: Any, name: str) -> None:
        self._real, self._name = real, name

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._real, name)
        if name != self._name:
            return call

        def last(*args: Any, **options: Any) -> Any:
            call(*args, **options)
            raise _Killed

        return last


@pytest.mark.parametrize(("flow", "vendor", "call"), [("vendors", "zoho", "upsert"), ("orders", "sage", "create")])
def test_a_plan_goes_on_after_a_kill_between_a_write_and_its_settling(
    desk: Bench, flow: str, vendor: str, call: str
) -> None:
    """What was made is not linked yet: it is known by its business key, and so is what points at it."""
    plan = desk.plan()
    number = _begin(desk, plan)
    if flow == "orders":
        _carry(desk, number, "customers")
    ctx = bound(desk.context(), plan.redacted(SEAL), SEAL)
    dying: Any = _Dying(getattr(ctx, vendor), call)
    with pytest.raises(_Killed):
        run_flow(replace(ctx, **{vendor: dying}), flow, Window.incremental())
    desk.later(hours=1)
    assert _begin(desk, plan) == number
    assert _carry(desk, number).left_over == plan.totals["refused"]
    assert carrying.undone(desk.ledger, plan, at=desk.now()) == []
    keys = [row["Sage_Vendor_Key"] for row in desk.state("zoho_crm", "Accounts") if row.get("Sage_Vendor_Key")]
    orders = [str(row["OrderReference"]).strip() for row in desk.state("sage300", "OEOrders")]
    ours = [one for one in orders if one.isdigit()]
    assert (len(keys), len(ours)) == (len(set(keys)), len(set(ours)))


def test_a_plan_that_stopped_and_then_moved_goes_no_further(desk: Bench) -> None:
    plan = desk.plan()
    _carry(desk, _begin(desk, plan), "customers")
    desk.act("sage300", "add_vendor", fields={"VendorNumber": "LATE1", "VendorName": "Late Comer Ltd"})
    with pytest.raises(PlanMoved, match=f"{CONNECTION}: nothing was written.*upsert Accounts SAMINC/LATE1"):
        _begin(desk, plan)


def test_numbers_taken_by_somebody_else_are_a_move(desk: Bench) -> None:
    plan = desk.plan()
    desk.ledger.next_number(CONNECTION, "customers:Z")
    with pytest.raises(PlanMoved, match="customers"):
        _begin(desk, plan)


def test_a_plan_is_of_all_flows(desk: Bench) -> None:
    assert tuple(desk.plan().flows) == FLOWS


def _spent(desk: Bench) -> list[int]:
    """Calls of Sage, calls of Zoho and credits of Zoho, as the vendors have counted them."""
    sage, zoho = (world.counters.snapshot() for world in (desk.sandbox.sage300.world, desk.sandbox.zoho_crm.world))
    return [int(sage["total"]), int(zoho["total"]), desk.sandbox.zoho_crm.world.limits.spent_ever]


def _edited_on_both_sides(desk: Bench) -> None:
    vendors = desk.query(
        "SELECT sage_id, zoho_id FROM sagezoho.links WHERE zoho_entity = 'Accounts' AND sage_entity = 'vendors'"
    )
    [order, *_] = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'orders' ORDER BY 1")
    desk.act("sage300", "ship_and_invoice_order", order=order["sage_id"])
    desk.act("sage300", "edit_vendor", vendor=vendors[0]["sage_id"], fields={"PhoneNumber": "604-555-0177"})
    desk.act("zoho_crm", "edit_record", module="Accounts", id=vendors[-1]["zoho_id"], values={"Phone": "604-555-0144"})


def test_carrying_a_plan_out_costs_what_the_plan_said(desk: Bench) -> None:
    """As the vendors count it: the first sync, and one with edits on both sides and an invoice."""
    desk.one_at_a_time()
    for prepare in (lambda _desk: None, _edited_on_both_sides):
        prepare(desk)
        plan = desk.plan()
        cost = plan.cost
        start = _spent(desk)
        number = _begin(desk, plan)
        seen = _spent(desk)
        assert [seen[0] - start[0], seen[2] - start[2]] == [cost.sage300_looks, cost.zoho_crm_looks]
        _carry(desk, number)
        done = [now - before for now, before in zip(_spent(desk), seen, strict=True)]
        assert done == [
            cost.sage300_reads + cost.sage300_writes,
            cost.zoho_crm_reads + cost.zoho_crm_writes,
            cost.zoho_crm_credits,
        ]
        assert cost.sage300_writes + cost.zoho_crm_writes > 0
