"""The mapping files that come with the product, and the Zoho fields they need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

from sagezoho_pipelines.domain import marked_yaml
from sagezoho_pipelines.domain.mapping import FlowMapping
from sagezoho_pipelines.domain.mapping_files import parse


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field our mappings read or write: `api_name` as Zoho derives it from the label.

    An `optional` one only refines what is done: an edition whose limit is used up does without.
    """

    module: str
    label: str
    type: str
    length: int | None = None
    decimals: int | None = None
    unique: bool = False
    optional: bool = False

    @property
    def api_name(self) -> str:
        return self.label.replace(" ", "_")


@cache
def default_mapping(flow: str) -> FlowMapping:
    """The flow's mapping as shipped."""
    return parse(_read(f"{flow}.yaml"), f"mappings/{flow}.yaml")


@cache
def custom_fields() -> tuple[CustomField, ...]:
    data = marked_yaml.load(_read("zoho_fields.yaml"), "mappings/zoho_fields.yaml").data
    return tuple(CustomField(module, **field) for module, fields in data.items() for field in fields)


def _read(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
