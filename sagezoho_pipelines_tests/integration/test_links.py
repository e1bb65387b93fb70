"""Links made and unmade by people: what is checked before, what is committed, and what the next sync does with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.errors import LinkBusy, LinkGone, LinkTaken
from sagezoho_pipelines.domain.links import KINDS, LinkEdits
from sagezoho_pipelines.domain.records import (
    Authority,
    CapturedRecord,
    Cause,
    ChangeState,
    EntityRef,
    Link,
    Outcome,
    System,
)
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine.linking import asking, edits
from sagezoho_pipelines.engine.linking.asking import Asked, Checked
from sagezoho_pipelines.ledger import link_table, reports
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=6, deals=0, accounts=8) as made:
        yield made


def _vendor(desk: Bench, place: int = 0) -> str:
    return sorted(str(row["VendorNumber"]).strip() for row in desk.state("sage300", "APVendors"))[place]


def _account(desk: Bench, name: str = "Harbour Lights", **values: Any) -> str:
    return str(desk.act("zoho_crm", "add_account", name=name, values=values)["id"])


def _row(desk: Bench, account: str) -> dict[str, Any]:
    return next(row for row in desk.state("zoho_crm", "Accounts") if str(row["id"]) == account)


def _add(desk: Bench, *pairs: tuple[str, str], kind: str = "vendors") -> Checked:
    ctx = desk.context()
    checked = asking.check(ctx, [Asked(KINDS[kind], *pair) for pair in pairs])
    assert not checked.problems, checked.problems
    edits.carry_out(ctx, checked, who="anna", why="she knows them")
    return checked


def _reason(desk: Bench, sage_id: str, zoho_id: str) -> str:
    [problem] = asking.check(desk.context(), [Asked(KINDS["vendors"], sage_id, zoho_id)]).problems
    return problem.reason


def _audited(desk: Bench, operation: str) -> list[tuple[str, str, str, Any]]:
    lines = reports.audit_entries(desk.engine, connection=CONNECTION)
    entries = [line.entry for line in lines if line.entry.operation == operation]
    return [(entry.source_id, entry.target_id, entry.actor, entry.answer.get("why")) for entry in entries]


def test_a_vendor_linked_by_hand_updates_that_account_and_makes_no_other(desk: Bench) -> None:
    account, vendor = _account(desk, Description="Ask for Rosa"), _vendor(desk)
    before = len(desk.state("zoho_crm", "Accounts"))
    _add(desk, (vendor, account))
    tally = desk.sync("vendors")
    assert tally.left_over == 0
    assert len(desk.state("zoho_crm", "Accounts")) == before + 5
    shown = _row(desk, account)
    [sage] = [row for row in desk.state("sage300", "APVendors") if str(row["VendorNumber"]).strip() == vendor]
    assert shown["Sage_Vendor_Key"] == f"SAMINC/{vendor}"
    assert shown["Billing_City"] == str(sage["City"]).strip()
    assert shown["Description"] == "Ask for Rosa"
    [link] = desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [vendor]).values()
    assert (link.zoho_id, link.made_by, link.authority) == (account, "by hand", Authority.SAGE300)
    assert _audited(desk, "link") == [(vendor, account, "anna", "she knows them")]
    assert reports.verify_chain(desk.engine, CONNECTION) is None


def test_a_vendor_that_was_synced_before_is_brought_into_step_without_a_change_of_its_own(desk: Bench) -> None:
    desk.sync("vendors")
    vendor = _vendor(desk, 2)
    [link] = desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [vendor]).values()
    edits.remove(desk.context(), [link], who="anna", why="it is another firm")
    assert _row(desk, link.zoho_id)["Sage_Vendor_Key"] is None
    assert _audited(desk, "unlink") == [(vendor, link.zoho_id, "anna", "it is another firm")]
    account = _account(desk)
    _add(desk, (vendor, account))
    assert desk.sync("vendors").count(Outcome.UPDATED) == 1
    assert _row(desk, account)["Sage_Vendor_Key"] == f"SAMINC/{vendor}"
    assert _row(desk, link.zoho_id)["Sage_Vendor_Key"] is None


def test_without_a_link_or_a_decision_a_changed_vendor_is_created_anew(desk: Bench) -> None:
    desk.sync("vendors")
    before, vendor = len(desk.state("zoho_crm", "Accounts")), _vendor(desk, 2)
    [link] = desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [vendor]).values()
    edits.remove(desk.context(), [link], who="anna", why="")
    desk.act("sage300", "edit_vendor", vendor=vendor, fields={"City": "Elsewhere"})
    assert desk.sync("vendors").count(Outcome.CREATED) == 1
    assert len(desk.state("zoho_crm", "Accounts")) == before + 1


def test_a_record_left_alone_is_passed_over_until_it_is_linked(desk: Bench) -> None:
    desk.sync("vendors")
    before, vendor = len(desk.state("zoho_crm", "Accounts")), _vendor(desk, 2)
    [link] = desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [vendor]).values()
    edits.remove(desk.context(), [link], who="anna", why="a test vendor", leave_alone=True)
    desk.act("sage300", "edit_vendor", vendor=vendor, fields={"City": "Elsewhere"})
    tally = desk.sync("vendors")
    assert (tally.count(Outcome.SKIPPED), tally.count(Outcome.CREATED)) == (1, 0)
    assert len(desk.state("zoho_crm", "Accounts")) == before
    entry = [line.entry for line in reports.audit_entries(desk.engine, record_id=vendor)][-1]
    assert (entry.operation, entry.outcome, entry.answer["code"]) == ("leave alone", "skipped", "LEFT_ALONE")
    assert "anna" in entry.answer["text"]
    assert "a test vendor" in entry.answer["text"]
    account = _account(desk)
    _add(desk, (vendor, account))
    desk.sync("vendors")
    assert _row(desk, account)["Billing_City"] == "Elsewhere"
    assert desk.ledger.left_alone(desk.context().sage_entity("vendors")) == {}


def test_what_is_not_there_or_bound_already_is_named(desk: Bench) -> None:
    account, other, vendor = _account(desk), _account(desk, "Other"), _vendor(desk)
    _add(desk, (vendor, account))
    assert _reason(desk, "NOSUCH", other) == "Sage has no vendors NOSUCH"
    assert _reason(desk, _vendor(desk, 1), "123") == "Zoho has no Accounts 123"
    for sage, zoho in ((vendor, other), (_vendor(desk, 1), account)):
        assert f"{vendor} (" in _reason(desk, sage, zoho)
        assert "is linked to Zoho Accounts" in _reason(desk, sage, zoho)
    assert "rounded" in _reason(desk, _vendor(desk, 1), "4.37601E+18")
    assert "not a Zoho record id" in _reason(desk, _vendor(desk, 1), "Harbour Lights")
    twice = [Asked(KINDS["vendors"], _vendor(desk, n), other, place=f"line {n}") for n in (2, 3)]
    [problem] = asking.check(desk.context(), twice).problems
    assert str(problem) == f"line 3: Zoho Accounts {other} stands here twice (the first is line 2)"


def test_zohos_unique_key_is_asked_before_two_accounts_would_want_it(desk: Bench) -> None:
    """Zoho would refuse the update that gives a second account the key; and a key that is there is another's."""
    carrier, account = _account(desk, "Carrier", Sage_Vendor_Key=f"SAMINC/{_vendor(desk, 1)}"), _account(desk)
    assert carrier in _reason(desk, _vendor(desk, 1), account)
    assert "carries the key of another Sage record" in _reason(desk, _vendor(desk, 2), carrier)
    _add(desk, (_vendor(desk, 1), carrier))


def test_the_same_pair_again_is_known_and_may_be_led_otherwise(desk: Bench) -> None:
    account, vendor = _account(desk), _vendor(desk)
    _add(desk, (vendor, account))
    assert _add(desk, (vendor.lower(), f" {account} ")).unchanged
    asked = Asked(KINDS["vendors"], vendor, account, authority=Authority.ZOHO_CRM, exceptions={"Phone": "sage300"})
    checked = asking.check(desk.context(), [asked])
    edits.carry_out(desk.context(), checked, who="anna", why="")
    [link] = desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [vendor]).values()
    assert (link.authority, link.exceptions) == (Authority.ZOHO_CRM, {"Phone": "sage300"})


def test_who_leads_is_set_for_a_link_and_for_single_fields(desk: Bench) -> None:
    account, vendor = _account(desk), _vendor(desk)
    [link] = _add(desk, (vendor, account)).add
    ctx = desk.context()
    link = edits.set_authority(ctx, link, Authority.NEWEST, field="Phone", who="anna", why="sales calls them")
    assert link.exceptions == {"Phone": "newest"}
    link = edits.set_authority(ctx, link, Authority.NEWEST, field=None, who="anna", why="")
    assert (link.authority, dict(link.exceptions)) == (Authority.NEWEST, {})
    [kept] = desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [vendor]).values()
    assert (kept.authority, kept.exceptions) == (Authority.NEWEST, {})
    lines = [line.entry for line in reports.audit_entries(desk.engine) if line.entry.operation == "set authority"]
    told = [[(field.target, field.before, field.after) for field in entry.fields] for entry in lines]
    assert told[0] == [("authority of Phone", None, "newest")]
    assert ("authority", "sage300", "newest") in told[1]


def test_a_new_link_is_led_as_the_flow_has_it(engine: Engine) -> None:
    """However it is made: by hand, imported or matched, just as one that the sync makes."""
    with bench(engine, vendors=3, deals=0, flows={"identity": {"vendors": {"authority": "newest"}}}) as desk:
        [link] = _add(desk, (_vendor(desk), _account(desk))).add
        assert link.authority is Authority.NEWEST


def test_what_is_said_of_a_field_of_one_link_goes_before_the_flows_settings(engine: Engine) -> None:
    """Also where it is what the link as a whole says: the flow names another leader for that field."""
    led = {"authority": "sage300", "fields": {"Phone": "zoho_crm"}}
    with bench(engine, vendors=3, deals=0, flows={"identity": {"vendors": led}}) as desk:
        account, vendor = _account(desk), _vendor(desk)
        [link] = _add(desk, (vendor, account)).add
        desk.sync("vendors")
        phone = _row(desk, account)["Phone"]
        link = edits.set_authority(desk.context(), link, Authority.SAGE300, field="Phone", who="anna", why="")
        assert link.exceptions == {"Phone": "sage300"}
        desk.act("zoho_crm", "edit_account", account_id=account, values={"Phone": "555 0100"})
        desk.sync("vendors", "identity")
        assert _row(desk, account)["Phone"] == phone
        asked = Asked(KINDS["vendors"], vendor, account, authority=Authority.SAGE300, exceptions={"Phone": "sage300"})
        assert asking.check(desk.context(), [asked]).unchanged, "what was exported comes back"


def test_an_order_linked_by_hand_is_not_posted_and_its_deal_is_watched_from_then_on(desk: Bench) -> None:
    account = _account(desk, Billing_Street="1 Quay", Billing_City="Vancouver", Billing_Country="Canada")
    deal = str(desk.act("zoho_crm", "add_deal", name="Refit", account_id=account, amount="1250")["id"])
    [order, *_] = desk.state("sage300", "OEOrders")
    number = str(order["OrderNumber"]).strip()
    _add(desk, (str(order["CustomerNumber"]).strip(), account), kind="customers")
    [link] = _add(desk, (number, deal), kind="orders").add
    assert link.details["uniquifier"] == str(order["OrderUniquifier"])
    assert link.details["account"] == account
    before = len(desk.state("sage300", "OEOrders"))
    desk.act("zoho_crm", "close_deal", deal_id=deal)
    assert desk.sync("customers", "orders").left_over == 0
    assert len(desk.state("sage300", "OEOrders")) == before
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Amount": 999})
    assert desk.sync("orders").count(Outcome.CONFLICTED) == 1


def test_the_other_kinds_are_found_by_their_own_keys(desk: Bench) -> None:
    ctx = desk.context()
    [item, *_] = desk.state("sage300", "ICItems")
    product = str(desk.act("zoho_crm", "add_record", module="Products", values={"Product_Name": "Lamp"})["id"])
    contact = str(desk.act("zoho_crm", "add_contact", last_name="Lee")["id"])
    [invoice, *_] = desk.state("sage300", "OEInvoices")
    asked = [
        Asked(KINDS["items"], str(item["ItemNumber"]), product),
        Asked(KINDS["contacts"], _vendor(desk), contact),
        Asked(KINDS["invoices"], str(invoice["InvoiceNumber"]), "99"),
    ]
    checked = asking.check(ctx, asked)
    assert [(link.sage_entity, link.zoho_entity) for link in checked.add] == [
        ("vendors", "Contacts"),
        ("items", "Products"),
    ]
    assert [problem.reason for problem in checked.problems] == ["Zoho has no Invoices 99"]


def test_two_people_who_bind_at_once_cannot_bind_twice(desk: Bench) -> None:
    """Both have checked; the table itself decides, and the loser is told who holds what."""
    vendor, accounts = _vendor(desk), [_account(desk, f"Firm {n}") for n in range(6)]
    checks = [asking.check(desk.context(), [Asked(KINDS["vendors"], vendor, account)]) for account in accounts]
    taken: list[LinkTaken] = []
    ready = threading.Barrier(len(checks))

    def act(checked: Checked) -> None:
        ready.wait()
        try:
            edits.carry_out(desk.context(), checked, who="anna", why="")
        except LinkTaken as error:
            taken.append(error)

    threads = [threading.Thread(target=act, args=(checked,)) for checked in checks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [held] = desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [vendor]).values()
    assert len(taken) == 5
    assert all(held.zoho_id in str(error) for error in taken)
    assert len(_audited(desk, "link")) == 1


def test_an_edit_is_whole_or_not_at_all(desk: Bench) -> None:
    good = Link(CONNECTION, "vendors", "A", "Accounts", "1")
    desk.ledger.edit_links(LinkEdits(add=[good]), at=desk.now())
    fresh = Link(CONNECTION, "vendors", "B", "Accounts", "2")
    with pytest.raises(LinkTaken):
        desk.ledger.edit_links(LinkEdits(add=[fresh, Link(CONNECTION, "vendors", "C", "Accounts", "1")]), at=desk.now())
    with pytest.raises(LinkGone):
        desk.ledger.edit_links(LinkEdits(add=[fresh], remove=[Link(CONNECTION, "vendors", "A", "Accounts", "9")]),
                               at=desk.now())  # fmt: skip
    assert [entry.link.sage_id for entry in link_table.entries(desk.engine)] == ["A"]


def test_a_record_that_a_worker_delivers_right_now_is_not_bound_or_unbound(desk: Bench) -> None:
    """The worker settles on the pairing it has read: what was decided meanwhile would be overwritten."""
    vendors = desk.context().sage_entity("vendors")
    desk.ledger.capture(vendors, [CapturedRecord("A", "d", {})], cause=Cause.POLL, at=desk.now())
    link = Link(CONNECTION, "vendors", "A", "Accounts", "1")
    desk.ledger.claim(vendors, worker="w", limit=1, lease_seconds=60, at=desk.now())
    with pytest.raises(LinkBusy, match="being delivered"):
        desk.ledger.edit_links(LinkEdits(add=[link]), at=desk.now())


def test_a_removal_that_zoho_cannot_be_told_of_does_nothing(desk: Bench) -> None:
    desk.sync("vendors")
    [link] = desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [_vendor(desk)]).values()
    desk.act("zoho_crm", "lock_record", module="Accounts", id=link.zoho_id)
    with pytest.raises(Exception, match="locked"):
        edits.remove(desk.context(), [link], who="anna", why="")
    assert desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [_vendor(desk)])
    assert _audited(desk, "unlink") == []


def test_the_table_is_filtered(desk: Bench) -> None:
    desk.sync("vendors")
    account, vendor = _account(desk, "Zephyr & Daughters"), _vendor(desk)
    [link] = desk.ledger.links_by_sage(CONNECTION, "vendors", "Accounts", [vendor]).values()
    edits.remove(desk.context(), [link], who="anna", why="")
    _add(desk, (vendor, account))

    def names(**filters: Any) -> list[str]:
        return [entry.link.sage_id for entry in link_table.entries(desk.engine, **filters)]

    assert names(name="zephyr &") == names(made_by="by hand") == [vendor]
    assert vendor not in names(made_by="created", kind=KINDS["vendors"])
    assert names(authority="zoho_crm") == []
    assert len(names(kind=KINDS["vendors"])) == 6
    assert names(ids=[account]) == [vendor]
    assert vendor in names(unequal=True)


@pytest.mark.parametrize(
    ("sage_entity", "system", "entity"),
    [
        ("vendors", "sage300", "vendors"),
        ("vendors", "zoho_crm", "vendor_accounts"),
        ("customers", "sage300", "customer_records"),
        ("customers", "zoho_crm", "deal_accounts"),
    ],
)
def test_a_pair_is_not_known_to_agree_while_an_edit_of_either_side_waits(
    desk: Bench, sage_entity: str, system: str, entity: str
) -> None:
    edited = EntityRef(CONNECTION, System(system), entity)
    record = CapturedRecord("A" if edited.system is System.SAGE300 else "1", "d", {})
    made = desk.context().sage_entity("vendors")
    desk.ledger.capture(made, [CapturedRecord("made", "d", {})], cause=Cause.POLL, at=desk.now())
    [change] = desk.ledger.claim(made, worker="w", limit=1, lease_seconds=60, at=desk.now())
    equal = Link(CONNECTION, sage_entity, "A", "Accounts", "1", seen_equal_at=desk.now())
    desk.ledger.settle([Settlement(change, ChangeState.DELIVERED, Outcome.NOOP, links=[equal])], at=desk.now())
    assert link_table.entries(desk.engine, unequal=True) == []
    desk.ledger.capture(edited, [record], cause=Cause.POLL, at=desk.now())
    assert [entry.link.sage_id for entry in link_table.entries(desk.engine, unequal=True)] == ["A"]
