"""The notification channel of a connection: the asset that keeps it alive, its schedule, and its health as a check."""

from dataclasses import dataclass

import dagster as dg

from sagezoho_pipelines.defs.assets import OWNERS
from sagezoho_pipelines.defs.flow_table import ZOHO
from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.defs.jobs import Job, job_name
from sagezoho_pipelines.defs.pools import pool_of
from sagezoho_pipelines.defs.problems import RETRIES, told_clearly
from sagezoho_pipelines.defs.workbench import Workbench, actor_of
from sagezoho_pipelines.domain.errors import LedgerUnavailable
from sagezoho_pipelines.engine.channel_health import needs_attention, wanted
from sagezoho_pipelines.engine.channels import FLOW, ChannelReport, keep_channel
from sagezoho_pipelines.engine.notifications import watched_modules

_NO_WORK = "nothing to do: notifications are not configured (notifications.url), and Zoho has no channel of ours"


@dataclass(frozen=True, slots=True)
class ChannelParts:
    asset: dg.AssetsDefinition
    check: dg.AssetChecksDefinition
    job: Job
    schedule: dg.ScheduleDefinition


def channel_of(graph: Graph) -> ChannelParts:
    """Where Zoho has no address to call, or no flow wants to hear of anything, only an old channel is brought to its
    end."""
    key = graph.key((ZOHO, FLOW))
    asset, check = _asset(graph, key), _check(graph, key)
    job = dg.define_asset_job(
        job_name(graph.connection, FLOW),
        selection=dg.AssetSelection.assets(key).without_checks() | dg.AssetSelection.checks(*check.check_keys),
        description=f"Keeps Zoho's notifications of {graph.connection} coming.",
        tags={"sagezoho/connection": graph.connection, "sagezoho/flow": FLOW},
        executor_def=dg.in_process_executor,
    )
    return ChannelParts(asset, check, job, _schedule(graph, job))


def _schedule(graph: Graph, job: Job) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{graph.connection}__{FLOW}",
        job=job,
        cron_schedule=graph.settings.notifications.cron,
        execution_timezone=graph.settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Looks at the notification channel of {graph.connection}, and renews it in time; has Zoho stop "
        "once notifications are switched off.",
    )
    def ask(sagezoho: dg.ResourceParam[Workbench]) -> dg.RunRequest | dg.SkipReason:
        try:
            return dg.RunRequest() if _has_work(graph, sagezoho) else dg.SkipReason(_NO_WORK)
        except LedgerUnavailable as error:
            return dg.SkipReason(f"could not ask: {error}")

    return ask


def _has_work(graph: Graph, workbench: Workbench) -> bool:
    """Whether a channel is wanted, or there is one to be brought to its end."""
    return wanted(graph.settings) or workbench.installation.channels.read(graph.connection) is not None


def _asset(graph: Graph, key: dg.AssetKey) -> dg.AssetsDefinition:
    modules = " and ".join(watched_modules(graph.settings)) or "records"

    @dg.multi_asset(
        name=key.to_python_identifier(),
        specs=[
            dg.AssetSpec(
                key,
                description=f"The channel on which Zoho CRM tells of changed {modules}: subscribed, renewed at half of "
                "its life with a new token, verified, and caught up by a poll after a lapse.",
                group_name="notifications",
                owners=OWNERS,
                kinds={str(ZOHO)},
                tags={"sagezoho/connection": graph.connection, "sagezoho/flow": FLOW},
            )
        ],
        pool=pool_of(graph.connection, ZOHO),
        retry_policy=RETRIES,
    )
    def step(context: dg.AssetExecutionContext, sagezoho: dg.ResourceParam[Workbench]) -> dg.MaterializeResult[None]:
        tags = context.run.tags
        with told_clearly(tags, attempt=context.retry_number):
            if not _has_work(graph, sagezoho):
                return dg.MaterializeResult(asset_key=key, metadata={"done": dg.MetadataValue.text(_NO_WORK)})
            ctx = sagezoho.context(graph.connection, run_id=context.run.run_id, actor=actor_of(tags))
            report = keep_channel(ctx, sagezoho.installation.channels)
        return dg.MaterializeResult(asset_key=key, metadata=_told(report))

    return step


def _check(graph: Graph, key: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key,
        name="channel_health",
        description="The channel is known to Zoho, has not expired, and tells what polling finds.",
    )
    def channel_health(
        context: dg.AssetCheckExecutionContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> dg.AssetCheckResult:
        with told_clearly(context.run.tags):
            channel = sagezoho.installation.channels.read(graph.connection)
            problem = needs_attention(channel, now=sagezoho.installation.clock())
            if not wanted(graph.settings):
                problem = "Zoho still tells of changes nobody wants" if channel is not None else ""
        told = _told(ChannelReport(channel)) | ({"problem": dg.MetadataValue.text(problem)} if problem else {})
        return dg.AssetCheckResult(passed=not problem, severity=dg.AssetCheckSeverity.WARN, metadata=told)

    return channel_health


def _told(report: ChannelReport) -> dict[str, dg.MetadataValue]:
    """What can be said of a channel without its token."""
    told: dict[str, dg.MetadataValue] = {}
    if report.done:
        told["done"] = dg.MetadataValue.text("; ".join(report.done))
        told["not_told_by_zoho"] = dg.MetadataValue.int(report.silent)
    if report.caught_up is not None:
        told["caught_up"] = dg.MetadataValue.int(report.caught_up.changed)
    channel = report.channel
    if channel is not None:
        told["state"] = dg.MetadataValue.text(str(channel.state))
        told["channel_id"] = dg.MetadataValue.text(str(channel.channel_id))
        told["notify_url"] = dg.MetadataValue.text(channel.notify_url)
        told["events"] = dg.MetadataValue.text(", ".join(channel.events))
        moments = ("expires_at", "renewed_at", "known_good_at", "last_notification_at")
        for name in moments:
            moment = getattr(channel, name)
            if moment is not None:
                told[name] = dg.MetadataValue.timestamp(moment)
    return told
