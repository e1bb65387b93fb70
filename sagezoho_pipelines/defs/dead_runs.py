"""Runs whose process was killed: Dagster's daemon finds them only after hours, and only where one runs."""

from __future__ import annotations

import os
import socket

import dagster as dg

#: Which process executes a run, so that another one can tell whether it still does.
HOST_TAG, PROCESS_TAG = "sagezoho/host", "sagezoho/process"


def process_tags() -> dict[str, str]:
    return {HOST_TAG: socket.gethostname(), PROCESS_TAG: str(os.getpid())}


def bury(instance: dg.DagsterInstance) -> None:
    """End the runs of killed processes of this machine: they would hold their vendor's pool and look busy for ever."""
    if os.name == "nt":  # there os.kill would end the process it asks about
        return
    here = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={HOST_TAG: socket.gethostname()})
    for run in instance.get_runs(here):
        if not _alive(int(run.tags.get(PROCESS_TAG, "0"))):
            instance.report_run_failed(run, "the process that executed this run ended without finishing it")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists and is another user's
    return True
