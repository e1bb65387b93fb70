"""Schema drift in Dagster: the descriptions of both systems as an asset, its check, and when it is looked at."""

from dataclasses import dataclass

import dagster as dg

from sagezoho_pipelines.defs.assets import OWNERS
from sagezoho_pipelines.defs.flow_table import ZOHO
from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.defs.jobs import Job, job_name
from sagezoho_pipelines.defs.pools import pool_of
from sagezoho_pipelines.defs.problems import told_clearly
from sagezoho_pipelines.defs.workbench import Workbench, actor_of
from sagezoho_pipelines.engine.mapped.drift import FLOW, DriftReport, look

_WHAT = "drift"
_LISTED = 50


@dataclass(frozen=True, slots=True)
class DriftParts:
    asset: dg.AssetSpec
    check: dg.AssetChecksDefinition
    job: Job
    schedule: dg.ScheduleDefinition


def drift_of(graph: Graph) -> DriftParts:
    key = dg.AssetKey([graph.connection, "ledger", FLOW])
    asset = dg.AssetSpec(
        key,
        description="The fields of both systems as last seen: names, types, lengths and values. "
        f"`sagezoho mapping drift --connection {graph.connection} --accept` remembers them as they are now.",
        group_name="ledger",
        owners=OWNERS,
        kinds={"postgres"},
    )
    check = _check(graph, key)
    job = dg.define_asset_job(
        job_name(graph.connection, _WHAT),
        selection=dg.AssetSelection.checks(*check.check_keys),
        description=f"Compares the fields of both systems of {graph.connection} with those last seen.",
        tags={"sagezoho/connection": graph.connection},
        executor_def=dg.in_process_executor,
    )
    schedule = dg.ScheduleDefinition(
        name=f"{graph.connection}__{_WHAT}",
        job=job,
        cron_schedule=graph.settings.drift_cron,
        execution_timezone=graph.settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Looks for fields of {graph.connection} that vanished, shrank or changed, before a sync does.",
    )
    return DriftParts(asset, check, job, schedule)


def _check(graph: Graph, key: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key,
        name="schema_unchanged",
        description="No field that a mapping uses has vanished, shrunk or changed since it was last seen.",
        pool=pool_of(graph.connection, ZOHO),
    )
    def schema_unchanged(
        context: dg.AssetCheckExecutionContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> dg.AssetCheckResult:
        tags = context.run.tags
        with told_clearly(tags):
            ctx = sagezoho.context(graph.connection, run_id=context.run.run_id, actor=actor_of(tags))
            report = look(ctx, sagezoho.installation.metadata)
        return dg.AssetCheckResult(passed=report.ok, severity=dg.AssetCheckSeverity.ERROR, metadata=_told(report))

    return schema_unchanged


def _told(report: DriftReport) -> dict[str, dg.MetadataValue]:
    told: dict[str, dg.MetadataValue] = {
        "errors": dg.MetadataValue.int(len(report.errors)),
        "changes": dg.MetadataValue.int(len(report.found)),
    }
    if report.first:
        told["seen_for_the_first_time"] = dg.MetadataValue.text(", ".join(report.first))
    if report.found:
        lines = [f"- **{one.severity}** {one}" for one in report.found[:_LISTED]]
        told["found"] = dg.MetadataValue.md("\n".join(lines))
    return told
