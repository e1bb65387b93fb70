"""A deal whose order exists, compared with that order: the same, adopted, or for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Change, ChangeState, Link, Outcome, Row, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import settling, write_back
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows.orders import differences, quotes, stages
from sagezoho_pipelines.engine.flows.orders.drafts import ENTITY_SET, FLOW, TARGET, Draft

#: The order of a deal that was deleted, lost or reopened since.
UNWANTED = "ORDER_UNWANTED"
#: The order of a deal that asks for it again, which was taken out of Sage meanwhile.
_GONE = "ORDER_GONE"
#: In the details of an order's link: the code under which a person was told that Sage made another order of the deal.
OTHERWISE = "otherwise"


def compare(ctx: Context, change: Change, draft: Draft, link: Link, moved: set[str]) -> Settlement:
    """A deal whose order exists: Sage's Web API cannot change orders, so a real difference is for a person.

    What counts is the order that the deal would be now, not the deal: a mapping that reads another field, or an
    edit that changes nothing in the order, is no difference.
    """
    if _is_gone(ctx, change, link):
        return _told_once(ctx, change, link, _gone(link.sage_id))
    if change.key not in moved:
        return _as_it_was(ctx, change, link, [])
    link = replace(link, details={**link.details, **quotes.as_compared(ctx, draft.quotes)})
    if not link.written:
        # Linked by hand: the order is what people made of it, and what counts is how the deal changes from here.
        adopted = replace(
            link,
            source_digest=change.digest,
            zoho_name=change.name,
            written=_now(ctx, draft),
            details={**link.details, **stages.where_it_is(draft.deal)},
        )
        return settling.settled(ctx, FLOW, change, Outcome.NOOP, links=[adopted])
    try:
        body = draft.body(ctx)
    except VendorError as lacking:
        if lacking.verdict is not Verdict.REFUSE:
            raise
        return _told(ctx, change, link, lacking.text)
    differing = differences.told(link.written, body)
    if link.details.get("currency") not in (None, draft.currency(ctx)):
        differing.append("the currency")
    if differing:
        return _told(ctx, change, link, f"{', '.join(differing)} would differ")
    fresh = replace(link, source_digest=change.digest, zoho_name=change.name, seen_equal_at=ctx.clock())
    return _as_it_was(ctx, change, fresh, [fresh])


def _as_it_was(ctx: Context, change: Change, link: Link, links: Sequence[Link]) -> Settlement:
    """The deal says what it said. Where its order was another one from the start, that stays in the inbox, may be in
    the words of an edit that was put back, until a person has seen to it."""
    otherwise = link.details.get(OTHERWISE)
    held = ctx.ledger.standing(change.entity, [change.key]).get(change.key) if otherwise else None
    if held is None or held.error.get("code") == UNWANTED:
        return settling.settled(ctx, FLOW, change, Outcome.NOOP, links=links)
    if held.error.get("code") != otherwise and ctx.ledger.dismissed(change.entity, [change.key], code=str(otherwise)):
        return settling.settled(ctx, FLOW, change, Outcome.NOOP, links=links)
    return replace(write_back.echoed(change), links=links)


def _told(ctx: Context, change: Change, link: Link, what: str) -> Settlement:
    return _told_once(ctx, change, link, order_exists(link.sage_id, "after it became", f": {what}"))


def _told_once(ctx: Context, change: Change, link: Link, error: VendorError) -> Settlement:
    """A person is told once, and decides once: again only when something else differs."""
    held = ctx.ledger.standing(change.entity, [change.key], or_dismissed=True).get(change.key)
    if held is None or (held.error.get("code"), held.error.get("text")) != (error.code, error.text):
        return settling.failed(ctx, FLOW, change, error, target=TARGET, operation="update", links=[link])
    if held.state == ChangeState.DISMISSED:
        return settling.settled(ctx, FLOW, change, Outcome.NOOP, links=[link])
    return replace(write_back.echoed(change), links=[link])


def _is_gone(ctx: Context, change: Change, link: Link) -> bool:
    """Whether the order was taken out of Sage while its deal asked for none, as a person was advised to."""
    held = ctx.ledger.standing(change.entity, [change.key]).get(change.key)
    told = held.error if held is not None and held.error.get("code") in (UNWANTED, _GONE) else None
    for code in (UNWANTED, _GONE):
        told = told or ctx.ledger.dismissed(change.entity, [change.key], code=code).get(change.key)
    if ((told or {}).get("details") or {}).get("order") != link.sage_id:
        return False
    number = [where("OrderNumber", "eq", link.sage_id)]
    return not ctx.sage.find(ENTITY_SET, where=number, select=("OrderNumber",), limit=1)


def _gone(number: str) -> VendorError:
    return VendorError(
        system=System.SAGE300,
        code=_GONE,
        text=f"the deal asks for order {number} again, which is no longer in Sage 300",
        verdict=Verdict.CONFLICT,
        advice=f"to order it anew, 'sagezoho links remove' its link to {number}, then retry this; if that order was "
        "carried out, dismiss this",
        details={"order": number},
    )


def unwanted(ctx: Context, change: Change, deal: Row | None, link: Link, digested: Sequence[str]) -> Settlement | None:
    """What becomes of a deal that was deleted, lost or reopened after it became an order; None while that one stands.

    A person is told once: somebody would ship that order, and nobody in Zoho could stop it. Whoever let the order of a
    reopened deal stand is told when that deal is lost after all. Won again, the deal is news.
    """
    fate = stages.fate(ctx, deal, link)
    if fate is None:
        return None
    number = link.sage_id
    advice = (
        f"ask sales whether order {number} stands: change or delete it in Sage if not, and dismiss this; once the deal "
        "is won again, this ends by itself"
        if fate.is_open
        else f"delete order {number} in Sage, or what is left of it, if it is not wanted any more; then dismiss this"
    )
    error = VendorError(
        system=System.SAGE300,
        code=UNWANTED,
        text=f"the deal was {fate.words} after it became order {number}",
        verdict=Verdict.CONFLICT,
        advice=advice,
        details={"order": number, "open": fate.is_open},
    )
    settled = ctx.ledger.dismissed(change.entity, [change.key], code=error.code).get(change.key) or {}
    decided = settled.get("details") or {}
    if decided.get("order") == number and (fate.is_open or not decided.get("open")):
        return replace(settling.settled(ctx, FLOW, change, Outcome.NOOP), forgotten=True)
    seen = change if deal is None else settling.resolved(change, deal, digested)
    told = settling.failed(ctx, FLOW, seen, error, target=TARGET, operation="update")
    return replace(told, forgotten=True)


def _now(ctx: Context, draft: Draft) -> Row:
    """The order that the deal would be; nothing, while it lacks what an order needs."""
    try:
        return draft.unedited(ctx, draft.body(ctx))
    except VendorError as error:
        if error.verdict is not Verdict.REFUSE:
            raise
        return {}


def order_exists(number: str, when: str, what: str = "") -> VendorError:
    """What a person is told who must change the order in Sage by hand."""
    return VendorError(
        system=System.SAGE300,
        code="ORDER_EXISTS",
        text=f"the deal changed {when} order {number}{what}",
        verdict=Verdict.CONFLICT,
        advice=f"change order {number} in Sage if it should follow, then dismiss this",
        details={"order": number},
    )
