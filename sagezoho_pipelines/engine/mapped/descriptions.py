"""Both systems' own descriptions of the entities that a connection maps, in one form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from sagezoho_pipelines.domain.metadata import FieldInfo, Fields, Kind, found
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.mapped.ends import Entity
from sagezoho_pipelines.engine.zoho_modules import offered

_KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        **dict.fromkeys(("text", "textarea", "email", "phone", "website", "autonumber", "profileimage"), Kind.TEXT),
        **dict.fromkeys(("integer", "double", "currency", "percent", "decimal", "formula"), Kind.NUMBER),
        **dict.fromkeys(("lookup", "ownerlookup", "userlookup"), Kind.RECORD),
        **dict.fromkeys(("subform", "multiselectpicklist"), Kind.ROWS),
        "date": Kind.DATE,
        "datetime": Kind.INSTANT,
        "boolean": Kind.BOOLEAN,
        "picklist": Kind.CHOICE,
    }
)
_MEASURED = frozenset({Kind.TEXT, Kind.CHOICE})

Descriptions = Mapping[Entity, Fields]


def describe(ctx: Context, entities: Iterable[Entity]) -> dict[Entity, Fields]:
    """The fields of each entity. A Zoho module that the edition does not offer is left out.

    One call for each Sage application and each Zoho module. Raises VendorError.
    """
    wanted = sorted(set(entities))
    sets = sorted({one.name for one in wanted if one.system is System.SAGE300})
    described = ctx.sage.described(sets) if sets else {}
    there = offered(ctx.zoho) if any(one.system is System.ZOHO_CRM for one in wanted) else set()
    fields: dict[Entity, Fields] = {}
    for entity in wanted:
        if entity.system is System.SAGE300:
            whole = described[entity.name]
            rows = found(whole, entity.rows) if entity.rows else None
            fields[entity] = whole if not entity.rows else (rows.rows if rows is not None else {})
        elif entity.name in there:
            listed = {info.name: info for info in map(zoho_field, ctx.zoho.fields(entity.name))}
            # Every record has an id, and no field list names it.
            fields[entity] = {**listed, "id": FieldInfo("id", "id", Kind.TEXT, 20, read_only=True)}
    return fields


def zoho_field(row: Row) -> FieldInfo:
    """One entry of Zoho's `settings/fields`."""
    data_type = str(row.get("data_type") or "")
    kind = _KINDS.get(data_type, Kind.OTHER)
    length = row.get("length")
    operations = row.get("operation_type") or {}
    written = operations.get("api_create", True) or operations.get("api_update", True)
    return FieldInfo(
        str(row["api_name"]),
        data_type,
        kind,
        length if isinstance(length, int) and kind in _MEASURED else None,
        tuple(str(value["actual_value"]) for value in row.get("pick_list_values") or ()),
        mandatory=bool(row.get("system_mandatory")),
        read_only=bool(row.get("read_only") or row.get("field_read_only") or not written),
    )
