"""Payments: what Accounts Receivable says is still open goes to the Zoho invoice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.mapping import as_number
from sagezoho_pipelines.domain.records import Cause, Change, EntityRef, Link, Look, Outcome, Row, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import settling, zoho_modules, zoho_target
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import SageDateFeed
from sagezoho_pipelines.engine.zoho_write import ZohoWrite

FLOW = "invoices"
ENTITY_SET = "AR/ARPostedDocuments"
_KEY = ("CustomerNumber", "DocumentNumber")


def columns(ctx: Context) -> tuple[str, ...]:
    """What is read of a posted document: what the payments' mapping reads, and what invoices take from it."""
    mapping = ctx.mappings[FLOW]
    by_invoices = {
        source.removeprefix("payment.")
        for target in ("invoices", "ar_invoices")
        for rule in mapping[target].rules
        for source in rule.sources
        if source.startswith("payment.")
    }
    return tuple(sorted({*mapping.source_fields("payments"), *_KEY, *by_invoices, "DueDate"}))


def _key(row: Row) -> str:
    return "/".join(str(row[name]).strip() for name in _KEY)


def _invoice_keys(row: Row) -> tuple[str, str]:
    """How the document's invoice is linked: an order-entry invoice by number, a service invoice by customer too."""
    return str(row["DocumentNumber"]).strip(), _key(row)


def _ours(ctx: Context, rows: Sequence[Row]) -> Sequence[Row]:
    links = _invoices(ctx, rows)
    return [row for row in rows if _key(row) in links]


def _invoices(ctx: Context, rows: Sequence[Row]) -> dict[str, Link]:
    """Document key -> link of its invoice."""
    candidates = sorted({candidate for row in rows for candidate in _invoice_keys(row)})
    if not candidates:
        return {}
    links = ctx.ledger.links_by_sage(ctx.connection, "invoices", "Invoices", candidates)
    found: dict[str, Link] = {}
    for row in rows:
        for candidate in _invoice_keys(row):
            link = links.get(candidate)
            if link is not None and link.details.get("customer") == str(row["CustomerNumber"]).strip():
                found[_key(row)] = link
    return found


def _unbilled(ctx: Context, rows: Sequence[Row]) -> list[Look]:
    """The batches of service invoices that Zoho lacks: posted before their order was linked, say by hand."""
    invoices = [row for row in rows if row.get("DocumentType") == "Invoice" and _number(row, "BatchNumber")]
    orders = sorted({str(row.get("OrderNumber") or "").strip() for row in invoices} - {""})
    if not orders:
        return []
    ours = ctx.ledger.links_by_sage(ctx.connection, "orders", "Deals", orders)
    billed = _invoices(ctx, invoices)
    numbers = {
        _number(row, "BatchNumber"): str(row["OrderNumber"]).strip()
        for row in invoices
        if str(row.get("OrderNumber") or "").strip() in ours and _key(row) not in billed
    }
    batches = ctx.sage_entity("ar_batches")
    return [
        Look(batches, str(number), Cause.SWEEP, f"it bills order {order}") for number, order in sorted(numbers.items())
    ]


def _number(row: Row, name: str) -> int:
    return int(as_number(row.get(name)))


feed = SageDateFeed(
    flow=FLOW,
    name="posted_documents",
    entity_set=ENTITY_SET,
    key="DocumentNumber",
    marker="LastActivityDate",
    label="DocumentNumber",
    select=lambda ctx: (*columns(ctx), "BatchNumber", "DocumentType", "OrderNumber"),
    digested=lambda ctx: columns(ctx),
    overlap_days=lambda ctx: ctx.settings.flows.invoices.overlap_days,
    wanted=_ours,
    record_key=_key,
    deletions=False,
    overlooked=_unbilled,
)


def state_of(ctx: Context, documents: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Row]:
    """(customer, document) -> its posted document, where Accounts Receivable has it already."""
    by_customer: dict[str, list[str]] = defaultdict(list)
    for customer, number in documents:
        by_customer[customer].append(number)
    found: dict[tuple[str, str], Row] = {}
    for customer, numbers in sorted(by_customer.items()):
        rows = ctx.sage.find(
            ENTITY_SET,
            where=[where("CustomerNumber", "eq", customer), where("DocumentNumber", "in", sorted(set(numbers)))],
            select=columns(ctx),
        )
        found |= {(customer, str(row["DocumentNumber"]).strip()): row for row in rows}
    return found


class PaymentsHandler:
    """The open amount and payment status of invoices that Zoho has; others carry theirs when they are created."""

    flow = FLOW
    target = (System.ZOHO_CRM, "Invoices")
    batch = 100

    def source(self, ctx: Context) -> EntityRef:
        return ctx.sage_entity("posted_documents")

    def workers(self, ctx: Context) -> int:
        return min(ctx.settings.zoho_crm.concurrency, 4)

    def prepare(self, ctx: Context) -> None:
        zoho_modules.require_fields(ctx, "Invoices", zoho_modules.written_fields(ctx.mappings[FLOW]["payments"]))

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        rows = self._rows(ctx, changes)
        links = _invoices(ctx, list(rows.values()))
        mapping = ctx.mappings[FLOW]["payments"]
        settlements = [
            settling.settled(ctx, FLOW, change, Outcome.SKIPPED) for change in changes if change.key not in links
        ]
        paid = [change for change in changes if change.key in links]
        writes = [
            zoho_target.planned("Invoices", settling.edited(mapping, change), links[change.key], rows[change.key])
            for change in paid
        ]
        done = zoho_target.write(ctx, writes, unique="Sage_Invoice_Key")
        settlements += [self._settlement(ctx, change, write) for change, write in zip(paid, done, strict=True)]
        return settlements

    def _rows(self, ctx: Context, changes: Sequence[Change]) -> dict[str, Row]:
        rows: dict[str, Any] = {change.key: change.payload for change in changes if change.payload is not None}
        looks = [change.key.split("/", 1) for change in changes if change.payload is None]
        fetched = state_of(ctx, [(customer, number) for customer, number in looks])
        return {**rows, **{f"{customer}/{number}": row for (customer, number), row in fetched.items()}}

    def _settlement(self, ctx: Context, change: Change, write: ZohoWrite) -> Settlement:
        if write.error is not None:
            error = zoho_target.explained(write, write.error)
            return settling.failed(ctx, FLOW, change, error, target=self.target, attempt=write.movement())
        if write.link is None:
            return settling.settled(ctx, FLOW, change, Outcome.SKIPPED)
        return settling.settled(
            ctx,
            FLOW,
            change,
            write.outcome,
            movements=[write.movement()] if write.sent else [],
            links=[write.new_link(write.link)] if write.sent else [],
        )
