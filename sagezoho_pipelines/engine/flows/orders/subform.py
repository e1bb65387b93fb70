"""The deal's subform as sagezoho.yaml names it, held against what Zoho has: a wrong name would lose prices or lines."""

from __future__ import annotations

from collections.abc import Sequence

from sagezoho_pipelines.config import SubformLines
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine.context import Context

_KEY = "flows.orders.subform"
#: What a line may be made from, by the keys of the configuration.
_COLUMNS = ("product", "code", "quantity", "price", "discount", "description")


def require(ctx: Context) -> None:
    """Raises ConfigurationError where the configured subform, or a field of its rows, is not there."""
    ctx.facts.get("deals' subform", lambda: _examined(ctx))


def _examined(ctx: Context) -> bool:
    orders = ctx.settings.flows.orders
    subform = orders.subform
    if subform is None or "subform" not in orders.lines:
        return True
    rows = ctx.zoho.fields("Deals")
    found = next((row for row in rows if row["api_name"] == subform.field and row.get("data_type") == "subform"), None)
    if found is None:
        known = sorted(str(row["api_name"]) for row in rows if row.get("data_type") == "subform")
        raise ConfigurationError(
            f"{ctx.connection}: {_KEY}.field names {subform.field!r}, which is no subform of Zoho's Deals; "
            f"known: {', '.join(known) or 'none'}"
        )
    module = str((found.get("associated_module") or {}).get("api_name") or subform.field)
    _require_columns(ctx, subform, module, ctx.zoho.fields(module))
    return True


def _require_columns(ctx: Context, subform: SubformLines, module: str, rows: Sequence[Row]) -> None:
    """What the file names, and what no line can do without; a name of ours that is not there is an empty field."""
    needed = {"quantity", *(() if subform.code else ("product",))}
    known = {str(row["api_name"]) for row in rows}
    for column in _COLUMNS:
        name = getattr(subform, column)
        if name and name not in known and (column in needed or column in subform.model_fields_set):
            raise ConfigurationError(
                f"{ctx.connection}: {_KEY}.{column} names {name!r}, which is no field of the subform {module}; "
                f"known: {', '.join(sorted(known))}"
            )
