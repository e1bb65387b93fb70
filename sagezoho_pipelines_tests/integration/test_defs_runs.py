"""Runs as Dagster makes them: what a materialization does, what it shows, and how it fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL

from sagezoho_pipelines.definitions import build_defs
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.records import Cause, EntityRef, Look, System
from sagezoho_pipelines.ledger import inbox, reports
from sagezoho_pipelines.wiring import Installation
from sagezoho_pipelines_tests.integration.defs_site import CONNECTION, Site, asset, opened, today, value


@pytest.fixture
def site(postgres_url: URL, tmp_path: Path) -> Iterator[Site]:
    with opened(postgres_url, tmp_path) as made:
        yield made


def test_all_flows_run_and_a_second_run_writes_nothing(site: Site) -> None:
    first = site.run("all")
    assert first.success, first.error
    assert first.figures["created"] >= 6
    before = site.writes()
    second = site.run("all")
    assert second.success, second.error
    assert second.figures["created"] == second.figures["updated"] == 0
    assert site.writes() == before


def test_a_delivery_shows_figures_samples_lineage_cost_and_its_audit(site: Site) -> None:
    report = site.run("vendors", actor="anna")
    shown = site.metadata("zoho_crm/accounts")
    assert value(shown, "created") == value(shown, "dagster/row_count") == 6
    assert value(shown, "zoho_crm_calls") > 0
    assert value(shown, "zoho_credits_used") > 0
    assert value(shown, "mapping").startswith("v1-")
    assert value(shown, "audit") == f"sagezoho audit export --run {report.run_id}"
    sample = shown["sample"]
    assert isinstance(sample, dg.TableMetadataValue)
    assert len(sample.records) == 6
    assert {record.data["outcome"] for record in sample.records} == {"created"}
    lineage = shown["dagster/column_lineage"].value
    assert lineage.deps_by_column["Sage_Vendor_Group"] == [
        dg.TableColumnDep(asset_key=asset("sage300/vendors"), column_name="GroupCode")
    ]
    beside = site.metadata("zoho_crm/contacts")
    assert value(beside, "delivered_with") == asset("zoho_crm/accounts")
    contacts = [row for row in site.sandbox.zoho_crm.world.state("Contacts") if row.get("Sage_Contact_Key")]
    assert value(beside, "created") == len(contacts) > 0
    assert report.figures["created"] == 6
    captured = site.metadata("sage300/vendors")
    assert value(captured, "captured") == 6
    assert value(captured, "watermark_before") == {}
    assert value(captured, "watermark_after") != {}
    line = next(iter(reports.audit_entries(site.installation.database, run_id=report.run_id)))
    assert line.entry.actor == "anna"


def test_a_delivery_alone_delivers_what_is_queued(site: Site) -> None:
    assert site.materialize("sage300/vendors", day=today(site)).success
    assert site.writes() == 0
    assert site.materialize("zoho_crm/accounts", "zoho_crm/contacts", day=today(site)).success
    assert value(site.metadata("zoho_crm/accounts"), "created") == 6


def test_a_backfill_of_a_month_delivers_its_days_again_and_leaves_the_watermark(site: Site) -> None:
    site.run("vendors")
    entity = site.installation.context(CONNECTION, run_id="", actor="").sage_entity("vendors")
    mark = site.installation.ledger.watermark(entity)
    assert mark is not None
    last = date.fromisoformat(str(mark["date"]))
    days = (last - timedelta(days=30), last)
    report = site.run("vendors", days=days)
    assert report.success, report.error
    assert report.figures["captured"] > 0
    assert report.figures["noop"] > 0
    assert report.figures["created"] == report.figures["updated"] == 0
    assert site.installation.ledger.watermark(entity) == mark
    events = site.instance.fetch_materializations(asset("zoho_crm/accounts"), limit=100).records
    of_range = [event for event in events if event.run_id == report.run_id]
    assert len(of_range) == 31
    shown = {event.partition_key: event.asset_materialization for event in of_range}
    newest = shown.pop(last.isoformat())
    assert newest is not None
    assert isinstance(newest.metadata["dagster/column_lineage"], dg.TableColumnLineageMetadataValue)
    assert all(
        isinstance(figure, dg.IntMetadataValue | dg.TextMetadataValue)
        for day in shown.values()
        if day is not None
        for figure in day.metadata.values()
    )


def test_a_backfill_that_moves_something_shows_it_on_its_newest_day(site: Site) -> None:
    first = today(site) - timedelta(days=30)
    report = site.run("vendors", days=(first, today(site)))
    assert report.figures["created"] == 6
    shown = site.metadata("zoho_crm/accounts")
    assert {record.data["outcome"] for record in shown["sample"].records} == {"created"}
    assert value(site.metadata("zoho_crm/contacts"), "delivered_with") == asset("zoho_crm/accounts")
    captured = site.metadata("sage300/vendors")
    assert value(captured, "window") == f"backfill of {first} to {today(site)}, then poll"
    assert value(captured, "watermark_before") == {}
    assert value(captured, "watermark_after") != {}


def test_a_backfill_of_one_of_two_that_are_delivered_together_shows_both(site: Site) -> None:
    first = today(site) - timedelta(days=1)
    job = build_defs(installation=site.installation).resolve_implicit_global_asset_job_def()
    days = {"dagster/asset_partition_range_start": f"{first}", "dagster/asset_partition_range_end": f"{today(site)}"}
    site.materialize("sage300/vendors", day=today(site))
    done = job.execute_in_process(
        instance=site.instance, asset_selection=[asset("zoho_crm/contacts")], tags=days, raise_on_error=False
    )
    assert done.success
    assert isinstance(site.metadata("zoho_crm/accounts")["sample"], dg.TableMetadataValue)
    assert value(site.metadata("zoho_crm/contacts"), "created") > 0


def test_a_past_day_is_captured_again_from_its_partition(site: Site) -> None:
    day = today(site) - timedelta(days=40)
    site.sage("set_session_date", date=day.isoformat())
    site.sage("edit_vendor", vendor=_first_vendor(site), fields={"VendorName": "Edited long ago"})
    site.run("vendors")
    result = site.materialize("sage300/vendors", "zoho_crm/accounts", "zoho_crm/contacts", day=day)
    assert result.success
    assert value(site.metadata("sage300/vendors"), "window") == f"backfill of {day} to {day}"
    assert value(site.metadata("zoho_crm/accounts"), "noop") == 1


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2026, 2, 1), date(2026, 1, 1), "give the earlier one first"),
        (date(2019, 12, 31), date(2020, 1, 1), "2019-12-31 cannot be backfilled: give days from 2020-01-01"),
        (date(2020, 1, 1), date(2999, 1, 1), "2999-01-01 cannot be backfilled"),
    ],
)
def test_days_that_are_none_are_refused_before_anything_runs(site: Site, first: date, last: date, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        site.run("vendors", days=(first, last))
    assert site.instance.get_runs_count() == 0


def test_the_days_of_today_are_captured_and_delivered_again(site: Site) -> None:
    site.sage("edit_vendor", vendor=_first_vendor(site), fields={"VendorName": "Edited today"})
    site.run("vendors")
    report = site.run("vendors", days=(today(site), today(site)))
    assert report.success, report.error
    assert report.figures["noop"] >= 1
    assert site.metadata("zoho_crm/contacts")


def test_where_notifications_are_off_the_channel_is_materialized_and_says_so(site: Site) -> None:
    job = build_defs(installation=site.installation).resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(instance=site.instance, asset_selection=[asset("zoho_crm/channels")])
    assert done.success
    assert value(site.metadata("zoho_crm/channels"), "done").startswith("nothing to do: notifications are not")
    assert all(check.passed for check in done.get_asset_check_evaluations())
    assert site.writes() == 0


def test_each_asset_can_be_materialized_by_itself(site: Site) -> None:
    graph = site.repository().asset_graph
    keys = [key for key in graph.materializable_asset_keys if graph.get(key).is_partitioned]
    assert len(keys) >= 14
    for key in sorted(keys):
        result = site.materialize("/".join(key.path[1:]), day=today(site))
        assert result.success
        assert site.metadata("/".join(key.path[1:])) is not None
    accounts = site.sandbox.zoho_crm.world.state("Accounts")
    assert sum(1 for account in accounts if account.get("Sage_Vendor_Key")) == 6


def test_a_run_that_left_something_behind_succeeds_and_says_so(site: Site) -> None:
    assert "sagezoho/degraded" not in site.tags(site.run("vendors").run_id)
    wrong = {"ContactName": "Ana Ruiz", "ContactsEmail": "no address at all"}
    site.sage("edit_vendor", vendor=_first_vendor(site), fields=wrong)
    report = site.run("vendors")
    assert report.success, report.error
    assert report.left_over == report.figures["refused"] == 1
    assert site.tags(report.run_id)["sagezoho/degraded"] == "true"
    assert not _checks(site, report.run_id)["everything_arrived", asset("zoho_crm/accounts")]
    [record] = site.metadata("zoho_crm/accounts")["sample"].records
    assert record.data["outcome"] == "refused"


def test_a_wrong_password_is_one_clear_message(site: Site) -> None:
    site.credentials("sage300", username="WEBAPI", password="not-the-password")
    report = site.run("vendors")
    assert not report.success
    assert report.error_type == "VendorError"
    assert report.error is not None
    assert "\n" not in report.error
    assert "not-the-password" not in report.error
    assert site.writes() == 0
    log = "".join(str(event) for event in site.instance.all_logs(report.run_id))
    assert "not-the-password" not in log
    assert "Traceback" not in log


def test_an_unknown_flow_is_refused_before_anything_runs(site: Site) -> None:
    with pytest.raises(ConfigurationError, match="there is no flow 'vendor'"):
        site.run("vendor")
    assert site.instance.get_runs_count() == 0


def test_below_professional_the_invoices_rest_and_the_others_go_on(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path, edition="standard") as site:
        report = site.run("all")
        assert report.success, report.error
        assert report.figures["created"] >= 6
        [note] = report.notes
        assert "Invoices module" in note


def test_the_sweep_finds_what_is_gone_and_checks_both_sides(site: Site) -> None:
    site.run("all")
    report = site.run("sweep")
    assert report.success, report.error
    assert report.figures["captured"] >= 6
    checks = _checks(site, report.run_id)
    assert checks["audit_chain_intact", asset("ledger/audit")]
    for name in ("zoho_crm/accounts", "sage300/customers", "sage300/orders", "zoho_crm/invoices"):
        assert checks["both_sides_equal", asset(name)], name


def test_a_written_record_that_is_gone_shows_on_its_asset(site: Site) -> None:
    site.run("all")
    accounts = site.sandbox.zoho_crm.world.state("Accounts")
    account = next(row["id"] for row in accounts if row.get("Sage_Vendor_Key"))
    site.sandbox.zoho_crm.world.actions["delete_record"]({"module": "Accounts", "id": account})
    checks = _checks(site, site.run("sweep").run_id)
    failed = {key for (name, key), passed in checks.items() if name == "both_sides_equal" and not passed}
    assert failed == {asset("zoho_crm/accounts")}


def test_the_checks_look_at_queue_inbox_and_credits(site: Site) -> None:
    site.run("all")
    waiting = inbox.entries(site.installation.database)
    job = site.repository().get_job("saminc__checks")
    result = job.execute_in_process(instance=site.instance)
    assert result.success
    checks = _checks(site, result.run_id)
    assert checks["credits_left", asset("zoho_crm/deals")]
    assert checks["nothing_stuck", asset("sage300/vendors")]
    empty = {key: passed for (name, key), passed in checks.items() if name == "inbox_empty"}
    assert {key for key, passed in empty.items() if not passed} == {asset(f"{w.system}/{w.entity}") for w in waiting}


def test_a_look_at_an_edited_account_that_nobody_took_is_noticed(site: Site) -> None:
    edited = EntityRef(CONNECTION, System.ZOHO_CRM, "vendor_accounts")
    long_ago = site.installation.clock() - timedelta(hours=7)
    site.installation.ledger.enqueue([Look(edited, "4711", Cause.NOTIFICATION, "Accounts.edit")], at=long_ago)
    result = site.repository().get_job("saminc__checks").execute_in_process(instance=site.instance)
    checks = _checks(site, result.run_id)
    assert not checks["nothing_stuck", asset("zoho_crm/vendor_accounts")]
    assert checks["nothing_stuck", asset("sage300/customer_records")]
    assert checks["inbox_empty", asset("zoho_crm/vendor_accounts")]


def test_many_stuck_changes_of_one_kind_hide_none_of_another(site: Site) -> None:
    customers = EntityRef(CONNECTION, System.SAGE300, "customer_records")
    accounts = EntityRef(CONNECTION, System.ZOHO_CRM, "vendor_accounts")
    looks = [Look(customers, str(number), Cause.SWEEP, "edited") for number in range(1001)]
    long_ago = site.installation.clock() - timedelta(hours=7)
    site.installation.ledger.enqueue([*looks, Look(accounts, "4711", Cause.SWEEP, "edited")], at=long_ago)
    result = site.repository().get_job("saminc__checks").execute_in_process(instance=site.instance)
    checks = _checks(site, result.run_id)
    assert not checks["nothing_stuck", asset("sage300/customer_records")]
    assert not checks["nothing_stuck", asset("zoho_crm/vendor_accounts")]


def test_old_run_records_are_deleted_and_the_ledger_is_kept(site: Site) -> None:
    report = site.run("vendors")
    audit = len(list(reports.audit_entries(site.installation.database)))
    result = _clean(site, site.instance)
    assert not site.instance.has_run(report.run_id)
    assert site.instance.has_run(result.run_id)
    assert not site.instance.all_logs(report.run_id)
    assert len(list(reports.audit_entries(site.installation.database))) == audit > 0


def test_what_an_old_run_wrote_to_its_console_is_deleted_with_it(site: Site) -> None:
    with dg.instance_for_test() as instance:
        job = site.repository().get_job("saminc__checks")
        old = job.execute_in_process(instance=instance)
        consoles = Path(instance.storage_directory())
        assert list(consoles.glob(f"{old.run_id}/*/*"))
        newer = _clean(site, instance)
        assert not (consoles / old.run_id).exists()
        assert (consoles / newer.run_id).exists()


def _clean(site: Site, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """The nightly job, in three months."""
    later = Installation(
        site.installation.env,
        settings=site.installation.settings,
        clock=lambda: site.installation.clock() + timedelta(days=91),
    )
    result = build_defs(installation=later).resolve_job_def("sagezoho__retention").execute_in_process(instance=instance)
    assert result.success
    return result


def _first_vendor(site: Site) -> str:
    return str(next(iter(site.sandbox.sage300.world.state("APVendors")))["VendorNumber"]).strip()


def _checks(site: Site, run_id: str) -> dict[tuple[str, dg.AssetKey], bool]:
    found = {}
    for event in site.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        assert event.dagster_event is not None
        data = event.dagster_event.asset_check_evaluation_data
        found[data.check_name, data.asset_key] = data.passed
    return found
