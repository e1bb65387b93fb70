"""The README's example of an own mapping: a Sage optional field, a Zoho custom field, a map of countries, both ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines import config
from sagezoho_pipelines.domain.mapping import FlowMapping
from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.tally import Tally
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.mappings.loading import load_mappings
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench

_CONNECTION = f"""
connections:
  {CONNECTION}:
    first_sync: allow
    sage300: {{url: "https://erp.example.com/Sage300WebApi", company: SAMINC}}
"""


def example(home: Path) -> Mapping[str, FlowMapping]:
    """The mappings that the README's own words make."""
    section = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").partition("## Your own mapping")[2]
    yaml = re.search(r"```yaml\n(value_maps.*?)```", section, re.DOTALL)
    csv = re.search(r"```csv\n(.*?)```", section, re.DOTALL)
    assert yaml is not None
    assert csv is not None
    (home / "maps").mkdir()
    (home / "maps" / "countries.csv").write_text(csv[1], encoding="utf-8")
    settings = config.parse(_CONNECTION + yaml[1], str(home / "sagezoho.yaml"))
    return load_mappings(settings, CONNECTION, home)


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=9, deals=0) as made:
        fields = made.zoho().create_fields(
            "Accounts", [{"field_label": "Sales Region", "data_type": "text", "length": 20}]
        )
        assert [result.error for result in fields] == [None]
        for vendor in made.state("sage300", "APVendors"):
            made.act("sage300", "edit_vendor", vendor=vendor["VendorNumber"], fields={"Country": "USA"})
        yield made


@pytest.fixture
def mappings(tmp_path: Path) -> Mapping[str, FlowMapping]:
    return example(tmp_path)


def _sync(desk: Bench, mappings: Mapping[str, FlowMapping], *flows: str) -> Tally:
    total = Tally()
    for flow in flows:
        total.add(run_flow(_context(desk, mappings), flow, Window.incremental()))
    return total


def _context(desk: Bench, mappings: Mapping[str, FlowMapping]) -> Context:
    return replace(desk.context(), mappings=mappings)


def _region(desk: Bench, number: str, value: str) -> None:
    rows = [{"OptionalField": "REGION", "Value": value}]
    desk.act("sage300", "edit_vendor", vendor=number, fields={"VendorOptionalFieldValues": rows})


def _account(desk: Bench, number: str) -> Mapping[str, object]:
    rows = desk.state("zoho_crm", "Accounts")
    return next(row for row in rows if row.get("Sage_Vendor_Number") == number)


def test_a_sage_optional_field_fills_a_zoho_custom_field_and_follows_it(
    desk: Bench, mappings: Mapping[str, FlowMapping]
) -> None:
    number = str(desk.state("sage300", "APVendors")[2]["VendorNumber"]).strip()
    _region(desk, number, "WEST")
    assert _sync(desk, mappings, "vendors").count(Outcome.CREATED) == 9
    account = _account(desk, number)
    assert (account["Sales_Region"], account["Billing_Country"], account["Fax"]) == ("WEST", "United States", None)
    _region(desk, number, "EAST")
    assert _sync(desk, mappings, "vendors").count(Outcome.UPDATED) == 1
    assert _account(desk, number)["Sales_Region"] == "EAST"
    _region(desk, number, "")
    _sync(desk, mappings, "vendors")
    assert _account(desk, number)["Sales_Region"] is None
    desk.reset_counters()
    _sync(desk, mappings, "vendors")
    assert desk.writes()["zoho_crm"] == 0


def test_a_value_that_a_map_does_not_know_refuses_its_record_alone(
    desk: Bench, mappings: Mapping[str, FlowMapping]
) -> None:
    number = str(desk.state("sage300", "APVendors")[4]["VendorNumber"]).strip()
    desk.act("sage300", "edit_vendor", vendor=number, fields={"Country": "Narnia"})
    tally = _sync(desk, mappings, "vendors")
    assert (tally.count(Outcome.CREATED), tally.count(Outcome.REFUSED)) == (8, 1)
    [refused] = desk.query("SELECT key, error FROM sagezoho.changes WHERE state = 'refused'")
    assert refused["key"] == number
    assert refused["error"]["code"] == "MAPPING_FAILED"
    assert "'countries'" in refused["error"]["text"]
    assert "has no entry for 'Narnia'" in refused["error"]["text"]


def test_a_zoho_custom_field_fills_a_sage_optional_field_and_empties_it(
    desk: Bench, mappings: Mapping[str, FlowMapping]
) -> None:
    values = {"Billing_Street": "1 Main St", "Billing_City": "Reno", "Billing_State": "NV", "Sales_Region": "WEST"}
    account = desk.act("zoho_crm", "add_account", name="Larkspur Ltd", values=values)["id"]
    desk.act("zoho_crm", "add_deal", name="Refit", account_id=account, amount="10", stage="Closed Won")
    _sync(desk, mappings, "customers", "orders")
    assert _optional(desk) == {"REGION": ("WEST", "Yes")}
    link = desk.ledger.links_by_zoho(CONNECTION, "Accounts", "customers", [account])[account]
    _edit(desk, mappings, account, Sales_Region="EAST")
    assert _optional(desk) == {"REGION": ("EAST", "Yes")}
    desk.act(
        "sage300",
        "edit_customer",
        customer=link.sage_id,
        fields={"CustomerOptionalFieldValues": [{"OptionalField": "REGION", "Value": "SOUTH"}]},
    )
    _edit(desk, mappings, account, Phone="555-0100")
    assert _optional(desk) == {"REGION": ("SOUTH", "Yes")}
    _edit(desk, mappings, account, Sales_Region=None)
    assert _optional(desk) == {"REGION": ("", "No")}
    held = desk.sage().get(
        "AR/ARCustomers", link.sage_id, select=["CustomerNumber", "CustomerOptionalFieldValues.REGION"]
    )
    assert held == {"CustomerNumber": link.sage_id, "CustomerOptionalFieldValues.REGION": None}


def _edit(desk: Bench, mappings: Mapping[str, FlowMapping], account: str, **values: object) -> None:
    """Sales edits the account, and everything that follows from it is carried."""
    desk.act("zoho_crm", "edit_account", account_id=account, values=values)
    _sync(desk, mappings, "customers", "identity")
    desk.reset_counters()
    _sync(desk, mappings, "customers", "identity")
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}


def _optional(desk: Bench) -> dict[str, tuple[str, str]]:
    [customer] = [row for row in desk.state("sage300", "ARCustomers") if row["CustomerName"] == "Larkspur Ltd"]
    return {row["OptionalField"]: (row["Value"], row["ValueSet"]) for row in customer["CustomerOptionalFieldValues"]}


def test_what_was_delivered_before_is_mapped_again_when_its_days_are_read_again(
    desk: Bench, mappings: Mapping[str, FlowMapping]
) -> None:
    number = str(desk.state("sage300", "APVendors")[2]["VendorNumber"]).strip()
    _region(desk, number, "WEST")
    desk.sync("vendors")
    assert "Sales_Region" not in {name for name, value in _account(desk, number).items() if value}
    today = desk.now().date()
    run_flow(_context(desk, mappings), "vendors", Window.days(today - timedelta(days=1), today + timedelta(days=1)))
    assert _account(desk, number)["Sales_Region"] == "WEST"
    assert _account(desk, number)["Billing_Country"] == "United States"
