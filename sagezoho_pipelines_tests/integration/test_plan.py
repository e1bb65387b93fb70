"""A plan says what a sync would do, and does none of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.config import FLOWS
from sagezoho_pipelines.domain.digest import canonical_json
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.records import Authority
from sagezoho_pipelines.engine.planning.document import Plan, Seal, from_text, to_text
from sagezoho_pipelines.engine.planning.plan import make
from sagezoho_pipelines_tests.bench import Bench, bench

SEAL = Seal("test", b"k" * 32)
_TABLES = (
    "changes", "records", "links", "watermarks", "intents", "sequences", "audit", "write_backs", "pauses", "plans",
)  # fmt: skip


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=12, deals=8) as made:
        yield made


def _rows(desk: Bench) -> dict[str, Any]:
    """Every row of the ledger, as text."""
    return {name: desk.query(f"SELECT CAST(t AS text) AS row FROM sagezoho.{name} t ORDER BY 1") for name in _TABLES}


def _said(plan: Plan) -> list[Any]:
    """What the plan says that moves, without the ids that only the vendors give."""
    return sorted(
        (
            item.flow, item.source_entity, item.source_id, item.target_entity, item.operation, item.outcome,
            sorted(canonical_json([one.name, _known(one.new)]) for one in item.fields),
            str(item.error.get("code", "")),
        )
        for item in plan.items
        if item.operation != "none"
    )  # fmt: skip


def _done(desk: Bench, made: dict[str, str], *, after: int = 0) -> list[Any]:
    """The same of the audit; `made` names the ids that vendors gave."""
    lines = desk.query(
        "SELECT a.flow, c.entity AS source_entity, c.key AS source_id, a.target_entity, a.operation, a.outcome, "
        "a.fields, a.answer FROM sagezoho.audit a JOIN sagezoho.changes c ON c.id = a.change_id WHERE a.seq > :after",
        after=after,
    )
    rules = {row["id"]: row["target"] for row in desk.query("SELECT id, target FROM sagezoho.transformations")}
    return sorted(
        (
            line["flow"], line["source_entity"], line["source_id"], line["target_entity"], line["operation"],
            line["outcome"],
            sorted(canonical_json([rules[field[0]], _known(field[2], made)]) for field in line["fields"]),
            str(line["answer"].get("code", "")) if line["outcome"] in ("refused", "conflicted", "retrying") else "",
        )
        for line in lines
    )  # fmt: skip


def _known(value: Any, made: dict[str, str] | None = None) -> Any:
    """A value in which every id that a vendor gave is `new`."""
    if isinstance(value, str):
        return "new" if value.startswith("(new ") or value in (made or {}) else value
    if isinstance(value, dict):
        return {name: _known(item, made) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_known(item, made) for item in value]
    return value


def _ids(desk: Bench) -> dict[str, str]:
    """The ids that Zoho and, for orders, Sage have given so far."""
    modules = ("Accounts", "Contacts", "Products", "Invoices")
    theirs = [str(row["id"]) for module in modules for row in desk.state("zoho_crm", module)]
    orders = [str(row["OrderNumber"]).strip() for row in desk.state("sage300", "OEOrders")]
    return dict.fromkeys([*theirs, *orders], "")


def _given_since(desk: Bench, known: dict[str, str]) -> dict[str, str]:
    return {one: "" for one in _ids(desk) if one not in known}


def test_planning_writes_nothing_anywhere(desk: Bench) -> None:
    desk.reset_counters()
    before = _rows(desk)
    plan = desk.plan()
    assert plan.totals["created"] > 12
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
    assert _rows(desk) == before


def test_a_first_sync_does_what_the_plan_said(desk: Bench) -> None:
    plan, known = desk.plan(), _ids(desk)
    desk.sync()
    assert _said(plan) == _done(desk, _given_since(desk, known))


def test_a_later_sync_does_what_the_plan_said(desk: Bench) -> None:
    """Edits, deletions and refusals on both sides, and the first invoice: each is in the plan as it then is done."""
    desk.sync()
    orders = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'orders' ORDER BY sage_id")
    desk.act("sage300", "ship_and_invoice_order", order=orders[0]["sage_id"])
    vendors = desk.query(
        "SELECT sage_id, zoho_id FROM sagezoho.links WHERE zoho_entity = 'Accounts' AND sage_entity = 'vendors' "
        "ORDER BY sage_id"
    )
    desk.act("sage300", "edit_vendor", vendor=vendors[0]["sage_id"], fields={"PhoneNumber": "604-555-0177"})
    desk.act("sage300", "edit_vendor", vendor=vendors[1]["sage_id"], fields={"ContactsEmail": "nobody at nowhere"})
    desk.act("sage300", "edit_vendor", vendor=vendors[2]["sage_id"], fields={"City": "Nanaimo"})
    desk.act("zoho_crm", "delete_record", module="Accounts", id=vendors[2]["zoho_id"])
    desk.act("zoho_crm", "edit_record", module="Accounts", id=vendors[3]["zoho_id"], values={"Phone": "604-555-0144"})
    customers = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'customers' ORDER BY sage_id")
    desk.act("sage300", "edit_customer", customer=customers[0]["sage_id"], fields={"PhoneNumber": "604-555-0155"})
    plan, known = desk.plan(), _ids(desk)
    before = desk.query("SELECT coalesce(max(seq), 0) AS seq FROM sagezoho.audit")[0]["seq"]
    desk.sync()
    said = _said(plan)
    assert said == _done(desk, _given_since(desk, known), after=before)
    assert {line[5] for line in said} >= {"created", "updated", "refused", "conflicted"}


def test_what_an_earlier_flow_would_write_is_what_the_later_ones_read(engine: Engine) -> None:
    """A pair that both flows come by is written once, a contact follows the name that its vendor gets from Zoho, and an
    order goes to the phone that its account gets from Sage."""
    with bench(engine, vendors=3, deals=0, flows={"identity": {"vendors": {"authority": "zoho_crm"}}}) as desk:
        account = desk.win_deal("Harbour Lights")
        desk.act("sage300", "add_vendor", fields={"VendorNumber": "ONE", "VendorName": "One", "Email": "o@one.example"})
        desk.sync()
        [link] = desk.query("SELECT zoho_id FROM sagezoho.links WHERE sage_id = 'ONE' AND zoho_entity = 'Accounts'")
        values = {"Account_Name": "Two", "Account_Type": "Customer"}
        desk.act("zoho_crm", "edit_record", module="Accounts", id=link["zoho_id"], values=values)
        desk.act("sage300", "edit_vendor", vendor="ONE", fields={"Terms": "N60"})
        [customer] = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'customers'")
        settings = desk.settings.flows.identity
        led = settings.customers.model_copy(update={"fields": {"Phone": Authority.SAGE300}})
        flows = {"identity": settings.model_copy(update={"customers": led})}
        desk.settings = desk.settings.model_copy(update={"flows": desk.settings.flows.model_copy(update=flows)})
        desk.act("sage300", "edit_customer", customer=customer["sage_id"], fields={"PhoneNumber": "604-555-0155"})
        desk.act("zoho_crm", "edit_record", module="Accounts", id=account, values={"Fax": "604-555-0156"})
        desk.act("zoho_crm", "add_deal", name="Refit", account_id=account, amount="9", stage="Closed Won")
        plan, known = desk.plan(), _ids(desk)
        before = desk.query("SELECT coalesce(max(seq), 0) AS seq FROM sagezoho.audit")[0]["seq"]
        desk.reset_counters()
        desk.sync()
        assert _said(plan) == _done(desk, _given_since(desk, known), after=before)
        assert desk.writes() == {"sage300": plan.cost.sage300_writes, "zoho_crm": plan.cost.zoho_crm_writes}


@pytest.mark.parametrize("flow", FLOWS)
def test_the_same_input_gives_the_same_bytes(desk: Bench, flow: str) -> None:
    assert to_text(desk.plan(flow), SEAL) == to_text(desk.plan(flow), SEAL)


def test_the_same_input_gives_the_same_plan_whatever_the_timing(desk: Bench) -> None:
    """Answers that come in any order, from clients that ask for much at once."""
    plan = desk.plan()
    for world in (desk.sandbox.sage300.world, desk.sandbox.zoho_crm.world):
        world.faults.add("latency", seconds=0.1, rate=0.4, seed=3)
    hurried = make(desk.context(), desk.ledger, FLOWS)
    assert hurried.digest(SEAL) == plan.digest(SEAL)


def test_a_plan_read_back_is_the_same_plan(desk: Bench) -> None:
    plan = desk.plan()
    text = to_text(plan, SEAL)
    assert to_text(from_text(text, "plan.json", SEAL), SEAL) == text


def test_whatever_is_changed_in_a_plan_file_is_noticed(desk: Bench) -> None:
    """Redacted or not, every part of it: what would be done, and what a person is told of it."""
    plan = desk.plan("vendors")
    for made in (plan, plan.redacted(SEAL)):
        whole = json.loads(to_text(made, SEAL))
        assert from_text(json.dumps(whole), "plan.json", SEAL).digest(SEAL) == plan.digest(SEAL)
        for name, value in whole.items():
            other = value[1:] if isinstance(value, list) and value else _other(value)
            with pytest.raises(ConfigurationError, match=r"plan\.json"):
                from_text(json.dumps({**whole, name: other}), "plan.json", SEAL)


def _other(value: Any) -> Any:
    if isinstance(value, dict):
        return {one: _other(held) for one, held in value.items()} or {"x": 1}
    return value + 1 if isinstance(value, int) else [*value, "x"] if isinstance(value, list) else f"{value}x"
