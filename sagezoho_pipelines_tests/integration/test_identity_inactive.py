"""Sage records that become inactive: shown on the account, left alone, or asked about, as the policy says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines_tests.bench import Bench
from sagezoho_pipelines_tests.integration import customer_pairs as of_customers
from sagezoho_pipelines_tests.integration import vendor_pairs as of_vendors

KINDS = ("vendors", "customers")


@dataclass(frozen=True)
class Scene:
    """One pair of either kind, and what people do to it."""

    desk: Bench
    key: str
    field: str
    account: Callable[[], dict[str, Any]]
    in_sage: Callable[..., None]
    in_zoho: Callable[..., None]

    @property
    def shown(self) -> str:
        return str(self.account()[self.field])

    def asked(self) -> list[tuple[str, str]]:
        return [(entry["key"], entry["error"]["code"]) for entry in self.desk.open_inbox()]

    def sync(self) -> None:
        self.desk.sync("vendors", "customers", "identity")

    def rests(self) -> None:
        self.desk.reset_counters()
        self.sync()
        self.desk.sync("vendors", "customers", "identity", window=Window.sweep())
        assert self.desk.writes() == {"sage300": 0, "zoho_crm": 0}


@contextmanager
def scene(engine: Engine, kind: str, policy: str) -> Iterator[Scene]:
    settings = {kind: {"inactive_in_sage300": policy}}
    if kind == "customers":
        with of_customers.at_desk(engine, **settings) as desk:
            yield Scene(
                desk,
                of_customers.link(desk).zoho_id,
                "Sage_Customer_Status",
                lambda: of_customers.account(desk),
                lambda **fields: of_customers.in_sage(desk, **fields),
                lambda **values: of_customers.in_zoho(desk, **values),
            )
        return
    with of_vendors.at_desk(engine, **settings) as desk:
        number = next(
            one
            for one in (of_vendors.number_of(desk, place) for place in range(8))
            if of_vendors.account(desk, one)["Sage_Vendor_Status"] == "Active"
        )
        yield Scene(
            desk,
            number,
            "Sage_Vendor_Status",
            lambda: of_vendors.account(desk, number),
            lambda **fields: of_vendors.in_sage(desk, number, **fields),
            lambda **values: of_vendors.in_zoho(desk, number, **values),
        )


@pytest.mark.parametrize("kind", KINDS)
def test_marked_the_account_shows_it_and_shows_when_it_is_over(engine: Engine, kind: str) -> None:
    with scene(engine, kind, "mark") as at:
        at.in_sage(Status="Inactive")
        at.sync()
        assert at.shown == "Inactive"
        at.rests()
        at.in_sage(Status="Active")
        at.sync()
        assert at.shown == "Active"
        assert at.asked() == []


@pytest.mark.parametrize("kind", KINDS)
def test_ignored_the_account_keeps_its_status_and_the_rest_still_flows(engine: Engine, kind: str) -> None:
    with scene(engine, kind, "ignore") as at:
        at.in_sage(Status="Inactive", Terms="N60")
        at.sync()
        assert at.shown == "Active"
        assert at.account()["Sage_Vendor_Terms" if kind == "vendors" else "Sage_Customer_Terms"] == "N60"
        assert at.asked() == []
        at.rests()
        at.in_zoho(**{at.field: "Dormant", "Billing_City": "Oakland"})
        at.sync()
        assert at.shown == "Dormant", "what the account says of it stays"
        at.in_sage(Status="Active")
        at.sync()
        assert at.shown == "Active"
        at.rests()


@pytest.mark.parametrize("kind", KINDS)
def test_asked_about_once_and_dismissed_until_it_changes(engine: Engine, kind: str) -> None:
    with scene(engine, kind, "inbox") as at:
        question = [(at.key, "INACTIVE_IN_SAGE")]
        at.in_sage(Status="Inactive", Terms="N60")
        at.sync()
        assert (at.shown, at.asked()) == ("Active", question)
        assert at.account()["Sage_Vendor_Terms" if kind == "vendors" else "Sage_Customer_Terms"] == "N60"
        [entry] = at.desk.open_inbox()
        assert "inactive in Sage" in entry["error"]["text"]
        assert "dismiss" in entry["error"]["advice"]
        at.rests()
        assert at.asked() == question
        at.desk.dismiss_inbox(entry_id(at))
        at.sync()
        assert at.account().get("Sage_Sync_Status") in (None, "In Sage 300"), "of a customer, its account is told"
        at.rests()
        at.in_sage(Terms="N30")
        at.sync()
        assert (at.shown, at.asked()) == ("Active", []), "dismissed: the account stays as it is"
        at.in_sage(Status="Active")
        at.sync()
        at.in_sage(Status="Inactive")
        at.sync()
        assert (at.shown, at.asked()) == ("Active", question), "it has become inactive again"


@pytest.mark.parametrize("kind", KINDS)
def test_asked_about_and_marked_in_zoho_or_active_again_it_is_no_question(engine: Engine, kind: str) -> None:
    with scene(engine, kind, "inbox") as at:
        at.in_sage(Status="Inactive")
        at.sync()
        at.in_zoho(**{at.field: "Inactive"})
        at.desk.edit_inbox(entry_id(at))
        at.sync()
        assert (at.shown, at.asked()) == ("Inactive", [])
        at.rests()
        at.in_sage(Status="Active")
        at.sync()
        at.in_sage(Status="Inactive")
        at.sync()
        assert len(at.asked()) == 1
        at.in_sage(Status="Active")
        at.sync()
        assert (at.shown, at.asked()) == ("Active", [])


def entry_id(at: Scene) -> str:
    [entry] = at.desk.query("SELECT id FROM sagezoho.changes WHERE state IN ('refused', 'conflicted')")
    return str(entry["id"])
