"""The plan of a connection as an asset: launched from the UI, read there as a table, applied by `sagezoho apply`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from sagezoho_pipelines.defs.assets import OWNERS
from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.defs.jobs import Job, job_name
from sagezoho_pipelines.defs.problems import told_clearly
from sagezoho_pipelines.defs.workbench import Workbench
from sagezoho_pipelines.engine.planning import summary
from sagezoho_pipelines.engine.planning.document import Plan, to_text
from sagezoho_pipelines.engine.planning.plan import make

#: A table in metadata holds fewer than a hundred rows; the file holds them all.
_MOST_ROWS = 99
_COLUMNS = ("flow", "what", "record", "details")


@dataclass(frozen=True, slots=True)
class PlanParts:
    asset: dg.AssetsDefinition
    job: Job


def plan_of(graph: Graph) -> PlanParts:
    key = dg.AssetKey([graph.connection, "sagezoho", "plan"])

    @dg.multi_asset(
        name=key.to_python_identifier(),
        specs=[
            dg.AssetSpec(
                key,
                description="What a sync of all flows would do now: creates, updates field by field, refusals and "
                "conflicts foreseen, and the cost. Materializing it reads both systems and writes to neither; "
                "`sagezoho apply` does what the file says.",
                group_name="identity",
                owners=OWNERS,
                kinds={"postgres"},
                tags={"sagezoho/connection": graph.connection},
            )
        ],
    )
    def step(
        context: dg.AssetExecutionContext, sagezoho: dg.ResourceParam[Workbench]
    ) -> Iterator[dg.MaterializeResult[None]]:
        with told_clearly(context.run.tags):
            installation = sagezoho.installation
            plan = make(installation.planning(graph.connection), installation.ledger, graph.flows)
            text, digest = to_text(plan, installation.seal), plan.digest(installation.seal)
            path = _kept(installation.home / "plans", f"{graph.connection}-{digest[:12]}.json", text)
        yield dg.MaterializeResult(asset_key=key, metadata=_shown(plan, digest, path))

    job = dg.define_asset_job(
        job_name(graph.connection, "plan"),
        selection=dg.AssetSelection.assets(key).without_checks(),
        description=f"What a sync of {graph.connection} would do now; writes nothing.",
        tags={"sagezoho/connection": graph.connection},
        executor_def=dg.in_process_executor,
    )
    return PlanParts(step, job)


def _kept(folder: Path, name: str, text: str) -> Path:
    """The whole plan, for the owner's eyes: it shows what records hold."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    drafted = folder / f".{name}"
    drafted.touch(mode=0o600)
    drafted.write_text(text, encoding="utf-8")
    return drafted.replace((folder / name).absolute())


def _shown(plan: Plan, digest: str, path: Path) -> dict[str, dg.MetadataValue]:
    lines = list(summary.lines(plan))
    rows = [
        dg.TableRecord(
            {
                "flow": line.flow,
                "what": line.what,
                "record": f"{line.source} → {line.target}",
                "details": "; ".join(line.details),
            }
        )
        for line in lines[:_MOST_ROWS]
    ]
    shown: dict[str, dg.MetadataValue] = {
        **{name: dg.MetadataValue.int(count) for name, count in plan.totals.items()},
        "cost": dg.MetadataValue.text(summary.cost(plan)),
        "zoho_credits": dg.MetadataValue.int(plan.cost.zoho_crm_credits),
        "digest": dg.MetadataValue.text(digest),
        "file": dg.MetadataValue.path(path),
        "apply": dg.MetadataValue.text(f"sagezoho apply {path}"),
    }
    if plan.notes:
        shown["notes"] = dg.MetadataValue.md("\n".join(f"- {note}" for note in plan.notes))
    # Last: the page shows it at full length, and what to do with the plan should not be below it.
    shown["shown"] = dg.MetadataValue.text(f"{len(rows)} of {len(lines)}")
    schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in _COLUMNS])
    return shown | {"plan": dg.MetadataValue.table(rows, schema)}
