"""The check that every delivering node makes of itself: did all it took from the queue reach the other side."""

from collections.abc import Sequence

import dagster as dg

from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.engine.tally import Tally

ARRIVED = "everything_arrived"


def spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        ARRIVED,
        asset=key,
        description="Everything this step took from the queue reached the other side: nothing refused, in conflict, "
        "left to be tried again, or held by a guard.",
    )


def judged(key: dg.AssetKey, tally: Tally) -> dg.AssetCheckResult:
    figures = tally.figures()
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=ARRIVED,
        passed=tally.left_over == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            **{name: figures[name] for name in ("refused", "conflicted", "retrying", "held")},
            **({"why": " ".join(tally.notes)} if tally.held else {}),
        },
    )


def of(graph: Graph, keys: Sequence[dg.AssetKey]) -> list[dg.AssetCheckKey]:
    """The checks that these assets make of themselves.

    Whoever runs some assets of a job has to name them: Dagster would add every check that there is on these assets,
    and those that look at the whole ledger, or read a vendor's records one by one, have times of their own.
    """
    delivering = {graph.key(row.counts) for row in graph.deliveries}
    delivering |= {graph.key(row.name) for row in graph.captures if row.route}
    return [dg.AssetCheckKey(key, ARRIVED) for key in keys if key in delivering]
