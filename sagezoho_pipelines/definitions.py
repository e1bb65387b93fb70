"""The code location: everything Dagster sees, made from the configuration."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import dagster as dg

from sagezoho_pipelines.defs.assembly import components_of, workbench_of
from sagezoho_pipelines.wiring import Installation


def build_defs(
    *, installation: Installation | None = None, resources: Mapping[str, object] | None = None
) -> dg.Definitions:
    """Definitions of an installation, this process's own by default; `resources` replace those of the same name.

    Reads the configuration and nothing else: no database, no vendor. Raises ConfigurationError when it is broken.
    """
    installation = installation or Installation()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # backfill policies are beta, and what we build on
        return dg.Definitions(
            **components_of(installation),
            resources={"sagezoho": workbench_of(installation), **(resources or {})},
            executor=dg.in_process_executor,
        )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads."""
    return build_defs()
