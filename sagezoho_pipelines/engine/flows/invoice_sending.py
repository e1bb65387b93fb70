"""Sending invoices: new ones are inserted once, announced by an intent; known ones are changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.domain.settlement import IntentRequest
from sagezoho_pipelines.domain.zoho import RowResult
from sagezoho_pipelines.engine import settling, zoho_target
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows.invoice_documents import KEY_FIELD, LINES, Document, link_of


def send(ctx: Context, documents: Sequence[Document]) -> list[Document]:
    new = [document for document in documents if document.write.link is None]
    known = [document for document in documents if document.write.link is not None]
    return [*_insert(ctx, new), *(_update(ctx, document) for document in known)]


def _insert(ctx: Context, documents: Sequence[Document]) -> list[Document]:
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
    adopted = [_adopt(ctx, d, present[d.change.key]) for d in documents if d.change.key in present]
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
    inserted = [replace(d, write=replace(d.write, result=result)) for d, result in zip(absent, results, strict=True)]
    return [*adopted, *inserted]


def _adopt(ctx: Context, document: Document, record_id: str) -> Document:
    """An earlier, unanswered attempt had inserted it: bring the record, lines included, to what it should be."""
    link = replace(link_of(ctx, document), zoho_id=record_id, written={LINES: None})
    # Whatever that attempt had written, or another one after it: all that may change is said again, empty fields too.
    again = document.write.mapping.lasting(document.write.after)
    adopted = replace(document, write=replace(document.write, link=link, sent=again))
    updated = _update(ctx, adopted)
    return replace(updated, write=replace(updated.write, link=replace(link, made_by="read back")))


def _update(ctx: Context, document: Document) -> Document:
    """Change what differs. Zoho appends rows sent without an id, so every line carries the id of a row."""
    sent = dict(document.write.sent)
    if not sent:
        return document
    record_id = document.write.record_id
    zoho_target.unsettle(ctx, [document.write])
    if LINES in sent:
        record = ctx.zoho.get("Invoices", record_id) or {}
        rows = [str(row["id"]) for row in record.get(LINES) or ()]
        if (record.get("$has_more") or {}).get(LINES):
            cut = RowResult(id=record_id, error=_lines_cut(record_id, len(rows)))
            return replace(document, write=replace(document.write, result=cut))
        sent[LINES] = [
            *({"id": row_id, **line} for row_id, line in zip(rows, document.lines, strict=False)),
            *document.lines[len(rows) :],
            *({"id": row_id, "_delete": None} for row_id in rows[len(document.lines) :]),
        ]
    result = ctx.zoho.update("Invoices", [{"id": record_id, **sent}], trigger=ctx.settings.zoho_crm.trigger)[0]
    return replace(document, write=replace(document.write, result=result))


def _lines_cut(record_id: str, shown: int) -> VendorError:
    """Rows whose ids nobody knows could neither be rewritten nor dropped: the others would stand beside them."""
    return settling.refusal(
        "LINES_CUT",
        f"Zoho shows only the first {shown} lines of invoice {record_id}",
        field=LINES,
        advice="correct its lines in Zoho by hand, then dismiss this",
        system=System.ZOHO_CRM,
    )


def _present(ctx: Context, documents: Sequence[Document]) -> dict[str, str]:
    """Change key -> id of the Zoho invoice that carries its Sage key already."""
    keys = {ctx.sage_key(document.change.key): document.change.key for document in documents}
    found = ctx.zoho.find("Invoices", where=[where(KEY_FIELD, "in", sorted(keys))], fields=[KEY_FIELD])
    return {keys[str(row[KEY_FIELD])]: str(row["id"]) for row in found if str(row.get(KEY_FIELD)) in keys}
