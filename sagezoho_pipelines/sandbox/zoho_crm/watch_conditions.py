"""The notification_condition of a channel: which fields an edit must touch to be told of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Module
from sagezoho_pipelines.sandbox.zoho_crm.errors import RowError, row_invalid

FIELDS_MAX, GROUP_MAX = 10, 2


def check_condition(condition: Any, path: str, modules: Mapping[str, Module]) -> None:
    """RowError unless it is a list of field selections, each of one module."""
    if not isinstance(condition, list) or not all(isinstance(one, dict) for one in condition):
        raise row_invalid(path, expected_data_type="jsonarray")
    for at, one in enumerate(condition):
        where = f"{path}[{at}]"
        if "field_selection" in one and "type" not in one:
            raise RowError(
                "DEPENDENT_FIELD_MISSING",
                "dependent field missing",
                {"dependee": {"api_name": "field_selection"}, "api_name": "type", "json_path": f"{where}.type"},
            )
        module = one.get("module")
        if not isinstance(module, dict) or not (module.get("api_name") or module.get("id")):
            raise RowError("EXPECTED_FIELD_MISSING", "expected field missing", {"json_path": f"{where}.module"})
        _one_module(module, f"{where}.module", modules)
        if one.get("field_selection") is not None:
            _selection(one["field_selection"], f"{where}.field_selection")
            if len(watched_fields([one]) or ()) > FIELDS_MAX:
                raise row_invalid(f"{where}.field_selection", maximum_length=FIELDS_MAX)


def _one_module(given: dict[str, Any], path: str, modules: Mapping[str, Module]) -> None:
    """Name and id, where both are sent, must mean the same module."""
    named = modules.get(str(given.get("api_name"))) if given.get("api_name") else None
    numbered = next((one for one in modules.values() if str(one.id) == str(given.get("id"))), None)
    if (given.get("api_name") and named is None) or (given.get("id") and numbered is None):
        raise RowError("INVALID_MODULE", "the module name given seems to be invalid", {"json_path": path})
    if named is not None and numbered is not None and named is not numbered:
        raise RowError("AMBIGUITY_DURING_PROCESSING", "the module's name and id do not match", {"json_path": path})


def _selection(node: Any, path: str) -> None:
    """A field, or two of them joined by and/or; more are nested in pairs."""
    if not isinstance(node, dict):
        raise row_invalid(path, expected_data_type="jsonobject")
    if "group" not in node:
        field = node.get("field")
        if not isinstance(field, dict) or not (field.get("api_name") or field.get("id")):
            raise RowError("EXPECTED_FIELD_MISSING", "expected field missing", {"json_path": f"{path}.field"})
        return
    if str(node.get("group_operator")).lower() not in ("and", "or"):
        raise row_invalid(f"{path}.group_operator", supported_values=["and", "or"])
    group = node["group"]
    if not isinstance(group, list) or not group or len(group) > GROUP_MAX:
        raise row_invalid(f"{path}.group", maximum_length=GROUP_MAX)
    for at, inner in enumerate(group):
        _selection(inner, f"{path}.group[{at}]")


def watched_fields(condition: list[Any] | None) -> set[str] | None:
    """The fields a notification condition names; None when it names none, so every edit counts."""
    found: set[str] = set()

    def gather(node: Any) -> None:
        if isinstance(node, dict):
            named = node.get("field")
            if isinstance(named, dict) and isinstance(named.get("api_name"), str):
                found.add(named["api_name"])
            for inner in node.get("group") or ():
                gather(inner)

    for one in condition or ():
        gather(one.get("field_selection"))
    return found or None
