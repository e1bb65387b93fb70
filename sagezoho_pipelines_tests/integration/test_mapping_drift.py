"""Schema drift: what changed in either system's fields is told, told again while it hurts, and audited."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL, Engine

from sagezoho_pipelines.engine.mapped.drift import DriftReport, Severity, look
from sagezoho_pipelines.ledger import reports
from sagezoho_pipelines.ledger.metadata import PostgresMetadataStore
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench
from sagezoho_pipelines_tests.integration.defs_site import Site, opened

ERROR, INFORMATION = Severity.ERROR, Severity.INFORMATION


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=3, deals=0) as made:
        _look(made)
        yield made


def _look(desk: Bench, *, accept: bool = False) -> DriftReport:
    return look(desk.context(), PostgresMetadataStore(desk.engine), accept=accept)


def _found(report: DriftReport) -> list[tuple[Severity, str, str]]:
    return [(one.severity, f"{one.entity}.{one.field}", one.what) for one in report.found]


def _audit(desk: Bench) -> list[tuple[str, str, str]]:
    entries = reports.audit_entries(desk.engine, connection=CONNECTION)
    return [
        (line.entry.operation, line.entry.target_id, line.entry.outcome)
        for line in entries
        if line.entry.flow == "metadata"
    ]


def test_the_first_look_remembers_every_entity_that_is_mapped(engine: Engine) -> None:
    with bench(engine, vendors=3, deals=0) as desk:
        report = _look(desk)
        mapped = {"AP/APVendors", "AR/ARCustomers", "OE/OEOrders", "Accounts", "Deals", "Invoiced_Items"}
        assert mapped <= set(report.first)
        assert (report.found, report.ok) == ([], True)
        assert set(_audit(desk)) == {("first look", name, "noop") for name in report.first}
        again = _look(desk)
        assert (again.first, again.found) == ([], [])
        assert len(_audit(desk)) == len(report.first)


def test_a_dropped_field_that_the_mapping_writes_stays_an_error_until_it_is_accepted(desk: Bench) -> None:
    desk.act("zoho_crm", "drop_field", module="Accounts", field="Sage_Vendor_Group")
    for _ in range(2):
        report = _look(desk)
        assert _found(report) == [(ERROR, "Accounts.Sage_Vendor_Group", "vanished")]
        assert "vendors.accounts.Sage_Vendor_Group" in report.found[0].used_by
        assert not report.ok
    assert _look(desk, accept=True).ok
    assert _look(desk).found == []
    told = [line for line in _audit(desk) if line[1] == "Accounts"]
    assert told == [
        ("first look", "Accounts", "noop"),
        ("drift", "Accounts", "refused"),
        ("drift", "Accounts", "refused"),
        ("accept drift", "Accounts", "noop"),
    ]


def test_a_field_that_comes_back_is_no_drift(desk: Bench) -> None:
    desk.sandbox.sage300.world.switches.hidden = ("APVendors.WebSite",)
    assert (ERROR, "AP/APVendors.WebSite", "vanished") in _found(_look(desk))
    desk.sandbox.sage300.world.switches.hidden = ()
    assert _look(desk).found == []


def test_what_nothing_uses_is_told_once(desk: Bench) -> None:
    desk.sandbox.sage300.world.switches.hidden = ("APVendors.ParticipantID",)
    desk.zoho().create_fields("Accounts", [{"field_label": "Sales Region", "data_type": "text", "length": 20}])
    report = _look(desk)
    assert _found(report) == [
        (INFORMATION, "AP/APVendors.ParticipantID", "vanished"),
        (INFORMATION, "Accounts.Sales_Region", "appeared"),
    ]
    assert report.ok
    assert _look(desk).found == []


def test_an_error_does_not_keep_harmless_changes_from_being_remembered(desk: Bench) -> None:
    desk.act("zoho_crm", "change_field", module="Accounts", field="Billing_City", length=20)
    desk.act("zoho_crm", "change_field", module="Accounts", field="Ticker_Symbol", length=10)
    assert _found(_look(desk)) == [
        (ERROR, "Accounts.Billing_City", "shrank from 100 to 20 characters"),
        (INFORMATION, "Accounts.Ticker_Symbol", "shrank from 30 to 10 characters"),
    ]
    assert _found(_look(desk)) == [(ERROR, "Accounts.Billing_City", "shrank from 100 to 20 characters")]


def test_a_field_made_anew_with_another_type_is_an_error(desk: Bench) -> None:
    desk.act("zoho_crm", "drop_field", module="Accounts", field="Sage_Open_Invoices")
    made = {"field_label": "Sage Open Invoices", "data_type": "text", "length": 20}
    assert desk.zoho().create_fields("Accounts", [made])[0].error is None
    report = _look(desk)
    assert (ERROR, "Accounts.Sage_Open_Invoices", "changed its type from integer to text") in _found(report)
    assert not report.ok


def test_a_field_becomes_mandatory_only_for_those_who_make_records_without_it(desk: Bench) -> None:
    """Or with nothing in it: not every vendor has a phone, and each account that is made has a type."""
    fields = ("Accounts", "Account_Type"), ("Accounts", "Industry"), ("Accounts", "Phone"), ("Deals", "Next_Step")
    for module, field in fields:
        desk.act("zoho_crm", "change_field", module=module, field=field, mandatory=True)
    report = _look(desk)
    assert _found(report) == [
        (INFORMATION, "Accounts.Account_Type", "became mandatory"),
        (ERROR, "Accounts.Industry", "became mandatory"),
        (ERROR, "Accounts.Phone", "became mandatory"),
        (INFORMATION, "Deals.Next_Step", "became mandatory"),
    ]
    assert [one.used_by for one in report.errors] == [["vendors.accounts"], ["vendors.accounts.Phone"]]


def test_values_that_are_lost_concern_who_uses_them(desk: Bench) -> None:
    desk.act("zoho_crm", "change_field", module="Deals", field="Stage", values=["Qualification", "Won"])
    lost, got = _look(desk).found
    assert (lost.severity, lost.field) == (ERROR, "Stage")
    assert "'Closed Won'" in lost.what
    assert (got.severity, got.what) == (INFORMATION, "got the values 'Won'")


def test_details_and_the_markers_of_change_are_watched_too(desk: Bench) -> None:
    desk.sandbox.sage300.world.switches.hidden = ("APVendors.DateLastMaintained", "OEInvoices.InvoicePaymentSchedules")
    found = {f"{one.entity}.{one.field}": one for one in _look(desk).found}
    assert found["AP/APVendors.DateLastMaintained"].used_by == ["the feed vendors"]
    assert found["OE/OEInvoices.InvoicePaymentSchedules"].used_by == ["invoices.invoices.Due_Date"]


def test_a_module_that_the_edition_lost_is_an_error(desk: Bench) -> None:
    desk.act("zoho_crm", "set_edition", edition="standard")
    found = _found(_look(desk))
    assert (ERROR, "Invoices.*", "is no longer offered") in found
    desk.act("zoho_crm", "set_edition", edition="enterprise")
    assert _look(desk).found == []


def test_the_scheduled_check_fails_in_dagster_while_a_used_field_is_gone(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        assert _check(site).passed
        site.sandbox.zoho_crm.world.actions["drop_field"]({"module": "Accounts", "field": "Sage_Vendor_Terms"})
        failed = _check(site)
        assert not failed.passed
        assert (failed.severity, failed.metadata["errors"].value) == (dg.AssetCheckSeverity.ERROR, 1)
        assert "Accounts.Sage_Vendor_Terms vanished" in str(failed.metadata["found"].value)


def _check(site: Site) -> dg.AssetCheckEvaluation:
    job = site.repository().get_job("saminc__drift")
    done = job.execute_in_process(instance=site.instance, raise_on_error=False)
    [evaluation] = done.get_asset_check_evaluations()
    return evaluation
