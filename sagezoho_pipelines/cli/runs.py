"""The one place outside `defs` that launches runs: a flow's job, in this process, against the Dagster instance."""

from __future__ import annotations

import gc
import uuid
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import dagster as dg

from sagezoho_pipelines.definitions import build_defs
from sagezoho_pipelines.defs import arrivals, dead_runs, windows
from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.defs.problems import ATTENDED_TAG
from sagezoho_pipelines.defs.queued import Drain, drains_of, in_connection, under_way
from sagezoho_pipelines.defs.workbench import PLAN_TAG
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.records import Cause, Outcome
from sagezoho_pipelines.ledger.due import due_changes
from sagezoho_pipelines.wiring import Installation

#: Metadata of the materializations: see `defs/metadata.py`.
_FIGURES = ("captured", "unchanged", *(str(outcome) for outcome in Outcome), "held")
_CALLS = {"sage300": "sage300_calls", "zoho_crm": "zoho_crm_calls"}

_RANGE_START, _RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
#: What a run says is in its log; the command has its own words.
_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

_LEFT_OVER = (Outcome.REFUSED, Outcome.CONFLICTED, Outcome.RETRYING)

__all__ = [
    "PLAN_TAG",
    "AssetReport",
    "Drain",
    "RunReport",
    "drains_due",
    "is_under_way",
    "run_drain",
    "run_flow_job",
    "warm_up",
]

_definitions: weakref.WeakKeyDictionary[Installation, dg.Definitions] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class AssetReport:
    """What one asset's materialization says of the run."""

    asset: str
    figures: Mapping[str, int]
    calls: Mapping[str, int]
    credits: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run, summed over its assets.

    `error` is the message of what failed and `error_type` its class (one of `domain/errors.py`, or the name of an
    unexpected exception); both are None when the run succeeded. `credits_left` is Zoho's own figure where it told.
    """

    flow: str
    connection: str
    run_id: str
    success: bool
    figures: Mapping[str, int]
    calls: Mapping[str, int]
    credits: int
    credits_left: int | None
    notes: tuple[str, ...]
    assets: tuple[AssetReport, ...] = field(default=())
    error: str | None = None
    error_type: str | None = None

    @property
    def left_over(self) -> int:
        """What did not reach the other side: refused, in conflict, still to be tried again, or held by a guard."""
        return sum(self.figures[name] for name in (*map(str, _LEFT_OVER), "held"))


def run_flow_job(
    flow: str,
    connection: str,
    *,
    instance: dg.DagsterInstance,
    installation: Installation,
    days: tuple[date, date] | None = None,
    sweep: bool = False,
    actor: str = "",
    tags: Mapping[str, str] | None = None,
) -> RunReport:
    """Execute the job `connection__flow` (a flow, `all` or `sweep`) and report what it did.

    Without `days` it polls; with them it captures and delivers these days again, both included. The database is
    opened first, so a server that is down is LedgerUnavailable and no half-made run. Raises ConfigurationError for a
    connection or a flow that is not configured and for days that are none; what fails in the run itself is in the
    report.
    """
    job = _job(installation, connection, flow)
    if days is not None:
        _require_days(job, *days)
    _ = installation.database
    dead_runs.bury(instance)
    today = day_in(installation, connection)
    run_id = str(uuid.uuid4())
    run_tags = {ATTENDED_TAG: "true", **dead_runs.process_tags(run_id), **(tags or {})}
    if actor:
        run_tags["sagezoho/actor"] = actor
    if days is None:
        run_tags |= {
            "sagezoho/window": "sweep" if sweep or flow == "sweep" else "incremental",
            "sagezoho/cause": str(Cause.POLL),
        }
    else:
        run_tags |= {"sagezoho/window": "days", _RANGE_START: days[0].isoformat(), _RANGE_END: days[1].isoformat()}
    result = job.execute_in_process(
        instance=instance,
        run_id=run_id,
        partition_key=today.isoformat() if days is None else None,
        tags=run_tags,
        run_config=_SILENT,
        raise_on_error=False,
    )
    return _report(flow, connection, result)


def drains_due(installation: Installation, *, now: datetime) -> list[Drain]:
    """The runs that would deliver what is due now, in every connection. Raises LedgerUnavailable."""
    due = due_changes(installation.database, at=now)
    connections = [name for name in installation.settings.connections if name not in installation.broken]
    return [drain for name in connections for drain in drains_of(_graph(installation, name), in_connection(due, name))]


def is_under_way(drain: Drain, *, instance: dg.DagsterInstance, installation: Installation) -> bool:
    """Whether a run of the same job is queued or started anywhere."""
    lease = installation.settings.connection(drain.connection).lease_seconds
    return under_way(instance, drain, now=installation.own_clock(), lease_seconds=lease)


def run_drain(drain: Drain, *, instance: dg.DagsterInstance, installation: Installation, actor: str) -> RunReport:
    """Execute the drain's job on the assets it names: delivers what is queued for them and captures nothing."""
    job = _job(installation, drain.connection, drain.flow).get_subset(
        asset_selection=frozenset(drain.keys),
        asset_check_selection=frozenset(arrivals.of(_graph(installation, drain.connection), drain.keys)),
    )
    run_id = str(uuid.uuid4())
    result = job.execute_in_process(
        instance=instance,
        run_id=run_id,
        partition_key=day_in(installation, drain.connection).isoformat(),
        tags={**drain.tags, **dead_runs.process_tags(run_id), "sagezoho/actor": actor},
        run_config=_SILENT,
        raise_on_error=False,
    )
    return _report(drain.flow, drain.connection, result)


def warm_up(instance: dg.DagsterInstance, installation: Installation) -> None:
    """Everything a first run would wait for: definitions, jobs, database, the runs of killed processes."""
    _ = installation.ledger
    dead_runs.bury(instance)
    for name in installation.settings.connections:
        if name in installation.broken:
            continue
        for flow in _graph(installation, name).flows:
            _job(installation, name, flow)


def _graph(installation: Installation, connection: str) -> Graph:
    return Graph(connection, installation.settings.connection(connection))


def day_in(installation: Installation, connection: str) -> date:
    """The day it is in the connection's time zone."""
    return windows.newest(installation.settings.connection(connection), installation.clock())


def _job(installation: Installation, connection: str, flow: str) -> dg.JobDefinition:
    """The job, from definitions that are made once for an installation."""
    definitions = _definitions.get(installation)
    if definitions is None:
        definitions = _definitions[installation] = build_defs(installation=installation)
        # Dagster's hundreds of thousands of objects stay: a run need not have them walked again and again.
        gc.collect()
        gc.freeze()
    name = f"{connection}__{flow}"
    names = {job.name for job in definitions.resolve_all_job_defs()}
    if name not in names:
        raise ConfigurationError(f"{connection}: there is no flow {flow!r}, or the configuration switches it off")
    return definitions.resolve_job_def(name)


def _require_days(job: dg.JobDefinition, first: date, last: date) -> None:
    partitions = job.partitions_def
    assert partitions is not None
    if first > last:
        raise ConfigurationError(f"the days from {first} to {last} are none: give the earlier one first")
    for day in (first, last):
        if not partitions.has_partition_key(day.isoformat()):
            earliest, latest = partitions.get_first_partition_key(), partitions.get_last_partition_key()
            raise ConfigurationError(f"{day} cannot be backfilled: give days from {earliest} to {latest}")


def _report(flow: str, connection: str, result: dg.ExecuteInProcessResult) -> RunReport:
    assets = tuple(_assets(result))
    failed = _failure(result)
    left = [value for value in (_number(m, "zoho_credits_left") for m in _metadata(result).values()) if value]
    return RunReport(
        flow=flow,
        connection=connection,
        run_id=result.run_id,
        success=result.success,
        figures=_sum(_FIGURES, (asset.figures for asset in assets)),
        calls=_sum(_CALLS, (asset.calls for asset in assets)),
        credits=sum(asset.credits for asset in assets),
        credits_left=left[-1] if left else None,
        notes=tuple(dict.fromkeys(note for asset in assets for note in asset.notes)),
        assets=assets,
        error=failed[1] if failed else None,
        error_type=failed[0] if failed else None,
    )


def _metadata(result: dg.ExecuteInProcessResult) -> dict[dg.AssetKey, Mapping[str, dg.MetadataValue[Any]]]:
    """Each asset's metadata. A range has an event for each of its days, and all say the same."""
    return {
        event.asset_key: event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def _assets(result: dg.ExecuteInProcessResult) -> Iterator[AssetReport]:
    """What was done: by the steps that went through, and by one that failed before it did."""
    for key, metadata in _metadata(result).items():
        if "captured" in metadata:  # else it was delivered together with another asset, which has the figures
            yield _asset("/".join(key.path), metadata)
    for event in result.filter_events(lambda event: event.is_step_failure):
        told = event.step_failure_data.user_failure_data
        if told is not None and "captured" in told.metadata:
            yield _asset(str(event.step_key).replace("__", "/"), told.metadata)


def _asset(name: str, metadata: Mapping[str, dg.MetadataValue[Any]]) -> AssetReport:
    notes = metadata.get("notes")
    return AssetReport(
        asset=name,
        figures={name: _number(metadata, name) or 0 for name in _FIGURES},
        calls={system: _number(metadata, name) or 0 for system, name in _CALLS.items()},
        credits=_number(metadata, "zoho_credits_used") or 0,
        notes=tuple(str(note) for note in notes.value or ()) if isinstance(notes, dg.JsonMetadataValue) else (),
    )


def _failure(result: dg.ExecuteInProcessResult) -> tuple[str, str] | None:
    """(class, message) of the first step that failed: our own message as it is, a bug by its name and words."""
    if result.success:
        return None
    for event in result.filter_events(lambda event: event.is_step_failure):
        told = event.step_failure_data.user_failure_data
        if told is not None:
            kind = told.metadata.get("error_type")
            return (str(kind.value) if kind else "Failure"), told.description or ""
        error = event.step_failure_data.error
        if error is not None:
            root = error.cause or error
            return root.cls_name or "Exception", root.message.strip()
    return "RunFailed", f"run {result.run_id} failed before its first step; its log says why"


def _number(metadata: Mapping[str, dg.MetadataValue[Any]], name: str) -> int | None:
    value = metadata.get(name)
    return value.value if isinstance(value, dg.IntMetadataValue) else None


def _sum(names: Iterable[str], parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return {name: total[name] for name in names}
