"""A stored row as Zoho's JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Field, Module
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation
from sagezoho_pipelines.sandbox.zoho_crm.table import Row
from sagezoho_pipelines.sandbox.zoho_crm.values import show_instant


def show_value(org: Organisation, field: Field, value: Any) -> Any:
    """One value of a record or line, lookups with id and name."""
    kind = field.data_type
    if kind == "tags":
        return value or []
    if kind == "boolean":
        return bool(value)
    if value is None:
        return None
    if kind == "datetime":
        return show_instant(value, org.zone)
    if kind == "ownerlookup":
        return org.user(value).owner()
    if kind == "lookup" and field.lookup is not None:
        return show_lookup(org, field.lookup, value)
    if kind == "subform" and field.subform is not None:
        return [show_line(org, org.modules[field.subform], line) for line in value]
    return value


def show_lookup(org: Organisation, module: str, record_id: int) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": org.record_name(module, record_id), "id": str(record_id)}
    if module == "Products":
        row = org.tables[module].rows.get(record_id)
        shown["Product_Code"] = row.get("Product_Code") if row else None
    return shown


def show_line(org: Organisation, module: Module, line: Row) -> dict[str, Any]:
    shown = {name: show_value(org, field, line.get(name)) for name, field in module.fields.items()}
    return {"id": str(line["id"]), "$in_merge": False, **shown}


def show_row(org: Organisation, module: Module, row: Row, names: Iterable[str] | None, *, whole: bool) -> Row:
    """A record with the named fields (all when None). Subforms only when `whole`, as in a get by id."""
    shown: Row = {}
    for name in module.fields if names is None else names:
        field = module.fields.get(name)
        if field is None or (field.data_type == "subform" and not whole):
            continue
        value = row.get(name)
        if name == "Record_Status__s":
            value = "Available"
        elif field.data_type == "subform":
            value = value or []
        elif field.data_type == "lookup" and name != "Product_Name" and value is not None and field.lookup:
            shown[name] = {"name": org.record_name(field.lookup, value), "id": str(value)}
            continue
        shown[name] = show_value(org, field, value)
    shown["id"] = str(row["id"])
    if whole:
        held = [one.api_name for one in module.subforms() if one.api_name in shown]
        if held:
            shown["$has_more"] = dict.fromkeys(held, False)
        taxes = [tax for name in held for line in row.get(name) or [] for tax in line.get("Line_Tax") or []]
        if any(name != "Deal_Items" for name in held):
            shown["$line_tax"] = taxes
    return shown


def show_details(org: Organisation, row: Row) -> dict[str, Any]:
    """What a write tells about the row it wrote."""
    return {
        "Modified_Time": show_instant(row["Modified_Time"], org.zone),
        "Modified_By": org.user(row["Modified_By"]).brief(),
        "Created_Time": show_instant(row["Created_Time"], org.zone),
        "id": str(row["id"]),
        "Created_By": org.user(row["Created_By"]).brief(),
    }
