"""The nightly checks that compare the two sides: what was written is still there, and no vendor was left out."""

import dagster as dg

from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.defs.pools import pool_of
from sagezoho_pipelines.defs.problems import told_clearly
from sagezoho_pipelines.defs.workbench import Workbench
from sagezoho_pipelines.engine import both_sides
from sagezoho_pipelines.ledger import reports

_LISTED = 20


def both_sides_checks(graph: Graph) -> list[dg.AssetChecksDefinition]:
    """One for each flow whose pairs can be compared, on the asset whose records its figures count."""
    compared = {(flow, pair.entity) for flow, pair in both_sides.PAIRS.items()}
    counted = {row.flow: row.counts for row in graph.deliveries if (row.flow, row.counts[1]) in compared}
    return [_check(graph, flow, graph.key(name), pool_of(graph.connection, name[0])) for flow, name in counted.items()]


def _check(graph: Graph, flow: str, asset: dg.AssetKey, pool: str) -> dg.AssetChecksDefinition:
    pair = both_sides.PAIRS[flow]
    sampled = f"Of {both_sides.SAMPLE} links, others each day, the record that was written is there and ours."

    @dg.asset_check(
        asset=asset,
        name="both_sides_equal",
        description=f"Every vendor of Sage 300 is linked to an account. {sampled}" if flow == "vendors" else sampled,
        pool=pool,
    )
    def both_sides_equal(
        context: dg.AssetCheckExecutionContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> dg.AssetCheckResult:
        with told_clearly(context.run.tags):
            ctx = sagezoho.context(graph.connection, run_id=context.run.run_id, actor="check")
            total, links = reports.link_sample(
                sagezoho.installation.database,
                connection=graph.connection,
                sage_entity=pair.sage_entity,
                zoho_entity=pair.zoho_entity,
                turn=sagezoho.today(graph.connection).isoformat(),
                limit=both_sides.SAMPLE,
            )
            wrong = both_sides.astray(ctx, pair, links)
            metadata: dict[str, int | str] = {"links": total, "looked_at": len(links), "astray": len(wrong)}
            if flow == "vendors":
                metadata["vendors"], unlinked = both_sides.unlinked_vendors(ctx)
                metadata["without_account"] = len(unlinked)
                wrong |= {number: "undecided" if waits else "no account" for number, waits in unlinked.items()}
        if wrong:
            metadata["first"] = "; ".join(f"{name}: {why}" for name, why in sorted(wrong.items())[:_LISTED])
        return dg.AssetCheckResult(passed=not wrong, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)

    return both_sides_equal
