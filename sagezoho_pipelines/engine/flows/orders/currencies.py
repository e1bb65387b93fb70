"""Whose money a deal's figures are: an order is in its customer's currency, whatever the figures meant."""

from __future__ import annotations

from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.zoho_modules import CURRENCY, known_fields


def of_quotes(ctx: Context) -> tuple[str, ...]:
    """The field to ask quotes for. What deals do without, quotes are not asked about."""
    several = CURRENCY in known_fields(ctx, "Deals")
    return (CURRENCY,) if several and CURRENCY in known_fields(ctx, "Quotes") else ()


def of(ctx: Context, *records: Row) -> str:
    """The currency of the first record that names one, else the organisation's own; empty where neither is told."""
    named = next((str(record[CURRENCY]).strip() for record in records if record.get(CURRENCY)), "")
    return (named or _home(ctx)).upper()


def _home(ctx: Context) -> str:
    found: str = ctx.facts.get("home currency", lambda: str(ctx.zoho.org().get("iso_code") or "").strip())
    return found
