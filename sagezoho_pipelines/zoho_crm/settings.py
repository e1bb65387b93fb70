"""What the organisation looks like: modules, fields, organisation, user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.domain.zoho import RowResult
from sagezoho_pipelines.zoho_crm import coql, limits
from sagezoho_pipelines.zoho_crm.transport import Call, Reply, Transport
from sagezoho_pipelines.zoho_crm.writing import row_results

_BASE = f"/crm/{limits.API_VERSION}"


class Settings:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def modules(self) -> list[Row]:
        return _listed(self._get("modules", "/settings/modules"), "modules")

    def fields(self, module: str) -> list[Row]:
        """Field metadata: api_name, data_type, length, pick_list_values, …; read again after creating some."""
        params = {"module": coql.module_name(module)}
        return _listed(self._get(f"fields {module}", "/settings/fields", params, module), "fields")

    def create_fields(self, module: str, fields: Sequence[Row]) -> list[RowResult]:
        """Custom fields, one result each. One that exists already is answered with DUPLICATE_DATA, which is also what a
        field created by an attempt whose answer was lost looks like."""
        results: list[RowResult] = []
        for chunk in coql.chunked(fields, limits.FIELDS_PER_CREATE):
            call = Call(
                name=f"create_fields {module}", method="POST", path=f"{_BASE}/settings/fields",
                params={"module": coql.module_name(module)}, body={"fields": list(chunk)}, write=True, module=module,
                rows="fields",
            )  # fmt: skip
            results += row_results(call, self._transport.send(call), chunk, "insert")
        return results

    def org(self) -> Row:
        return _first(self._get("org", "/org"), "org")

    def current_user(self) -> Row:
        return _first(self._get("users", "/users", {"type": "CurrentUser"}), "users")

    def server_time(self) -> datetime:
        """Zoho's own clock."""
        return self._get("users", "/users", {"type": "CurrentUser"}).server_time

    def _get(self, name: str, path: str, params: Mapping[str, str] | None = None, module: str = "") -> Reply:
        return self._transport.send(
            Call(name=name, method="GET", path=f"{_BASE}{path}", params=params or {}, module=module)
        )


def _listed(reply: Reply, key: str) -> list[Row]:
    found: Any = reply.body.get(key) if reply.body else None
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _first(reply: Reply, key: str) -> Row:
    rows = _listed(reply, key)
    return rows[0] if rows else {}
