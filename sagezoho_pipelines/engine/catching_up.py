"""What happened in Zoho while nothing was told of it: polled, and asked for what was deleted, into the queue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sagezoho_pipelines.domain.records import Cause, Look
from sagezoho_pipelines.engine.capture import Feed, capture
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows import customer_ground, customers
from sagezoho_pipelines.engine.flows.orders import flow as orders
from sagezoho_pipelines.engine.notifications import ACCOUNTS, DEALS
from sagezoho_pipelines.engine.tally import Tally
from sagezoho_pipelines.engine.windows import Window

#: By module: the entity, its feed, and the Sage entity that its records are linked to.
_FEEDS: dict[str, tuple[str, Feed, str]] = {
    DEALS: ("deals", orders.feed, "orders"),
    ACCOUNTS: (customer_ground.SOURCE, customers.feed, "customers"),
}


def catch_up(ctx: Context, modules: Sequence[str], since: datetime) -> Tally:
    """Queue what these modules' records went through since then."""
    tally = Tally()
    for module in modules:
        entity, feed, sage_entity = _FEEDS[module]
        tally.add(capture(ctx, feed, Window.catching_up(since)))
        _look_at_deleted(ctx, module, entity, sage_entity, since)
    return tally


def _look_at_deleted(ctx: Context, module: str, entity: str, sage_entity: str, since: datetime) -> None:
    gone = [str(row["id"]) for row in ctx.zoho.deleted_since(module, since)]
    linked = ctx.ledger.links_by_zoho(ctx.connection, module, sage_entity, gone) if gone else {}
    source = ctx.zoho_entity(entity)
    looks = [Look(source, key, Cause.POLL, "deleted while the channel was away") for key in sorted(linked)]
    if looks:
        ctx.ledger.enqueue(looks, at=ctx.clock(), run_id=ctx.run_id)
