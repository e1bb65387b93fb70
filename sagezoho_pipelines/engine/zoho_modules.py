"""What fields a Zoho module has in this organisation, and which of ours it lacks. Each module is asked about once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.mapping import TargetMapping
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.ports import ZohoCrm
from sagezoho_pipelines.mappings import custom_fields

#: Kinds of field whose `length` in the metadata is that of a text.
_TEXTS = frozenset({"text", "textarea", "phone", "email", "website", "picklist"})


#: Zoho's own field of every module, where the organisation keeps more than one currency.
CURRENCY = "Currency"
#: Zoho's own fields that an organisation may have taken off its layouts, or from our user.
_STANDARD: Mapping[str, frozenset[str]] = {"Invoices": frozenset({"Discount", "Adjustment"})}


class Field(NamedTuple):
    """`length`: of a text, the characters that Zoho takes. `unique`: no two records may hold the same value.

    `decimals`: of a number, the decimals that Zoho keeps.
    """

    length: int | None
    unique: bool
    decimals: int | None = None


def require_fields(ctx: Context, module: str, names: Sequence[str]) -> None:
    """Stop before the first write when Zoho lacks a field we write: it would ignore the value without a word."""
    missing = sorted({*names} - known_fields(ctx, module) - {"id"} - optional_fields(module))
    if missing:
        raise ConfigurationError(
            f"{ctx.connection}: Zoho's {module} module has no field {', '.join(missing)}. "
            f"Run 'sagezoho setup --connection {ctx.connection}' to create the fields it needs."
        )


def readable(ctx: Context, module: str, names: Sequence[str]) -> tuple[str, ...]:
    """The fields to ask for: optional ones that this organisation does without are left out."""
    absent = absent_fields(ctx, module)
    return tuple(name for name in names if name not in absent)


def known_fields(ctx: Context, module: str) -> set[str]:
    return set(fields_of(ctx, module))


def absent_fields(ctx: Context, module: str) -> frozenset[str]:
    """The optional fields that this organisation does without."""
    return optional_fields(module) - known_fields(ctx, module)


@cache
def optional_fields(module: str) -> frozenset[str]:
    made = {one.api_name for one in custom_fields() if one.module == module and one.optional}
    return frozenset({*made, *_STANDARD.get(module, ()), CURRENCY})


def written_fields(mapping: TargetMapping) -> list[str]:
    return [rule.target for rule in mapping.rules]


def fields_of(ctx: Context, module: str) -> Mapping[str, Field]:
    """The module's fields by API name, asked for once."""

    def ask() -> dict[str, Field]:
        return {
            str(row["api_name"]): Field(
                int(row["length"]) if row.get("data_type") in _TEXTS and row.get("length") else None,
                bool(row.get("unique")),
                _decimals(row),
            )
            for row in ctx.zoho.fields(module)
        }

    found: Mapping[str, Field] = ctx.facts.get(f"zoho fields {module}", ask)
    return found


def _decimals(row: Row) -> int | None:
    """The fewer of the decimals that a field shows and those that it is rounded to."""
    told = (row.get("decimal_place"), (row.get("currency") or {}).get("precision"))
    return min((int(one) for one in told if one is not None), default=None)


def unique_fields(ctx: Context, module: str) -> frozenset[str]:
    return frozenset(name for name, field in fields_of(ctx, module).items() if field.unique)


def module_exists(ctx: Context, module: str) -> bool:
    """Whether the edition offers the module to the API at all."""

    return module in ctx.facts.get("zoho modules", lambda: offered(ctx.zoho))


def offered(zoho: ZohoCrm) -> set[str]:
    """The modules that the edition offers to the API, as it says now."""
    return {str(row["api_name"]) for row in zoho.modules() if row.get("api_supported", True)}
