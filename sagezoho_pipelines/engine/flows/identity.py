"""Identity: which linked pairs to look at, since the side that is not their flow's source has changed.

A vendor's account is delivered under the vendor's number, a customer under its account's id, each by the handler of its
flow, which reads both sides. What is captured here only leaves a look there. Our own writes come back through both
feeds: a record that holds what the pair has settled on is noted as seen, and nothing follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sagezoho_pipelines.domain.criteria import Criteria, where
from sagezoho_pipelines.domain.records import Cause, Change, EntityRef, Link, Look, Outcome, Row, System
from sagezoho_pipelines.domain.settled_pairs import GONE, as_settled, sage_as_settled
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import settling
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import SageDateFeed, ZohoFeed
from sagezoho_pipelines.engine.flows import customer_ground, vendor_ground
from sagezoho_pipelines.engine.pairing import pairs, questions

FLOW = "identity"
VENDOR_ACCOUNTS = "vendor_accounts"
CUSTOMER_RECORDS = "customer_records"


def _account_fields(ctx: Context) -> tuple[str, ...]:
    return pairs.zoho_fields(ctx, pairs.VENDORS)


def _digested(ctx: Context) -> tuple[str, ...]:
    return tuple(name for name in _account_fields(ctx) if name not in ("Modified_Time", "Modified_By"))


def _vendor_links(ctx: Context, ids: Sequence[str]) -> dict[str, Link]:
    if not pairs.enabled(ctx, pairs.VENDORS):
        return {}
    return ctx.ledger.links_by_zoho(ctx.connection, pairs.MODULE, "vendors", ids)


def _customer_links(ctx: Context, numbers: Sequence[str]) -> dict[str, Link]:
    if not pairs.enabled(ctx, pairs.CUSTOMERS):
        return {}
    return ctx.ledger.links_by_sage(ctx.connection, "customers", pairs.MODULE, numbers)


def _linked_accounts(ctx: Context, rows: Sequence[Row]) -> Sequence[Row]:
    """Those of linked vendors, and those that carry the key of one: an account into which its own was merged."""
    links = _vendor_links(ctx, [str(row["id"]) for row in rows])
    carried = {str(row["id"]): number for row in rows if (number := _carried(ctx, row))}
    known = ctx.ledger.links_by_sage(ctx.connection, "vendors", pairs.MODULE, sorted({*carried.values()}))
    return [row for row in rows if str(row["id"]) in links or carried.get(str(row["id"])) in known]


def _carried(ctx: Context, row: Row) -> str:
    """The number of the vendor whose key an account carries; empty where it is none of this company's."""
    key, ours = str(row.get(vendor_ground.ACCOUNT_KEY) or ""), ctx.sage_key("")
    return key.removeprefix(ours) if key.startswith(ours) and pairs.enabled(ctx, pairs.VENDORS) else ""


def _linked_customers(ctx: Context, rows: Sequence[Row]) -> Sequence[Row]:
    links = _customer_links(ctx, [_number(row) for row in rows])
    return [row for row in rows if _number(row) in links]


def _settled_accounts(ctx: Context, rows: Sequence[Row]) -> set[str]:
    """Of these accounts, those that hold what was settled on: our own writes, and edits of nothing that is compared.

    Where a question is open, what was settled on before it may be somebody's answer.
    """
    links = _vendor_links(ctx, [str(row["id"]) for row in rows])
    made, known = pairs.pair(ctx, pairs.VENDORS), pairs.known(ctx)
    by_id = {str(row["id"]): row for row in rows}
    quiet = {key for key, link in links.items() if as_settled(made, link, by_id[key], known)}
    asked = questions.asked(ctx, ctx.sage_entity("vendors"), sorted(links[key].sage_id for key in quiet))
    return {key for key in quiet if links[key].sage_id not in asked}


def _settled_customers(ctx: Context, rows: Sequence[Row]) -> set[str]:
    links = _customer_links(ctx, [_number(row) for row in rows])
    made, known = pairs.pair(ctx, pairs.CUSTOMERS), pairs.known(ctx)
    by_number = {_number(row): row for row in rows}
    quiet = {key for key, link in links.items() if sage_as_settled(made, link, by_number[key], known)}
    asked = questions.asked(ctx, ctx.zoho_entity(customer_ground.SOURCE), sorted(links[key].zoho_id for key in quiet))
    return {key for key in quiet if links[key].zoho_id not in asked}


def _number(row: Row) -> str:
    return str(row["CustomerNumber"]).strip()


def _deleted_accounts(ctx: Context, ids: Sequence[str]) -> list[Look]:
    """A look at each pair whose account was deleted, once: what has been dealt with is noted in its link."""
    found: list[Look] = []
    for kind, source in ((pairs.VENDORS, VENDOR_ACCOUNTS), (pairs.CUSTOMERS, customer_ground.SOURCE)):
        if pairs.enabled(ctx, kind) and ids:
            links = ctx.ledger.links_by_zoho(ctx.connection, pairs.MODULE, kind.sage_entity, ids)
            found += [
                Look(ctx.zoho_entity(source), key, Cause.POLL, "Zoho says it was deleted")
                for key, link in sorted(links.items())
                if GONE not in link.details
            ]
    return found


def _with_key(_ctx: Context) -> Criteria:
    """Of all accounts only those of vendors are read: each of them carries its key."""
    return [where(vendor_ground.ACCOUNT_KEY, "not_null")]


accounts_feed = ZohoFeed(
    flow=FLOW,
    name=VENDOR_ACCOUNTS,
    module=pairs.MODULE,
    label="Account_Name",
    select=_account_fields,
    digested=_digested,
    conditions=_with_key,
    overlap=lambda ctx: timedelta(seconds=ctx.settings.flows.identity.overlap_seconds),
    wanted=_linked_accounts,
    settled=_settled_accounts,
    deleted=_deleted_accounts,
)

customers_feed = SageDateFeed(
    flow=FLOW,
    name=CUSTOMER_RECORDS,
    entity_set=customer_ground.ENTITY_SET,
    key="CustomerNumber",
    marker=pairs.MARKER,
    label="CustomerName",
    select=lambda ctx: pairs.sage_fields(ctx, pairs.CUSTOMERS),
    digested=lambda ctx: [name for name in pairs.sage_fields(ctx, pairs.CUSTOMERS) if name != pairs.MARKER],
    overlap_days=lambda ctx: ctx.settings.flows.identity.overlap_days,
    wanted=_linked_customers,
    settled=_settled_customers,
)


class _Router:
    """Delivering such a change means looking at its pair under the other side's key."""

    flow = FLOW
    batch = 400

    def workers(self, _ctx: Context) -> int:
        return 1

    def prepare(self, ctx: Context) -> None:
        """Nothing to ask: what cannot be delivered says so where the pair is."""

    def _settlements(
        self,
        ctx: Context,
        changes: Sequence[Change],
        looks: Mapping[str, Look],
        read: Mapping[str, Row],
        digested: Sequence[str],
    ) -> list[Settlement]:
        settlements = []
        for change in changes:
            if change.payload is None and change.key in read:
                change = settling.resolved(change, read[change.key], digested)
            look = looks.get(change.key)
            outcome = Outcome.SKIPPED if look is None else Outcome.NOOP
            settlements.append(settling.settled(ctx, FLOW, change, outcome, looks=[] if look is None else [look]))
        return settlements


class VendorAccountsHandler(_Router):
    """An account of a vendor that was edited: the vendor is looked at."""

    target = (System.ZOHO_CRM, "vendors")

    def source(self, ctx: Context) -> EntityRef:
        return ctx.zoho_entity(VENDOR_ACCOUNTS)

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        links = _vendor_links(ctx, [change.key for change in changes])
        told = [change.key for change in changes if change.payload is None and change.key in links]
        read = pairs.accounts(ctx, pairs.VENDORS, told)
        quiet = _settled_accounts(ctx, list(read.values()))
        entity = ctx.sage_entity("vendors")
        looks = {
            change.key: Look(entity, links[change.key].sage_id, change.cause, f"account {change.key} was changed")
            for change in changes
            if change.key in links and change.key not in quiet
        }
        for change in changes:
            number = _carried(ctx, change.payload or {})
            if number and change.key not in links:
                looks[change.key] = Look(entity, number, change.cause, f"account {change.key} carries its key")
        return self._settlements(ctx, changes, looks, read, _digested(ctx))


class CustomerRecordsHandler(_Router):
    """A customer that was edited in Sage: its account is looked at."""

    target = (System.SAGE300, "customers")

    def source(self, ctx: Context) -> EntityRef:
        return ctx.sage_entity(CUSTOMER_RECORDS)

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        links = _customer_links(ctx, [change.key for change in changes])
        entity = ctx.zoho_entity(customer_ground.SOURCE)
        looks = {
            change.key: Look(entity, links[change.key].zoho_id, change.cause, f"customer {change.key} was changed")
            for change in changes
            if change.key in links
        }
        return self._settlements(ctx, changes, looks, {}, ())
