"""Invoices: Sage invoices that came from our orders go back to Zoho, with the products they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.digest import digest, equal
from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines.domain.mapping import TargetMapping
from sagezoho_pipelines.domain.records import Authority, Change, EntityRef, Link, Outcome, Row, System
from sagezoho_pipelines.engine import settling, zoho_target
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import SageDateFeed
from sagezoho_pipelines.engine.flows import payments, products
from sagezoho_pipelines.engine.ports import Intent, IntentRequest, RowResult, Settlement
from sagezoho_pipelines.engine.settling import Movement
from sagezoho_pipelines.engine.zoho_target import ZohoWrite

FLOW = "invoices"
ENTITY_SET = "OE/OEInvoices"
KEY_FIELD = "Sage_Invoice_Key"
LINES = "Invoiced_Items"
#: What tells one version of a posted invoice from another, and whose it is; the rest is read when it is delivered.
_HEADER = ("InvoiceNumber", "OrderNumber", "CustomerNumber", "InvoiceDate", "InvoiceTotalWithTax", "TotalTaxAmount")
_LINE_FIELDS = ("Item", "MiscellaneousChargesCode", "LineType", "Description")


def from_our_orders(ctx: Context, rows: Sequence[Row]) -> Sequence[Row]:
    """Of all invoices, those whose order we made."""
    numbers = sorted({str(row.get("OrderNumber") or "").strip() for row in rows} - {""})
    links = ctx.ledger.links_by_sage(ctx.connection, "orders", "Deals", numbers) if numbers else {}
    return [row for row in rows if str(row.get("OrderNumber") or "").strip() in links]


feed = SageDateFeed(
    flow=FLOW,
    name="invoices",
    entity_set=ENTITY_SET,
    key="InvoiceUniquifier",
    marker="InvoiceDate",
    label="InvoiceNumber",
    select=lambda _ctx: _HEADER,
    digested=lambda _ctx: _HEADER,
    overlap_days=lambda ctx: ctx.settings.flows.invoices.overlap_days,
    wanted=from_our_orders,
    keep_payload=False,
    record_key=lambda row: str(row["InvoiceNumber"]).strip(),
)

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class _Document:
    """One invoice on its way: as Sage has it, as Zoho should have it. `made` are the products made for it."""

    change: Change
    row: Row
    order: Link
    lines: Sequence[Row]
    write: ZohoWrite
    links: Sequence[Link]
    made: Sequence[Movement] = ()
    intent: Intent | None = None


def document_of(ctx: Context, key: str, row: Row, order: Link | None, payment: Row) -> Row:
    """What the mapping of an invoice sees; `order` is the link of the order that it bills."""
    return {
        **row,
        "key": ctx.sage_key(key),
        "account": {"id": order.details.get("account") if order is not None else None},
        "deal": {"id": order.zoho_id if order is not None else None},
        "payment": payment,
    }


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
        names = {*zoho_target.written_fields(mapping["invoices"]), *zoho_target.written_fields(mapping["payments"])}
        zoho_target.require_fields(ctx, "Invoices", sorted(names))
        zoho_target.require_fields(ctx, "Products", zoho_target.written_fields(mapping["products"]))

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        rows = _documents(ctx, changes)
        numbers = sorted({str(row.get("OrderNumber") or "").strip() for row in rows.values()} - {""})
        orders = ctx.ledger.links_by_sage(ctx.connection, "orders", "Deals", numbers)
        settlements: list[Settlement] = []
        ours: list[tuple[Change, Row, Link]] = []
        for change in changes:
            row = rows.get(change.key)
            order = orders.get(str((row or {}).get("OrderNumber") or "").strip())
            if row is None or order is None:
                settlements.append(settling.settled(ctx, FLOW, change, Outcome.SKIPPED))
            else:
                ours.append((_seen(change, row), row, order))
        documents = self._plan(ctx, ours, settlements)
        for document in self._send(ctx, documents):
            settlements.append(self._settlement(ctx, document))
        return settlements

    def _plan(
        self, ctx: Context, ours: Sequence[tuple[Change, Row, Link]], settlements: list[Settlement]
    ) -> list[_Document]:
        known = ctx.ledger.links_by_sage(ctx.connection, "invoices", "Invoices", [item[0].key for item in ours])
        state = payments.state_of(ctx, [(_customer(row), _number(row)) for _, row, _ in ours])
        items = products.ensure(ctx, [line for _, row, _ in ours for line in _product_lines(row)])
        documents = []
        for change, row, order in ours:
            try:
                lines = self._lines(ctx, row, items)
                documents.append(self._document(ctx, change, row, order, known.get(change.key), state, lines))
            except VendorError as error:
                if error.verdict is Verdict.FATAL:
                    raise
                settlements.append(settling.failed(ctx, FLOW, change, error, target=self.target))
        links, made = {link.sage_id: link for link in items.links}, dict(items.made)
        return [
            replace(document, links=_of_lines(document.row, links), made=_of_lines(document.row, made, take=True))
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
    ) -> _Document:
        mapping = ctx.mappings[FLOW]
        target = settling.edited(mapping["ar_invoices"] if _is_ar(row) else mapping["invoices"], change)
        payment = state.get((_customer(row), _number(row)), {})
        source = document_of(ctx, change.key, row, order, payment)
        after = {
            **target.apply(source),
            **(mapping["payments"].apply(payment) if payment else {}),
            LINES: list(lines),
        }
        before = link.written if link is not None else {}
        sent = {
            name: value
            for name, value in after.items()
            if (value is not None if link is None else name in link.unsettled or not equal(before.get(name), value))
        }
        write = ZohoWrite(
            "Invoices",
            target,
            link,
            after,
            sent,
            also=(mapping["payments"],),
            subforms={LINES: _line_mapping(ctx, row)},
        )
        return _Document(change, row, order, lines, write, ())

    def _lines(self, ctx: Context, row: Row, items: products.Products) -> list[Row]:
        mapping = _line_mapping(ctx, row)
        lines: list[Row] = []
        for detail in row.get("InvoiceDetails") or ():
            product = items.of(_code(detail))
            line = mapping.apply({**detail, "product": {"id": product}, "invoice": row})
            lines.append({name: value for name, value in line.items() if value is not None})
        if not lines:
            raise settling.refusal("NO_LINES", f"invoice {_number(row)} has no lines", advice="look at it in Sage")
        return lines

    def _send(self, ctx: Context, documents: Sequence[_Document]) -> list[_Document]:
        new = [document for document in documents if document.write.link is None]
        known = [document for document in documents if document.write.link is not None]
        return [*self._insert(ctx, new), *(self._update(ctx, document) for document in known)]

    def _insert(self, ctx: Context, documents: Sequence[_Document]) -> list[_Document]:
        """Insert each once. Zoho is asked by the unique key first, and again when an answer is lost."""
        if not documents:
            return []
        requests = [
            IntentRequest(
                "zoho_crm", "Invoices", ctx.sage_key(d.change.key), "invoices", d.change.key, digest(d.write.sent)
            )
            for d in documents
        ]
        intents = ctx.ledger.begin_intents(ctx.connection, requests, at=ctx.clock(), run_id=ctx.run_id)
        documents = [replace(d, intent=intents[ctx.sage_key(d.change.key)]) for d in documents]
        present = _present(ctx, documents)
        absent = [d for d in documents if d.change.key not in present]
        adopted = [self._adopt(ctx, d, present[d.change.key]) for d in documents if d.change.key in present]
        if not absent:
            return adopted
        try:
            results = ctx.zoho.insert("Invoices", [d.write.sent for d in absent], trigger=ctx.settings.zoho_crm.trigger)
        except OutcomeUnknown as unknown:
            now_present = _present(ctx, absent)
            results = [
                RowResult(id=now_present[d.change.key], created=True)
                if d.change.key in now_present
                else RowResult(error=unknown)
                for d in absent
            ]
        inserted = [
            replace(d, write=replace(d.write, result=result)) for d, result in zip(absent, results, strict=True)
        ]
        return [*adopted, *inserted]

    def _adopt(self, ctx: Context, document: _Document, record_id: str) -> _Document:
        """An earlier, unanswered attempt had inserted it: bring the record, lines included, to what it should be."""
        link = replace(_link(ctx, document), zoho_id=record_id, written={LINES: None})
        # Whatever that attempt had written, or another one after it: all of it is said again, empty fields included.
        adopted = replace(document, write=replace(document.write, link=link, sent=dict(document.write.after)))
        updated = self._update(ctx, adopted)
        return replace(updated, write=replace(updated.write, link=replace(link, made_by="read back")))

    def _update(self, ctx: Context, document: _Document) -> _Document:
        """Change what differs. Zoho appends rows sent without an id, so every line carries the id of a row."""
        sent = dict(document.write.sent)
        if not sent:
            return document
        record_id = document.write.record_id
        zoho_target.unsettle(ctx, [document.write])
        if LINES in sent:
            record = ctx.zoho.get("Invoices", record_id)
            rows = [str(row["id"]) for row in (record or {}).get(LINES) or ()]
            sent[LINES] = [
                *({"id": row_id, **line} for row_id, line in zip(rows, document.lines, strict=False)),
                *document.lines[len(rows) :],
                *({"id": row_id, "_delete": None} for row_id in rows[len(document.lines) :]),
            ]
        result = ctx.zoho.update("Invoices", [{"id": record_id, **sent}], trigger=ctx.settings.zoho_crm.trigger)[0]
        return replace(document, write=replace(document.write, result=result))

    def _settlement(self, ctx: Context, document: _Document) -> Settlement:
        change, write, intent = document.change, document.write, document.intent
        error = write.error
        if error is not None:
            error = zoho_target.explained(write, error)
            if error.code == "DUPLICATE_DATA" and error.field.endswith(KEY_FIELD):
                error = replace_verdict(error, Verdict.RETRY)
            settlement = settling.failed(
                ctx, FLOW, change, error, target=self.target, links=document.links, movements=document.made
            )
            if intent is not None and error.verdict is Verdict.REFUSE:
                return replace(settlement, intents=[(intent.id, "refused", "")])
            return settlement
        read_back = write.link is not None and write.link.made_by == "read back"
        outcome = Outcome.CREATED if read_back or write.link is None else write.outcome
        return settling.settled(
            ctx,
            FLOW,
            change,
            outcome,
            movements=[*document.made, *([_creation(write) if read_back else write.movement()] if write.sent else [])],
            links=[*document.links, write.new_link(_link(ctx, document))],
            intents=[(intent.id, "settled", write.record_id)] if intent is not None else (),
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


def _documents(ctx: Context, changes: Sequence[Change]) -> dict[str, Row]:
    """The invoices themselves: service invoices come with their change, order-entry invoices are read now."""
    rows = {change.key: change.payload for change in changes if change.payload is not None}
    looks = [change.key for change in changes if change.payload is None]
    if looks:
        mapping = ctx.mappings[FLOW]
        columns = {*mapping.source_fields("invoices"), *_HEADER, "InvoiceDetails"}
        for row in ctx.sage.find(ENTITY_SET, where=[where("InvoiceNumber", "in", looks)], select=sorted(columns)):
            rows[str(row["InvoiceNumber"]).strip()] = row
    return rows


def _seen(change: Change, row: Row) -> Change:
    """An order-entry invoice keeps the digest of its header; a service invoice that of its whole entry."""
    return replace(change, digest=change.digest or digest(row, _HEADER), name=_number(row))


def _present(ctx: Context, documents: Sequence[_Document]) -> dict[str, str]:
    """Change key -> id of the Zoho invoice that carries its Sage key already."""
    keys = {ctx.sage_key(document.change.key): document.change.key for document in documents}
    found = ctx.zoho.find("Invoices", where=[where(KEY_FIELD, "in", sorted(keys))], fields=[KEY_FIELD])
    return {keys[str(row[KEY_FIELD])]: str(row["id"]) for row in found if str(row.get(KEY_FIELD)) in keys}


def _link(ctx: Context, document: _Document) -> Link:
    return Link(
        connection=ctx.connection,
        sage_entity="invoices",
        sage_id=document.change.key,
        zoho_entity="Invoices",
        zoho_id="",
        sage_name=_number(document.row),
        zoho_name=str(document.write.after.get("Subject") or ""),
        authority=Authority.SAGE300,
        source_digest=document.change.digest,
        seen_equal_at=ctx.clock(),
        details={
            "number": _number(document.row),
            "order": document.order.sage_id,
            "customer": _customer(document.row),
        },
    )


def _line_mapping(ctx: Context, row: Row) -> TargetMapping:
    return ctx.mappings[FLOW]["ar_invoice_lines" if _is_ar(row) else "invoice_lines"]


def _is_ar(row: Row) -> bool:
    return "DocumentNumber" in row


def _number(row: Row) -> str:
    return str(row.get("DocumentNumber") or row.get("InvoiceNumber") or "").strip()


def _customer(row: Row) -> str:
    return str(row.get("CustomerNumber") or "").strip()


def _code(detail: Row) -> str:
    """What a line sells, as a product code: item, miscellaneous charge, or distribution code."""
    for name in ("Item", "ItemNumber", "MiscellaneousChargesCode", "DistributionCode"):
        code = str(detail.get(name) or "").strip()
        if code:
            return code
    return "SERVICE"


def _product_lines(row: Row) -> list[tuple[str, Any]]:
    return [(_code(detail), detail.get("Description")) for detail in row.get("InvoiceDetails") or ()]


def _of_lines(row: Row, known: dict[str, Found], *, take: bool = False) -> list[Found]:
    """What is known of the products that an invoice names; `take` leaves nothing of it for the next invoice."""
    codes = [code for code in dict.fromkeys(code for code, _ in _product_lines(row)) if code in known]
    return [known.pop(code) if take else known[code] for code in codes]
