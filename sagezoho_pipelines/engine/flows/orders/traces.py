"""Orders that an unanswered attempt may have posted: looked for before anything is sent or given up."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Authority, Change, Link, Outcome, Row, System
from sagezoho_pipelines.domain.settlement import Intent, Settlement
from sagezoho_pipelines.engine import settling
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows.orders.drafts import FLOW, TARGET
from sagezoho_pipelines.engine.flows.orders.making import read_back
from sagezoho_pipelines.engine.settling import Movement


@dataclass(frozen=True, slots=True)
class Trace:
    """What an earlier attempt at a deal's order left: its open intent, and the order where it was made after all."""

    change: Change
    intent: Intent | None
    order: Row | None

    def passed_over(self, ctx: Context) -> Settlement:
        """A deal that asks for no order, and has none. When it does ask, that is news: a stage makes no new version."""
        closed = [(self.intent.id, "refused", "")] if self.intent is not None else ()
        settled = settling.settled(ctx, FLOW, self.change, Outcome.SKIPPED, intents=closed)
        return replace(settled, forgotten=True)


def of(ctx: Context, change: Change) -> Trace:
    """Sage is asked only where an attempt was made whose end nobody knows."""
    intent = ctx.ledger.intent_of(ctx.connection, "sage300", "orders", "deals", change.key)
    return Trace(change, intent, read_back(ctx, change.key) if intent is not None else None)


def without_deal(ctx: Context, change: Change) -> Settlement:
    """The deal is gone: nothing to do, unless its order was posted meanwhile; that one is for a person."""
    traced = of(ctx, change)
    if traced.intent is None or traced.order is None:
        return traced.passed_over(ctx)
    number = str(traced.order["OrderNumber"]).strip()
    customer = str(traced.order["CustomerNumber"]).strip()
    link = Link(
        connection=ctx.connection,
        sage_entity="orders",
        sage_id=number,
        zoho_entity="Deals",
        zoho_id=change.key,
        zoho_name=change.name,
        authority=Authority.ZOHO_CRM,
        details={"uniquifier": str(traced.order["OrderUniquifier"]), "customer": customer},
    )
    answer = {"OrderNumber": number, "read_back": True}
    error = VendorError(
        system=System.SAGE300,
        code="ORDER_EXISTS",
        text=f"the deal was deleted while it became order {number}",
        verdict=Verdict.CONFLICT,
        advice=f"delete order {number} in Sage if it is not wanted, or restore the deal; then dismiss this",
        details={"order": number},
    )
    return settling.failed(
        ctx,
        FLOW,
        change,
        error,
        target=TARGET,
        operation="update",
        movements=[Movement(System.SAGE300, "orders", number, "create", Outcome.CREATED, answer=answer)],
        links=[link],
        intents=[(traced.intent.id, "settled", number)],
    )
