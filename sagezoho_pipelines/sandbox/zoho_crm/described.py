"""Modules and fields as settings answers with them."""

from __future__ import annotations

from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Field, Module, Pick

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

_NULLS = (
    *("address", "association_details", "child_fields", "created_time", "display_format", "display_format_properties"),
    *("modified_time", "parent_field", "range"),
)
"""Keys of a field that a plain one has nothing to say under."""


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
        "currency": {"rounding_option": "round_half_up", "precision": one.decimal_place}
        if data_type == "currency"
        else {},
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
        "display_type": -1,
        "customizable_properties": None,
        "businesscard_supported": True,
        "colour_code_enabled_by_system": False,
        "enable_colour_code": False,
        "separator": False,
        "email_parser": {"fields_update_supported": False, "record_operations_supported": False},
        **dict.fromkeys(_NULLS),
        **({"blueprint_supported": True, "quick_sequence_number": None} if one.data_type == "picklist" else {}),
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


def module_json(
    module: Module, parent: Module | None, at: int, *, api_supported: bool, profiles: list[dict[str, Any]]
) -> dict[str, Any]:
    """A module as settings/modules shows it; `parent` is that of a subform."""
    subform = parent is not None
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
        "parent_module": {"api_name": parent.api_name, "id": str(parent.id)} if parent else {},
        "profiles": profiles,
        "profile_count": len(profiles),
        "business_card_field_limit": 5,
        "isBlueprintSupported": not subform,
    }
