"""A connection that its mapping stops: it is shown as what it is, and the others go on."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

from sagezoho_pipelines.defs.assets import OWNERS
from sagezoho_pipelines.domain.errors import ConfigurationError

_EVERY_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Broken:
    """What stands for the connection: an asset that says what to correct, and a sensor whose ticks fail with it."""

    asset: dg.AssetSpec
    sensor: dg.SensorDefinition


def broken_of(connection: str, error: ConfigurationError) -> Broken:
    told = f"{connection} is stopped until its mapping is corrected: {error}"
    advice = "Correct it, see `sagezoho mapping show`, then reload this code location."

    def fail(_context: dg.SensorEvaluationContext) -> dg.SkipReason:
        raise dg.Failure(told, allow_retries=False)

    sensor = dg.SensorDefinition(
        name=f"{connection}__configuration",
        evaluation_fn=fail,
        minimum_interval_seconds=_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"{told}. {advice}",
    )
    asset = dg.AssetSpec([connection, "configuration"], description=f"{told}. {advice}", owners=OWNERS)
    return Broken(asset, sensor)
