"""Orders: deals that close, or reach a configured stage, become Sage sales orders, once each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sagezoho_pipelines.domain.criteria import Criteria, where
from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Cause, Change, ChangeState, EntityRef, Link, Look, Row
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.domain.write_backs import Standing
from sagezoho_pipelines.engine import sage_target, settling, write_back, zoho_modules
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.deliver import deliver
from sagezoho_pipelines.engine.feeds import ZohoFeed
from sagezoho_pipelines.engine.flows import awaited, customers
from sagezoho_pipelines.engine.flows.orders import (
    beginning,
    comparison,
    lines,
    making,
    preflight,
    quotes,
    stages,
    subform,
    traces,
)
from sagezoho_pipelines.engine.flows.orders.drafts import FLOW, TARGET, Draft, account_id
from sagezoho_pipelines.engine.windows import Window

#: Read with every deal besides what the mapping names.
_DEAL_FIELDS = ("Account_Name", "Amount", "Closing_Date", "Deal_Name", "Stage")
#: Another batch, or another worker, may be making the customer right now: an order waits this long for it, rather
#: than until its next attempt.
_LOOKS_FOR_A_CUSTOMER, _BETWEEN_LOOKS_SECONDS = 60, 0.05


def deal_fields(ctx: Context) -> tuple[str, ...]:
    names = {*ctx.mappings[FLOW].source_fields(), *_DEAL_FIELDS, zoho_modules.CURRENCY, *beginning.readable(ctx)}
    return zoho_modules.readable(ctx, "Deals", sorted(names))


def digested_fields(ctx: Context) -> tuple[str, ...]:
    """What makes two versions of a deal different orders; the stage that let it in does not.

    A field that this organisation does without counts as empty, so that creating it later changes nothing.
    """
    return tuple(sorted({*ctx.mappings[FLOW].source_fields(), *_DEAL_FIELDS, zoho_modules.CURRENCY} - {"Stage"}))


def _conditions(ctx: Context) -> Criteria:
    return [where("Stage", "in", list(stages.qualifying(ctx)))]


def _qualifies(ctx: Context, change: Change, deal: Row) -> bool:
    """Whether the deal asks for an order; what a person retries was let in before."""
    passed = change.cause is not Cause.RETRY and beginning.is_before(ctx, deal)
    return str(deal.get("Stage")) in stages.qualifying(ctx) and not passed


def _accounts_to_make(ctx: Context, rows: Sequence[Row], window: Window) -> list[Look]:
    """The accounts of these deals that are no customers yet. One that a person dismissed waits for its next order."""
    ids = sorted({account_id(row) for row in rows} - {""})
    if not ids:
        return []
    accounts = ctx.zoho_entity(customers.SOURCE)
    linked = ctx.ledger.links_by_zoho(ctx.connection, "Accounts", "customers", ids)
    asked = ctx.ledger.standing(accounts, ids, or_dismissed=True)
    dismissed = {key for key, one in asked.items() if one.state == ChangeState.DISMISSED}
    return [
        Look(accounts, key, window.cause, "a deal of its qualifies")
        for key in ids
        if key not in linked and key not in dismissed
    ]


def _waiting(ctx: Context, since: datetime) -> list[Look]:
    """Deals whose quotes have changed, and those refused for what Sage did not have, and now has: an item that it
    sells, a year that is open for the day, a purchase order number that is free.

    Sage is asked while any deal waits.
    """
    deals = ctx.zoho_entity("deals")
    items = ctx.ledger.refused_with(deals, codes=awaited.OF_AN_ITEM, name="item")
    days = ctx.ledger.refused_with(deals, codes=awaited.OF_A_DAY, name="day")
    used = ctx.ledger.refused_with(deals, codes=awaited.OF_A_NUMBER, name="used")
    sold = preflight.sellable(ctx, sorted(items)) if items else ()
    free = preflight.usable(ctx, sorted(used)) if used else ()
    opened = preflight.open_days(ctx, sorted(days)) if days else ()
    return [
        *quotes.changed(ctx, since),
        *(Look(deals, key, Cause.RETRY, f"Sage sells item {item} now") for item in sold for key in items[item]),
        *(
            Look(deals, key, Cause.RETRY, "Sage takes its purchase order number now")
            for one in free
            for key in used[one]
        ),
        *(Look(deals, key, Cause.RETRY, f"Sage is open for {day} now") for day in opened for key in days[day]),
    ]


def _found(ctx: Context, change: Change, draft: Draft) -> Settlement:
    """An order that was posted unheard, of a deal that asks for none any more: linked, then told of like any other."""
    made = making.make(ctx, change, draft)
    return replace(made, looks=[*made.looks, Look(change.entity, change.key, change.cause, "its order was found")])


feed = ZohoFeed(
    flow=FLOW,
    name="deals",
    module="Deals",
    label="Deal_Name",
    select=deal_fields,
    digested=digested_fields,
    conditions=_conditions,
    overlap=lambda ctx: timedelta(seconds=ctx.settings.flows.orders.overlap_seconds),
    looks=_accounts_to_make,
    waiting=_waiting,
    first=beginning.day,
    wanted=beginning.since,
)


class OrdersHandler:
    """One POST an order, announced by an intent; its business key is the deal's id in `OrderReference`."""

    flow = FLOW
    target = TARGET
    batch = 5

    def source(self, ctx: Context) -> EntityRef:
        return ctx.zoho_entity("deals")

    def workers(self, ctx: Context) -> int:
        return ctx.settings.sage300.concurrency

    def prepare(self, ctx: Context) -> None:
        zoho_modules.require_fields(ctx, "Deals", deal_fields(ctx))
        stages.qualifying(ctx)
        subform.require(ctx)

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        deals = self._deals(ctx, changes)
        made = ctx.ledger.links_by_zoho(ctx.connection, "Deals", "orders", [change.key for change in changes])
        echoes = self._echoes(ctx, changes, deals, made)
        changes = [change for change in changes if change.id not in echoes]
        moved = {
            change.key
            for change in changes
            if change.key in deals
            and (
                change.key not in made
                or change.cause is Cause.RETRY  # for something that is not in the deal
                or digest(deals[change.key], digested_fields(ctx)) != made[change.key].source_digest
            )
        }
        accounts = sorted({account_id(deals[key]) for key in moved} - {""})
        links = self._customers(ctx, accounts)
        addresses = self._addresses(ctx, accounts)
        accepted = lines.accepted_quotes(ctx, sorted(moved))
        settlements = list(echoes.values())
        for change in changes:
            deal = deals.get(change.key)
            try:
                link = made.get(change.key)
                unwanted = comparison.unwanted(ctx, change, deal, link, digested_fields(ctx)) if link else None
                if unwanted is not None or deal is None:
                    settlements.append(unwanted or traces.without_deal(ctx, change))
                    continue
                change = settling.resolved(change, deal, digested_fields(ctx), str(deal.get("Deal_Name") or ""))
                account = account_id(deal)
                header = settling.edited(ctx.mappings[FLOW]["orders"], change)
                draft = Draft(
                    deal, accepted.get(change.key, []), links.get(account), addresses.get(account, {}), header
                )
                if link is not None:
                    settlements.append(comparison.compare(ctx, change, draft, link, moved))
                elif not _qualifies(ctx, change, deal):
                    traced = traces.of(ctx, change)
                    found = traced.order is not None
                    settlements.append(_found(ctx, change, draft) if found else traced.passed_over(ctx))
                else:
                    sage_target.hold(ctx, change)
                    settlements.append(making.make(ctx, change, draft))
            except VendorError as error:
                if error.verdict is Verdict.FATAL:
                    raise
                settlements.append(settling.failed(ctx, FLOW, change, error, target=self.target))
        return [quotes.noted(ctx, one, accepted.get(one.change.key, [])) for one in settlements]

    def _deals(self, ctx: Context, changes: Sequence[Change]) -> dict[str, Row]:
        """The deals as they are now. A change may have waited for hours, and polls see no deal that stopped qualifying:
        nobody can change an order through Sage's Web API once it is posted."""
        fields = [*deal_fields(ctx), "Modified_Time"]
        fetched = ctx.zoho.get_many("Deals", [change.key for change in changes], fields=fields)
        return {str(row["id"]): row for row in fetched}

    def _echoes(
        self, ctx: Context, changes: Sequence[Change], deals: Mapping[str, Row], made: Mapping[str, Link]
    ) -> dict[int, Settlement]:
        def moved(key: str, entry: Standing) -> bool:
            """Whether the stage is another one now, may be within the second of our write."""
            link = made.get(key)
            fate = None if link is None else stages.fate(ctx, deals[key], link)
            if entry.error.get("code") == comparison.UNWANTED:
                return fate is None or fate.words not in str(entry.error.get("text"))
            return fate is not None or (link is None and not stages.asked_at(ctx, deals[key]))

        return write_back.echoes(ctx, changes, deals, digested_fields(ctx), moved=moved)

    def _customers(self, ctx: Context, accounts: Sequence[str]) -> dict[str, Link]:
        """The customer of each account; those still missing are made first, on the customers' own path."""
        links = ctx.ledger.links_by_zoho(ctx.connection, "Accounts", "customers", accounts)
        missing = [account for account in accounts if account not in links]
        if not missing:
            return links
        entity = ctx.zoho_entity(customers.SOURCE)
        looks = [
            Look(entity, account, Cause.POLL, "a deal of its qualifies")
            for account in missing
            if ctx.ledger.last_error(entity, account) is None
        ]
        if looks:
            ctx.ledger.enqueue(looks, at=ctx.clock(), run_id=ctx.run_id)
        deliver(ctx, customers.CustomersHandler(), write_back=False)  # with the orders' own, once those are posted
        for _ in range(_LOOKS_FOR_A_CUSTOMER):
            under_way = ctx.ledger.open_changes(entity)  # asked first: what is settled from here on shows in the links
            links = ctx.ledger.links_by_zoho(ctx.connection, "Accounts", "customers", accounts)
            waiting = [one for one in missing if one not in links and ctx.ledger.last_error(entity, one) is None]
            if not waiting or not under_way or ctx.stop.wait(_BETWEEN_LOOKS_SECONDS):
                break
        return links

    def _addresses(self, ctx: Context, accounts: Sequence[str]) -> dict[str, Row]:
        if not accounts:
            return {}
        rows = ctx.zoho.get_many("Accounts", accounts, fields=customers.account_fields(ctx))
        return {str(row["id"]): row for row in rows}
