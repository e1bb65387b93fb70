"""Runs whose process was killed: Dagster's daemon finds them only after hours, and only where one runs."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import dagster as dg

#: Which process executes a run, so that another one can tell whether it still does.
HOST_TAG, PROCESS_TAG = "sagezoho/host", "sagezoho/process"


def process_tags(run_id: str, *, process: int | None = None) -> dict[str, str]:
    """The mark of a run that this process executes, or `process` of this machine.

    It names the run: one that is executed again inherits the tags of the first. And it tells when the process began:
    numbers come again, after a restart of the machine or of a container soon.
    """
    number = os.getpid() if process is None else process
    return {HOST_TAG: socket.gethostname(), PROCESS_TAG: f"{number} {_began(number)} {run_id}"}


def mark(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Have a run tell that this process executes it, where whoever launched it could not know."""
    tags = process_tags(run.run_id)
    if any(run.tags.get(name) != value for name, value in tags.items()):
        instance.add_run_tags(run.run_id, tags)


def bury(instance: dg.DagsterInstance) -> None:
    """End the runs of killed processes of this machine: they would hold their vendor's pool and look busy for ever."""
    if os.name == "nt":  # there os.kill would end the process it asks about
        return
    here = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={HOST_TAG: socket.gethostname()})
    for run in instance.get_runs(here):
        if _is_dead(run):
            instance.report_run_failed(run, "the process that executed this run ended without finishing it")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _is_dead(run: dg.DagsterRun) -> bool:
    told = run.tags.get(PROCESS_TAG, "").split()
    if len(told) != 3 or told[2] != run.run_id:  # inherited: its own process has yet to put its mark there
        return False
    number, began, _ = told
    return not _alive(int(number)) or _began(int(number)) != began


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists and is another user's
    return True


def _began(process: int) -> str:
    """When a process began, in ticks since the machine did; the same for all of them where that is not told."""
    try:
        told = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return "-"
    return told.rpartition(")")[2].split()[19]  # the name before it may hold anything
