"""The organisation's metadata: modules and fields as objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sagezoho_pipelines.sandbox.zoho_crm import fields as tables
from sagezoho_pipelines.sandbox.zoho_crm.picklists import PICKLISTS, STAGES
from sagezoho_pipelines.sandbox.zoho_crm.subforms import SUBFORMS

CREATABLE_TYPES = {
    "text": 255,
    "textarea": 2000,
    "email": 100,
    "phone": 30,
    "website": 450,
    "picklist": 120,
    "multiselectpicklist": 2000,
    "date": 20,
    "datetime": 120,
    "integer": 9,
    "bigint": 18,
    "currency": 16,
    "percent": 5,
    "double": 16,
    "boolean": 5,
}
"""data_types a custom field may have here, with the greatest length of each."""

UNIQUE_TYPES = frozenset({"text", "email", "phone", "integer", "bigint", "website"})


@dataclass(frozen=True)
class Pick:
    """One value of a picklist: what people see and what the API stores."""

    id: int
    display: str
    actual: str
    probability: int | None = None
    forecast: str | None = None


@dataclass
class Field:
    """One field of one module."""

    id: int
    api_name: str
    label: str
    data_type: str
    length: int
    mandatory: bool = False
    read_only: bool = False
    custom: bool = False
    unique: bool = False
    case_sensitive: bool = False
    lookup: str | None = None
    subform: str | None = None
    picks: list[Pick] = field(default_factory=list)
    tooltip: str | None = None
    decimal_place: int | None = None

    @property
    def is_text(self) -> bool:
        return self.data_type in ("text", "textarea", "email", "phone", "website", "picklist", "autonumber")

    @property
    def is_number(self) -> bool:
        return self.data_type in ("integer", "double", "currency", "percent", "formula")


@dataclass
class Module:
    """One module; a subform's row module names the module it hangs on as `parent`."""

    id: int
    api_name: str
    label: str
    name_field: str
    duplicate_field: str | None
    fields: dict[str, Field]
    parent: str | None = None
    custom: bool = False

    @property
    def inventory(self) -> bool:
        return (self.parent or self.api_name) in tables.INVENTORY

    def subforms(self) -> Iterator[Field]:
        return (one for one in self.fields.values() if one.data_type == "subform")

    def unique_fields(self) -> Iterator[Field]:
        return (one for one in self.fields.values() if one.unique)


def build_modules(new_id: Callable[[], int]) -> dict[str, Module]:
    """All modules of a new organisation, in a fixed order, with ids from `new_id`."""
    modules: dict[str, Module] = {}
    for name, text in tables.MODULES.items():
        lines = tables.SYSTEM + text.replace("{document}", tables.DOCUMENT)
        modules[name] = _module(new_id, name, lines)
    for name, (parent, text) in SUBFORMS.items():
        module = _module(new_id, name, text.replace("{parent}", parent))
        module.parent = parent
        module.custom = name == "Deal_Items"
        modules[name] = module
    modules["Purchase_Orders"].fields.pop("Account_Name")
    return modules


def _module(new_id: Callable[[], int], name: str, lines: str) -> Module:
    parsed = [_field(new_id, line) for line in lines.splitlines() if line]
    return Module(
        id=new_id(),
        api_name=name,
        label=name.replace("_", " "),
        name_field=tables.NAME_FIELD.get(name, "Subject" if name in tables.MODULES else "id"),
        duplicate_field=tables.DUPLICATE_FIELD.get(name, "Subject" if name in tables.MODULES else None),
        fields={one.api_name: one for one in parsed},
    )


def _field(new_id: Callable[[], int], line: str) -> Field:
    api_name, data_type, length, *options = line.split()
    made = Field(new_id(), api_name, api_name.replace("_", " "), data_type, int(length))
    made.decimal_place = {"currency": 2, "double": 9}.get(data_type)
    for option in options:
        if option == "mandatory":
            made.mandatory = True
        elif option == "ro":
            made.read_only = True
        elif option == "custom":
            made.custom = True
        elif option.startswith("->"):
            made.lookup = option[2:]
        elif option.startswith(":"):
            made.subform = option[1:]
        elif option.startswith("label="):
            made.label = option[6:].replace("_", " ")
        elif option == "pick=stage":
            made.picks = [Pick(new_id(), *stage) for stage in STAGES]
        elif option.startswith("pick="):
            values = [value for value in PICKLISTS[option[5:]].split("|") if value]
            made.picks = [Pick(new_id(), value, value) for value in values]
    return made
