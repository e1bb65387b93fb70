"""What a deal's stage says of its order: asked for, not wanted any more, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sagezoho_pipelines.domain import picklists
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.records import Link, Row
from sagezoho_pipelines.engine.context import Context

#: In the details of an order's link: the stage at which its deal asked for it.
_ASKED_AT = "stage"


def qualifying(ctx: Context) -> tuple[str, ...]:
    """The configured stages, or every stage whose forecast type is closed-won (their API values)."""
    configured = ctx.settings.flows.orders.stages

    def ask() -> tuple[str, ...]:
        fields = _fields(ctx)
        if configured:
            known = {str(value["actual_value"]) for value in picklists.pick_list(fields, "Stage")}
            unknown = sorted(set(configured) - known)
            if unknown:
                raise ConfigurationError(
                    f"{ctx.connection}: flows.orders.stages names {unknown[0]!r}, which is no stage of Zoho's Deals; "
                    f"known: {', '.join(sorted(known))}"
                )
            return configured
        return tuple(picklists.closed_won_stages(fields))

    stages: tuple[str, ...] = ctx.facts.get("qualifying stages", ask)
    if not stages:
        raise ConfigurationError(
            f"{ctx.connection}: Zoho's Deals have no stage with the forecast type 'Closed Won'; "
            "name the stages in flows.orders.stages"
        )
    return stages


class Fate(NamedTuple):
    """What has happened to a deal, in words that follow "the deal was", and whether it may yet be won."""

    words: str
    is_open: bool


def asked_at(ctx: Context, deal: Row) -> Row:
    """The detail of an order's link that says where its deal was; none where the deal asks for no order any more."""
    stage = str(deal.get("Stage") or "")
    return {_ASKED_AT: stage} if stage in qualifying(ctx) else {}


def where_it_is(deal: Row) -> Row:
    """The same of an order that a person linked: wherever its deal is, the order belongs to it."""
    return {_ASKED_AT: str(deal.get("Stage") or "")}


def fate(ctx: Context, deal: Row | None, link: Link) -> Fate | None:
    """What has happened to a deal whose order nobody in Zoho asks for any more; None while it stands.

    A stage that qualifies asks for it, and one that follows the stage at which the order was made is business as
    usual: a firm that orders at an early stage has its deals move on. A deal has gone back only where Zoho's own list
    of stages leaves no doubt.
    """
    if deal is None:
        return Fate("deleted", is_open=False)
    stage = str(deal.get("Stage") or "")
    if stage in qualifying(ctx):
        return None
    fields = _fields(ctx)
    if stage in picklists.closed_lost_stages(fields):
        return Fate("lost", is_open=False)
    known = str(link.details.get(_ASKED_AT) or "")
    if not known and not link.written:
        return None  # linked by hand, wherever the deal was
    reached = (known,) if known else qualifying(ctx)
    if all(picklists.is_before(fields, stage, one) for one in reached):
        return Fate(f"moved back to {stage}", is_open=True)
    return None


def _fields(ctx: Context) -> Sequence[Row]:
    found: Sequence[Row] = ctx.facts.get("fields of Deals", lambda: ctx.zoho.fields("Deals"))
    return found
