"""Query options of a read: `$filter`, `$select`, `$top`, `$skip`, `$count`, each at most once."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from sagezoho_pipelines.sandbox.sage300.catalog import EntitySet
from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.filters import Filter, compile_filter, unknown_property
from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches

_LARGEST = 2**31 - 1
_TAKEN = ("$filter", "$select", "$top", "$skip", "$count")


@dataclass(frozen=True)
class Query:
    """`options` are the options as sent, for a nextLink that keeps them."""

    filter: Filter | None
    select: tuple[str, ...] | None
    top: int | None
    skip: int
    count: bool
    order_by: tuple[str, bool] | None
    options: dict[str, str]

    def next_options(self, skip: int, sent: int, switches: SageSwitches) -> str:
        """The query string of the link to the next page."""
        if not switches.next_link_keeps_options:
            return f"$skip={skip}"
        kept = {**self.options, "$skip": str(skip)}
        if self.top is not None:
            kept["$top"] = str(self.top - sent)
        return "&".join(f"{name}={quote(value, safe=',()')}" for name, value in kept.items())


def parse_query(entity: EntitySet, text: str, switches: SageSwitches, *, single: bool = False) -> Query:
    """Raises SageError InvalidParameters. With `single` (a read by key) only `$select` makes sense."""
    options: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if not name.startswith("$"):
            continue
        if name in options:
            raise SageError("InvalidParameters", f"Query option '{name}' was specified more than once.")
        allowed = ("$select",) if single else (*_TAKEN, "$orderby") if switches.order_by else _TAKEN
        if name not in allowed and switches.unknown_options == "ignored":
            continue
        if name not in allowed:
            raise SageError("InvalidParameters", f"The query parameter '{name}' is not supported.")
        options[name] = value
    filter_text = options.get("$filter")
    return Query(
        filter=compile_filter(entity, filter_text, switches) if filter_text is not None else None,
        select=_selected(entity, options["$select"]) if "$select" in options else None,
        top=_number(options, "$top"),
        skip=_number(options, "$skip") or 0,
        count=_flag(options),
        order_by=_order(entity, options["$orderby"]) if "$orderby" in options else None,
        options=options,
    )


def _selected(entity: EntitySet, text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in entity.type.fields and name != "UpdateOperation":
            raise unknown_property(entity, name)
    return names


def _order(entity: EntitySet, text: str) -> tuple[str, bool]:
    name, _, direction = text.strip().partition(" ")
    if name not in entity.type.fields or entity.type.fields[name].kind == "C":
        raise unknown_property(entity, name)
    if direction.strip() not in ("", "asc", "desc"):
        raise SageError("InvalidParameters", f"Syntax error in $orderby '{text}'.")
    return name, direction.strip() == "desc"


def _number(options: dict[str, str], name: str) -> int | None:
    if name not in options:
        return None
    digits = options[name].isascii() and options[name].isdigit()
    if not digits or int(options[name]) > _LARGEST:
        raise SageError("InvalidParameters", f"Invalid value '{options[name]}' for {name} query option found.")
    return int(options[name])


def _flag(options: dict[str, str]) -> bool:
    value = options.get("$count", "false")
    if value not in ("true", "false"):
        raise SageError("InvalidParameters", f"Invalid value '{value}' for $count query option found.")
    return value == "true"
