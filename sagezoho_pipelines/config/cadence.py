"""How often an entity is polled."""

from __future__ import annotations

from pydantic import Field

from sagezoho_pipelines.config.section import Section
from sagezoho_pipelines.config.values import Cron


class Cadence(Section):
    """When an entity is polled (cron, in the connection's time zone) and how often its sensor asks (seconds)."""

    cron: Cron = "*/15 * * * *"
    sensor_seconds: int = Field(60, ge=30)
