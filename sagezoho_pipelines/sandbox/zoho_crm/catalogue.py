"""The organisation's metadata: modules and fields as objects, and the JSON that settings answers with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm import fields as tables
from sagezoho_pipelines.sandbox.zoho_crm.picklists import PICKLISTS, STAGES
from sagezoho_pipelines.sandbox.zoho_crm.subforms import SUBFORMS

JSON_TYPES = {
    "boolean": "boolean",
    "integer": "integer",
    "double": "double",
    "currency": "double",
    "percent": "double",
    "formula": "double",
    "lookup": "jsonobject",
    "ownerlookup": "jsonobject",
    "subform": "jsonarray",
    "multiselectpicklist": "jsonarray",
    "tags": "jsonarray",
    "taxes": "jsonarray",
    "ranges": "jsonarray",
    "territories": "jsonarray",
    "consent_lookup": "jsonobject",
    "layout": "jsonobject",
    "ALARM": "jsonobject",
    "RRULE": "jsonobject",
}
"""json_type per data_type; a string where not listed."""

WIRE_TYPES = {"tags": "text", "taxes": "text", "ranges": "text", "territories": "multiselectlookup", "layout": "bigint"}
"""Our own names for some oddities of Zoho, and the data_type the API calls them."""

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


def field_json(one: Field, modules: dict[str, Module], profiles: list[dict[str, Any]]) -> dict[str, Any]:
    """A field as settings/fields shows it, with the keys Zoho's own SDK reads."""
    data_type = WIRE_TYPES.get(one.data_type, one.data_type)
    subform = modules[one.subform] if one.subform else None
    target = modules[one.lookup] if one.lookup else None
    unique: dict[str, Any] = {"casesensitive": str(one.case_sensitive).lower()} if one.unique else {}
    lookup: dict[str, Any] = {}
    if target is not None:
        lookup = {
            "display_label": target.label,
            "api_name": None,
            "module": {"api_name": target.api_name, "id": str(target.id)},
            "id": str(one.id),
        }
    return {
        "id": str(one.id),
        "api_name": one.api_name,
        "field_label": one.label,
        "display_label": one.label,
        "data_type": data_type,
        "json_type": JSON_TYPES.get(one.data_type, "string"),
        "length": one.length,
        "system_mandatory": one.mandatory,
        "custom_field": one.custom,
        "read_only": one.read_only,
        "field_read_only": one.read_only,
        "visible": True,
        "type": "used",
        "created_source": "crm" if one.custom else "default",
        "tooltip": {"name": "info_icon", "value": one.tooltip} if one.tooltip else None,
        "decimal_place": one.decimal_place,
        "unique": unique,
        "external": None,
        "lookup": lookup,
        "multiselectlookup": {},
        "multi_module_lookup": {},
        "pick_list_values": [_pick_json(pick, at) for at, pick in enumerate(one.picks, start=1)],
        "pick_list_values_sorted_lexically": False,
        "global_picklist": None,
        "formula": {"return_type": "double"} if one.data_type == "formula" else {},
        "currency": {"rounding_option": "round_half_up", "precision": 2} if data_type == "currency" else {},
        "auto_number": {"prefix": "", "suffix": "", "start_number": 1} if data_type == "autonumber" else {},
        "rollup_summary": {},
        "associated_module": {"module": subform.api_name, "id": str(subform.id)} if subform else None,
        "searchable": one.data_type not in ("subform", "formula"),
        "sortable": one.data_type not in ("subform", "textarea", "tags"),
        "filterable": one.data_type != "subform",
        "webhook": True,
        "mass_update": not one.read_only,
        "view_type": {
            "view": True,
            "edit": not one.read_only,
            "create": not one.read_only,
            "quick_create": one.mandatory,
        },
        "operation_type": {
            "web_update": not one.read_only,
            "api_create": not one.read_only,
            "web_create": not one.read_only,
            "api_update": not one.read_only,
        },
        "profiles": profiles,
        "history_tracking": None,
        "crypt": None,
        "virtual_field": False,
        "display_field": False,
        "ui_type": 1,
    }


def _pick_json(pick: Pick, at: int) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": str(pick.id),
        "display_value": pick.display,
        "actual_value": pick.actual,
        "reference_value": pick.display,
        "sequence_number": at,
        "type": "used",
    }
    if pick.forecast is not None:
        category = {"Open": "Pipeline", "Closed Won": "Closed"}.get(pick.forecast, "Omitted")
        shown |= {
            "probability": pick.probability,
            "forecast_type": pick.forecast,
            "deal_category": pick.forecast,
            "forecast_category": {"name": category, "id": str(pick.id + 1)},
        }
    return shown


def module_json(module: Module, at: int, *, api_supported: bool, profiles: list[dict[str, Any]]) -> dict[str, Any]:
    """A module as settings/modules shows it."""
    subform = module.parent is not None
    return {
        "id": str(module.id),
        "api_name": module.api_name,
        "module_name": module.api_name,
        "plural_label": module.label,
        "singular_label": module.label.removesuffix("s"),
        "actual_plural_label": module.label,
        "actual_singular_label": module.label.removesuffix("s"),
        "generated_type": "subform" if subform else "default",
        "api_supported": api_supported,
        "status": "visible",
        "visibility": 1,
        "visible": True,
        "creatable": not subform,
        "editable": not subform,
        "viewable": True,
        "deletable": not subform,
        "convertable": module.api_name in ("Leads", "Quotes", "Sales_Orders"),
        "global_search_supported": not subform,
        "presence_sub_menu": not subform,
        "inventory_template_supported": module.inventory,
        "quick_create": not subform,
        "feeds_required": False,
        "scoring_supported": not subform,
        "webform_supported": not subform,
        "web_link": None,
        "sequence_number": at,
        "arguments": [],
        "modified_by": None,
        "modified_time": None,
        "parent_module": {"api_name": module.parent, "id": str(module.id)} if subform else {},
        "profiles": profiles,
        "profile_count": len(profiles),
        "business_card_field_limit": 5,
        "isBlueprintSupported": not subform,
    }
