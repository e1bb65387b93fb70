"""E-mail addresses of linked pairs: two-way through an optional account field, and of no matter where Zoho has none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.engine.setup import set_up
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.mappings import custom_fields
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.bench import Bench, settings_for
from sagezoho_pipelines_tests.integration import customer_pairs as of_customers
from sagezoho_pipelines_tests.integration import test_identity_lost as of_lost
from sagezoho_pipelines_tests.integration import vendor_pairs as of_vendors

NEW = "accounts.payable+1@harbor.example"


@contextmanager
def without_the_field(engine: Engine, **identity: Any) -> Iterator[Bench]:
    """An organisation whose edition had no room for the field: one vendor more, and a customer, at rest."""
    with Sandbox.running(seed=1, vendors=4, deals=0) as sandbox:
        desk = Bench(sandbox, engine, settings_for(sandbox, identity=identity))
        assert all(one.ok for one in set_up(desk.zoho(), [one for one in custom_fields() if one.label != "Sage Email"]))
        made = desk.act("zoho_crm", "add_account", name="Harbor Books", values=of_customers.WHOLE)
        deal = desk.act("zoho_crm", "add_deal", name="Shelves", account_id=made["id"], amount="100")
        desk.act("zoho_crm", "close_deal", deal_id=deal["id"])
        desk.account_id = made["id"]  # type: ignore[attr-defined]
        of_customers.settle(desk)
        yield desk


@pytest.mark.parametrize("leader", ["sage300", "zoho_crm"])
def test_a_vendors_e_mail_is_carried_by_the_side_that_leads(engine: Engine, leader: str) -> None:
    with of_vendors.at_desk(engine, vendors={"authority": leader}) as desk:
        number = of_vendors.number_of(desk)
        assert of_vendors.account(desk, number)["Sage_Email"] == of_vendors.vendor(desk, number)["Email"].strip() != ""
        if leader == "sage300":
            of_vendors.in_sage(desk, number, Email=NEW)
        else:
            of_vendors.in_zoho(desk, number, Sage_Email=NEW)
        of_vendors.settle(desk)
        assert of_vendors.account(desk, number)["Sage_Email"] == NEW
        assert of_vendors.vendor(desk, number)["Email"].strip() == NEW


@pytest.mark.parametrize("leader", ["sage300", "zoho_crm"])
def test_a_customers_e_mail_is_carried_by_the_side_that_leads_and_emptied_with_it(engine: Engine, leader: str) -> None:
    with of_customers.at_desk(engine, customers={"authority": leader}) as desk:
        for mail in (NEW, ""):
            if leader == "sage300":
                of_customers.in_sage(desk, Email=mail)
            else:
                of_customers.in_zoho(desk, Sage_Email=mail or None)
            of_customers.settle(desk)
            assert of_customers.account(desk)["Sage_Email"] == (mail or None)
            assert of_customers.customer(desk)["Email"].strip() == mail


def test_an_e_mail_that_sage_has_no_room_for_is_refused_by_name(engine: Engine) -> None:
    with of_customers.at_desk(engine) as desk:
        long = f"{'a' * 40}@harbor.example"
        of_customers.in_zoho(desk, Sage_Email=long, Phone="555 0100")
        desk.sync("customers", "identity")
        [entry] = desk.open_inbox()
        assert (entry["error"]["code"], entry["error"]["field"]) == ("TOO_LONG", "Sage_Email")
        assert "Email of 50 characters" in entry["error"]["text"]
        assert of_customers.customer(desk)["Email"].strip() == ""
        assert of_customers.customer(desk)["PhoneNumber"].strip() == "555 0100"


def test_an_organisation_without_the_field_goes_on_and_gets_the_addresses_once_it_has_it(engine: Engine) -> None:
    """Sage's addresses stay whoever leads: nobody has emptied what was never shown."""
    with without_the_field(engine, vendors={"authority": "zoho_crm"}) as desk:
        number = of_vendors.number_of(desk, 1)
        mail = of_vendors.vendor(desk, number)["Email"].strip()
        of_vendors.in_sage(desk, number, City="Oakland")
        of_customers.in_sage(desk, Email=NEW)
        of_customers.in_zoho(desk, Phone="555 0100")
        of_customers.settle(desk)
        assert "Sage_Email" not in of_vendors.account(desk, number)
        assert of_customers.customer(desk)["PhoneNumber"].strip() == "555 0100"
        assert "Sage_Email" not in of_customers.link(desk).written
        assert not {"Sage_Email", "Email"} & {*of_lost.link(desk, number).written, *of_customers.link(desk).written}
        desk.setup()
        of_vendors.in_sage(desk, number, City="Berkeley")
        of_customers.in_zoho(desk, Phone="555 0200")
        of_customers.settle(desk)
        assert (
            of_vendors.account(desk, number)["Sage_Email"] == of_vendors.vendor(desk, number)["Email"].strip() == mail
        )
        assert of_customers.account(desk)["Sage_Email"] == of_customers.customer(desk)["Email"].strip() == NEW


def test_a_field_that_came_later_is_filled_by_the_next_sweep_without_an_edit(engine: Engine) -> None:
    with without_the_field(engine) as desk:
        number = of_vendors.number_of(desk, 1)
        mail = of_vendors.vendor(desk, number)["Email"].strip()
        of_customers.in_sage(desk, Email=NEW)
        of_customers.settle(desk)
        desk.setup()
        desk.sync(*of_customers.FLOWS, window=Window.sweep())
        assert of_vendors.account(desk, number)["Sage_Email"] == mail != ""
        assert of_customers.account(desk)["Sage_Email"] == NEW
        assert of_customers.customer(desk)["Email"].strip() == NEW
        desk.reset_counters()
        desk.sync(*of_customers.FLOWS, window=Window.sweep())
        assert desk.writes() == {"sage300": 0, "zoho_crm": 0}


def test_without_the_field_a_renumbered_vendor_is_still_followed(engine: Engine) -> None:
    with without_the_field(engine) as desk:
        number = of_vendors.number_of(desk, 1)
        held = of_lost.link(desk, number)
        desk.act("sage300", "renumber_vendor", vendor=number, number="NEWNO1")
        desk.sync("vendors", "identity", window=Window.sweep())
        assert of_lost.link(desk, "NEWNO1").zoho_id == held.zoho_id
