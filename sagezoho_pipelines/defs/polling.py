"""When to poll: schedules by the configured cadence, and sensors that first ask the source whether anything is new."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from sagezoho_pipelines.defs import alarms, arrivals, dead_runs
from sagezoho_pipelines.defs.graph import Graph, Poll
from sagezoho_pipelines.defs.jobs import Job
from sagezoho_pipelines.defs.problems import may_pass
from sagezoho_pipelines.defs.windows import FEED_TAG, WINDOW_TAG
from sagezoho_pipelines.defs.workbench import Workbench
from sagezoho_pipelines.domain.errors import SagezohoError, VendorError
from sagezoho_pipelines.engine import pausing
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.run import FLOWS
from sagezoho_pipelines.engine.tally import Event
from sagezoho_pipelines.wiring import Installation

#: A run older than this that still counts as started belongs to a machine that is gone.
_STILL_RUNNING = timedelta(hours=2)

#: Seconds. A question that waits longer until a vendor may be called would hold up the other sensors, and Dagster gives
#: it up after a minute.
_LONGEST_WAIT = 5.0

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def schedules_of(graph: Graph, jobs: Mapping[str, Job]) -> list[dg.ScheduleDefinition]:
    """One schedule for each feed, the nightly sweep, and the hourly checks."""
    return [
        *(_schedule(graph, poll, jobs[poll.flow]) for poll in graph.polls),
        _sweep(graph, jobs["sweep"]),
        _checks(graph, jobs["checks"]),
    ]


def sensors_of(graph: Graph, jobs: Mapping[str, Job]) -> list[dg.SensorDefinition]:
    """One sensor for each feed."""
    return [_sensor(graph, poll, jobs[poll.flow]) for poll in graph.polls]


def _schedule(graph: Graph, poll: Poll, job: Job) -> dg.ScheduleDefinition:
    feed = poll.capture.feed

    @dg.schedule(
        name=f"{graph.connection}__{feed}",
        job=job,
        cron_schedule=poll.cadence.cron,
        execution_timezone=graph.settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Polls {poll.capture.system} {feed} of {graph.connection} and delivers what is new.",
    )
    def tick(
        context: dg.ScheduleEvaluationContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> dg.RunRequest | dg.SkipReason:
        if _under_way(context.instance, job.name, feed, sagezoho.installation.own_clock()):
            return dg.SkipReason(f"the last poll of {feed} is still under way")
        return _request(graph, poll, sagezoho, run_key=None)

    return tick


def _sweep(graph: Graph, job: Job) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{graph.connection}__sweep",
        job=job,
        cron_schedule=graph.settings.sweep_cron,
        execution_timezone=graph.settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Reads every record of {graph.connection} again and marks what is gone.",
    )
    def tick(_context: dg.ScheduleEvaluationContext, sagezoho: dg.ResourceParam[Workbench]) -> dg.RunRequest:
        return dg.RunRequest(partition_key=sagezoho.today(graph.connection).isoformat(), tags={WINDOW_TAG: "sweep"})

    return tick


def _checks(graph: Graph, job: Job) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=f"{graph.connection}__checks",
        job=job,
        cron_schedule="40 * * * *",
        execution_timezone=graph.settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Looks at queue, inbox and credits of {graph.connection}.",
    )


def _sensor(graph: Graph, poll: Poll, job: Job) -> dg.SensorDefinition:
    capture = poll.capture

    @dg.sensor(
        name=f"{graph.connection}__{capture.feed}_news",
        job=job,
        minimum_interval_seconds=poll.cadence.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Asks {capture.system} whether {capture.feed} of {graph.connection} has anything new.",
    )
    def ask(
        context: dg.SensorEvaluationContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> dg.SensorResult | dg.SkipReason:
        now = sagezoho.installation.own_clock()  # which Dagster dates runs by
        if _under_way(context.instance, job.name, capture.feed, now):
            return dg.SkipReason(f"a poll of {capture.feed} is under way")
        try:
            ctx = sagezoho.asking(graph.connection, actor=context.sensor_name)
            paused = pausing.resting(ctx)
            if paused is not None:
                return dg.SkipReason(paused)
            rest = sagezoho.installation.rest_of(graph.connection, capture.system)
            if rest > _LONGEST_WAIT:
                return dg.SkipReason(f"{capture.system} pushed back: nobody calls it for {rest:.0f} s")
            token = _news(ctx, poll, sagezoho.installation)
        except SagezohoError as error:
            if not may_pass(error):
                raise
            return dg.SkipReason(f"could not ask: {error}")
        if token is None:
            return dg.SkipReason(f"nothing new in {capture.feed}")
        if token == context.cursor:
            return dg.SkipReason(f"nothing new in {capture.feed} since its last poll")
        # The moment is part of the key: a run key is remembered for ever, and what is news may come back.
        request = _request(graph, poll, sagezoho, run_key=f"{capture.feed} {token} {now.isoformat()}")
        return dg.SensorResult(run_requests=[request], cursor=token)

    return ask


def _news(ctx: Context, poll: Poll, installation: Installation) -> str | None:
    """What the feed says is new. A refused sign-in rests the connection: every sensor would ask again in a minute."""
    try:
        return FLOWS[poll.flow].feeds[poll.capture.feed].news_token(ctx)
    except VendorError as error:
        rest = pausing.pause(ctx, error) if pausing.turned_away(error) else None
        if rest is not None and rest.news:
            alarms.of_sensor(installation, ctx.connection, poll.flow, Event.PAUSED, str(rest))
        raise


def _request(graph: Graph, poll: Poll, workbench: Workbench, *, run_key: str | None) -> dg.RunRequest:
    keys = graph.keys_of_poll(poll)
    return dg.RunRequest(
        run_key=run_key,
        partition_key=workbench.today(graph.connection).isoformat(),
        asset_selection=keys,
        asset_check_keys=arrivals.of(graph, keys),
        tags={FEED_TAG: poll.capture.feed, WINDOW_TAG: "incremental"},
    )


def _under_way(instance: dg.DagsterInstance, job: str, feed: str, now: datetime) -> bool:
    started_after = now.astimezone(ZoneInfo("UTC")) - _STILL_RUNNING
    filters = dg.RunsFilter(job_name=job, tags={FEED_TAG: feed}, statuses=_UNDER_WAY, created_after=started_after)
    if not instance.get_run_records(filters, limit=1):
        return False
    dead_runs.bury(instance)
    return bool(instance.get_run_records(filters, limit=1))
