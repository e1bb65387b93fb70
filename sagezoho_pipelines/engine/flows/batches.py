"""Transaction batches: posted A/R batches yield service invoices, posted A/P batches refresh their vendors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.mapping import as_number
from sagezoho_pipelines.domain.records import CapturedRecord, Cause, Change, EntityRef, Look, Outcome, Row, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import settling
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import SageDateFeed
from sagezoho_pipelines.engine.flows import invoice_documents, invoice_totals, invoices, payments
from sagezoho_pipelines.engine.settling import Movement

_HEADER = ("BatchNumber", "BatchStatus", "DateLastEdited", "Description", "NumberOfEntries", "BatchTotal")
#: How many records of a batch the audit names, beside how many there were.
_NAMED = 20
#: Of a batch header, what tells that its posting brought something new.
_DIGESTED = ("BatchNumber", "BatchStatus", "NumberOfEntries", "BatchTotal")


def _posted(_ctx: Context, rows: Sequence[Row]) -> Sequence[Row]:
    return [row for row in rows if row.get("BatchStatus") == "Posted"]


def _batch_feed(flow: str, name: str, entity_set: str, overlap_days: Callable[[Context], int]) -> SageDateFeed:
    return SageDateFeed(
        flow=flow,
        name=name,
        entity_set=entity_set,
        key="BatchNumber",
        marker="DateLastEdited",
        label="Description",
        select=lambda _ctx: _HEADER,
        digested=lambda _ctx: _DIGESTED,
        overlap_days=overlap_days,
        wanted=_posted,
        keep_payload=False,
        deletions=False,
    )


ar_feed = _batch_feed(
    "invoices", "ar_batches", "AR/ARInvoiceBatches", lambda ctx: ctx.settings.flows.invoices.overlap_days
)
ap_feed = _batch_feed(
    "vendors", "ap_batches", "AP/APInvoiceBatches", lambda ctx: ctx.settings.flows.vendors.overlap_days
)


class _BatchHandler:
    """A batch has no target of its own: delivering it means handing on what it contains."""

    flow: str
    entity: str
    entity_set: str
    target: tuple[System, str]
    also: tuple[str, ...] = ()
    batch = 10

    def source(self, ctx: Context) -> EntityRef:
        return ctx.sage_entity(self.entity)

    def workers(self, ctx: Context) -> int:
        return ctx.settings.sage300.concurrency

    def prepare(self, ctx: Context) -> None:
        """Nothing to ask: only Sage and the ledger are used."""

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        settlements = []
        for change in changes:
            try:
                settlements.append(self._one(ctx, change))
            except VendorError as error:
                if error.verdict is Verdict.FATAL:
                    raise
                settlements.append(settling.failed(ctx, self.flow, change, error, target=self.target))
        return settlements

    def _one(self, ctx: Context, change: Change) -> Settlement:
        found = ctx.sage.get(self.entity_set, int(change.key), select=[*_HEADER, *self.also, "Invoices"])
        if found is None:
            return settling.settled(ctx, self.flow, change, Outcome.SKIPPED)
        change = settling.resolved(change, found, _DIGESTED, str(found.get("Description") or ""))
        return self._hand_on(ctx, change, found, list(found.get("Invoices") or ()))

    def _hand_on(self, ctx: Context, change: Change, batch: Row, entries: Sequence[Row]) -> Settlement:
        raise NotImplementedError


class ApBatchesHandler(_BatchHandler):
    """Each vendor named in the batch is looked at again: balance, open invoices, last invoice date."""

    flow = "vendors"
    entity = "ap_batches"
    entity_set = "AP/APInvoiceBatches"
    target = (System.SAGE300, "vendors")

    def _hand_on(self, ctx: Context, change: Change, _batch: Row, entries: Sequence[Row]) -> Settlement:
        vendors = sorted({str(entry.get("VendorNumber") or "").strip() for entry in entries} - {""})
        entity = ctx.sage_entity("vendors")
        looks = [Look(entity, vendor, change.cause, f"A/P batch {change.key}") for vendor in vendors]
        movement = Movement(
            System.SAGE300, "vendors", _first(vendors), "look", Outcome.NOOP, answer={"vendors": len(vendors)}
        )
        return settling.settled(
            ctx, self.flow, change, Outcome.NOOP, looks=looks, movements=[movement] if looks else []
        )


class ArBatchesHandler(_BatchHandler):
    """Each entry of one of our orders becomes an invoice, unless Order Entry wrote it: that comes from O/E itself."""

    flow = "invoices"
    entity = "ar_batches"
    entity_set = "AR/ARInvoiceBatches"
    target = (System.SAGE300, "invoices")
    also = ("NumberOfErrors",)

    def _hand_on(self, ctx: Context, change: Change, batch: Row, entries: Sequence[Row]) -> Settlement:
        ours = [entry for entry in invoices.from_our_orders(ctx, entries) if entry.get("DocumentType") == "Invoice"]
        if ours and as_number(batch.get("NumberOfErrors")) != 0:
            ours = self._posted(ctx, ours)
        from_order_entry = self._from_order_entry(ctx, ours)
        records = [
            self._record(ctx, entry)
            for entry in ours
            if invoice_documents.customer_and_number(entry) not in from_order_entry
        ]
        if records:
            ctx.ledger.capture(
                ctx.sage_entity("invoices"),
                records,
                cause=change.cause,
                at=ctx.clock(),
                run_id=ctx.run_id,
                force=change.cause is Cause.BACKFILL,
            )
        movement = Movement(
            System.SAGE300,
            "invoices",
            _first([record.key for record in records]),
            "hand on",
            Outcome.NOOP,
            answer={"entries": len(entries), "ours": len(records)},
        )
        return settling.settled(ctx, self.flow, change, Outcome.NOOP, movements=[movement] if records else [])

    def _from_order_entry(self, ctx: Context, entries: Sequence[Row]) -> set[tuple[str, str]]:
        """Customer and number of those that Order Entry wrote: a number is unique for its customer only."""
        numbers = sorted({invoice_documents.number_of(entry) for entry in entries})
        if not numbers:
            return set()
        rows = ctx.sage.find(
            invoice_documents.ENTITY_SET,
            where=[where("InvoiceNumber", "in", numbers)],
            select=["CustomerNumber", "InvoiceNumber"],
        )
        return {invoice_documents.customer_and_number(row) for row in rows}

    def _posted(self, ctx: Context, entries: Sequence[Row]) -> list[Row]:
        """Those that became documents; the others wait in a batch of their own, and come with it once it is posted."""
        numbers = [invoice_documents.customer_and_number(entry) for entry in entries]
        documents = payments.state_of(ctx, numbers)
        return [entry for entry, number in zip(entries, numbers, strict=True) if number in documents]

    def _record(self, ctx: Context, entry: Row) -> CapturedRecord:
        mapping = ctx.mappings["invoices"]
        columns = {
            *mapping.source_fields("ar_invoices"),
            "CustomerNumber",
            "OrderNumber",
            "DocumentNumber",
            "InvoiceDescription",
            *invoice_totals.AR_COLUMNS,
            "InvoiceDetails",
        }
        payload = {name: entry.get(name) for name in sorted(columns)}
        number = str(entry["DocumentNumber"]).strip()
        return CapturedRecord(f"{str(entry['CustomerNumber']).strip()}/{number}", digest(payload), payload, number)


def _first(keys: Sequence[str]) -> str:
    """What the audit names of a batch's records: its index of targets takes no more than some thousand characters."""
    return ", ".join(keys[:_NAMED])
