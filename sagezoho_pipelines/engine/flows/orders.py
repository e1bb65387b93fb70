"""Orders: deals that close, or reach a configured stage, become Sage sales orders, once each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sagezoho_pipelines.domain.criteria import Criteria, where
from sagezoho_pipelines.domain.digest import digest, equal
from sagezoho_pipelines.domain.errors import ConfigurationError, MappingFailed, VendorError, Verdict
from sagezoho_pipelines.domain.mapping import TargetMapping
from sagezoho_pipelines.domain.records import Authority, Cause, Change, EntityRef, Link, Look, Outcome, Row, System
from sagezoho_pipelines.engine import sage_target, settling, write_back, zoho_target
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.deliver import deliver
from sagezoho_pipelines.engine.feeds import ZohoFeed
from sagezoho_pipelines.engine.flows import customers, order_lines, order_refusals, ship_to
from sagezoho_pipelines.engine.ports import Intent, IntentRequest, Settlement
from sagezoho_pipelines.engine.settling import Movement
from sagezoho_pipelines.engine.windows import Window

FLOW = "orders"
ENTITY_SET = "OE/OEOrders"
#: Read with every deal besides what the mapping names.
_DEAL_FIELDS = ("Account_Name", "Amount", "Closing_Date", "Deal_Name", "Stage")
#: Another batch, or another worker, may be making the customer right now: an order waits this long for it, rather
#: than until its next attempt.
_LOOKS_FOR_A_CUSTOMER, _BETWEEN_LOOKS_SECONDS = 60, 0.05
_READ_BACK = ("OrderUniquifier", "OrderNumber", "OrderReference", "CustomerNumber", "OrderTotal", "LastInvoiceNumber")


def deal_fields(ctx: Context) -> tuple[str, ...]:
    return zoho_target.readable(ctx, "Deals", sorted({*ctx.mappings[FLOW].source_fields(), *_DEAL_FIELDS}))


def digested_fields(ctx: Context) -> tuple[str, ...]:
    """What makes two versions of a deal different orders; the stage that let it in does not.

    A field that this organisation does without counts as empty, so that creating it later changes nothing.
    """
    return tuple(sorted({*ctx.mappings[FLOW].source_fields(), *_DEAL_FIELDS} - {"Stage"}))


def qualifying_stages(ctx: Context) -> tuple[str, ...]:
    """The configured stages, or every stage whose forecast type is closed-won (their API values)."""
    configured = ctx.settings.flows.orders.stages

    def ask() -> tuple[str, ...]:
        stage = next((field for field in ctx.zoho.fields("Deals") if field["api_name"] == "Stage"), {})
        values = stage.get("pick_list_values") or []
        known = {str(value["actual_value"]) for value in values}
        if configured:
            unknown = sorted(set(configured) - known)
            if unknown:
                raise ConfigurationError(
                    f"{ctx.connection}: flows.orders.stages names {unknown[0]!r}, which is no stage of Zoho's Deals; "
                    f"known: {', '.join(sorted(known))}"
                )
            return configured
        won = (
            str(value["actual_value"])
            for value in values
            if str(value.get("forecast_type") or "").replace("_", " ").casefold() == "closed won"
        )
        return tuple(won)

    stages: tuple[str, ...] = ctx.facts.get("qualifying stages", ask)
    if not stages:
        raise ConfigurationError(
            f"{ctx.connection}: Zoho's Deals have no stage with the forecast type 'Closed Won'; "
            "name the stages in flows.orders.stages"
        )
    return stages


def _conditions(ctx: Context) -> Criteria:
    return [where("Stage", "in", list(qualifying_stages(ctx)))]


def _start(ctx: Context) -> datetime:
    configured = ctx.settings.flows.orders.start
    return datetime.fromisoformat(configured or "1970-01-01").replace(tzinfo=UTC)


def _accounts_to_make(ctx: Context, rows: Sequence[Row], window: Window) -> list[Look]:
    """The accounts of these deals that are no customers yet."""
    ids = {_account_id(row) for row in rows} - {""}
    if not ids:
        return []
    linked = ctx.ledger.links_by_zoho(ctx.connection, "Accounts", "customers", sorted(ids))
    accounts = ctx.zoho_entity(customers.SOURCE)
    return [Look(accounts, key, window.cause, "a deal of its qualifies") for key in sorted(ids - set(linked))]


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
    first=_start,
)


def document_of(ctx: Context, deal: Row, account: Row, customer: Link | None) -> Row:
    """What the mapping of a deal's order sees; `customer` is None while the account is no Sage customer."""
    return {
        **deal,
        "account": account,
        "customer": {"number": customer.sage_id if customer is not None else None},
        "config": {"location": ctx.settings.flows.orders.location},
    }


@dataclass(frozen=True, slots=True)
class _Draft:
    """What a deal's order is made of. `customer` is None while the account is no Sage customer.

    `header` fills the order's own fields: the mapping, and what a person set for this change.
    """

    deal: Row
    quotes: Sequence[str]
    customer: Link | None
    account: Row
    header: TargetMapping

    def body(self, ctx: Context) -> dict[str, Any]:
        """The order as it would be posted now. Raises the refusal of a deal that has no usable lines."""
        mapping = ctx.mappings[FLOW]
        document = document_of(ctx, self.deal, self.account, self.customer)
        details = [
            mapping["order_lines"].changes({}, mapping["order_lines"].apply({**document, "line": line}), creating=True)
            for line in order_lines.lines_of(ctx, self.deal, self.quotes)
        ]
        header = self.header.changes({}, self.header.apply(document), creating=True)
        return {**ship_to.whole(header, (rule.target for rule in self.header.rules)), "OrderDetails": details}

    def unedited(self, ctx: Context, body: Row) -> Row:
        """The order as the deal alone asks for it: what later versions of the deal are compared with."""
        plain = ctx.mappings[FLOW]["orders"]
        try:
            return body if self.header is plain else replace(self, header=plain).body(ctx)
        except MappingFailed:  # the edit stands in for what cannot be mapped
            return body


class OrdersHandler:
    """One POST an order, announced by an intent; its business key is the deal's id in `OrderReference`."""

    flow = FLOW
    target = (System.SAGE300, "orders")
    batch = 5

    def source(self, ctx: Context) -> EntityRef:
        return ctx.zoho_entity("deals")

    def workers(self, ctx: Context) -> int:
        return ctx.settings.sage300.concurrency

    def prepare(self, ctx: Context) -> None:
        zoho_target.require_fields(ctx, "Deals", deal_fields(ctx))
        qualifying_stages(ctx)

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        deals = self._deals(ctx, changes)
        echoes = self._echoes(ctx, changes, deals)
        changes = [change for change in changes if change.id not in echoes]
        made = ctx.ledger.links_by_zoho(ctx.connection, "Deals", "orders", [change.key for change in changes])
        moved = {
            change.key
            for change in changes
            if change.key in deals
            and (
                change.key not in made
                or digest(deals[change.key], digested_fields(ctx)) != made[change.key].source_digest
            )
        }
        accounts = sorted({_account_id(deals[key]) for key in moved} - {""})
        links = self._customers(ctx, accounts)
        addresses = self._addresses(ctx, accounts)
        quotes = order_lines.accepted_quotes(ctx, sorted(moved))
        settlements = list(echoes.values())
        for change in changes:
            deal = deals.get(change.key)
            try:
                if deal is None:
                    settlements.append(settling.settled(ctx, FLOW, change, Outcome.SKIPPED))
                    continue
                change = settling.resolved(change, deal, digested_fields(ctx), str(deal.get("Deal_Name") or ""))
                account = _account_id(deal)
                header = settling.edited(ctx.mappings[FLOW]["orders"], change)
                draft = _Draft(deal, quotes.get(change.key, []), links.get(account), addresses.get(account, {}), header)
                if change.key in made:
                    settlements.append(self._known(ctx, change, draft, made[change.key], moved))
                elif str(deal.get("Stage")) not in qualifying_stages(ctx):
                    settlements.append(settling.settled(ctx, FLOW, change, Outcome.SKIPPED))
                else:
                    sage_target.hold(ctx, change)
                    settlements.append(self._create(ctx, change, draft))
            except VendorError as error:
                if error.verdict is Verdict.FATAL:
                    raise
                settlements.append(settling.failed(ctx, FLOW, change, error, target=self.target))
        return settlements

    def _deals(self, ctx: Context, changes: Sequence[Change]) -> dict[str, Row]:
        known = {change.key: change.payload for change in changes if change.payload is not None}
        looks = [change.key for change in changes if change.payload is None]
        fetched = ctx.zoho.get_many("Deals", looks, fields=[*deal_fields(ctx), "Modified_Time"]) if looks else []
        return {**known, **{str(row["id"]): row for row in fetched}}

    def _echoes(self, ctx: Context, changes: Sequence[Change], deals: dict[str, Row]) -> dict[int, Settlement]:
        """Notifications of what we wrote to a refused deal ourselves: to try it again for these would never end."""
        told_of = [change for change in changes if change.cause is Cause.NOTIFICATION and change.key in deals]
        keys = [change.key for change in told_of]
        standing = ctx.ledger.standing(self.source(ctx), keys) if keys else {}
        if not standing:
            return {}
        told = ctx.ledger.told(ctx.connection, "Deals", keys)
        found = {}
        for change in told_of:
            deal = deals[change.key]
            seen = settling.resolved(change, deal, digested_fields(ctx))
            if write_back.is_echo(seen, deal.get("Modified_Time"), standing.get(change.key), told.get(change.key)):
                found[change.id] = write_back.echoed(change)
        return found

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

    def _create(self, ctx: Context, change: Change, draft: _Draft) -> Settlement:
        customer = draft.customer
        if customer is None:
            raise customers.missing(ctx, _account_id(draft.deal))
        mapping = ctx.mappings[FLOW]
        body = draft.body(ctx)
        details = body["OrderDetails"]
        sent = {name: value for name, value in body.items() if name != "OrderDetails"}
        intent = self._intent(ctx, change, body)
        try:
            created = sage_target.create(
                ctx,
                ENTITY_SET,
                body,
                intent,
                lambda: self._read_back(ctx, change.key),
                payload_digest=digest(body),
                look_first=True,
            )
        except VendorError as error:
            if error.verdict in (Verdict.REFUSE, Verdict.CONFLICT):
                told = order_refusals.explained(error, body, customer)
                settlement = settling.failed(ctx, FLOW, change, told, target=self.target, operation="create")
                return replace(settlement, intents=[(intent.id, "refused", "")])
            raise
        order = created.record
        number = str(order["OrderNumber"]).strip()
        answer = {
            "OrderNumber": number,
            "OrderUniquifier": order["OrderUniquifier"],
            "OrderTotal": order.get("OrderTotal"),
            "read_back": created.found,
        }
        trace = [
            *draft.header.trace({}, sent),
            *(item for detail in details for item in mapping["order_lines"].trace({}, detail)),
        ]
        movement = Movement(System.SAGE300, "orders", number, "create", Outcome.CREATED, trace, answer)
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
            details={
                "uniquifier": str(order["OrderUniquifier"]),
                "customer": customer.sage_id,
                "account": customer.zoho_id,
                "total": str(order.get("OrderTotal") or ""),
            },
        )
        if created.stale:
            differs = self._order_exists(number, "while it became")
            return settling.failed(
                ctx,
                FLOW,
                change,
                differs,
                target=self.target,
                operation="update",
                movements=[movement],
                links=[link],
                intents=[(intent.id, "settled", number)],
            )
        return settling.settled(
            ctx,
            FLOW,
            change,
            Outcome.CREATED,
            movements=[movement],
            links=[link],
            intents=[(intent.id, "settled", number)],
        )

    def _intent(self, ctx: Context, change: Change, body: Row) -> Intent:
        request = IntentRequest("sage300", "orders", change.key, "deals", change.key, digest(body))
        return ctx.ledger.begin_intents(ctx.connection, [request], at=ctx.clock(), run_id=ctx.run_id)[change.key]

    def _read_back(self, ctx: Context, deal_id: str) -> Row | None:
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

    def _known(self, ctx: Context, change: Change, draft: _Draft, link: Link, moved: set[str]) -> Settlement:
        """A deal whose order exists: Sage's Web API cannot change orders, so a real difference is for a person.

        What counts is the order that the deal would be now, not the deal: a mapping that reads another field, or an
        edit that changes nothing in the order, is no difference.
        """
        if change.key not in moved:
            return settling.settled(ctx, FLOW, change, Outcome.NOOP)
        if not link.written:
            # Linked by hand: the order is what people made of it, and what counts is how the deal changes from here.
            adopted = replace(link, source_digest=change.digest, zoho_name=change.name, written=self._now(ctx, draft))
            return settling.settled(ctx, FLOW, change, Outcome.NOOP, links=[adopted])
        body = draft.body(ctx)
        differing = [name for name in {**link.written, **body} if not equal(link.written.get(name), body.get(name))]
        if not differing:
            fresh = replace(link, source_digest=change.digest, zoho_name=change.name)
            return settling.settled(ctx, FLOW, change, Outcome.NOOP, links=[fresh])
        error = self._order_exists(link.sage_id, "after it became", f": {', '.join(sorted(differing))} would differ")
        return settling.failed(ctx, FLOW, change, error, target=self.target, operation="update")

    def _now(self, ctx: Context, draft: _Draft) -> Row:
        """The order that the deal would be; nothing, while it lacks what an order needs."""
        try:
            return draft.unedited(ctx, draft.body(ctx))
        except VendorError as error:
            if error.verdict is not Verdict.REFUSE:
                raise
            return {}

    def _order_exists(self, number: str, when: str, what: str = "") -> VendorError:
        return VendorError(
            system=System.SAGE300,
            code="ORDER_EXISTS",
            text=f"the deal changed {when} order {number}{what}",
            verdict=Verdict.CONFLICT,
            advice=f"change order {number} in Sage if it should follow, then dismiss this",
            details={"order": number},
        )


def _account_id(deal: Row) -> str:
    return str((deal.get("Account_Name") or {}).get("id") or "")
