"""Whose invoice it is, when its deal was deleted in Zoho or its account merged into another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import inbox, invoices, new_account, ordered


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


def _link(desk: Bench, entity: str) -> dict[str, Any]:
    [link] = desk.query("SELECT * FROM sagezoho.links WHERE sage_entity = :entity", entity=entity)
    return dict(link)


def _merge(desk: Bench, account: str) -> str:
    """Merge the account into a new one, whose id is the answer."""
    master = new_account(desk, "Harbour Lights Group")
    desk.act("zoho_crm", "merge_accounts", master_id=master, duplicate_ids=[account])
    return master


def _invoice(desk: Bench, order: str) -> dict[str, Any]:
    desk.act("sage300", "ship_and_invoice_order", order=order)
    assert desk.sync("invoices").left_over == 0, inbox(desk)
    [invoice] = invoices(desk)
    return invoice


def test_the_invoice_of_a_merged_account_belongs_to_the_one_that_its_deal_has_now(desk: Bench) -> None:
    order = ordered(desk)
    master = _merge(desk, _link(desk, "customers")["zoho_id"])
    invoice = _invoice(desk, order)
    assert str(invoice["Account_Name"]["id"]) == master
    assert str(invoice["Deal_Name__s"]["id"]) == _link(desk, "orders")["zoho_id"]


def test_the_invoice_of_a_deal_that_was_deleted_belongs_to_its_account(desk: Bench) -> None:
    order, account = ordered(desk), _link(desk, "customers")["zoho_id"]
    desk.act("zoho_crm", "delete_record", module="Deals", id=_link(desk, "orders")["zoho_id"])
    invoice = _invoice(desk, order)
    assert str(invoice["Account_Name"]["id"]) == account
    assert invoice.get("Deal_Name__s") is None


def test_an_invoice_belongs_to_the_account_that_was_ordered_for_where_its_deal_goes_to_another_one(desk: Bench) -> None:
    order, account = ordered(desk), _link(desk, "customers")["zoho_id"]
    other = new_account(desk, "Another one")
    deal = _link(desk, "orders")["zoho_id"]
    desk.act("zoho_crm", "edit_record", module="Deals", id=deal, values={"Account_Name": {"id": other}})
    assert str(_invoice(desk, order)["Account_Name"]["id"]) == account


def test_where_deal_and_account_are_gone_the_customer_says_whose_it_is(desk: Bench) -> None:
    order, customer = ordered(desk), _link(desk, "customers")
    desk.act("zoho_crm", "delete_record", module="Deals", id=_link(desk, "orders")["zoho_id"])
    master = _merge(desk, customer["zoho_id"])
    with desk.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE sagezoho.links SET zoho_id = '{master}' WHERE id = {customer['id']}")
    assert str(_invoice(desk, order)["Account_Name"]["id"]) == master
