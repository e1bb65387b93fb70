"""Quotes that change after their deal was ordered or refused: Zoho does not count that as a change of the deal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.records import Cause, ChangeState, Link, Look, Row
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.domain.write_backs import Standing
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.zoho_modules import module_exists

#: In the details of an order's link: the accepted quotes that it was compared with and their times by Zoho's clock,
#: and when that was by ours.
_QUOTES, _COMPARED = "quotes", "compared"
#: Deals are looked at again for quotes of so long ago at most.
_BACK = timedelta(days=30)
#: The two clocks may be so far apart. Until then a deal is looked at more than once for one edit, which does no harm.
_CLOCKS_DIFFER = timedelta(minutes=5)


def are_read(ctx: Context) -> bool:
    return "quote" in ctx.settings.flows.orders.lines and module_exists(ctx, "Quotes")


def as_compared(ctx: Context, accepted: Sequence[Row]) -> Row:
    """What an order's link keeps of the accepted quotes that its deal has now."""
    return {_QUOTES: _times(accepted), _COMPARED: ctx.clock().isoformat()}


def noted(settlement: Settlement, accepted: Sequence[Row]) -> Settlement:
    """A refusal keeps them too: it is tried again for another quote, and not for these."""
    if settlement.state is not ChangeState.REFUSED or not accepted:
        return settlement
    details = {**(settlement.error.get("details") or {}), _QUOTES: _times(accepted)}
    return replace(settlement, error={**settlement.error, "details": details})


def changed(ctx: Context, since: datetime) -> list[Look]:
    """Deals that have an order, or wait in the inbox, and of which a quote was written since they were dealt with.

    Quotes of every stage count: one that is no longer accepted says as much as one that is.
    """
    if not are_read(ctx):
        return []
    begin = max(since, ctx.clock() - _BACK)
    rows = ctx.zoho.find("Quotes", where=[where("Modified_Time", "ge", begin)], fields=["Deal_Name", "Modified_Time"])
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
        if (key in made and not all(_knows(made[key], row) for row in of_deal))
        or (key in waiting and not all(_refused_with(waiting[key], row) for row in of_deal))
    ]
    return [Look(deals, key, Cause.RETRY, "a quote of its was changed") for key in news]


def _knows(link: Link, quote: Row) -> bool:
    """Whether the order was compared with this quote as it is."""
    compared = str(link.details.get(_COMPARED) or "")
    return _counted(quote, link.details, datetime.fromisoformat(compared) if compared else None)


def _refused_with(entry: Standing, quote: Row) -> bool:
    return _counted(quote, entry.error.get("details") or {}, entry.at)


def _counted(quote: Row, details: Row, at: datetime | None) -> bool:
    """Whether a quote was there as it is when its deal was dealt with."""
    written = _written(quote)
    if (details.get(_QUOTES) or {}).get(str(quote["id"])) == written.isoformat():
        return True
    return at is not None and written <= at - _CLOCKS_DIFFER


def _times(accepted: Sequence[Row]) -> dict[str, str]:
    return {str(row["id"]): _written(row).isoformat() for row in accepted if row.get("Modified_Time")}


def _written(quote: Row) -> datetime:
    return datetime.fromisoformat(str(quote["Modified_Time"])).astimezone(UTC)
