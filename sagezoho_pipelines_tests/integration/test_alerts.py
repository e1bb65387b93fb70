"""A degraded run calls the hook once, and the inbox check repeats the vendor's words with our advice."""

from __future__ import annotations

import json
import socket
import sys
import threading
from pathlib import Path

import dagster as dg
from dagster._core.events import EngineEventData
from dagster_shared.error import SerializableErrorInfo
from sqlalchemy import URL

from sagezoho_pipelines.cli.runs import RunReport, run_flow_job
from sagezoho_pipelines.config import Alerts
from sagezoho_pipelines.definitions import build_defs
from sagezoho_pipelines.defs.assembly import workbench_of
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.wiring import Installation
from sagezoho_pipelines_tests.integration.defs_site import CONNECTION, Site, opened

_APPEND = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10))"


def _run(site: Site, alerts: Alerts, **tags: str) -> RunReport:
    settings = site.installation.settings.model_copy(update={"alerts": alerts})
    with Installation(site.installation.env, settings=settings) as installation:
        return run_flow_job(
            "vendors",
            CONNECTION,
            instance=site.instance,
            installation=installation,
            tags={f"sagezoho/{name}": value for name, value in tags.items()},
        )


def _break_one(site: Site, address: str = "not an address") -> None:
    vendor = str(next(iter(site.sandbox.sage300.world.state("APVendors")))["VendorNumber"]).strip()
    site.sage("edit_vendor", vendor=vendor, fields={"ContactName": "Ann Lee", "ContactsEmail": address})


def test_a_degraded_run_calls_the_command_once(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        _break_one(site)
        heard = tmp_path / "heard"
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)), timeout=100)
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
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)), timeout=100)
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
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)), timeout=100)
        assert (_run(site, hook).left_over, _run(site, hook).left_over) == (6, 6)
        [told] = map(json.loads, heard.read_text().splitlines())
        assert told["event"] == "held"
        assert "max_creates is 2" in told["alarms"][0]


def test_only_the_first_of_the_runs_that_fail_is_told_of(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        heard = tmp_path / "heard"
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)), timeout=100)
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


def test_a_feed_that_works_does_not_make_news_of_another_one_s_failure(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        heard = tmp_path / "heard"
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)))
        for _ in range(2):
            away = site.sandbox.sage300.world.faults.add("status", path="/AP/", status=503)
            assert not _run(site, hook, feed="ap_batches").success
            site.sandbox.sage300.world.faults.remove(away.id)
            assert _run(site, hook, feed="vendors").success
        assert len(heard.read_text().splitlines()) == 1


def test_a_run_that_is_executed_again_is_told_of_by_itself(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        _break_one(site)
        heard = tmp_path / "heard"
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)))
        first = site.tags(_run(site, hook).run_id)
        _break_one(site, "not an address either")
        again = _run(site, hook, alerted=first["sagezoho/alerted"])  # Dagster gives it the tags of the first
        assert [json.loads(line)["run_id"] for line in heard.read_text().splitlines()][1:] == [again.run_id]


def _died(site: Site, installation: Installation, error: Exception | None) -> dg.DagsterRun:
    """A run that fails before its first step, as Dagster leaves one whose definitions cannot be loaded."""
    job = build_defs(installation=installation).get_repository_def().get_job(f"{CONNECTION}__vendors")
    run = site.instance.create_run_for_job(job, tags=dict(job.tags))
    if error is not None:
        told = EngineEventData.engine_error(SerializableErrorInfo(f"{_said(error)}\n", [], type(error).__name__))
        site.instance.report_engine_event("Could not load job definition.", run, told)
    site.instance.report_run_failed(run)
    return run


def _said(error: Exception) -> str:
    return f"{type(error).__module__}.{type(error).__name__}: {error}"


def _look(site: Site, installation: Installation, run: dg.DagsterRun) -> None:
    """What Dagster's daemon does with the sensor once the run has failed."""
    repository = build_defs(installation=installation).get_repository_def()
    [failed] = site.instance.all_logs(run.run_id, dg.DagsterEventType.RUN_FAILURE)
    now = site.instance.get_run_by_id(run.run_id)
    assert now is not None
    context = dg.build_run_status_sensor_context(
        "failed_runs", failed.get_dagster_event(), site.instance, now, repository_def=repository,
        resources={"sagezoho": workbench_of(installation)},
    ).for_run_failure()  # fmt: skip
    repository.get_sensor_def("failed_runs")(context)


def test_a_run_that_could_not_begin_is_told_of_once_and_hides_no_later_failure(
    postgres_url: URL, tmp_path: Path
) -> None:
    with opened(postgres_url, tmp_path) as site:
        heard = tmp_path / "heard"
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)))
        settings = site.installation.settings.model_copy(update={"alerts": hook})
        with Installation(site.installation.env, settings=settings) as installation:
            for _ in range(2):
                _look(site, installation, _died(site, installation, ConfigurationError("sagezoho.yaml:88: not YAML")))
            [told] = map(json.loads, heard.read_text().splitlines())
            assert (told["event"], told["connection"], told["flow"]) == ("failed", CONNECTION, "vendors")
            assert told["alarms"] == ["sagezoho.yaml:88: not YAML"]

            assert _run(site, hook).success
            _died(site, installation, None)
        site.sandbox.sage300.world.faults.add("status", path="/AP/", status=503)
        assert not _run(site, hook).success
        assert len(heard.read_text().splitlines()) == 2, "the run before it failed too, and nobody has heard of that"


def test_a_failure_that_its_step_has_told_of_is_not_told_again(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        heard = tmp_path / "heard"
        hook = Alerts(command=(sys.executable, "-c", _APPEND, str(heard)))
        settings = site.installation.settings.model_copy(update={"alerts": hook})
        site.sandbox.sage300.world.faults.add("status", path="/AP/", status=503)
        report = _run(site, hook)
        run = site.instance.get_run_by_id(report.run_id)
        assert run is not None
        with Installation(site.installation.env, settings=settings) as installation:
            _look(site, installation, run)
        assert len(heard.read_text().splitlines()) == 1


def test_a_hook_that_fails_is_a_note_of_a_run_that_succeeds(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        _break_one(site)
        report = _run(site, Alerts(webhook_url="http://127.0.0.1:9/hook"))
        assert report.success
        assert any("alert hook could not be called" in note for note in report.notes)


def test_a_webhook_that_answers_nonsense_is_a_note_of_a_run_that_succeeds(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site, socket.create_server(("127.0.0.1", 0)) as listening:
        _break_one(site)
        answering = threading.Thread(target=_answer, args=(listening, b"no HTTP at all\r\n\r\n"))
        answering.start()
        report = _run(site, Alerts(webhook_url=f"http://127.0.0.1:{listening.getsockname()[1]}/hook"))
        answering.join()
        assert report.success, report.error
        assert any("alert hook could not be called" in note for note in report.notes)


def _answer(listening: socket.socket, answer: bytes) -> None:
    peer, _ = listening.accept()
    with peer:
        peer.recv(65536)
        peer.sendall(answer)
