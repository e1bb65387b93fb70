"""What is laid over the shipped mappings, and the value maps that expressions look up in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import StringConstraints, model_validator

from sagezoho_pipelines.config.section import Section

MapName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
_Fields = Mapping[str, Any]


class MappingOverrides(Section):
    """What is laid over each flow's mapping: target -> field -> expression, `{value, write}`, or null to drop it."""

    vendors: Mapping[str, _Fields] = {}
    customers: Mapping[str, _Fields] = {}
    orders: Mapping[str, _Fields] = {}
    invoices: Mapping[str, _Fields] = {}
    identity: Mapping[str, _Fields] = {}


class Mappings(MappingOverrides):
    """`directory`, beside the file unless absolute, holds `FLOW.yaml` (instead of the shipped mapping) and
    `FLOW.override.yaml` (laid over it), the same for one connection in a directory of its name.
    """

    directory: str = ""

    @model_validator(mode="before")
    @classmethod
    def _only_a_directory(cls, given: Any) -> Any:
        return {"directory": given} if isinstance(given, str) else given
