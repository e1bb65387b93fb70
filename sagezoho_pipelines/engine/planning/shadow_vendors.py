"""Shadows of both vendors: reads pass through, writes are noted and answered as if they had been carried out."""

# A shadow takes what the port it implements is given, and needs less of it.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sagezoho_pipelines.domain.criteria import Criteria, where
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.metadata import FieldInfo
from sagezoho_pipelines.domain.planned import PlannedWrite
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.engine.planning import faults, writes
from sagezoho_pipelines.engine.ports import RowResult, Sage300, Watch, Watched, ZohoCrm, ZohoPage

_NOT_PART = "a plan runs the flows only: {} is none of their calls"


class Notebook:
    """What would be written, in the order it would be, and what the records concerned hold now.

    `names` tells records by the placeholders they had in a plan that was begun earlier.
    """

    def __init__(self, names: writes.Names) -> None:
        self.names = names
        self.writes: list[PlannedWrite] = []
        self.held: dict[tuple[System, str], dict[str, Any]] = {}
        self.notes: list[str] = []

    def holds(self, system: System, record_id: str, values: Row) -> None:
        self.held.setdefault((system, record_id), {}).update(values)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


class ShadowSage:
    """Implements `Sage300`. `own_reads` counts calls that only planning makes; `writes` those that it saves."""

    def __init__(self, real: Sage300, notebook: Notebook) -> None:
        self._real = real
        self._notebook = notebook
        self._made: dict[tuple[str, str], Row] = {}
        self.usage: Usage = real.usage
        self.own_reads = 0
        self.write_calls = 0

    def pages(
        self, entity_set: str, *, select: Sequence[str], where: Criteria = (), page_size: int | None = None
    ) -> Iterator[Sequence[Row]]:
        return self._real.pages(entity_set, select=select, where=where, page_size=page_size)

    def find(self, entity_set: str, *, where: Criteria, select: Sequence[str], limit: int | None = None) -> list[Row]:
        found = self._real.find(entity_set, where=where, select=select, limit=limit)
        for row in found:
            self._notebook.names.saw_in_sage(entity_set, row)
        return found

    def get(self, entity_set: str, key: str | int, *, select: Sequence[str] = ()) -> Row | None:
        made = self._made.get((entity_set, str(key)))
        if made is not None:
            return {name: made.get(name) for name in select} if select else made
        return self._real.get(entity_set, key, select=select)

    def exists(self, entity_set: str, *, where: Criteria) -> bool:
        return self._real.exists(entity_set, where=where)

    def described(self, entity_sets: Sequence[str]) -> dict[str, dict[str, FieldInfo]]:
        return self._real.described(entity_sets)

    def create(self, entity_set: str, body: Row) -> Row:
        fault = faults.of_sage_row(entity_set, body)
        if fault is not None:
            raise fault
        planned = writes.sage_create(entity_set, self._notebook.names.named(body))
        self._note(planned)
        if entity_set == "OE/OEOrders" and not body.get("ShipToAddressLine1"):
            self._notebook.note(
                "Some orders have no ship-to address of their own: where their customer has none either, Sage refuses "
                "them in some companies."
            )
        assigned = writes.ASSIGNED.get(entity_set, ((), "", ""))[0]
        made = {**body, **dict.fromkeys(assigned, planned.makes)}
        self._made[entity_set, planned.makes or planned.key] = made
        return made

    def patch(self, entity_set: str, key: str | int, body: Row) -> None:
        fault = faults.of_sage_row(entity_set, body)
        if fault is not None:
            raise fault
        if (entity_set, str(key)) not in self._made:
            before = self.usage.calls
            held = self._real.get(entity_set, key, select=sorted(body))
            self.own_reads += self.usage.calls - before
            if held is None:
                raise VendorError(
                    system=System.SAGE300,
                    code="RecordNotFound",
                    text=f"{entity_set} {key} is not in Sage",
                    verdict=Verdict.REFUSE,
                    advice="restore the record in Sage, or remove its link",
                )
            self._notebook.holds(System.SAGE300, str(key), held)
        self._note(writes.sage_patch(entity_set, key, self._notebook.names.named(body)))

    def _note(self, planned: PlannedWrite) -> None:
        self.write_calls += 1
        self._notebook.writes.append(planned)


class ShadowZoho:
    """Implements `ZohoCrm`. `own_*` count calls that only planning makes; `write_*` those that it saves."""

    def __init__(self, real: ZohoCrm, notebook: Notebook) -> None:
        self._real = real
        self._notebook = notebook
        self._made: dict[tuple[str, str], dict[str, Any]] = {}
        self._fields: dict[str, list[Row]] = {}
        self.usage: Usage = real.usage
        self.own_reads = self.own_credits = 0
        self.write_calls = self.write_credits = 0

    # reads

    def changed_since(
        self,
        module: str,
        *,
        fields: Sequence[str],
        since: datetime,
        where: Criteria = (),
        until: datetime | None = None,
    ) -> Iterator[ZohoPage]:
        return self._real.changed_since(module, fields=fields, since=since, where=where, until=until)

    def find(self, module: str, *, where: Criteria, fields: Sequence[str], limit: int | None = None) -> list[Row]:
        found = self._real.find(module, where=where, fields=fields, limit=limit)
        for row in found:
            self._notebook.names.saw_in_zoho(module, row)
        return found

    def get(self, module: str, record_id: str) -> Row | None:
        made = self._made.get((module, record_id))
        return dict(made) if made is not None else self._real.get(module, record_id)

    def get_many(self, module: str, ids: Sequence[str], *, fields: Sequence[str]) -> list[Row]:
        there = [one for one in ids if (module, one) not in self._made]
        found = {str(row["id"]): row for row in self._real.get_many(module, there, fields=fields)} if there else {}
        for one in ids:
            if (module, one) in self._made:
                found[one] = {"id": one, **{name: self._made[module, one].get(name) for name in fields}}
        return [found[one] for one in ids if one in found]

    def deleted_since(self, module: str, since: datetime) -> Iterator[Row]:
        return self._real.deleted_since(module, since)

    def modules(self) -> list[Row]:
        return self._real.modules()

    def fields(self, module: str) -> list[Row]:
        if module not in self._fields:
            self._fields[module] = self._real.fields(module)
        return self._fields[module]

    def org(self) -> Row:
        return self._real.org()

    def current_user(self) -> Row:
        return self._real.current_user()

    def server_time(self) -> datetime:
        return self._real.server_time()

    def write_cost(self, rows: int) -> tuple[int, int]:
        return self._real.write_cost(rows)

    # writes

    def insert(self, module: str, rows: Sequence[Row], *, trigger: Sequence[str] = ()) -> list[RowResult]:
        self._count(len(rows))
        results = []
        for row in rows:
            planned = writes.zoho_insert(module, self._notebook.names.named(row))
            results.append(self._refused(module, row, creating=True) or self._created(module, row, planned))
        return results

    def update(
        self,
        module: str,
        rows: Sequence[Row],
        *,
        trigger: Sequence[str] = (),
        unmodified_since: datetime | None = None,
    ) -> list[RowResult]:
        self._count(len(rows))
        there = self._there(module, rows)
        return [self._updated(module, row, there) for row in rows]

    def upsert(
        self,
        module: str,
        rows: Sequence[Row],
        *,
        duplicate_check: Sequence[str],
        trigger: Sequence[str] = (),
    ) -> list[RowResult]:
        self._count(len(rows))
        known = self._matched(module, rows, duplicate_check)
        results = []
        for row in rows:
            planned = writes.zoho_upsert(module, self._notebook.names.named(row), duplicate_check)
            held = known.get(planned.key.casefold()) or self._made.get((module, planned.makes))
            refused = self._refused(module, row, creating=held is None)
            if refused is not None:
                results.append(refused)
            elif held is None:
                results.append(self._created(module, row, planned))
            else:
                record_id = str(held["id"])
                self._notebook.names.became(planned.makes, record_id)
                self._notebook.holds(System.ZOHO_CRM, record_id, {name: held[name] for name in row if name in held})
                self._notebook.writes.append(planned)
                results.append(RowResult(id=record_id))
        return results

    def create_fields(self, module: str, fields: Sequence[Row]) -> list[RowResult]:
        raise NotImplementedError(_NOT_PART.format("create_fields"))

    def enable_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        raise NotImplementedError(_NOT_PART.format("enable_channels"))

    def replace_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        raise NotImplementedError(_NOT_PART.format("replace_channels"))

    def renew_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        raise NotImplementedError(_NOT_PART.format("renew_channels"))

    def channel(self, channel_id: int) -> list[Watched]:
        return self._real.channel(channel_id)

    def disable_channel(self, channel_id: int) -> None:
        raise NotImplementedError(_NOT_PART.format("disable_channel"))

    # how

    def _created(self, module: str, row: Row, planned: PlannedWrite) -> RowResult:
        self._made[module, planned.makes] = {"id": planned.makes, **row}
        self._notebook.writes.append(planned)
        return RowResult(id=planned.makes, created=True)

    def _updated(self, module: str, row: Row, there: Mapping[str, Row]) -> RowResult:
        record_id = str(row["id"])
        made = self._made.get((module, record_id))
        if made is None and record_id not in there:
            gone = VendorError(
                system=System.ZOHO_CRM,
                code="INVALID_DATA",
                text="the id given seems to be invalid",
                verdict=Verdict.REFUSE,
                field="id",
            )
            return RowResult(id=record_id, error=gone)
        refused = self._refused(module, row, creating=False)
        if refused is not None:
            return refused
        if made is not None:
            made.update(row)
        else:
            held = there[record_id]
            now = {name: held[name] for name in row if name != "id" and name in held}
            self._notebook.holds(System.ZOHO_CRM, record_id, now)
        if not self._notebook.names.completes(row):
            self._notebook.writes.append(writes.zoho_update(module, self._notebook.names.named(row)))
        return RowResult(id=record_id)

    def _refused(self, module: str, row: Row, *, creating: bool) -> RowResult | None:
        with self._own():
            fields = self.fields(module)
        for name, value in faults.unlisted(row, fields):
            self._notebook.note(
                f"{module}.{name}: {value!r} is not in the field's picklist; Zoho takes it all the same"
            )
        error = faults.of_zoho_row(row, fields, creating=creating)
        return None if error is None else RowResult(error=error)

    def _there(self, module: str, rows: Sequence[Row]) -> dict[str, Row]:
        """The records to be updated, with the fields concerned: what they hold, and whether they exist."""
        ids = [str(row["id"]) for row in rows if (module, str(row["id"])) not in self._made]
        with self._own():
            found = self._real.get_many(module, ids, fields=_readable(rows)) if ids else []
        return {str(row["id"]): row for row in found}

    def _matched(self, module: str, rows: Sequence[Row], unique: Sequence[str]) -> dict[str, Row]:
        """What an upsert would find, by its unique value: Zoho compares without regard to case."""
        names = _readable(rows)
        found: dict[str, Row] = {}
        for name in unique:
            values = sorted({str(row[name]) for row in rows if row.get(name)})
            with self._own():
                matching = self._real.find(module, where=[where(name, "in", values)], fields=[name]) if values else []
                whole = (
                    self._real.get_many(module, [str(row["id"]) for row in matching], fields=names) if matching else []
                )
            by_id = {str(row["id"]): row for row in whole}
            for row in matching:
                found.setdefault(str(row[name]).casefold(), by_id.get(str(row["id"]), row))
        return found

    def _count(self, rows: int) -> None:
        calls, credits = self._real.write_cost(rows)
        self.write_calls += calls
        self.write_credits += credits

    @contextmanager
    def _own(self) -> Iterator[None]:
        calls, credits = self.usage.calls, self.usage.credits
        yield
        self.own_reads += self.usage.calls - calls
        self.own_credits += self.usage.credits - credits


def _readable(rows: Sequence[Row]) -> list[str]:
    """The fields concerned, but for subforms, which only a whole record shows."""
    return sorted({name for row in rows for name, value in row.items() if name != "id" and not isinstance(value, list)})
