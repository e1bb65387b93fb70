"""`flows.orders.start`: what was won before that day was ordered otherwise, whatever is edited in it later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.windows import beginning_of
from sagezoho_pipelines.engine.zoho_modules import known_fields

#: When a deal reached the stage that it is at.
FIELD = "Stage_Modified_Time"


def day(ctx: Context) -> datetime:
    return beginning_of(date.fromisoformat(ctx.settings.flows.orders.start or "1970-01-01"), ctx.zone)


def readable(ctx: Context) -> tuple[str, ...]:
    """The field to ask for, where there is a first day."""
    return (FIELD,) if ctx.settings.flows.orders.start and FIELD in known_fields(ctx, "Deals") else ()


def is_before(ctx: Context, deal: Row) -> bool:
    """Whether the deal reached its stage before the first day. Where Zoho does not tell, it did not."""
    reached = deal.get(FIELD)
    return bool(ctx.settings.flows.orders.start and reached) and datetime.fromisoformat(str(reached)) < day(ctx)


def since(ctx: Context, deals: Sequence[Row]) -> Sequence[Row]:
    """Of these deals, those won since the first day, and those that have an order all the same."""
    old = [str(deal["id"]) for deal in deals if is_before(ctx, deal)]
    if not old:
        return deals
    ordered = ctx.ledger.links_by_zoho(ctx.connection, "Deals", "orders", old)
    passed = set(old) - set(ordered)
    return [deal for deal in deals if str(deal["id"]) not in passed]
