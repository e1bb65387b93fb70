"""Runs of processes that were killed are ended, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from dagster._core.utils import make_new_run_id
from sqlalchemy import URL

from sagezoho_pipelines.cli.runs import run_flow_job
from sagezoho_pipelines.defs import dead_runs
from sagezoho_pipelines.defs.dead_runs import PROCESS_TAG, process_tags
from sagezoho_pipelines_tests.integration.defs_site import Site, opened, today
from sagezoho_pipelines_tests.integration.test_defs_polling import Sensor


@pytest.fixture
def site(postgres_url: URL, tmp_path: Path) -> Iterator[Site]:
    with opened(postgres_url, tmp_path) as made:
        yield made


def _tags_of_a_dead_process(run_id: str) -> dict[str, str]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        tags = process_tags(run_id, process=process.pid)
        process.kill()
    return tags


def _started(instance: dg.DagsterInstance, run_id: str, tags: Mapping[str, str]) -> str:
    started = dg.DagsterRunStatus.STARTED
    create_run_for_test(instance, run_id=run_id, job_name="saminc__vendors", status=started, tags=dict(tags))
    return run_id


def _status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_the_pool_of_a_killed_process_is_given_back(site: Site) -> None:
    with dg.instance_for_test(overrides={"concurrency": {"pools": {"default_limit": 1}}}) as instance:
        run_id = make_new_run_id()
        _started(instance, run_id, _tags_of_a_dead_process(run_id))
        for pool in ("sage300_saminc", "zoho_crm_saminc"):
            instance.event_log_storage.claim_concurrency_slot(pool, run_id, "step")
        report = run_flow_job("vendors", "saminc", instance=instance, installation=site.installation)
        assert report.success, report.error
        assert _status(instance, run_id) is dg.DagsterRunStatus.FAILURE


def test_a_run_that_is_executed_again_is_not_taken_for_the_first() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        again = _started(instance, make_new_run_id(), _tags_of_a_dead_process(make_new_run_id()))
        dead_runs.bury(instance)
        assert _status(instance, again) is dg.DagsterRunStatus.STARTED


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="nothing tells there when a process began")
def test_another_process_of_the_same_number_does_not_keep_a_run_alive() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        before, now = make_new_run_id(), make_new_run_id()
        _started(instance, before, {**process_tags(before), PROCESS_TAG: f"{os.getpid()} 1 {before}"})
        _started(instance, now, process_tags(now))
        dead_runs.bury(instance)
        assert _status(instance, before) is dg.DagsterRunStatus.FAILURE
        assert _status(instance, now) is dg.DagsterRunStatus.STARTED


def test_a_run_that_dagster_launched_tells_which_process_executes_it(site: Site) -> None:
    tags = _tags_of_a_dead_process(make_new_run_id())
    job = site.repository().get_job("saminc__vendors")
    run = job.execute_in_process(instance=site.instance, partition_key=today(site).isoformat(), tags=tags)
    assert process_tags(run.run_id).items() <= site.tags(run.run_id).items()


def test_a_poll_that_was_killed_does_not_keep_its_feed_from_being_polled(site: Site) -> None:
    run_id = make_new_run_id()
    _started(site.instance, run_id, {**_tags_of_a_dead_process(run_id), "sagezoho/feed": "vendors"})
    assert len(Sensor(site, "vendors").tick()) == 1
    assert _status(site.instance, run_id) is dg.DagsterRunStatus.FAILURE
