"""Jobs: one for each flow, one for all of them, the nightly sweep, and the checks."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from sagezoho_pipelines.defs import arrivals, windows
from sagezoho_pipelines.defs.graph import Graph

Job = UnresolvedAssetJobDefinition


def job_name(connection: str, what: str) -> str:
    """`saminc__vendors`; `what` is a flow, `all`, `sweep` or `checks`."""
    return f"{connection}__{what}"


def jobs_of(
    graph: Graph,
    assets: Sequence[dg.AssetsDefinition],
    *,
    hourly: Sequence[dg.AssetChecksDefinition],
    nightly: Sequence[dg.AssetChecksDefinition],
) -> dict[str, Job]:
    """The connection's jobs by what they run. The nightly checks come with the sweep."""
    everything = [key for asset in assets for key in asset.keys]

    def selected(keys: Sequence[dg.AssetKey]) -> dg.AssetSelection:
        """The assets and the check that each makes of itself; what looks at the whole ledger has its own job."""
        own = dg.AssetSelection.checks(*arrivals.of(graph, keys))
        return dg.AssetSelection.assets(*keys).without_checks() | own

    def job(what: str, selection: dg.AssetSelection, description: str, **tags: str) -> Job:
        return dg.define_asset_job(
            job_name(graph.connection, what),
            selection=selection,
            description=description,
            tags={"sagezoho/connection": graph.connection, **tags},
            executor_def=dg.in_process_executor,
        )

    made = {
        flow: job(
            flow,
            selected(graph.keys_of_flow(flow)),
            f"Flow {flow} of {graph.connection}: captures what is new and delivers it.",
            **{"sagezoho/flow": flow},
        )
        for flow in graph.flows
    }
    made["all"] = job("all", selected(everything), f"All flows of {graph.connection}.")
    made["sweep"] = job(
        "sweep",
        selected(everything) | _of(nightly),
        f"Reads every record of {graph.connection} again: finds deletions and edits whose date was set back.",
        **{windows.WINDOW_TAG: "sweep"},
    )
    made["checks"] = job("checks", _of(hourly), f"Looks at queue, inbox and credits of {graph.connection}.")
    return made


def _of(checks: Sequence[dg.AssetChecksDefinition]) -> dg.AssetSelection:
    return dg.AssetSelection.checks(*(key for check in checks for key in check.check_keys))
