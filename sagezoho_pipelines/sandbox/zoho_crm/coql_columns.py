"""A column of a COQL query: how its value is reached from a row, perhaps through lookups, and how it is shown."""

from __future__ import annotations

from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Field, Module
from sagezoho_pipelines.sandbox.zoho_crm.coql_conditions import invalid_query
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation
from sagezoho_pipelines.sandbox.zoho_crm.show import show_value
from sagezoho_pipelines.sandbox.zoho_crm.table import Row

ID_FIELD = Field(0, "id", "Id", "bigint", 19)
_USER_FIELDS = {
    name: Field(0, name, name, kind, 120)
    for name, kind in (
        ("id", "bigint"),
        ("full_name", "text"),
        ("first_name", "text"),
        ("last_name", "text"),
        ("email", "email"),
        ("name", "text"),
    )
}
_LISTS = frozenset({"multiselectpicklist"})
_NOT_SELECTABLE = frozenset(
    {"subform", "taxes", "ranges", "tags", "territories", "profileimage", "consent_lookup", "layout", "ALARM", "RRULE"}
)


class ColumnPath:
    """A column, perhaps through lookups: how to reach its value from a row."""

    def __init__(self, org: Organisation, module: Module, name: str) -> None:
        self.org = org
        self.name = name
        self.hops: list[Field] = []
        *lookups, last = name.split(".")
        at: Module | None = module
        for step in lookups:
            hop = at.fields.get(step) if at is not None else None
            if hop is None or hop.data_type not in ("lookup", "ownerlookup"):
                raise invalid_query("column given seems to be invalid", column_name=name)
            self.hops.append(hop)
            at = org.modules[hop.lookup] if hop.lookup else None
        if last == "id":
            self.field = ID_FIELD
        elif at is None:
            if last not in _USER_FIELDS:
                raise invalid_query("column given seems to be invalid", column_name=name)
            self.field = _USER_FIELDS[last]
        else:
            found = at.fields.get(last)
            if found is None:
                raise invalid_query("column given seems to be invalid", column_name=name)
            if found.data_type in _NOT_SELECTABLE:
                raise invalid_query("column has unsupported data type", column_name=name)
            self.field = found

    def require(self, use: str) -> None:
        """INVALID_QUERY where a column of this type cannot be aggregated by `use`, or ordered or grouped by."""
        kind = self.field.data_type
        number = self.field.is_number or (kind == "bigint" and self.field is not ID_FIELD)
        fits = kind not in _LISTS
        if use in ("sum", "avg"):
            fits = number
        elif use in ("min", "max"):
            fits = number or kind in ("date", "datetime")
        if not fits:
            raise invalid_query("column has unsupported data type", column_name=self.name)

    def value(self, row: Row) -> Any:
        for hop in self.hops:
            target = row.get(hop.api_name)
            if target is None:
                return None
            if hop.lookup is None:
                user = self.org.user(target)
                first, _, last = user.name.partition(" ")
                row = {
                    "id": user.id,
                    "full_name": user.name,
                    "name": user.name,
                    "email": user.email,
                    "first_name": first,
                    "last_name": last,
                }
                continue
            found = self.org.tables[hop.lookup].rows.get(target)
            if found is None:
                return None
            row = found
        if self.field.data_type == "boolean":
            return bool(row.get(self.field.api_name))
        return row.get(self.field.api_name)

    def show(self, value: Any) -> Any:
        if self.field is ID_FIELD or self.field.data_type == "bigint":
            return None if value is None else str(value)
        if self.field.data_type in ("lookup", "ownerlookup"):
            return None if value is None else {"id": str(value)}
        return show_value(self.org, self.field, value)
