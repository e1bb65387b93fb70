"""A degraded run calls the hook once, and the inbox check repeats the vendor's words with our advice."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sqlalchemy import URL

from sagezoho_pipelines.cli.runs import RunReport, run_flow_job
from sagezoho_pipelines.config import Alerts
from sagezoho_pipelines.wiring import Installation
from sagezoho_pipelines_tests.integration.defs_site import CONNECTION, Site, opened

_APPEND = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10))"


def _run(site: Site, alerts: Alerts) -> RunReport:
    settings = site.installation.settings.model_copy(update={"alerts": alerts})
    with Installation(site.installation.env, settings=settings) as installation:
        return run_flow_job("vendors", CONNECTION, instance=site.instance, installation=installation)


def _break_one(site: Site) -> None:
    vendor = str(next(iter(site.sandbox.sage300.world.state("APVendors")))["VendorNumber"]).strip()
    site.sage("edit_vendor", vendor=vendor, fields={"ContactName": "Ann Lee", "ContactsEmail": "not an address"})


def test_a_degraded_run_calls_the_command_once(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        _break_one(site)
        heard = tmp_path / "heard"
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)))
        report = _run(site, hook)
        [line] = heard.read_text().splitlines()
        told = json.loads(line)
        assert (told["run_id"], told["figures"]["refused"]) == (report.run_id, 1)
        assert site.tags(report.run_id)["sagezoho/degraded"] == "true"
        assert _run(site, hook).left_over == 0  # nothing new was refused: nobody is called
        assert len(heard.read_text().splitlines()) == 1
        assert "client_secret" not in line


def test_a_refused_sign_in_is_told_once_and_paused_runs_are_tagged(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        site.credentials("sage300", username="nobody", password="wrong")
        heard = tmp_path / "heard"
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)))
        assert not _run(site, hook).success
        again = _run(site, hook)
        assert again.success
        assert site.tags(again.run_id)["sagezoho/degraded"] == "true"
        [line] = heard.read_text().splitlines()
        told = json.loads(line)
        assert told["event"] == "paused"
        assert "credentials set" in told["alarms"][0]
        assert "wrong" not in line


def test_a_guard_that_stops_a_flow_is_told_once(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path, rest="    flows: {vendors: {guards: {max_creates: 2}}}") as site:
        heard = tmp_path / "heard"
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)))
        assert (_run(site, hook).left_over, _run(site, hook).left_over) == (6, 6)
        [told] = map(json.loads, heard.read_text().splitlines())
        assert told["event"] == "held"
        assert "max_creates is 2" in told["alarms"][0]


def test_only_the_first_of_the_runs_that_fail_is_told_of(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        heard = tmp_path / "heard"
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)))
        away = site.sandbox.sage300.world.faults.add("status", path="/AP/", status=503)
        assert not _run(site, hook).success
        assert not _run(site, hook).success
        [told] = map(json.loads, heard.read_text().splitlines())
        assert told["event"] == "failed"
        assert "Service Unavailable" in told["alarms"][0]
        site.sandbox.sage300.world.faults.remove(away.id)
        assert _run(site, hook).success
        site.sandbox.sage300.world.faults.add("status", path="/AP/", status=503)
        assert not _run(site, hook).success
        assert len(heard.read_text().splitlines()) == 2


def test_a_hook_that_fails_is_a_note_of_a_run_that_succeeds(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        _break_one(site)
        report = _run(site, Alerts(webhook_url="http://127.0.0.1:9/hook"))
        assert report.success
        assert any("alert hook could not be called" in note for note in report.notes)
