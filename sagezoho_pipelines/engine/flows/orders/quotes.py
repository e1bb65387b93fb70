"""Quotes that change after their deal was ordered or refused: Zoho does not count that as a change of the deal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.records import Cause, ChangeState, Link, Look, Row
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.domain.write_backs import Standing
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.zoho_modules import known_fields, module_exists

#: In the details of an order's link: the accepted quotes that it was compared with, a digest each, and when that was
#: by Zoho's clock.
_QUOTES, _COMPARED = "quotes", "compared"
#: Deals are looked at again for quotes of so long ago at most.
_BACK = timedelta(days=30)
#: A quote may have been written while its deal was dealt with. For so long a deal is looked at more than once for one
#: edit, which does no harm.
_DEALING = timedelta(minutes=5)


def are_read(ctx: Context) -> bool:
    return "quote" in ctx.settings.flows.orders.lines and module_exists(ctx, "Quotes")


def fields(ctx: Context) -> tuple[str, ...]:
    """What tells two versions of a quote apart. Zoho's times are whole seconds: stage and total say more."""
    total = {"Grand_Total"} & known_fields(ctx, "Quotes")
    return ("Modified_Time", "Quote_Stage", *total)


def as_compared(ctx: Context, accepted: Sequence[Row]) -> Row:
    """What an order's link keeps of the accepted quotes that its deal has now."""
    return {_QUOTES: _versions(ctx, accepted), _COMPARED: ctx.zoho.server_time().isoformat()}


def noted(ctx: Context, settlement: Settlement, accepted: Sequence[Row]) -> Settlement:
    """A refusal keeps them too: it is tried again for another quote, and not for these."""
    if settlement.state is not ChangeState.REFUSED or not accepted:
        return settlement
    details = {**(settlement.error.get("details") or {}), _QUOTES: _versions(ctx, accepted)}
    return replace(settlement, error={**settlement.error, "details": details})


def changed(ctx: Context, since: datetime) -> list[Look]:
    """Deals that have an order, or wait in the inbox, and of which a quote was written since they were dealt with.

    Quotes of every stage count: one that is no longer accepted says as much as one that is.
    """
    if not are_read(ctx):
        return []
    begin = max(since, ctx.zoho.server_time() - _BACK)
    rows = ctx.zoho.find("Quotes", where=[where("Modified_Time", "ge", begin)], fields=["Deal_Name", *fields(ctx)])
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str((row.get("Deal_Name") or {}).get("id") or ""), []).append(row)
    found.pop("", None)
    if not found:
        return []
    deals = ctx.zoho_entity("deals")
    made = ctx.ledger.links_by_zoho(ctx.connection, "Deals", "orders", sorted(found))
    waiting = ctx.ledger.standing(deals, [key for key in sorted(found) if key not in made])
    news = [
        key
        for key, of_deal in sorted(found.items())
        if (key in made and not all(_knows(ctx, made[key], row) for row in of_deal))
        or (key in waiting and not all(_refused_with(ctx, waiting[key], row) for row in of_deal))
    ]
    return [Look(deals, key, Cause.RETRY, "a quote of its was changed") for key in news]


def _knows(ctx: Context, link: Link, quote: Row) -> bool:
    """Whether the order was compared with this quote as it is."""
    compared = str(link.details.get(_COMPARED) or "")
    return _counted(ctx, quote, link.details, datetime.fromisoformat(compared) if compared else None)


def _refused_with(ctx: Context, entry: Standing, quote: Row) -> bool:
    at = None if entry.at is None else entry.at + (ctx.zoho.server_time() - ctx.clock())
    return _counted(ctx, quote, entry.error.get("details") or {}, at)


def _counted(ctx: Context, quote: Row, details: Row, at: datetime | None) -> bool:
    """Whether a quote was there as it is when its deal was dealt with, `at` a time of Zoho's clock."""
    if (details.get(_QUOTES) or {}).get(str(quote["id"])) == digest(quote, fields(ctx)):
        return True
    return at is not None and datetime.fromisoformat(str(quote["Modified_Time"])) <= at - _DEALING


def _versions(ctx: Context, accepted: Sequence[Row]) -> dict[str, str]:
    return {str(row["id"]): digest(row, fields(ctx)) for row in accepted}
