"""Whose money a deal's figures are: an order is in its customer's currency, whatever the figures meant."""

from __future__ import annotations

from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.zoho_modules import known_fields

#: A field of the modules of an organisation with several currencies; others are without it.
FIELD = "Currency"


def readable(ctx: Context, module: str) -> tuple[str, ...]:
    """The field to ask for, where this organisation keeps more than one currency."""
    several = FIELD in known_fields(ctx, "Deals")
    return (FIELD,) if several and FIELD in known_fields(ctx, module) else ()


def of(ctx: Context, *records: Row) -> str:
    """The currency of the first record that names one, else the organisation's own; empty where neither is told."""
    named = next((str(record[FIELD]).strip() for record in records if record.get(FIELD)), "")
    return (named or _home(ctx)).upper()


def _home(ctx: Context) -> str:
    found: str = ctx.facts.get("home currency", lambda: str(ctx.zoho.org().get("iso_code") or "").strip())
    return found
