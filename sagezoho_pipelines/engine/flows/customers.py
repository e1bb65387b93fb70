"""Customers: the Zoho accounts of deals that qualify become Sage customers, and follow what sales changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Change, EntityRef, Link, Look, Outcome, Row, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import left_alone, sage_target, settling, write_back, zoho_modules, zoho_target
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import ZohoFeed
from sagezoho_pipelines.engine.flows import awaited, customer_making, customer_numbers, vendor_ground
from sagezoho_pipelines.engine.flows.customer_ground import ENTITY_SET, FLOW, TARGET, document_of, mapped
from sagezoho_pipelines.engine.flows.customer_ground import SOURCE as SOURCE
from sagezoho_pipelines.engine.pairing import lost, pair_settling, pairs
from sagezoho_pipelines.engine.settling import Movement
from sagezoho_pipelines.engine.zoho_write import ZohoWrite

_STATUS, _DELETED = "Sage_Customer_Status", "Deleted in Sage"
_UNIQUE = vendor_ground.ACCOUNT_KEY


def account_fields(ctx: Context) -> tuple[str, ...]:
    """What is read of an account: what its customer is made of or compared with, and the address orders are sent to."""
    number = ctx.settings.flows.customers.number
    stated = {customer_numbers.STATED} & zoho_modules.known_fields(ctx, "Accounts")
    chosen = {number.field} if number.rule == "field" else stated
    addressed = {source.split(".", 1)[1] for source in _account_sources(ctx)}
    names = {*pairs.digested(ctx, pairs.CUSTOMERS), *chosen, *addressed, "Account_Name"}
    return zoho_modules.readable(ctx, "Accounts", sorted(names))


def _account_sources(ctx: Context) -> set[str]:
    rules = ctx.mappings["orders"]["orders"].rules
    return {source for rule in rules for source in rule.sources if source.startswith("account.")}


def _linked_only(ctx: Context, rows: Sequence[Row]) -> Sequence[Row]:
    """Of all accounts that changed, those that are customers; others become one when a deal of theirs is won."""
    links = ctx.ledger.links_by_zoho(ctx.connection, "Accounts", "customers", [str(row["id"]) for row in rows])
    return [row for row in rows if str(row["id"]) in links]


feed = ZohoFeed(
    flow=FLOW,
    name=SOURCE,
    module="Accounts",
    label="Account_Name",
    select=account_fields,
    digested=lambda ctx: pairs.digested(ctx, pairs.CUSTOMERS),
    conditions=lambda _ctx: (),
    overlap=lambda ctx: timedelta(seconds=ctx.settings.flows.orders.overlap_seconds),
    wanted=_linked_only,
)


class CustomersHandler:
    """One POST a customer, announced by an intent that holds its number; updates by PATCH of what changed."""

    flow = FLOW
    target = TARGET
    batch = 5

    def source(self, ctx: Context) -> EntityRef:
        return ctx.zoho_entity(SOURCE)

    def workers(self, ctx: Context) -> int:
        return ctx.settings.sage300.concurrency

    def prepare(self, ctx: Context) -> None:
        pairs.require_settings(ctx, pairs.CUSTOMERS)
        zoho_modules.require_fields(ctx, "Accounts", account_fields(ctx))

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        keys = [change.key for change in changes]
        links = ctx.ledger.links_by_zoho(ctx.connection, "Accounts", "customers", keys)
        accounts = self._accounts(ctx, changes, links)
        echoes = write_back.echoes(ctx, changes, accounts, pairs.digested(ctx, pairs.CUSTOMERS))
        settlements: list[Settlement] = []
        relinked: set[str] = set()  # in this batch: both accounts of a merge are looked at once
        for change in changes:
            if change.key in relinked:
                settlements.append(settling.settled(ctx, FLOW, change, Outcome.NOOP))
                continue
            settled = echoes.get(change.id) or self._one(ctx, change, accounts.get(change.key), links.get(change.key))
            if settled.ended:
                relinked |= {link.zoho_id for link in (*settled.ended, *settled.links)}
            settlements.append(settled)
        return settlements

    def _accounts(self, ctx: Context, changes: Sequence[Change], links: Mapping[str, Link]) -> dict[str, Row]:
        """The accounts: as captured, or as they are now where that was asked for or both sides are to be compared."""
        compared = pairs.enabled(ctx, pairs.CUSTOMERS)
        read = [change.key for change in changes if change.payload is None or (compared and change.key in links)]
        known = {change.key: change.payload for change in changes if change.payload is not None}
        fields = sorted(
            {*account_fields(ctx), "Modified_Time", *(pairs.zoho_fields(ctx, pairs.CUSTOMERS) if compared else ())}
        )
        fetched = ctx.zoho.get_many("Accounts", read, fields=fields) if read else []
        there = {str(row["id"]): row for row in fetched}
        return {**{key: row for key, row in known.items() if key not in read}, **there}

    def _one(self, ctx: Context, change: Change, account: Row | None, link: Link | None) -> Settlement:
        try:
            if account is None and link is not None and pairs.enabled(ctx, pairs.CUSTOMERS):
                return self._without_account(ctx, change, link)
            if account is None and link is None and not _has_deals(ctx, change.key):
                return settling.settled(ctx, FLOW, change, Outcome.SKIPPED)
            if account is None:
                raise settling.refusal(
                    "ACCOUNT_MISSING",
                    f"account {change.key} is no longer in Zoho",
                    advice="restore it, or dismiss this",
                    system=System.ZOHO_CRM,
                )
            name = str(account.get("Account_Name") or "")
            change = settling.resolved(change, account, pairs.digested(ctx, pairs.CUSTOMERS), name)
            sage_target.hold(ctx, change)
            merged = lost.taken_over(ctx, pairs.CUSTOMERS, account) if link is None else None
            if merged is not None:
                return _relinked(ctx, change, merged)
            if link is not None and pairs.enabled(ctx, pairs.CUSTOMERS):
                return self._pair(ctx, change, account, link)
            if link is not None:
                return self._update(ctx, change, account, link)
            return customer_making.make(ctx, change, account)
        except VendorError as error:
            if error.verdict is Verdict.FATAL:
                raise
            return settling.failed(ctx, FLOW, change, error, target=self.target)

    def _update(self, ctx: Context, change: Change, account: Row, link: Link) -> Settlement:
        mapping = settling.edited(ctx.mappings[FLOW]["customers"], change)
        after = mapped(mapping, document_of(ctx, account, link.sage_id))
        sent = mapping.changes(link.written, after, creating=False, unsettled=link.unsettled)
        looks = awaited.orders_of(ctx, change.key)
        if not sent:
            return settling.settled(ctx, FLOW, change, Outcome.NOOP, looks=looks)
        held = ctx.sage.get(ENTITY_SET, link.sage_id, select=sorted(sent)) or {}
        before = {**link.written, **held}
        movement = Movement(
            System.SAGE300, "customers", link.sage_id, "update", Outcome.UPDATED, mapping.trace(before, sent)
        )
        ctx.ledger.unsettle([(link, sent)])
        try:
            ctx.sage.patch(ENTITY_SET, link.sage_id, sent)
        except VendorError as error:
            if error.verdict is Verdict.FATAL:
                raise
            return settling.failed(ctx, FLOW, change, error, target=self.target, attempt=movement)
        fresh = replace(
            link.wrote(sent),
            zoho_name=change.name,
            sage_name=str(after["CustomerName"] or ""),
            source_digest=change.digest,
        )
        return settling.settled(ctx, FLOW, change, Outcome.UPDATED, movements=[movement], links=[fresh], looks=looks)

    def _pair(self, ctx: Context, change: Change, account: Row, link: Link) -> Settlement:
        """A linked customer: compared with its account, each side written where the other one leads.

        Where the account is a vendor too, that pair speaks for the fields they share, and the customer follows.
        """
        customer = ctx.sage.get(ENTITY_SET, link.sage_id, select=pairs.sage_fields(ctx, pairs.CUSTOMERS))
        if customer is None:
            return self._without_customer(ctx, change, account, link)
        follows = self._shared_with_vendor(ctx, change.key)
        whole = document_of(ctx, account, link.sage_id)
        comparison = pairs.compared(ctx, pairs.CUSTOMERS, change, link, customer, whole, follows=follows)
        write = pairs.planned(comparison, link)
        if write.sent:
            write = zoho_target.write(ctx, [write], unique=_UNIQUE)[0]
        carried = pairs.Carried()
        if write.error is None:
            carried = pairs.carry_to_sage(ctx, pairs.CUSTOMERS, change, link, comparison)
        return pair_settling.settlement(
            ctx,
            pairs.CUSTOMERS,
            change,
            comparison,
            write,
            carried,
            target=self.target,
            extras=pair_settling.Extras(looks=awaited.orders_of(ctx, change.key)),
        )

    def _without_account(self, ctx: Context, change: Change, link: Link) -> Settlement:
        """Merged into another account, which is looked at from now on; else dealt with as the policy says."""
        found = lost.account_of(ctx, pairs.CUSTOMERS, link)
        if not isinstance(found, lost.Moved):
            return lost.gone_in_zoho(ctx, pairs.CUSTOMERS, change, link, found, target=self.target)
        return _relinked(ctx, change, found)

    def _without_customer(self, ctx: Context, change: Change, account: Row, link: Link) -> Settlement:
        """Renumbered in Sage; else the account says that its customer is gone, or what the policy wants."""
        moved = lost.record_of(ctx, pairs.CUSTOMERS, link)
        if moved is not None:
            look = Look(change.entity, change.key, change.cause, f"customer {link.sage_id} was renumbered")
            return settling.settled(
                ctx, FLOW, change, Outcome.UPDATED, movements=[moved.movement()], links=[moved.link], looks=[look]
            )
        settled = lost.gone_in_sage(ctx, pairs.CUSTOMERS, change, link, target=self.target)
        return settled if settled is not None else self._marked(ctx, change, account, link)

    def _marked(self, ctx: Context, change: Change, account: Row, link: Link) -> Settlement:
        mapping = pairs.pair(ctx, pairs.CUSTOMERS).to_zoho
        wanted = {_STATUS: _DELETED} if _STATUS in pairs.known(ctx) and account.get(_STATUS) != _DELETED else {}
        write = zoho_target.write(ctx, [ZohoWrite("Accounts", mapping, link, wanted, wanted)], unique=_UNIQUE)[0]
        movement = lost.marked(write.movement(), _STATUS, before=account.get(_STATUS))
        if write.error is not None:
            error = zoho_target.explained(write, write.error)
            return settling.failed(ctx, FLOW, change, error, target=self.target, attempt=movement)
        settled = [movement] if write.sent else []
        return settling.settled(ctx, FLOW, change, write.outcome, movements=settled)

    def _shared_with_vendor(self, ctx: Context, account_id: str) -> frozenset[str]:
        if not pairs.enabled(ctx, pairs.VENDORS):
            return frozenset()
        held = ctx.ledger.links_by_zoho(ctx.connection, "Accounts", "vendors", [account_id])
        return frozenset(pairs.pair(ctx, pairs.VENDORS).fields) if held else frozenset()


def _relinked(ctx: Context, change: Change, merged: lost.Moved) -> Settlement:
    """The account that took over is the customer's from now on, and is compared with it next."""
    why = f"account {merged.before.zoho_id} was merged into it"
    look = Look(change.entity, merged.link.zoho_id, change.cause, why)
    settled = settling.settled(
        ctx, FLOW, change, Outcome.UPDATED, movements=[merged.movement()], links=[merged.link], looks=[look]
    )
    return replace(settled, ended=[merged.before])


def _has_deals(ctx: Context, account_id: str) -> bool:
    """Whether a deal names an account that cannot be read. A merge gives all of them to the other account."""
    return bool(ctx.zoho.find("Deals", where=[where("Account_Name.id", "eq", account_id)], fields=["Stage"], limit=1))


def missing(ctx: Context, account: str) -> VendorError:
    """Why a deal of this account cannot become an order: its account is no Sage customer."""
    if not account:
        return settling.refusal(
            "ACCOUNT_MISSING",
            "the deal has no account",
            field="Account_Name",
            advice="give the deal an account in Zoho",
            system=System.ZOHO_CRM,
        )
    entity = ctx.zoho_entity(SOURCE)
    alone = ctx.ledger.left_alone(entity, [account]).get(account)
    why = ctx.ledger.last_error(entity, account) if alone is None else {"text": left_alone.in_words(alone)}
    return VendorError(
        system=System.SAGE300,
        code="CUSTOMER_MISSING",
        text=f"account {account} is no Sage customer" + (f": {why['text']}" if why else " yet"),
        verdict=Verdict.REFUSE if why else Verdict.RETRY,
        field="Account_Name",
        advice="mend the account; its deals follow by themselves",
        details={"account": account},
    )
