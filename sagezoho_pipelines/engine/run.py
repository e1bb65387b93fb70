"""Which feeds and handlers make up each flow, and running them in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.holds import Hold
from sagezoho_pipelines.engine import guards, pausing
from sagezoho_pipelines.engine.capture import Feed, capture
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.deliver import Handler, deliver
from sagezoho_pipelines.engine.flows import batches, customers, identity, invoices, payments, vendors
from sagezoho_pipelines.engine.flows.orders import flow as orders
from sagezoho_pipelines.engine.tally import Event, Tally
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.engine.zoho_modules import module_exists


@dataclass(frozen=True, slots=True)
class Flow:
    """Feeds are captured in order, then handlers deliver in order: a handler may feed the ones after it.

    `routes` are handlers that only say which other records to look at: each delivers right after the feed of its name,
    so that a later feed which reads those records anyway saves reading them one by one. `module` is the Zoho module
    the flow cannot do without.
    """

    name: str
    feeds: Mapping[str, Feed]
    handlers: Mapping[str, Handler]
    module: str
    routes: frozenset[str] = frozenset()


FLOWS: Mapping[str, Flow] = {
    "vendors": Flow(
        "vendors",
        feeds={"ap_batches": batches.ap_feed, "vendors": vendors.feed},
        handlers={"ap_batches": batches.ApBatchesHandler(), "accounts": vendors.VendorsHandler()},
        module="Accounts",
        routes=frozenset({"ap_batches"}),
    ),
    "customers": Flow(
        "customers",
        feeds={"deals": orders.feed, "deal_accounts": customers.feed},
        handlers={"customers": customers.CustomersHandler()},
        module="Deals",
    ),
    "orders": Flow(
        "orders",
        feeds={"deals": orders.feed},
        handlers={"orders": orders.OrdersHandler()},
        module="Deals",
    ),
    "invoices": Flow(
        "invoices",
        feeds={
            "invoices": invoices.feed,
            "ar_batches": batches.ar_feed,
            "posted_documents": payments.feed,
        },
        handlers={
            "ar_batches": batches.ArBatchesHandler(),
            "invoices": invoices.InvoicesHandler(),
            "posted_documents": payments.PaymentsHandler(),
        },
        module="Invoices",
    ),
    "identity": Flow(
        "identity",
        feeds={"vendor_accounts": identity.accounts_feed, "customer_records": identity.customers_feed},
        handlers={
            "vendor_accounts": identity.VendorAccountsHandler(),
            "customer_records": identity.CustomerRecordsHandler(),
            "accounts": vendors.VendorsHandler(),
            "customers": customers.CustomersHandler(),
        },
        module="Accounts",
    ),
}


def unavailable(ctx: Context, flow: str) -> str | None:
    """Why the flow cannot run in this Zoho organisation, in one sentence; None when it can."""
    module = FLOWS[flow].module
    if module_exists(ctx, module):
        return None
    return (
        f"{ctx.connection}: Zoho's edition offers no {module} module (Professional or higher does), "
        f"so the {flow} flow rests; the other flows go on."
    )


def run_flow(ctx: Context, name: str, window: Window, *, feeds: Sequence[str] | None = None) -> Tally:
    """Capture and deliver one flow."""
    flow = FLOWS[name]

    def work(ctx: Context, tally: Tally) -> None:
        for key in feeds if feeds is not None else flow.feeds:
            capture(ctx, flow.feeds[key], window, tally)
            if key in flow.routes:
                deliver(ctx, flow.handlers[key], tally=tally)
        for key, handler in flow.handlers.items():
            if key not in flow.routes:
                deliver(ctx, handler, tally=tally)

    return attempt(ctx, name, work, Tally())


def attempt(ctx: Context, flow: str, work: Callable[[Context, Tally], None], tally: Tally) -> Tally:
    """Do a flow's work; where the connection is paused or the flow cannot run in this organisation, a note says so.

    `tally` is given to the work, and holds what it had done when an error ended it.
    An error that turns the whole connection away pauses it: see `pausing`. A refused sign-in that is news is raised all
    the same; one that is still refused after a rest was told before, and fails no run again.
    """
    paused = pausing.resting(ctx)
    if paused is not None:
        tally.rests(paused)
        return tally
    hold = _unplanned(ctx, flow)
    if hold is not None:
        tally.stopped(hold, 1)
        return tally
    try:
        reason = unavailable(ctx, flow)
        if reason is not None:
            tally.note(reason)
        else:
            work(ctx, tally)
    except VendorError as error:
        rest = pausing.pause(ctx, error)
        if rest is None:
            raise
        if rest.news and rest.until - rest.since >= pausing.CREDITS_REST:  # a burst is over in a minute
            tally.alarm(Event.PAUSED, str(rest))
        if rest.news and pausing.turned_away(error):
            raise
        tally.rests(str(rest))
        return tally
    pausing.lift(ctx)
    return tally


def _unplanned(ctx: Context, name: str) -> Hold | None:
    """Why the flow's first sync may not begin yet. A feed that several flows poll tells nothing of this one."""
    flow = FLOWS[name]
    shared = {key for other in FLOWS.values() if other is not flow for key in other.feeds}
    return guards.before_the_first_sync(
        ctx,
        name,
        sources=[handler.source(ctx) for handler in flow.handlers.values() if handler.flow == name],
        feeds=[feed.entity(ctx) for key, feed in flow.feeds.items() if key not in shared],
    )
