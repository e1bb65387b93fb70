"""When a run calls the alert hook: once, and for a failure only if the failure before it was not told of.

A step tells of itself. A run that dies before its steps, or outside of them, cannot: a sensor finds it.
"""

import logging

import dagster as dg
from dagster._core.execution.plan.objects import StepFailureData

from sagezoho_pipelines.config import Alerts
from sagezoho_pipelines.defs.problems import ERROR_TYPE
from sagezoho_pipelines.defs.windows import FEED_TAG
from sagezoho_pipelines.defs.workbench import LANE_TAG, Workbench
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.engine import alerts
from sagezoho_pipelines.engine.tally import Event, Tally
from sagezoho_pipelines.wiring import Installation, Interrupted

log = logging.getLogger(__name__)

#: On runs of which the alert hook has heard. This tag and the next hold the run's own id: one that is executed again
#: inherits the tags of the first.
ALERTED_TAG = "sagezoho/alerted"

#: On failed runs whose failure the hook has heard of: from them, or from one that failed before them.
_TOLD_TAG = "sagezoho/failure_told"

#: What a run of a job does: polls a feed, or delivers a lane.
_WHAT = (FEED_TAG, LANE_TAG)

_FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)


def of_run(
    context: dg.AssetExecutionContext, installation: Installation, connection: str, flow: str, tally: Tally
) -> None:
    """Tell the hook what the step is to be told for. What goes wrong with that is a note."""
    run = context.run
    if not alerts.is_due(installation.settings.alerts, tally):
        return
    recorded = context.instance.get_run_by_id(run.run_id)
    if recorded is not None and _has(recorded, ALERTED_TAG):
        return
    context.instance.add_run_tags(run.run_id, {ALERTED_TAG: run.run_id})
    problem = alerts.send(installation.settings.alerts, alerts.summary(connection, flow, run.run_id, tally))
    if problem is not None:
        tally.note(problem)
        context.log.warning(problem)


def of_failure(
    context: dg.AssetExecutionContext,
    installation: Installation,
    connection: str,
    flow: str,
    tally: Tally,
    error: Exception,
) -> None:
    """Tell of a step that failed for good. While a system is away every run fails: the first one is told of."""
    if isinstance(error, Interrupted):
        return
    if _is_news(context.instance, context.run):
        named = "" if isinstance(error, SagezohoError) else f"{type(error).__name__}: "
        tally.alarm(Event.FAILED, f"{named}{error}")
    of_run(context, installation, connection, flow, tally)


def sensor_of(settings: Alerts) -> dg.SensorDefinition | None:
    """The sensor that tells of runs which could not tell of themselves; None where nobody is to be told."""
    if not (settings.command or settings.webhook_url):
        return None

    @dg.run_failure_sensor(
        name="failed_runs",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Calls the alert hook for runs that failed before their first step, or outside of any: a "
        "configuration that cannot be read, a process that was killed.",
    )
    def tell(context: dg.RunFailureSensorContext, sagezoho: dg.ResourceParam[Workbench]) -> dg.SkipReason | None:
        run = context.dagster_run
        steps = [event.step_failure_data for event in context.get_step_failure_events()]
        if _has(run, _TOLD_TAG) or any(_type_of(step) == Interrupted.__name__ for step in steps):
            return dg.SkipReason(f"run {run.run_id} was told of, or was interrupted")
        if not _is_news(context.instance, run):
            return dg.SkipReason(f"run {run.run_id} is not the first that fails")
        connection, flow = (run.tags.get(f"sagezoho/{name}", "") for name in ("connection", "flow"))
        of_sensor(sagezoho.installation, connection, flow, Event.FAILED, _reason(context), run_id=run.run_id)
        return None

    return tell


def _is_news(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a run that fails is the first, or the first that anybody hears of. It counts as told from now on.

    The one before it did the same: a job polls several feeds, and one that succeeds says nothing of another's failure.
    """
    instance.add_run_tags(run.run_id, {_TOLD_TAG: run.run_id})
    own = instance.get_run_record_by_id(run.run_id)
    before = instance.get_runs(
        dg.RunsFilter(
            job_name=run.job_name,
            tags={name: run.tags[name] for name in _WHAT if name in run.tags},
            statuses=_FINISHED,
            created_before=own.create_timestamp if own is not None else None,
        ),
        limit=1,
    )
    return not any(one.status is dg.DagsterRunStatus.FAILURE and _has(one, _TOLD_TAG) for one in before)


def _has(run: dg.DagsterRun, tag: str) -> bool:
    return run.tags.get(tag) == run.run_id


def _reason(context: dg.RunFailureSensorContext) -> str:
    """What a run failed on: its step's message, else what kept it from its steps, else what Dagster says of it."""
    for event in context.get_step_failure_events():
        step = event.step_failure_data
        if step.user_failure_data is not None and step.user_failure_data.description:
            return step.user_failure_data.description
    for entry in reversed(context.instance.all_logs(context.dagster_run.run_id, dg.DagsterEventType.ENGINE_EVENT)):
        error = entry.get_dagster_event().engine_event_data.error
        if error is not None:
            return _without_module(error.message).strip()
    return context.failure_event.message or "the run failed"


def _without_module(message: str) -> str:
    """Dagster puts the error's class before its words; ours speak for themselves."""
    kind, _, said = message.partition(": ")
    return said if kind.startswith("sagezoho_pipelines.") else message


def _type_of(step: StepFailureData) -> str:
    """Which of our errors a step met, where it was one."""
    facts = step.user_failure_data.metadata if step.user_failure_data is not None else {}
    return str(facts[ERROR_TYPE].value) if ERROR_TYPE in facts else ""


def of_sensor(
    installation: Installation, connection: str, flow: str, event: Event, text: str, *, run_id: str = ""
) -> None:
    """Tell of what a sensor met, before any run or after it. What goes wrong with that is logged."""
    tally, settings = Tally(), installation.settings.alerts
    tally.alarm(event, text)
    if alerts.is_due(settings, tally):
        problem = alerts.send(settings, alerts.summary(connection, flow, run_id, tally))
        if problem is not None:
            log.warning(problem)
