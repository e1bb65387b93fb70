"""Creating, changing and dropping custom fields, and what org and users answer."""

from __future__ import annotations

import re
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import (
    CREATABLE_TYPES,
    UNIQUE_TYPES,
    Field,
    Module,
    Pick,
)
from sagezoho_pipelines.sandbox.zoho_crm.described import field_json, module_json
from sagezoho_pipelines.sandbox.zoho_crm.errors import ApiError, RowError, row_invalid, row_missing
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation, User
from sagezoho_pipelines.sandbox.zoho_crm.table import Row
from sagezoho_pipelines.sandbox.zoho_crm.values import show_instant

FIELDS_A_CALL = 5
LABEL_MAX = 25
DECIMALS_MAX = 9
LICENSE_SECONDS = 300 * 24 * 3600


def org_json(org: Organisation) -> dict[str, Any]:
    """The organisation with its edition."""
    paid = org.edition.name != "free"
    return {
        "id": str(org.org_id),
        "zgid": org.zgid,
        "company_name": org.company,
        "alias": None,
        "type": "production",
        "domain_name": f"org{org.zgid}",
        "time_zone": org.time_zone,
        "currency": "US Dollar - USD",
        "currency_symbol": "$",
        "currency_locale": "USD",
        "iso_code": "USD",
        "country_code": "US",
        "country": None,
        "mc_status": org.several_currencies,
        "gapps_enabled": False,
        "lite_users_enabled": False,
        "translation_enabled": False,
        "privacy_settings": False,
        "primary_email": org.users[1].email,
        "primary_zuid": org.users[1].zuid,
        "employee_count": str(len(org.users)),
        "hierarchy_preferences": {"type": "Role_Hierarchy"},
        "created_time": show_instant(1_420_070_400, org.zone),
        "license_details": {
            "paid": paid,
            "paid_type": org.edition.name,
            "paid_expiry": show_instant(org.now() + LICENSE_SECONDS, org.zone) if paid else None,
            "trial_type": None,
            "trial_expiry": None,
            "users_license_purchased": org.user_licenses,
        },
    } | dict.fromkeys(
        ("photo_id", "city", "state", "street", "zip", "description", "fax", "phone", "mobile", "website")
    )


def user_json(org: Organisation, user: User) -> dict[str, Any]:
    first, _, last = user.name.partition(" ")
    profile = next(one for one in org.profiles if one["name"] == user.profile)
    return {
        "id": str(user.id),
        "zuid": user.zuid,
        "full_name": user.name,
        "first_name": first,
        "last_name": last,
        "email": user.email,
        "status": "active",
        "confirm": True,
        "role": {"name": "CEO", "id": str(org.role_id)},
        "profile": {"name": profile["name"], "id": profile["id"]},
        "time_zone": org.time_zone,
        "locale": "en_US",
        "country_locale": "US",
        "language": "en_US",
    }


def modules_json(org: Organisation) -> list[dict[str, Any]]:
    listed = []
    for at, module in enumerate(org.modules.values()):
        supported = org.supports(module)
        if supported or org.switches.unsupported_inventory == "listed":
            parent = org.modules[module.parent] if module.parent else None
            listed.append(module_json(module, parent, at, api_supported=supported, profiles=org.profiles))
    return listed


def fields_json(org: Organisation, module: Module) -> list[dict[str, Any]]:
    return [field_json(field, org.modules, org.profiles) for field in module.fields.values()]


def require_few(given: list[Any]) -> None:
    if len(given) > FIELDS_A_CALL:
        raise ApiError(
            400,
            "LIMIT_EXCEEDED",
            "limit exceeded",
            {"limit": FIELDS_A_CALL, "api_name": "fields", "json_path": "$.fields"},
        )


def create_field(org: Organisation, module: Module, given: Any, path: str) -> dict[str, Any]:
    """One custom field; RowError when refused. The API name comes from the label."""
    if not isinstance(given, dict):
        raise row_invalid(path, expected_data_type="jsonobject")
    label = given.get("field_label")
    kind = given.get("data_type")
    for name, value in (("field_label", label), ("data_type", kind)):
        if value in (None, ""):
            raise row_missing(f"{path}.{name}")
    if not isinstance(label, str):
        raise row_invalid(f"{path}.field_label", expected_data_type="string")
    if len(label) > LABEL_MAX:
        raise row_invalid(f"{path}.field_label", maximum_length=LABEL_MAX)
    if kind not in CREATABLE_TYPES:
        raise row_invalid(f"{path}.data_type", supported_values=sorted(CREATABLE_TYPES))
    if any(one.label.casefold() == label.casefold() for one in module.fields.values()):
        raise RowError(
            "DUPLICATE_DATA", "duplicate data", {"api_name": "field_label", "json_path": f"{path}.field_label"}
        )
    most = CREATABLE_TYPES[kind]
    length = given.get("length", most)
    if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length <= most:
        raise row_invalid(f"{path}.length", maximum_length=most)
    unique, case_sensitive = _unique(given, kind, path)
    _edition_allows(org, module, unique=unique)
    made = Field(
        id=org.new_id(),
        api_name=_api_name(module, label),
        label=label,
        data_type=kind,
        length=length,
        custom=True,
        unique=unique,
        case_sensitive=case_sensitive,
        picks=_picks(org, given, kind, path),
        tooltip=(given.get("tooltip") or {}).get("value"),
        decimal_place=_decimal_place(given, kind, path),
    )
    module.fields[made.api_name] = made
    return {"code": "SUCCESS", "details": {"id": str(made.id)}, "message": "field created", "status": "success"}


def _decimal_place(given: Row, kind: str, path: str) -> int | None:
    if kind not in ("currency", "double"):
        return None
    asked = given.get("decimal_place", 2)
    if isinstance(asked, bool) or not isinstance(asked, int) or not 0 <= asked <= DECIMALS_MAX:
        raise row_invalid(f"{path}.decimal_place", maximum_length=DECIMALS_MAX)
    return asked


def _unique(given: Row, kind: str, path: str) -> tuple[bool, bool]:
    unique = given.get("unique")
    if unique in (None, False):
        return False, False
    if kind not in UNIQUE_TYPES or not isinstance(unique, bool | dict):
        raise row_invalid(f"{path}.unique", expected_data_type="jsonobject")
    told = unique if isinstance(unique, dict) else {}
    sensitive = str(told.get("case_sensitive", told.get("casesensitive", False))).lower()
    if sensitive not in ("true", "false"):
        raise row_invalid(f"{path}.unique.case_sensitive", expected_data_type="boolean")
    return True, sensitive == "true"


def _edition_allows(org: Organisation, module: Module, *, unique: bool) -> None:
    switches, edition = org.switches, org.edition
    for applies, most, have in (
        (True, switches.custom_fields_max or edition.custom_fields, [one.custom for one in module.fields.values()]),
        (unique, switches.unique_fields_max or edition.unique_fields, [one.unique for one in module.fields.values()]),
    ):
        if applies and sum(have) >= most:
            raise RowError("LICENSE_LIMIT_EXCEEDED", "license limit exceeded", {"limit": most})


def _picks(org: Organisation, given: Row, kind: str, path: str) -> list[Pick]:
    if kind not in ("picklist", "multiselectpicklist"):
        return []
    values = given.get("pick_list_values")
    if not isinstance(values, list) or not values:
        raise row_missing(f"{path}.pick_list_values")
    picks = []
    for at, value in enumerate(values):
        shown = value.get("display_value") if isinstance(value, dict) else None
        if not isinstance(shown, str):
            raise row_missing(f"{path}.pick_list_values[{at}].display_value")
        picks.append(Pick(org.new_id(), shown, str(value.get("actual_value") or shown)))
    return picks


def _api_name(module: Module, label: str) -> str:
    """Blanks become underscores, other signs go, and a number keeps it apart from a name already taken."""
    base = re.sub(r"[^A-Za-z0-9_]", "", re.sub(r"\s+", "_", label.strip())).strip("_") or "Field"
    if not base[0].isalpha():
        base = f"Field_{base}"
    name, number = base, 1
    while name in module.fields or name == "id":
        name = f"{base}{number}"
        number += 1
    return name


def find_custom(module: Module, field_id: str) -> Field:
    """The custom field of that id; RowError when there is none or it is the vendor's own."""
    found = next((one for one in module.fields.values() if str(one.id) == field_id), None)
    if found is None or not found.custom or found.data_type == "subform":
        raise RowError("INVALID_DATA", "the id given seems to be invalid", {"id": field_id})
    return found


def change_field(
    org: Organisation, module: Module, field: Field, given: Any, path: str = "$.fields[0]"
) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise row_invalid(path, expected_data_type="jsonobject")
    label = given.get("field_label", field.label)
    if not isinstance(label, str) or not 1 <= len(label) <= LABEL_MAX:
        raise row_invalid(f"{path}.field_label", maximum_length=LABEL_MAX)
    if "unique" in given:
        unique, case_sensitive = _unique(given, field.data_type, path)
        if unique and not field.unique:
            _edition_allows(org, module, unique=True)
            _require_distinct(org, module, field, path)
        field.unique, field.case_sensitive = unique, case_sensitive
    if "length" in given:
        most = CREATABLE_TYPES[field.data_type]
        if not isinstance(given["length"], int) or not field.length <= given["length"] <= most:
            raise row_invalid(f"{path}.length", maximum_length=most)
        field.length = given["length"]
    field.label = label
    org.table(module.api_name).drop_index(field.api_name)
    return {"code": "SUCCESS", "details": {"id": str(field.id)}, "message": "field updated", "status": "success"}


def _require_distinct(org: Organisation, module: Module, field: Field, path: str) -> None:
    seen = [row[field.api_name] for row in org.table(module.api_name).rows.values() if row.get(field.api_name)]
    if len(set(seen)) < len(seen):
        raise RowError("DUPLICATE_DATA", "duplicate data", {"api_name": field.api_name, "json_path": f"{path}.unique"})


def drop_field(org: Organisation, module: Module, field: Field) -> dict[str, Any]:
    """Removes the field and what every record held in it."""
    table = org.table(module.api_name)
    table.drop_index(field.api_name)
    del module.fields[field.api_name]
    for row in table.rows.values():
        row.pop(field.api_name, None)
    return {"code": "SUCCESS", "details": {"id": str(field.id)}, "message": "field deleted", "status": "success"}
