"""Whose money a deal's figures are: an order is in its customer's currency, whatever the figures meant."""

from __future__ import annotations

from decimal import Decimal

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.zoho_modules import CURRENCY, known_fields

_CODES = "CS/CSCurrencyCodes"


def of_quotes(ctx: Context) -> tuple[str, ...]:
    """The field to ask quotes for. What deals do without, quotes are not asked about."""
    several = CURRENCY in known_fields(ctx, "Deals")
    return (CURRENCY,) if several and CURRENCY in known_fields(ctx, "Quotes") else ()


def of(ctx: Context, *records: Row) -> str:
    """The currency of the first record that names one, else the organisation's own; empty where neither is told."""
    named = next((str(record[CURRENCY]).strip() for record in records if record.get(CURRENCY)), "")
    return (named or _home(ctx)).upper()


def least(ctx: Context, code: str) -> Decimal:
    """The least amount of a currency: a cent, a yen, a fils. A cent, where Sage does not say."""

    def ask() -> Decimal:
        try:
            row = ctx.sage.get(_CODES, code, select=["DecimalPlaces"]) if code else None
        except VendorError as error:
            if error.verdict is Verdict.FATAL:
                raise
            row = None
        told = str((row or {}).get("DecimalPlaces") or "").removeprefix("Num")
        return Decimal(1).scaleb(-int(told) if told.isdigit() else -2)

    found: Decimal = ctx.facts.get(f"least amount of {code}", ask)
    return found


def _home(ctx: Context) -> str:
    found: str = ctx.facts.get("home currency", lambda: str(ctx.zoho.org().get("iso_code") or "").strip())
    return found
