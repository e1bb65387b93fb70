"""Making an order: announced by an intent, looked for before it is sent, sent once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Authority, Change, Link, Look, Outcome, Row, System
from sagezoho_pipelines.domain.settlement import Intent, IntentRequest, Settlement
from sagezoho_pipelines.engine import sage_target, settling
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows import awaited, customers
from sagezoho_pipelines.engine.flows.orders import amounts, comparison, currencies, preflight, quotes, refusals, stages
from sagezoho_pipelines.engine.flows.orders.drafts import ENTITY_SET, FLOW, TARGET, Draft
from sagezoho_pipelines.engine.sage_target import Created
from sagezoho_pipelines.engine.settling import Movement

_READ_BACK = ("OrderUniquifier", "OrderNumber", "OrderReference", "CustomerNumber", "OrderTotal", "LastInvoiceNumber")


def make(ctx: Context, change: Change, draft: Draft) -> Settlement:
    """Post the order of a deal that has none; raises what a refusal or an unknown outcome asks of the engine."""
    customer = draft.customer
    if customer is None:
        raise customers.missing(ctx, draft.account_id)
    mapping = ctx.mappings[FLOW]
    body, sold = draft.drawn_up(ctx)
    billed = replace(customer, sage_id=str(body.get("CustomerNumber") or customer.sage_id).strip().upper())
    details, currency = body["OrderDetails"], draft.currency(ctx)
    sent = {name: value for name, value in body.items() if name != "OrderDetails"}
    trace = [
        *draft.header.trace({}, sent),
        *(item for detail in details for item in mapping["order_lines"].trace({}, detail)),
    ]
    movement = Movement(System.SAGE300, "orders", "", "create", Outcome.CREATED, trace)
    intent = _intent(ctx, change, body)

    def before_send() -> None:
        _only_here(ctx, change, intent)
        draft.require_room(ctx)
        preflight.check(ctx, body, billed, currency)
        sage_target.hold(ctx, change)  # a slow Sage takes minutes to answer all that, and a machine may have slept

    try:
        created = sage_target.create(
            ctx,
            ENTITY_SET,
            body,
            intent,
            lambda: read_back(ctx, change.key),
            payload_digest=digest(body),
            look_first=True,
            before_send=before_send,
        )
    except VendorError as error:
        if error.verdict is Verdict.FATAL:
            raise
        refused = error.verdict in (Verdict.REFUSE, Verdict.CONFLICT)
        told = refusals.explained(error, body, billed) if refused else error
        settlement = settling.failed(ctx, FLOW, change, told, target=TARGET, attempt=movement)
        if billed == customer:
            settlement = replace(settlement, looks=_looked_for(ctx, change, told, customer))
        return replace(settlement, intents=[(intent.id, "refused", "")]) if refused else settlement
    return _settled(ctx, change, draft, billed, body, sold, intent, created, movement)


def _looked_for(ctx: Context, change: Change, error: VendorError, customer: Link) -> list[Look]:
    """A customer that is gone may have been renumbered, which else a sweep would find out: its order follows then."""
    if awaited.GONE not in error.details.get("found", ()):
        return []
    why = f"customer {customer.sage_id} is no longer in Sage"
    return [Look(ctx.zoho_entity(customers.SOURCE), customer.zoho_id, change.cause, why)]


def _settled(
    ctx: Context,
    change: Change,
    draft: Draft,
    customer: Link,
    body: Row,
    sold: Sequence[Row],
    intent: Intent,
    created: Created,
    movement: Movement,
) -> Settlement:
    """The order is there: linked, and told apart where it is not what the deal is now."""
    order = created.record
    number = str(order["OrderNumber"]).strip()
    answer = {
        "OrderNumber": number,
        "OrderUniquifier": order["OrderUniquifier"],
        "OrderTotal": order.get("OrderTotal"),
        "read_back": created.found,
    }
    movement = replace(movement, target_id=number, answer=answer)
    differs = comparison.order_exists(number, "while it became") if created.stale else None
    if not created.found:
        differs = amounts.differing(order, body, sold, lambda: currencies.least(ctx, draft.currency(ctx)))
    link = Link(
        connection=ctx.connection,
        sage_entity="orders",
        sage_id=number,
        zoho_entity="Deals",
        zoho_id=change.key,
        sage_name=str(body.get("OrderDescription") or ""),
        zoho_name=change.name,
        authority=Authority.ZOHO_CRM,
        source_digest=change.digest,
        written=draft.unedited(ctx, body),
        seen_equal_at=ctx.clock() if differs is None else None,
        details={
            "uniquifier": str(order["OrderUniquifier"]),
            "customer": customer.sage_id,
            "account": customer.zoho_id,
            "total": str(order.get("OrderTotal") or ""),
            "currency": draft.currency(ctx),
            **stages.asked_at(ctx, draft.deal),
            **quotes.as_compared(ctx, draft.quotes),
            **({comparison.OTHERWISE: differs.code} if differs is not None else {}),
        },
    )
    ends: dict[str, Any] = {"movements": [movement], "links": [link], "intents": [(intent.id, "settled", number)]}
    if differs is not None:
        return settling.failed(ctx, FLOW, change, differs, target=TARGET, operation="update", **ends)
    return settling.settled(ctx, FLOW, change, Outcome.CREATED, **ends)


def _request(change: Change, payload_digest: str = "") -> IntentRequest:
    return IntentRequest("sage300", "orders", change.key, "deals", change.key, payload_digest)


def _only_here(ctx: Context, change: Change, intent: Intent) -> None:
    """A deal is ordered once, also where two companies' connections read the same Zoho organisation."""
    order = ctx.ledger.made_elsewhere(ctx.connection, _request(change), "Deals", before=intent.id)
    if order is not None:
        raise settling.refusal(
            "ORDERED_ELSEWHERE",
            f"the deal is {order}: both connections read the same Zoho organisation",
            advice="say which deals are whose: name stages of its own for each connection in flows.orders.stages, or "
            "switch flows.orders off (enabled: false) for one; then dismiss this",
            system=System.ZOHO_CRM,
        )


def _intent(ctx: Context, change: Change, body: Row) -> Intent:
    request = _request(change, digest(body))
    return ctx.ledger.begin_intents(ctx.connection, [request], at=ctx.clock(), run_id=ctx.run_id)[change.key]


def read_back(ctx: Context, deal_id: str) -> Row | None:
    """The order of this deal in Sage, asked before every send: a restored ledger must not post it again."""
    found = ctx.sage.find(ENTITY_SET, where=[where("OrderReference", "eq", deal_id)], select=_READ_BACK, limit=2)
    if len(found) > 1:
        numbers = ", ".join(str(row["OrderNumber"]).strip() for row in found)
        raise VendorError(
            system=System.SAGE300,
            code="SEVERAL_ORDERS",
            text=f"Sage has several orders with the reference {deal_id}: {numbers}",
            verdict=Verdict.CONFLICT,
            advice="delete the wrong one in Sage, then retry",
        )
    return found[0] if found else None
