"""Writing mapped records to a Zoho module: creates by unique key, updates with the changed fields only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines.domain.mapping import TargetMapping
from sagezoho_pipelines.domain.reconcile import same
from sagezoho_pipelines.domain.records import Link, Row, System
from sagezoho_pipelines.domain.widths import width
from sagezoho_pipelines.domain.zoho import RowResult
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.unique_values import to_insert
from sagezoho_pipelines.engine.zoho_modules import absent_fields, fields_of, readable, unique_fields
from sagezoho_pipelines.engine.zoho_write import ZohoWrite

#: How Zoho points at the id of the record itself, not at one inside a lookup.
_RECORD_ID = re.compile(r"(\$\.data\[\d+\]\.)?id")


def planned(module: str, mapping: TargetMapping, link: Link | None, document: Row) -> ZohoWrite:
    """Decide what one record needs: everything that has a value, the changed fields, or nothing."""
    after = mapping.apply(document)
    if link is None:
        return ZohoWrite(module, mapping, link, after, mapping.changes({}, after, creating=True))
    sent = mapping.changes(link.written, after, creating=False, unsettled=link.unsettled)
    return ZohoWrite(module, mapping, link, after, sent)


def write(ctx: Context, writes: Sequence[ZohoWrite], *, unique: str) -> list[ZohoWrite]:
    """Send what has something to send: known records by id, new ones as upserts on the unique Sage key.

    An upsert that is repeated after a lost answer finds its own record by that key, so it is safe to send again; what
    the earlier one had written and has no value any more is then emptied. What an update writes counts as unknown
    from before it is sent until its link is settled. Where an upsert might find another one's record, it is inserted.
    """
    if not writes:
        return []
    absent = absent_fields(ctx, writes[0].module)
    batch = _Batch(ctx, [_without(item, absent) for item in writes])
    batch.refuse({i: refused for i, item in enumerate(batch.writes) if (refused := unfit(ctx, item))})
    batch.create(unique)
    batch.update()
    return batch.writes


class _Batch:
    """Writes of one module on their way; each is replaced by itself with Zoho's answer."""

    def __init__(self, ctx: Context, writes: list[ZohoWrite]) -> None:
        self.ctx = ctx
        self.writes = writes
        self.module = writes[0].module
        self.trigger = ctx.settings.zoho_crm.trigger

    def refuse(self, refused: Mapping[int, VendorError]) -> None:
        for index, error in refused.items():
            item = self.writes[index]
            self.writes[index] = replace(item, result=RowResult(id=item.record_id or None, error=error))

    def create(self, unique: str) -> None:
        """New records: upserts on the unique key, inserts where one might find another's record by another field."""
        new = [i for i, item in enumerate(self.writes) if item.link is None and item.error is None]
        others = unique_fields(self.ctx, self.module) - {unique} if new else ()
        rows = {i: self.writes[i].sent for i in new}
        alone = set(to_insert(self.ctx, self.module, rows, key=unique, others=others))
        self._send({i: rows[i] for i in new if i not in alone}, partial(self.ctx.zoho.upsert, duplicate_check=[unique]))
        self._send({i: rows[i] for i in sorted(alone)}, self.ctx.zoho.insert)
        empty = {i: self.writes[i].without_value() for i in new if self.writes[i].was_found}
        for i, values in empty.items():
            self.writes[i] = replace(self.writes[i], sent={**self.writes[i].sent, **values})
        self._send({i: self._by_id(i, values) for i, values in empty.items() if values}, self.ctx.zoho.update)

    def update(self) -> None:
        """Known records: those that a comparison decided upon only where nobody has edited them since."""
        due = [i for i, item in enumerate(self.writes) if item.link is not None and item.sent and item.error is None]
        self.refuse(_edited_meanwhile(self.ctx, self.writes, due))
        due = [i for i in due if self.writes[i].error is None]
        unsettle(self.ctx, [self.writes[i] for i in due])
        read = [i for i in due if self.writes[i].unmodified_since is not None]
        newest = max((time for i in read if (time := self.writes[i].unmodified_since)), default=None)
        unless_edited = partial(self._unless_edited, since=newest)
        self._send({i: self._by_id(i, self.writes[i].sent) for i in read}, unless_edited)
        blind = [i for i in due if self.writes[i].unmodified_since is None]
        self._send({i: self._by_id(i, self.writes[i].sent) for i in blind}, self.ctx.zoho.update)

    def _unless_edited(
        self, module: str, rows: Sequence[Row], *, trigger: Sequence[str], since: datetime | None
    ) -> list[RowResult]:
        """All were read together: what was edited meanwhile is newer than the newest of them."""
        try:
            return self.ctx.zoho.update(module, rows, trigger=trigger, unmodified_since=since)
        except OutcomeUnknown as error:
            # Each is settled with what it was about to override, since it may have been.
            return [RowResult(id=str(row["id"]), error=error) for row in rows]

    def _by_id(self, index: int, values: Row) -> Row:
        return {"id": self.writes[index].record_id, **values}

    def _send(self, rows: Mapping[int, Row], call: Callable[..., list[RowResult]]) -> None:
        if not rows:
            return
        results = call(self.module, list(rows.values()), trigger=self.trigger)
        for index, result in zip(rows, results, strict=True):
            self.writes[index] = replace(self.writes[index], result=result)


def _edited_meanwhile(ctx: Context, writes: Sequence[ZohoWrite], known: Sequence[int]) -> dict[int, VendorError]:
    """Of writes that a comparison decided upon, those of which somebody has edited what is to be written since.

    Zoho's own condition is to the second, and one for all rows of a call: what is typed in the second of the read, or
    while the rest of a batch was read, passes it.
    """
    decided = {writes[i].record_id: i for i in known if writes[i].gives_way}
    if not decided:
        return {}
    names = sorted({one.field for i in decided.values() for one in writes[i].gives_way})
    module = writes[known[0]].module
    found = {}
    for row in ctx.zoho.get_many(module, sorted(decided), fields=names):
        index = decided[str(row["id"])]
        edited = sorted(one.field for one in writes[index].gives_way if not same(row.get(one.field), one.before))
        if edited:
            found[index] = VendorError(
                system=System.ZOHO_CRM,
                code="ALREADY_MODIFIED",
                text=f"not sent: {', '.join(edited)} of {module} {row['id']} was edited in Zoho after it was read",
                verdict=Verdict.RETRY,
                field=edited[0],
            )
    return found


def with_what_is_held(ctx: Context, writes: Sequence[ZohoWrite]) -> list[ZohoWrite]:
    """The writes, each update with what its record holds now of the fields it sends: the audit tells what gives way."""
    ids = {item.link.zoho_id for item in writes if item.link is not None and item.sent}
    if not ids:
        return list(writes)
    names = sorted({name for item in writes if item.link is not None for name in item.sent})
    rows = ctx.zoho.get_many(writes[0].module, sorted(ids), fields=readable(ctx, writes[0].module, names))
    there = {str(row["id"]): row for row in rows}

    def held(item: ZohoWrite) -> Row:
        row = there.get(item.link.zoho_id, {}) if item.link is not None else {}
        return {name: row[name] for name in item.sent if name in row}

    return [replace(item, held=held(item)) for item in writes]


def unsettle(ctx: Context, writes: Sequence[ZohoWrite]) -> None:
    """Say that these updates are about to be sent."""
    if writes:
        gives_way = [(item.link, item.gives_way) for item in writes if item.link is not None and item.gives_way]
        if gives_way:
            ctx.ledger.give_way(gives_way)
        ctx.ledger.unsettle([(item.link, item.sent) for item in writes if item.link is not None])


def is_gone(error: VendorError) -> bool:
    """Whether an update was refused since Zoho no longer has the record."""
    return error.code == "INVALID_DATA" and _RECORD_ID.fullmatch(error.field) is not None


def explained(write: ZohoWrite, error: VendorError) -> VendorError:
    """An update of a record that Zoho no longer has is a conflict: a person deleted what Sage still names."""
    if write.link is None or not is_gone(error):
        return error
    return VendorError(
        system=System.ZOHO_CRM,
        code="RECORD_DELETED",
        text=f"{write.module} {write.link.zoho_id} is no longer in Zoho",
        verdict=Verdict.CONFLICT,
        advice="restore it from Zoho's recycle bin and retry this, or dismiss it",
    )


def unfit(ctx: Context, write: ZohoWrite) -> VendorError | None:
    """What Zoho would refuse, or round: said before the send, it costs nothing and names the room there is."""
    fields = fields_of(ctx, write.module)
    for name, value in write.sent.items():
        most, decimals = (fields[name].length, fields[name].decimals) if name in fields else (None, None)
        if decimals is not None and isinstance(value, Decimal) and value != round(value, decimals):
            return VendorError(
                system=System.ZOHO_CRM,
                code="TOO_FINE",
                text=f"{name} is {value:f}, and Zoho keeps {decimals} decimals of it",
                verdict=Verdict.REFUSE,
                field=name,
                advice=f"give {write.module}.{name} more decimals in Zoho (Setup, Modules and Fields), then retry this",
            )
        if most and isinstance(value, str) and width(value) > most:
            return VendorError(
                system=System.ZOHO_CRM,
                code="TOO_LONG",
                text=f"{name} has {width(value)} characters, and Zoho takes {most}",
                verdict=Verdict.REFUSE,
                field=name,
                advice="shorten it at its source, or declare a rule in the mapping",
            )
    return None


def writable(ctx: Context, write: ZohoWrite) -> ZohoWrite:
    """Without the optional fields that this organisation does without: of those nothing is written."""
    return _without(write, absent_fields(ctx, write.module))


def _without(write: ZohoWrite, absent: frozenset[str]) -> ZohoWrite:
    if not absent.intersection(write.after):
        return write
    after = {name: value for name, value in write.after.items() if name not in absent}
    sent = {name: value for name, value in write.sent.items() if name not in absent}
    return replace(write, after=after, sent=sent)
