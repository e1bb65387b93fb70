"""Guards: a sync that would do more than a person allowed stops before its first write and asks for a plan.

They are computed from the queue and the links, in one query, so they count at most what would be written. Whatever
delivers asks here first, whoever asked for the delivery; a run that carries out an applied plan passes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

from sagezoho_pipelines.config import FLOWS, Guards
from sagezoho_pipelines.domain.holds import FIRST_SYNC, Hold, Weight
from sagezoho_pipelines.domain.links import KINDS, PairKind
from sagezoho_pipelines.domain.records import EntityRef
from sagezoho_pipelines.engine.context import Context

log = logging.getLogger(__name__)

_UNPLANNED = "This was never synced here, and a first sync needs an applied plan."
_WAIVED = "Or set first_sync: allow for the connection."
#: Entities whose delivery writes to no record of its own: it hands on looks, or tells Zoho what became of its records.
_HAND_ON = frozenset({"ap_batches", "ar_batches", "write_backs", "vendor_accounts", "customer_records"})
#: Entities that bring nothing new, and whose records go by the link of another: each change is an update.
_UPDATE_ONLY = {"posted_documents": "invoices"}
#: An order needs its customer: while these wait, so does it.
_NEEDS = {"orders": ("deal_accounts",)}


def held_back(ctx: Context, flow: str, source: EntityRef) -> Hold | None:
    """Why nothing of this entity may be delivered now; None when it may.

    A guard that cannot be computed holds too. What was held and may go on is let go.
    """
    if ctx.foresees is not None:
        hold = None if source.entity in _HAND_ON else _crossed(ctx, flow, source)
        if hold is not None:
            ctx.foresees(hold)
        return None
    standing = {one.entity for one in ctx.ledger.holds(ctx.connection)}
    found = None if ctx.approved or source.entity in _HAND_ON else _crossed(ctx, flow, source)
    if found is not None:
        ctx.ledger.hold(found)
        return replace(found, news=source not in standing)
    if source in standing:
        ctx.ledger.let_go(source)
    return None


def before_the_first_sync(
    ctx: Context, flow: str, *, sources: Sequence[EntityRef], feeds: Sequence[EntityRef]
) -> Hold | None:
    """Why a flow that has never been synced may not begin: nobody has applied a plan of it. None when it may.

    `feeds` are the entities that this flow alone polls. Links that were matched or made by hand are no sync.
    """
    if ctx.settings.first_sync == "allow" or ctx.approved or _has_begun(ctx, flow, sources, feeds):
        return None
    hold = Hold(
        sources[-1],
        flow,
        FIRST_SYNC,
        _UNPLANNED,
        f"{_how(ctx.connection, flow)} {_WAIVED}",
        ctx.clock(),
    )
    for source in sources:
        ctx.ledger.hold(Hold(source, flow, hold.code, hold.text, hold.advice, hold.since))
    return hold


def crossed(guards: Guards, weight: Weight) -> tuple[str, str] | None:
    """The guard that so much would cross, and what that is in words."""
    if guards.max_creates is not None and weight.creates > guards.max_creates:
        return "max_creates", f"{weight.creates} records would be created, and max_creates is {guards.max_creates}."
    changed = weight.updates + weight.deletes
    if guards.max_updates_pct is not None and changed * 100 > guards.max_updates_pct * weight.linked:
        share = f"{changed * 100 / weight.linked:.1f} % of {weight.linked}" if weight.linked else "all"
        return (
            "max_updates_pct",
            f"{changed} linked records would be updated ({share}), and max_updates_pct is {guards.max_updates_pct:g}.",
        )
    if guards.max_deletes is not None and weight.deletes > guards.max_deletes:
        return (
            "max_deletes",
            f"{weight.deletes} records are gone in the source, and max_deletes is {guards.max_deletes}.",
        )
    return None


def kind_of_source(source: EntityRef) -> PairKind | None:
    """The pair that deliveries of this entity are counted by."""
    name = _UPDATE_ONLY.get(source.entity)
    if name is not None:
        return KINDS[name]
    kinds = (one for one in KINDS.values() if (one.source, one.source_entity) == (source.system, source.entity))
    return next(kinds, None)


def _crossed(ctx: Context, flow: str, source: EntityRef) -> Hold | None:
    for entity in _NEEDS.get(flow, ()):
        needed = ctx.zoho_entity(entity)
        guards = ctx.settings.flows.customers.guards
        hold = _of(ctx, "customers", needed, guards, instead=source) if guards.active else None
        if hold is not None:
            return hold
    own: Guards | None = getattr(getattr(ctx.settings.flows, flow), "guards", None)
    return _of(ctx, flow, source, own, instead=source) if own is not None and own.active else None


def _of(ctx: Context, flow: str, source: EntityRef, guards: Guards, *, instead: EntityRef) -> Hold | None:
    try:
        found = crossed(guards, _weight(ctx, source))
    except Exception as error:
        log.exception("the guards of %s could not be computed", source)
        found = ("guards", f"The guards of {flow} could not be computed ({type(error).__name__}: {error}).")
    if found is None:
        return None
    code, text = found
    advice = (
        f"Nothing was written, and the changes stay queued. {_how(ctx.connection, flow)} Or change flows.{flow}.guards."
    )
    return Hold(instead, flow, code, text, advice, ctx.clock())


def _weight(ctx: Context, source: EntityRef) -> Weight:
    kind = kind_of_source(source)
    if kind is None:
        raise LookupError(f"no pair of records is known for {source.entity}")
    weight = ctx.ledger.weigh(source, kind.sage_entity, kind.zoho_entity, at=ctx.clock())
    if source.entity in _UPDATE_ONLY:
        return Weight(0, weight.creates + weight.updates, weight.deletes, weight.linked)
    return weight


def _has_begun(ctx: Context, flow: str, sources: Sequence[EntityRef], feeds: Sequence[EntityRef]) -> bool:
    kinds = [kind for kind in map(kind_of_source, sources) if kind is not None]
    return (
        any(ctx.ledger.watermark(feed) for feed in feeds)
        or any(ctx.ledger.has_made(ctx.connection, kind.sage_entity, kind.zoho_entity) for kind in kinds)
        or ctx.ledger.has_applied(ctx.connection, flow)
    )


def first_syncs(connection: str, flows: Collection[str]) -> tuple[str, str]:
    """What a person reads of flows of one connection that all wait for their first plan, and what to do."""
    named = [flow for flow in FLOWS if flow in flows]
    wait = "waits" if len(named) == 1 else "wait"
    told = f"{connection}: {', '.join(named)} {wait} for you. {_UNPLANNED}"
    return told, f"{_how(connection, ' '.join(named))} {_WAIVED}"


def _how(connection: str, flows: str) -> str:
    return (
        f"See what it would do with 'sagezoho plan {flows} --connection {connection} --out plan.json', and do that "
        "with 'sagezoho apply plan.json'."
    )
