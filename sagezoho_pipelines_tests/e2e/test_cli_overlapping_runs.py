"""Runs that overlap in one process, as a worker's do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import URL

# The second run begins before the first one ends, and ends after it.
_OVERLAPPING = """
import threading
import dagster as dg
from sagezoho_pipelines.cli.sync import dagster_instance

first_began, second_began, first_ended = threading.Event(), threading.Event(), threading.Event()

@dg.op
def first():
    first_began.set()
    assert second_began.wait(60)

@dg.op
def second():
    second_began.set()
    assert first_ended.wait(60)

@dg.job
def one():
    first()

@dg.job
def other():
    second()

silent = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

def run(job):
    assert job.execute_in_process(instance=instance, run_config=silent).success

with dagster_instance() as instance:
    begun = threading.Thread(target=run, args=(one,))
    begun.start()
    assert first_began.wait(60)
    beside = threading.Thread(target=run, args=(other,))
    beside.start()
    begun.join()
    first_ended.set()
    beside.join()
print("said afterwards", flush=True)
"""


def test_what_a_worker_says_after_runs_that_overlapped_is_still_heard(postgres_url: URL, tmp_path: Path) -> None:
    env = {
        **os.environ,
        "SAGEZOHO_POSTGRES_URL": postgres_url.render_as_string(hide_password=False),
        "SAGEZOHO_HOME": str(tmp_path / "home"),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }
    done = subprocess.run([sys.executable, "-c", _OVERLAPPING], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "said afterwards\n"
    assert not list((tmp_path / "dagster").glob("storage/*/compute_logs/*"))
