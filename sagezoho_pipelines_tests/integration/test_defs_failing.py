"""A run that fails half-way tells what it had done: in its report, and in the failed step's metadata."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL

from sagezoho_pipelines_tests.integration.defs_site import opened


def test_a_run_that_fails_in_mid_delivery_tells_what_it_had_done(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path, vendors=2100, deals=0) as site:
        refusal = {"code": "OAUTH_SCOPE_MISMATCH", "details": {}, "message": "no scope", "status": "error"}
        site.sandbox.zoho_crm.world.faults.add(
            "respond", path="/Accounts", contains="SAMINC/V002099", status=401, body=refusal
        )
        report = site.run("vendors")
    assert not report.success
    assert "OAUTH_SCOPE_MISMATCH" in (report.error or "")
    assert report.figures["captured"] > 2100
    assert report.figures["created"] == 2000
    assert report.calls["zoho_crm"] >= 40
    assert {part.asset for part in report.assets} >= {"saminc/sage300/vendors", "saminc/zoho_crm/accounts"}


def test_a_company_without_vendors_has_nothing_to_send(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path, vendors=0, deals=0) as site:
        report = site.run("vendors")
    assert report.success, report.error
    assert report.figures["created"] == 0
