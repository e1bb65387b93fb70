"""Asset checks that look further than one run: the queue, the inbox, Zoho's credits, the audit chain, both sides."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

import dagster as dg

from sagezoho_pipelines.defs.assets import OWNERS
from sagezoho_pipelines.defs.both_sides import both_sides_checks
from sagezoho_pipelines.defs.flow_table import ZOHO
from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.defs.pools import pool_of
from sagezoho_pipelines.defs.problems import told_clearly
from sagezoho_pipelines.defs.workbench import Workbench
from sagezoho_pipelines.ledger import inbox, reports
from sagezoho_pipelines.wiring import Installation

#: Longer than all attempts at one change take together with the default back-off.
STUCK_AFTER = timedelta(hours=6)
#: Fewer credits than this and the day's polling is at risk.
FEW_CREDITS = 1000

#: Changes of one entity that a check reads, and of those that it names.
_READ = 1000
_LISTED = 20


def ledger_assets(graph: Graph) -> list[dg.AssetSpec]:
    """The audit, which every delivery adds to: what the chain's check stands on."""
    delivered = [target.name for row in graph.deliveries for target in row.targets]
    return [
        dg.AssetSpec(
            _audit_key(graph),
            deps=graph.keys(delivered),
            description="One immutable line for each movement, bound to the one before it by a hash. Read it with "
            f"`sagezoho audit export --connection {graph.connection}`.",
            group_name="ledger",
            owners=OWNERS,
            kinds={"postgres"},
        )
    ]


def checks_of(graph: Graph) -> tuple[list[dg.AssetChecksDefinition], list[dg.AssetChecksDefinition]]:
    """The checks for every hour, and those for every night since they read much."""
    hourly = [_queue_check(graph)]
    if any(capture.system is ZOHO for capture in graph.captures) or "vendors" in graph.flows:
        hourly.append(_credits_check(graph))
    return hourly, [_chain_check(graph), *both_sides_checks(graph)]


def _queue_check(graph: Graph) -> dg.AssetChecksDefinition:
    """For each feed whose changes something takes: those open for too long, and those in the inbox."""
    drained = {feed for row in graph.deliveries for feed in row.drains}
    watched = [capture.name for capture in graph.captures if capture.feed in drained or capture.route]
    descriptions = {
        "nothing_stuck": "Changes captured more than six hours ago are no longer open.",
        "inbox_empty": "No change waits in the inbox for a person: `sagezoho inbox` lists them.",
    }

    def stuck(installation: Installation, entity: str) -> Sequence[reports.ChangeLine]:
        before = installation.clock() - STUCK_AFTER
        database = installation.database
        return reports.stuck(database, captured_before=before, connection=graph.connection, entity=entity, limit=_READ)

    def waiting(installation: Installation, entity: str) -> Sequence[reports.ChangeLine]:
        return inbox.entries(installation.database, connection=graph.connection, entity=entity, limit=_READ)

    reads = {"nothing_stuck": stuck, "inbox_empty": waiting}

    @dg.multi_asset_check(
        name=f"{graph.connection}__queue",
        specs=[
            dg.AssetCheckSpec(name, asset=graph.key(source), description=description)
            for source in watched
            for name, description in descriptions.items()
        ],
        can_subset=True,
    )
    def queue(
        context: dg.AssetCheckExecutionContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> Iterator[dg.AssetCheckResult]:
        selected = context.selected_asset_check_keys
        with told_clearly(context.run.tags):
            found = {
                key: [line for line in read(sagezoho.installation, source[1]) if line.system == source[0]]
                for source in watched
                for name, read in reads.items()
                if (key := dg.AssetCheckKey(graph.key(source), name)) in selected
            }
        for key, lines in found.items():
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=not lines,
                severity=dg.AssetCheckSeverity.WARN,
                metadata=_listed(lines),
            )

    return queue


def _credits_check(graph: Graph) -> dg.AssetChecksDefinition:
    asset = next(iter(graph.keys([(ZOHO, "deals"), (ZOHO, "deal_accounts"), (ZOHO, "accounts")])))

    @dg.asset_check(
        asset=asset,
        name="credits_left",
        description="Zoho's API credits of the day last: every entity that is polled needs some.",
        pool=pool_of(graph.connection, ZOHO),
    )
    def credits_left(
        context: dg.AssetCheckExecutionContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> dg.AssetCheckResult:
        with told_clearly(context.run.tags):
            ctx = sagezoho.asking(graph.connection, actor="check")
            ctx.zoho.org()
        left = ctx.zoho.usage.credits_remaining
        told: dict[str, int | str] = {"left": "more than half of the allowance" if left is None else left}
        return dg.AssetCheckResult(
            passed=left is None or left >= FEW_CREDITS, severity=dg.AssetCheckSeverity.WARN, metadata=told
        )

    return credits_left


def _chain_check(graph: Graph) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=_audit_key(graph),
        name="audit_chain_intact",
        description="No line of the audit was changed, removed or added since it was written.",
    )
    def audit_chain_intact(
        context: dg.AssetCheckExecutionContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> dg.AssetCheckResult:
        with told_clearly(context.run.tags):
            broken = reports.verify_chain(sagezoho.installation.database, graph.connection)
        told = {} if broken is None else {"first_broken_line": broken}
        return dg.AssetCheckResult(passed=broken is None, severity=dg.AssetCheckSeverity.ERROR, metadata=told)

    return audit_chain_intact


def _listed(lines: Sequence[reports.ChangeLine]) -> dict[str, int | str | dg.MarkdownMetadataValue]:
    """How many, which first, and of the newest what the vendors said and what to do about it."""
    if not lines:
        return {"changes": 0}
    codes = Counter(str((line.error or {}).get("code", "none")) for line in lines)
    newest = sorted(lines, key=lambda line: line.id, reverse=True)
    told = [(line, line.error or {}) for line in newest[:_LISTED]]
    words = [
        f"- **{line.key}** {line.name}: {error.get('code', '')} {error.get('text', '')} _{error.get('advice', '')}_"
        for line, error in told
        if error
    ]
    return {
        "changes": len(lines),
        "first": ", ".join(line.key for line in lines[:_LISTED]),
        "errors": ", ".join(f"{code}: {count}" for code, count in codes.most_common(_LISTED)),
        "words": dg.MetadataValue.md("\n".join(words)),
    }


def _audit_key(graph: Graph) -> dg.AssetKey:
    return dg.AssetKey([graph.connection, "ledger", "audit"])
