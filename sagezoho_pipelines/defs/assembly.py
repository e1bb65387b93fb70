"""From the configuration to the lists that make up a code location."""

from __future__ import annotations

from typing import Any

import dagster as dg

from sagezoho_pipelines import config
from sagezoho_pipelines.config import Settings
from sagezoho_pipelines.defs import alarms, checks, dead_runs, pools, queued, retention
from sagezoho_pipelines.defs.assets import OWNERS, assets_of
from sagezoho_pipelines.defs.broken import broken_of
from sagezoho_pipelines.defs.channels import channel_of
from sagezoho_pipelines.defs.drift import drift_of
from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.defs.jobs import jobs_of
from sagezoho_pipelines.defs.planned import plan_of
from sagezoho_pipelines.defs.polling import schedules_of, sensors_of
from sagezoho_pipelines.defs.workbench import Workbench
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.wiring import Installation


def components_of(installation: Installation) -> dict[str, Any]:
    """Assets, checks, jobs, schedules and sensors of all connections, by the argument of Definitions they are for."""
    configured = _settings(installation)
    if configured is None:
        return {"assets": [_not_configured(installation)]}
    found: dict[str, list[Any]] = {"assets": [], "asset_checks": [], "jobs": [], "schedules": [], "sensors": []}
    for name, settings in sorted(configured.connections.items()):
        if name in installation.broken:
            broken = broken_of(name, installation.broken[name])
            found["assets"].append(broken.asset)
            found["sensors"].append(broken.sensor)
            continue
        graph = Graph(name, settings)
        channel = channel_of(graph)
        found["assets"].append(channel.asset)
        found["asset_checks"].append(channel.check)
        found["jobs"].append(channel.job)
        found["schedules"].append(channel.schedule)
        if not graph.flows:
            continue
        assets = assets_of(graph, installation.mappings_of(name))
        hourly, nightly = checks.checks_of(graph)
        jobs = jobs_of(graph, assets, hourly=hourly, nightly=nightly)
        found["assets"] += [*assets, *checks.ledger_assets(graph)]
        found["asset_checks"] += [*hourly, *nightly]
        found["jobs"] += jobs.values()
        found["schedules"] += schedules_of(graph, jobs)
        found["sensors"] += sensors_of(graph, jobs)
        drift = drift_of(graph)
        found["assets"].append(drift.asset)
        found["asset_checks"].append(drift.check)
        found["jobs"].append(drift.job)
        found["schedules"].append(drift.schedule)
        plan = plan_of(graph)
        found["assets"].append(plan.asset)
        found["jobs"].append(plan.job)
        found["sensors"].append(queued.sensor_of(graph, jobs, patience_seconds=configured.worker_patience_seconds))
    failures = alarms.sensor_of(configured.alerts)
    found["sensors"] += [failures] if failures is not None else []
    found["jobs"].append(retention.retention)
    found["schedules"].append(retention.retention_schedule)
    return found


def workbench_of(installation: Installation) -> dg.ResourceDefinition:
    """The resource `sagezoho`: one workbench for this process, handed to every run once its pools exist."""
    workbench = Workbench(installation)

    def opened(context: dg.InitResourceContext) -> Workbench:
        if context.instance is not None and _settings(installation) is not None:
            pools.declare(context.instance, pools.pools_of(list(installation.settings.connections)))
        if context.instance is not None and context.run is not None:
            dead_runs.mark(context.instance, context.run)
        return workbench

    return dg.ResourceDefinition(opened, description="The installation: settings, ledger, vault and vendor clients.")


def _settings(installation: Installation) -> Settings | None:
    """The configuration; None where nobody has written one yet. One that SAGEZOHO_CONFIG names has to be there."""
    try:
        return installation.settings
    except ConfigurationError:
        if installation.env.get("SAGEZOHO_CONFIG") or config.config_path(installation.env).exists():
            raise
        return None


def _not_configured(installation: Installation) -> dg.AssetSpec:
    path = config.config_path(installation.env)
    return dg.AssetSpec(
        ["sagezoho", "configuration"],
        description=f"There is no configuration at {path.absolute()} yet. Write one with `sagezoho init`, then reload "
        "this code location.",
        owners=OWNERS,
    )
