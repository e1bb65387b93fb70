"""The whole of `sagezoho.yaml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, Field, PrivateAttr

from sagezoho_pipelines.config.connections import Connection
from sagezoho_pipelines.config.mappings import MapName, Mappings
from sagezoho_pipelines.config.processes import Alerts, Gateway
from sagezoho_pipelines.config.section import Section
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.marked_yaml import MarkedYaml


def _name(value: str) -> str:
    """Names of assets, jobs and rows are made of it."""
    if re.fullmatch(r"[a-z][a-z0-9_]{0,30}", value) is None:
        raise ValueError("a connection's name is lower-case letters, digits and _, a letter first, at most 31 of them")
    return value


@dataclass(frozen=True)
class _Source:
    """Where settings come from, which does not make them different ones."""

    marked: MarkedYaml = field(compare=False)


class Settings(Section):
    """The whole file. `retention_days` is how long Dagster's own run records are kept; the ledger's audit is kept.

    `worker_patience_seconds` is how long a due change is left to a running worker before Dagster's sensor takes it.
    `mappings` are overrides for all connections, or only the name of a directory. `value_maps` names CSV files (from,
    to) that expressions look up in.
    """

    connections: Mapping[Annotated[str, AfterValidator(_name)], Connection]
    gateway: Gateway = Gateway()
    alerts: Alerts = Alerts()
    mappings: Mappings = Mappings()
    value_maps: Mapping[MapName, str] = {}
    retention_days: int = Field(90, ge=1)
    worker_patience_seconds: float = Field(5, ge=0, le=3600)

    _source: _Source = PrivateAttr(default_factory=lambda: _Source(MarkedYaml("sagezoho.yaml", {}, {})))

    @classmethod
    def of(cls, file: MarkedYaml) -> Settings:
        """The settings a file holds. Raises pydantic's ValidationError where they do not fit."""
        settings = cls.model_validate(file.data)
        settings._source = _Source(file)
        return settings

    @property
    def source(self) -> MarkedYaml:
        """The file these settings were read from, for naming the line of a key."""
        return self._source.marked

    def connection(self, name: str) -> Connection:
        try:
            return self.connections[name]
        except KeyError:
            known = ", ".join(sorted(self.connections)) or "none"
            raise ConfigurationError(f"there is no connection {name!r} in the configuration; known: {known}") from None
