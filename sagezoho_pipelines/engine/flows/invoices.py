"""Invoices: Sage invoices that came from our orders go back to Zoho, with the products they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Change, EntityRef, Link, Outcome, Row, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import settling, zoho_modules, zoho_target
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import SageDateFeed
from sagezoho_pipelines.engine.flows import invoice_sending, invoice_totals, payments, products
from sagezoho_pipelines.engine.flows.invoice_documents import (
    ENTITY_SET,
    FLOW,
    HEADER,
    KEY_FIELD,
    LINES,
    SEVERAL,
    Document,
    as_in_zoho,
    customer_of,
    document_of,
    is_ar,
    line_mapping,
    lines_of,
    link_of,
    number_of,
    of_lines,
    orders_of,
    product_lines,
    read,
    seen,
    with_total,
)
from sagezoho_pipelines.engine.settling import Movement
from sagezoho_pipelines.engine.zoho_write import ZohoWrite

#: What a subform of Zoho's holds at least; some organisations' hold twice as many.
_ROWS = 100


def from_our_orders(ctx: Context, rows: Sequence[Row]) -> Sequence[Row]:
    """Of all invoices, those whose order we made."""
    return [row for row, order in zip(rows, orders_of(ctx, rows), strict=True) if order is not None]


def _wanted(ctx: Context, rows: Sequence[Row]) -> Sequence[Row]:
    """The same of a page of headers: of those that bill several shipments, the lines are read too."""
    several = sorted({number_of(row) for row in rows if row.get(SEVERAL)})
    asked = [where("InvoiceNumber", "in", several)]
    found = ctx.sage.find(ENTITY_SET, where=asked, select=["InvoiceNumber", "InvoiceDetails"]) if several else ()
    lines = {number_of(row): row.get("InvoiceDetails") for row in found}
    return from_our_orders(ctx, [{**row, "InvoiceDetails": lines.get(number_of(row))} for row in rows])


feed = SageDateFeed(
    flow=FLOW,
    name="invoices",
    entity_set=ENTITY_SET,
    key="InvoiceUniquifier",
    marker="InvoiceDate",
    label="InvoiceNumber",
    select=lambda _ctx: (*HEADER, SEVERAL),
    digested=lambda _ctx: HEADER,
    overlap_days=lambda ctx: ctx.settings.flows.invoices.overlap_days,
    wanted=_wanted,
    keep_payload=False,
    record_key=lambda row: str(row["InvoiceNumber"]).strip(),
    deletions=False,
)


class InvoicesHandler:
    """New invoices are inserted once, announced by an intent; known ones are changed, their lines row by row id."""

    flow = FLOW
    target = (System.ZOHO_CRM, "Invoices")
    batch = 50

    def source(self, ctx: Context) -> EntityRef:
        return ctx.sage_entity("invoices")

    def workers(self, ctx: Context) -> int:
        return min(ctx.settings.zoho_crm.concurrency, 2 * ctx.settings.sage300.concurrency)

    def prepare(self, ctx: Context) -> None:
        mapping = ctx.mappings[FLOW]
        names = {*zoho_modules.written_fields(mapping["invoices"]), *zoho_modules.written_fields(mapping["payments"])}
        zoho_modules.require_fields(ctx, "Invoices", sorted(names))
        zoho_modules.require_fields(ctx, "Products", zoho_modules.written_fields(mapping["products"]))

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        rows = read(ctx, changes)
        orders = dict(zip(rows, orders_of(ctx, list(rows.values())), strict=True))
        now = as_in_zoho(ctx, [order for order in orders.values() if order is not None])
        settlements: list[Settlement] = []
        ours: list[tuple[Change, Row, Link]] = []
        for change in changes:
            row, order = rows.get(change.key), orders.get(change.key)
            if row is None or order is None:
                settlements.append(settling.settled(ctx, FLOW, change, Outcome.SKIPPED))
            else:
                ours.append((seen(change, row), row, now[order.sage_id]))
        documents = self._plan(ctx, ours, settlements)
        sent = invoice_sending.send(ctx, documents)
        there = [one.write.record_id for one in sent if one.total is not None and one.write.error is None]
        shown = invoice_totals.read(ctx, "Invoices", there)
        settlements += [self._settlement(ctx, document, shown) for document in sent]
        return settlements

    def _plan(
        self, ctx: Context, ours: Sequence[tuple[Change, Row, Link]], settlements: list[Settlement]
    ) -> list[Document]:
        known = ctx.ledger.links_by_sage(ctx.connection, "invoices", "Invoices", [item[0].key for item in ours])
        state = payments.state_of(ctx, [(customer_of(row), number_of(row)) for _, row, _ in ours])
        items = products.ensure(ctx, [line for _, row, _ in ours for line in product_lines(row)])
        documents = []
        for change, row, order in ours:
            try:
                lines = lines_of(ctx, row, items)
                documents.append(self._document(ctx, change, row, order, known.get(change.key), state, lines))
            except VendorError as error:
                if error.verdict is Verdict.FATAL:
                    raise
                settlements.append(settling.failed(ctx, FLOW, change, error, target=self.target))
        links, made = {link.sage_id: link for link in items.links}, dict(items.made)
        return [
            replace(document, links=of_lines(document.row, links), made=of_lines(document.row, made, take=True))
            for document in documents
        ]

    def _document(
        self,
        ctx: Context,
        change: Change,
        row: Row,
        order: Link,
        link: Link | None,
        state: Mapping[tuple[str, str], Row],
        lines: Sequence[Row],
    ) -> Document:
        mapping = ctx.mappings[FLOW]
        target = settling.edited(mapping["ar_invoices"] if is_ar(row) else mapping["invoices"], change)
        payment = state.get((customer_of(row), number_of(row)), {})
        source, total = with_total(ctx, document_of(ctx, change.key, row, order, payment), target, lines)
        billed = {**target.apply(source), LINES: list(lines)}
        if total is not None and not total.stands_in(billed):  # the mapping or a person has a word of their own
            total = None
        paid = mapping["payments"].apply(payment) if payment else {}
        before, unsettled = (link.written, link.unsettled) if link is not None else ({}, ())
        sent = {
            **target.changes(before, billed, creating=link is None, unsettled=unsettled),
            **mapping["payments"].changes(before, paid, creating=link is None, unsettled=unsettled),
        }
        write = ZohoWrite(
            "Invoices",
            target,
            link,
            {**billed, **paid},
            sent,
            also=(mapping["payments"],),
            subforms={LINES: line_mapping(ctx, row)},
        )
        write = zoho_target.writable(ctx, write)
        unfit = zoho_target.unfit(ctx, write)
        if unfit is not None:
            raise unfit
        return Document(change, row, order, lines, write, (), total)

    def _settlement(self, ctx: Context, document: Document, shown: Mapping[str, Row]) -> Settlement:
        change, write, intent = document.change, document.write, document.intent
        error = write.error
        if error is not None:
            error = zoho_target.explained(write, error)
            gone = _gone(ctx, document, error)
            if gone:
                error = _products_gone(gone)
            if error.verdict is Verdict.REFUSE and error.field.endswith(LINES) and len(document.lines) > _ROWS:
                error = _too_many_lines(document)
            if error.verdict is Verdict.REFUSE and error.field == zoho_modules.CURRENCY:
                error = _foreign(document)
            if error.code == "DUPLICATE_DATA" and error.field.endswith(KEY_FIELD):
                error = replace_verdict(error, Verdict.RETRY)
            settlement = settling.failed(
                ctx,
                FLOW,
                change,
                error,
                target=self.target,
                attempt=write.movement(),
                links=document.links,
                movements=document.made,
            )
            settlement = replace(settlement, ended=gone)
            if intent is not None and error.verdict is Verdict.REFUSE:
                return replace(settlement, intents=[(intent.id, "refused", "")])
            return settlement
        read_back = write.link is not None and write.link.made_by == "read back"
        outcome = Outcome.CREATED if read_back or write.link is None else write.outcome
        ends: dict[str, Any] = {
            "movements": [
                *document.made,
                *([_creation(write) if read_back else write.movement()] if write.sent else []),
            ],
            "links": [*document.links, write.new_link(link_of(ctx, document))],
            "intents": [(intent.id, "settled", write.record_id)] if intent is not None else (),
        }
        total, found = document.total, shown.get(write.record_id)
        differs = invoice_totals.differing(number_of(document.row), total, found) if total is not None else None
        if differs is not None and not _taken_as_it_is(ctx, change, differs):
            return settling.failed(ctx, FLOW, change, differs, target=self.target, operation="update", **ends)
        return settling.settled(ctx, FLOW, change, outcome, **ends)


def _taken_as_it_is(ctx: Context, change: Change, differs: VendorError) -> bool:
    """Whether a person has dismissed just this difference."""
    settled = ctx.ledger.dismissed(change.entity, [change.key], code=differs.code).get(change.key) or {}
    return settled.get("text") == differs.text


def _gone(ctx: Context, document: Document, error: VendorError) -> list[Link]:
    """The links of the invoice's products that Zoho no longer has, where it may have refused the invoice for them."""
    if error.verdict is not Verdict.REFUSE or error.code != "INVALID_DATA":
        return []
    try:
        return products.gone(ctx, sorted({code for code, _ in product_lines(document.row)}))
    except VendorError as unanswered:
        if unanswered.verdict is Verdict.FATAL:
            raise
        return []


def _products_gone(links: Sequence[Link]) -> VendorError:
    """The next attempt finds them by their codes, or makes them anew."""
    named = [f"{link.sage_id} ({link.zoho_id})" for link in links]
    return VendorError(
        system=System.ZOHO_CRM,
        code="PRODUCT_GONE",
        text=f"product{'s' if named[1:] else ''} {', '.join(named)} {'are' if named[1:] else 'is'} no longer in Zoho",
        verdict=Verdict.RETRY,
        field="Product_Name",
    )


def _too_many_lines(document: Document) -> VendorError:
    """Zoho says no more than that the lines are invalid."""
    return settling.refusal(
        "TOO_MANY_LINES",
        f"invoice {number_of(document.row)} has {len(document.lines)} lines, and Zoho takes {_ROWS} in one invoice",
        field=LINES,
        advice="its figures are in Sage 300 only: note the invoice on its deal, then dismiss this",
        system=System.ZOHO_CRM,
    )


def _foreign(document: Document) -> VendorError:
    """In another currency the same figures would be other amounts."""
    currency = document.write.sent.get(zoho_modules.CURRENCY)
    return settling.refusal(
        "CURRENCY_UNKNOWN",
        f"invoice {number_of(document.row)} is in {currency}, which is none of the currencies that Zoho keeps",
        field=zoho_modules.CURRENCY,
        advice=f"add {currency} to the currencies in Zoho's company settings, then retry this",
        system=System.ZOHO_CRM,
    )


def _creation(write: ZohoWrite) -> Movement:
    """The audit line of an invoice that an earlier, unanswered attempt had inserted: this attempt only completed it."""
    done = write.movement()
    return replace(done, operation="create", outcome=Outcome.CREATED, answer={**(done.answer or {}), "read_back": True})


def replace_verdict(error: VendorError, verdict: Verdict) -> VendorError:
    """The same error, to be handled otherwise."""
    return VendorError(
        system=error.system,
        code=error.code,
        text=error.text,
        verdict=verdict,
        field=error.field,
        status=error.status,
        advice=error.advice,
        details=error.details,
    )
