"""Assets: each capture node reads its feed into the queue, each delivery node empties the queue into its targets."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date

import dagster as dg

from sagezoho_pipelines.defs import alarms, arrivals, metadata, windows
from sagezoho_pipelines.defs.flow_table import SAGE, Capture, Delivery, Target
from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.defs.pools import pool_of
from sagezoho_pipelines.defs.problems import RETRIES, is_final, told_clearly
from sagezoho_pipelines.defs.workbench import LANE_TAG, PLAN_TAG, Workbench, actor_of
from sagezoho_pipelines.domain.mapping import FlowMapping
from sagezoho_pipelines.engine.capture import capture
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.deliver import deliver
from sagezoho_pipelines.engine.run import FLOWS, attempt
from sagezoho_pipelines.engine.tally import Tally
from sagezoho_pipelines.engine.windows import Window

OWNERS = ["team:integration"]

#: On runs that left something behind.
DEGRADED_TAG = "sagezoho/degraded"


def assets_of(graph: Graph, mappings: Mapping[str, FlowMapping]) -> list[dg.AssetsDefinition]:
    """All nodes of one connection."""
    days = windows.daily(graph.settings)
    return [
        *(_capture_asset(graph, row, days, mappings[row.flows[0]]) for row in graph.captures),
        *(_delivery_asset(graph, row, days, mappings[row.flow]) for row in graph.deliveries),
    ]


def _capture_asset(
    graph: Graph, row: Capture, days: dg.PartitionsDefinition[str], mapping: FlowMapping
) -> dg.AssetsDefinition:
    flow = graph.polling_flow(row)
    key = graph.key(row.name)

    @dg.multi_asset(
        name=key.to_python_identifier(),
        specs=[
            dg.AssetSpec(
                key,
                deps=graph.keys(row.after),
                description=row.description,
                group_name=row.group,
                owners=OWNERS,
                kinds={str(row.system)},
                tags=_tags(graph, flow, "capture"),
                metadata={"dagster/column_schema": metadata.columns_read(row, mapping)} if row.reads else {},
            )
        ],
        check_specs=[arrivals.spec(key)] if row.route else [],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=pool_of(graph.connection, row.system),
        op_tags=_tags(graph, flow, "capture"),
        retry_policy=RETRIES,
    )
    def step(
        context: dg.AssetExecutionContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> Iterator[dg.MaterializeResult[None]]:
        def work(ctx: Context, tally: Tally) -> None:
            for window in _windows(context, sagezoho, graph.connection):
                capture(ctx, FLOWS[flow].feeds[row.feed], window, tally)
            if row.route:
                deliver(ctx, FLOWS[flow].handlers[row.route], tally=tally)

        with _worked(context, sagezoho, graph.connection, flow, work) as (ctx, tally, before):
            shown = metadata.of_capture(ctx, tally, before)
            yield _result(context, key, shown, arrivals.judged(key, tally) if row.route else None)

    return step


def _delivery_asset(
    graph: Graph, row: Delivery, days: dg.PartitionsDefinition[str], mapping: FlowMapping
) -> dg.AssetsDefinition:
    keys = {target.name: graph.key(target.name) for target in row.targets}
    counted = keys[row.counts]

    @dg.multi_asset(
        name=counted.to_python_identifier(),
        specs=[_target_spec(graph, row, target, mapping) for target in row.targets],
        check_specs=[arrivals.spec(counted)],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
        pool=pool_of(graph.connection, row.counts[0]),
        op_tags=_tags(graph, row.flow, "delivery"),
        retry_policy=RETRIES,
    )
    def step(
        context: dg.AssetExecutionContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> Iterator[dg.MaterializeResult[None]]:
        def work(ctx: Context, tally: Tally) -> None:
            deliver(ctx, FLOWS[row.flow].handlers[row.handler], tally=tally)

        with _worked(context, sagezoho, graph.connection, row.flow, work) as (ctx, tally, before):
            for target in row.targets:
                key = keys[target.name]
                if key == counted:
                    shown = metadata.of_delivery(ctx, tally, before, mapping)
                else:
                    shown = metadata.of_companion(ctx, tally, target, mapping)
                    shown["delivered_with"] = dg.MetadataValue.asset(counted)
                lineage = metadata.lineage_of(graph, target, mapping)
                shown["dagster/column_lineage"] = dg.MetadataValue.column_lineage(lineage)
                if key in context.selected_asset_keys:
                    yield _result(context, key, shown, arrivals.judged(key, tally) if key == counted else None)
                else:
                    _record(context, key, shown)

    return step


def _target_spec(graph: Graph, row: Delivery, target: Target, mapping: FlowMapping) -> dg.AssetSpec:
    system = "Sage 300" if target.system is SAGE else "Zoho CRM"
    return dg.AssetSpec(
        graph.key(target.name),
        deps=graph.keys(target.after),
        description=f"{target.description} Materializing this alone delivers what is queued for {system}; to fetch "
        "and deliver days again, backfill it together with what it is made from.",
        group_name=row.group,
        owners=OWNERS,
        kinds={str(target.system)},
        tags=_tags(graph, row.flow, "delivery"),
        metadata={"dagster/column_schema": metadata.schema_of(target, mapping)},
    )


@contextmanager
def _worked(
    context: dg.AssetExecutionContext,
    workbench: Workbench,
    connection: str,
    flow: str,
    work: Callable[[Context, Tally], None],
) -> Iterator[tuple[Context, Tally, metadata.Meter]]:
    """Do a step's work; where the flow cannot run, or the connection is paused, say so and succeed.

    What fails tells what had been done before.
    """
    tags = context.run.tags
    tally = Tally()
    so_far: list[metadata.Metadata] = []
    with told_clearly(tags, so_far, attempt=context.retry_number):
        ctx = workbench.context(
            connection,
            run_id=context.run.run_id,
            actor=actor_of(tags),
            lane=tags.get(LANE_TAG, ""),
            plan=tags.get(PLAN_TAG, ""),
        )
        before = metadata.Meter.read(ctx)
        try:
            attempt(ctx, flow, work, tally)
        except BaseException as error:
            so_far.append(metadata.so_far(ctx, tally, before))
            if isinstance(error, Exception) and is_final(error, tags, attempt=context.retry_number):
                alarms.of_failure(context, workbench.installation, connection, flow, tally, error)
            done = ", ".join(f"{count} {name}" for name, count in tally.figures().items() if count)
            context.log.warning(f"Before it failed: {done or 'nothing was done'}")
            raise
        alarms.of_run(context, workbench.installation, connection, flow, tally)
        for note in tally.notes:
            context.log.warning(note)
        if tally.left_over or tally.resting:
            context.instance.add_run_tags(context.run.run_id, {DEGRADED_TAG: "true"})
        yield ctx, tally, before


def _windows(context: dg.AssetExecutionContext, workbench: Workbench, connection: str) -> list[Window]:
    days = context.partition_key_range
    first, last = date.fromisoformat(days.start), date.fromisoformat(days.end)
    return windows.windows_of(context.run.tags, first, last, workbench.today(connection))


def _result(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    shown: metadata.Metadata,
    check: dg.AssetCheckResult | None,
) -> dg.MaterializeResult[None]:
    figures, rest = metadata.parted(shown)
    newest = context.partition_key_range.end
    context.add_asset_metadata(rest, asset_key=key, partition_key=newest)
    wanted = dg.AssetCheckKey(key, arrivals.ARRIVED) in context.selected_asset_check_keys
    return dg.MaterializeResult(asset_key=key, metadata=figures, check_results=[check] if check and wanted else [])


def _record(context: dg.AssetExecutionContext, key: dg.AssetKey, shown: metadata.Metadata) -> None:
    """An asset that nobody selected was written all the same, since one delivery writes both."""
    figures, _ = metadata.parted(shown)
    newest = context.partition_key_range.end
    for day in context.partition_keys:
        kept = shown if day == newest else figures
        context.log_event(dg.AssetMaterialization(asset_key=key, metadata=kept, partition=day))


def _tags(graph: Graph, flow: str, step: str) -> dict[str, str]:
    return {"sagezoho/connection": graph.connection, "sagezoho/flow": flow, "sagezoho/step": step}
