"""Plans and guards in Dagster: a plan is read as a table, and a run that a guard stopped shows it."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
from sqlalchemy import URL

from sagezoho_pipelines.definitions import build_defs
from sagezoho_pipelines.engine.planning.document import from_text
from sagezoho_pipelines_tests.integration.defs_site import CONNECTION, asset, opened, value


def test_a_plan_launched_from_the_ui_is_a_table_and_a_file(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        job = build_defs(installation=site.installation).resolve_job_def(f"{CONNECTION}__plan")
        result = job.execute_in_process(instance=site.instance)
        assert result.success
        assert site.writes() == 0
        shown = site.metadata("sagezoho/plan")
        path = Path(value(shown, "file"))
        plan = from_text(path.read_text(), str(path), site.installation.seal)
        assert value(shown, "created") == plan.totals["created"] > 0
        assert value(shown, "digest") == json.loads(path.read_text())["digest"]
        table = shown["plan"]
        assert isinstance(table, dg.TableMetadataValue)
        rows = table.records
        assert 0 < len(rows) < 100
        assert {row.data["what"] for row in rows} >= {"create"}
        assert [column.name for column in table.schema.columns] == ["flow", "what", "record", "details"]
        account = next(row.data for row in rows if "→ Accounts" in str(row.data["record"]))
        assert "Account_Type: Vendor" in str(account["details"])
        assert list(shown)[-1] == "plan"
        assert path.stat().st_mode & 0o077 == 0


def test_a_run_that_a_guard_stopped_is_degraded_and_its_check_fails(postgres_url: URL, tmp_path: Path) -> None:
    guarded = "    flows: {vendors: {guards: {max_creates: 2}}}"
    with opened(postgres_url, tmp_path, rest=guarded) as site:
        report = site.run("vendors")
        assert report.success
        assert (report.figures["held"], report.left_over) == (6, 6)
        assert "max_creates is 2" in report.notes[0]
        assert site.writes() == 0
        assert site.tags(report.run_id)["sagezoho/degraded"] == "true"
        key = dg.AssetCheckKey(asset("zoho_crm/accounts"), "everything_arrived")
        [check] = site.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        told = check.evaluation
        assert told is not None
        assert not told.passed
        assert "sagezoho plan vendors" in str(told.metadata["why"].value)


def test_a_first_sync_without_a_plan_is_stopped_in_dagster_too(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        settings = site.installation.settings
        gated = settings.connections[CONNECTION].model_copy(update={"first_sync": "plan"})
        site.installation.__dict__["settings"] = settings.model_copy(update={"connections": {CONNECTION: gated}})
        report = site.run("vendors")
        assert site.writes() == 0
        assert report.left_over > 0
        assert "needs an applied plan" in report.notes[0]
