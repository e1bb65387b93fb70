"""When a run calls the alert hook: once, and for a failure only if the run before it did not fail."""

import logging

import dagster as dg

from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.engine import alerts
from sagezoho_pipelines.engine.tally import Event, Tally
from sagezoho_pipelines.wiring import Installation, Interrupted

log = logging.getLogger(__name__)

#: On runs of which the alert hook has heard.
ALERTED_TAG = "sagezoho/alerted"

_FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)


def of_run(
    context: dg.AssetExecutionContext, installation: Installation, connection: str, flow: str, tally: Tally
) -> None:
    """Tell the hook what the step is to be told for. What goes wrong with that is a note."""
    run = context.run
    if not alerts.is_due(installation.settings.alerts, tally):
        return
    recorded = context.instance.get_run_by_id(run.run_id)
    if recorded is not None and ALERTED_TAG in recorded.tags:
        return
    context.instance.add_run_tags(run.run_id, {ALERTED_TAG: "true"})
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
    before = context.instance.get_runs(dg.RunsFilter(job_name=context.run.job_name, statuses=_FINISHED), limit=1)
    if not any(run.status is dg.DagsterRunStatus.FAILURE for run in before):
        named = "" if isinstance(error, SagezohoError) else f"{type(error).__name__}: "
        tally.alarm(Event.FAILED, f"{named}{error}")
    of_run(context, installation, connection, flow, tally)


def of_sensor(installation: Installation, connection: str, flow: str, event: Event, text: str) -> None:
    """Tell of what a sensor met, before any run. What goes wrong with that is logged."""
    tally, settings = Tally(), installation.settings.alerts
    tally.alarm(event, text)
    if alerts.is_due(settings, tally):
        problem = alerts.send(settings, alerts.summary(connection, flow, "", tally))
        if problem is not None:
            log.warning(problem)
