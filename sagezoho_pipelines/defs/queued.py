"""Runs that deliver what is queued and capture nothing: which are wanted, and the sensor that asks for them.

A worker executes the same runs sooner; the sensor takes what no worker took.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from sagezoho_pipelines.defs import arrivals, dead_runs
from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.defs.jobs import Job, job_name
from sagezoho_pipelines.defs.problems import ATTENDED_TAG
from sagezoho_pipelines.defs.windows import CAUSE_TAG, WINDOW_TAG
from sagezoho_pipelines.defs.workbench import LANE_TAG, Workbench
from sagezoho_pipelines.domain.errors import LedgerUnavailable
from sagezoho_pipelines.domain.records import Cause
from sagezoho_pipelines.ledger.due import Due, attended, due_changes

#: Dagster's sensor loop takes 5 s: anything up to 4 means every loop, 5 means every other one.
_INTERVAL_SECONDS = 4

#: What a run failed on or left behind is not asked for again at once.
_REST = timedelta(seconds=30)

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dataclass(frozen=True, slots=True)
class Drain:
    """One run wanted: the deliveries of one lane that have changes to take.

    Flows of one lane feed one another (an order makes its customer), so a lane never has two of these at a time.
    """

    connection: str
    lane: str
    flows: tuple[str, ...]
    keys: tuple[dg.AssetKey, ...]
    due: tuple[Due, ...]

    @property
    def name(self) -> str:
        return f"{self.connection}/{self.lane}"

    @property
    def flow(self) -> str:
        """Whose job it is: the flow's own where it is one, else the job of them all."""
        return self.flows[0] if len(self.flows) == 1 else "all"

    @property
    def cause(self) -> Cause:
        causes = {cause for due in self.due for cause in due.causes}
        return Cause.NOTIFICATION if Cause.NOTIFICATION in causes else min(causes)

    @property
    def urgent(self) -> bool:
        return any(due.urgent for due in self.due)

    @property
    def since(self) -> datetime:
        return min(due.since for due in self.due)

    @property
    def tags(self) -> dict[str, str]:
        """Failed steps are not tried again by the run: the next one is asked for soon enough."""
        return {WINDOW_TAG: "queued", CAUSE_TAG: str(self.cause), LANE_TAG: self.name, ATTENDED_TAG: "true"}

    def jobs(self) -> set[str]:
        """The jobs that deliver the same changes."""
        return {job_name(self.connection, what) for what in (*self.flows, "all", "sweep")}


def drains_of(graph: Graph, due: Sequence[Due]) -> list[Drain]:
    """The runs that would deliver what is due in this connection. Changes of flows that are off stay where they are."""
    found = []
    takers = [(one, taker) for one in due for taker in graph.takers((one.entity.system, one.entity.entity))]
    for lane in dict.fromkeys(taker.group for _, taker in takers):
        mine = [(one, taker) for one, taker in takers if taker.group == lane]
        found.append(
            Drain(
                graph.connection,
                lane,
                flows=tuple(flow for flow in graph.flows if flow in {taker.flow for _, taker in mine}),
                keys=tuple(sorted({key for _, taker in mine for key in taker.keys})),
                due=tuple(one for one, _ in mine),
            )
        )
    return found


def in_connection(due: Sequence[Due], connection: str) -> list[Due]:
    return [one for one in due if one.entity.connection == connection]


def under_way(instance: dg.DagsterInstance, drain: Drain, *, now: datetime, lease_seconds: float) -> bool:
    """Whether a run of the same job is queued or started, so that it will take these changes or holds them.

    One that is older than a lease is not counted: it is long, or it belongs to a process that was killed.
    """
    filters = dg.RunsFilter(
        tags={"sagezoho/connection": drain.connection},
        statuses=_UNDER_WAY,
        created_after=now - timedelta(seconds=lease_seconds),
    )
    return any(run.job_name in drain.jobs() for run in instance.get_runs(filters))


def sensor_of(graph: Graph, jobs: Mapping[str, Job], *, patience_seconds: float) -> dg.SensorDefinition:
    """The sensor that takes what no worker took. The queue is the truth: it keeps no cursor."""

    @dg.sensor(
        name=f"{graph.connection}__queued",
        jobs=[jobs[what] for what in (*graph.flows, "all")],
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Delivers changes of {graph.connection} that have been due for {patience_seconds:g} s and that no "
        "worker took; at once where no worker runs.",
    )
    def ask(
        context: dg.SensorEvaluationContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> dg.SensorResult | dg.SkipReason:
        installation = sagezoho.installation
        now = installation.clock()
        try:
            due = in_connection(due_changes(installation.database, at=now), graph.connection)
            patience = patience_seconds if due and attended(installation.database) else 0.0
        except LedgerUnavailable as error:
            return dg.SkipReason(f"could not ask: {error}")
        drains = drains_of(graph, due)
        if not drains:
            return dg.SkipReason("nothing is due")
        dead_runs.bury(context.instance)
        ages = {drain: now - drain.since for drain in drains}
        own = installation.own_clock()
        reasons = {
            drain: _left_alone(context.instance, graph, drain, age=age, now=own, patience=patience)
            for drain, age in ages.items()
        }
        wanted = [drain for drain, reason in reasons.items() if reason is None]
        if not wanted:
            return dg.SkipReason("; ".join(f"{drain.name}: {reason}" for drain, reason in reasons.items()))
        return dg.SensorResult(run_requests=[_request(graph, drain, sagezoho, now) for drain in wanted])

    return ask


def _left_alone(
    instance: dg.DagsterInstance, graph: Graph, drain: Drain, *, age: timedelta, now: datetime, patience: float
) -> str | None:
    """Why no run is asked for; None when one is. `age` is how long it has been due, `now` of the clock that Dagster
    dates runs by: the queue is dated by the database's."""
    if age < timedelta(seconds=patience):
        return "a worker has a moment to take it"
    if under_way(instance, drain, now=now, lease_seconds=graph.settings.lease_seconds):
        return "a run of its job is under way"
    last = dg.RunsFilter(tags={WINDOW_TAG: "queued", LANE_TAG: drain.name})
    if has_had_its_turn(instance.get_run_records(last, limit=1), now - age, now=now):
        return "the last run left it; the next one comes in half a minute"
    return None


def has_had_its_turn(records: Collection[dg.RunRecord], since: datetime, *, now: datetime) -> bool:
    """Whether the last run ended a moment ago and failed, or began when these changes were due and left them."""
    for record in records:
        # One that ended long from now was dated by another machine, whose clock is ahead.
        if record.end_time is None or abs(now.timestamp() - record.end_time) > _REST.total_seconds():
            continue
        if record.dagster_run.status is not dg.DagsterRunStatus.SUCCESS or record.create_timestamp > since:
            return True
    return False


def _request(graph: Graph, drain: Drain, workbench: Workbench, now: datetime) -> dg.RunRequest:
    first, last = min(due.first for due in drain.due), max(due.last for due in drain.due)
    return dg.RunRequest(
        # The moment is part of the key: a run key is remembered for ever, and a change may become due again.
        run_key=f"{drain.lane} {first}-{last} {now.isoformat()}",
        job_name=job_name(graph.connection, drain.flow),
        partition_key=workbench.today(graph.connection).isoformat(),
        asset_selection=list(drain.keys),
        asset_check_keys=arrivals.of(graph, drain.keys),
        tags=drain.tags,
    )
