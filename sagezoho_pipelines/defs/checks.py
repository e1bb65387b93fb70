"""Asset checks that look at the whole ledger."""

from collections.abc import Sequence

import dagster as dg

from sagezoho_pipelines.defs.graph import Graph


def ledger_assets(_graph: Graph) -> list[dg.AssetSpec]:
    return []


def checks_of(_graph: Graph) -> Sequence[dg.AssetChecksDefinition]:
    return []
