"""The mapping files that come with the product, and the Zoho fields they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from sagezoho_pipelines.domain import marked_yaml
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.mapping import FlowMapping, parse


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field our mappings read or write: `api_name` as Zoho derives it from the label.

    An `optional` one only refines what is done: an edition whose limit is used up does without.
    """

    module: str
    label: str
    type: str
    length: int | None = None
    unique: bool = False
    optional: bool = False

    @property
    def api_name(self) -> str:
        return self.label.replace(" ", "_")


@cache
def default_mapping(flow: str) -> FlowMapping:
    """The flow's mapping as shipped."""
    return parse(_read(f"{flow}.yaml"), f"mappings/{flow}.yaml")


def load_mappings(folder: Path | None, flows: Iterable[str]) -> Mapping[str, FlowMapping]:
    """Each flow's mapping: `folder/FLOW.yaml` where there is one, else as shipped. Raises ConfigurationError."""
    if folder is not None and not folder.is_dir():
        raise ConfigurationError(f"mappings: there is no directory {folder}. Create it, or remove the key.")
    return {flow: _replaced(folder, flow) or default_mapping(flow) for flow in flows}


def _replaced(folder: Path | None, flow: str) -> FlowMapping | None:
    """A replacement must fill the targets that the flow writes: the engine looks each of them up by name."""
    path = folder / f"{flow}.yaml" if folder is not None else None
    if path is None or not path.is_file():
        return None
    found = parse(path.read_text(encoding="utf-8"), str(path))
    if found.flow != flow:
        raise ConfigurationError(f"{path}: the file says 'flow: {found.flow}', but its name says {flow}")
    missing = sorted(set(default_mapping(flow).targets) - set(found.targets))
    if missing:
        raise ConfigurationError(f"{path}: the target {missing[0]!r} is missing; copy it from the shipped mapping")
    return found


@cache
def custom_fields() -> tuple[CustomField, ...]:
    data = marked_yaml.load(_read("zoho_fields.yaml"), "mappings/zoho_fields.yaml").data
    return tuple(CustomField(module, **field) for module, fields in data.items() for field in fields)


def _read(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
