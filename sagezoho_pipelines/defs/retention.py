"""Dagster keeps its event log, and what runs wrote to their consoles, for ever: a nightly job deletes what is old.

The ledger is never touched.
"""

from datetime import timedelta

import dagster as dg

from sagezoho_pipelines.defs.workbench import Workbench

JOB = "sagezoho__retention"

_BATCH = 200
#: An installation that was never cleaned is done in several nights.
_MOST = 20_000

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dg.op(description="Deletes run records, with their events and console output, that are older than retention_days.")
def delete_old_runs(context: dg.OpExecutionContext, sagezoho: dg.ResourceParam[Workbench]) -> None:
    installation = sagezoho.installation
    before = installation.clock() - timedelta(days=installation.settings.retention_days)
    deleted = 0
    while deleted < _MOST:
        records = context.instance.get_run_records(
            dg.RunsFilter(statuses=_ENDED, created_before=before), limit=_BATCH, ascending=True
        )
        for record in records:
            run_id = record.dagster_run.run_id
            context.instance.compute_log_manager.delete_logs(prefix=[run_id])  # first: without the run, none finds them
            context.instance.delete_run(run_id)
        deleted += len(records)
        if len(records) < _BATCH:
            break
    context.log.info(f"deleted {deleted} run records from before {before:%Y-%m-%d}")
    context.add_output_metadata({"deleted": deleted, "before": f"{before:%Y-%m-%d}"})


@dg.job(
    name=JOB,
    description="Deletes Dagster's records of old runs; the ledger and its audit are kept.",
    executor_def=dg.in_process_executor,
)
def retention() -> None:
    delete_old_runs()


retention_schedule = dg.ScheduleDefinition(
    name="sagezoho__retention",
    job=retention,
    cron_schedule="45 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Deletes Dagster's records of runs older than retention_days.",
)
