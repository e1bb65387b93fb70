"""An organisation that wants a field of its own to be unique: no record is written over another one's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines import config
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.planning.plan import make
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.tally import Tally
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.mappings.loading import load_mappings
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench

_SETTINGS = """
connections: {saminc: {sage300: {url: "https://erp.example.com", company: SAMINC}}}
mappings: {vendors: {accounts: {Site_Once: trim(WebSite)}}}
"""


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=3, deals=0) as made:
        field = {"field_label": "Site Once", "data_type": "text", "length": 100, "unique": {"case_sensitive": False}}
        assert made.zoho().create_fields("Accounts", [field])[0].error is None
        made.one_at_a_time()
        yield made


def _mapped(ctx: Context, home: Path) -> Context:
    mappings = load_mappings(config.parse(_SETTINGS, str(home / "sagezoho.yaml")), CONNECTION, home)
    return replace(ctx, mappings=mappings)


def _sync(desk: Bench, home: Path) -> Tally:
    return run_flow(_mapped(desk.context(), home), "vendors", Window.incremental())


def _vendor(desk: Bench, number: str, site: str) -> None:
    fields = {"VendorNumber": number, "VendorName": f"Vendor {number}", "WebSite": site}
    desk.act("sage300", "add_vendor", fields=fields)


def _names_at(desk: Bench, site: str) -> list[str]:
    """The accounts that hold the site."""
    rows = desk.state("zoho_crm", "Accounts")
    return [str(row["Account_Name"]) for row in rows if str(row["Site_Once"]).casefold() == site]


def test_a_value_that_another_record_holds_is_a_conflict_in_plan_and_sync(desk: Bench, tmp_path: Path) -> None:
    desk.act("zoho_crm", "add_account", name="Taken", values={"Site_Once": "WWW.TAKEN.EXAMPLE"})
    for number, site in (("NEW1", "www.new.example"), ("NEW2", "www.new.example"), ("NEW3", "www.taken.example")):
        _vendor(desk, number, site)
    plan = make(_mapped(desk.planning(), tmp_path), desk.ledger, ["vendors"])
    told = {item.source_id: item.error["code"] for item in plan.items if item.outcome == "conflicted"}
    assert told == {"NEW2": "DUPLICATE_DATA", "NEW3": "DUPLICATE_DATA"}
    _sync(desk, tmp_path)
    assert {row["key"]: row["error"]["code"] for row in desk.open_inbox()} == told
    assert _names_at(desk, "www.taken.example") == ["Taken"]
    assert _names_at(desk, "www.new.example") == ["Vendor NEW1"]


def test_a_creation_whose_answer_was_lost_is_found_again(desk: Bench, tmp_path: Path) -> None:
    _vendor(desk, "NEW1", "www.new.example")
    desk.sandbox.zoho_crm.world.faults.add("reset_after", method="POST", path="Accounts$", contains="NEW1", times=1)
    _sync(desk, tmp_path)
    desk.later(hours=1)
    assert _sync(desk, tmp_path).left_over == 0
    keys = [row["Sage_Vendor_Key"] for row in desk.state("zoho_crm", "Accounts") if row["Sage_Vendor_Key"]]
    assert len(keys) == len(set(keys)) == 4
    assert _names_at(desk, "www.new.example") == ["Vendor NEW1"]
