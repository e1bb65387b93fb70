"""Shadows of both vendors: reads pass through, writes are noted and answered as if they had been carried out."""

# A shadow takes what the port it implements is given, and needs less of it.
# ruff: noqa: ARG002

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sagezoho_pipelines.domain.criteria import Criteria, where
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.planned import PlannedWrite
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.domain.zoho import RowResult, ZohoPage
from sagezoho_pipelines.engine.pairing import pairs
from sagezoho_pipelines.engine.planning import writes
from sagezoho_pipelines.engine.planning.foresight import Foresight
from sagezoho_pipelines.engine.planning.passing import PassingSage, PassingZoho
from sagezoho_pipelines.engine.planning.patched import Patched
from sagezoho_pipelines.engine.ports import Sage300, ZohoCrm

#: The sets in which the flows change records, and what those go by.
_KEYS = {kind.entity_set: kind.key for kind in (pairs.VENDORS, pairs.CUSTOMERS)}


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


class ShadowSage(PassingSage):
    """Implements `Sage300`. `write_calls` counts the writes that would be sent.

    `more_reads` counts what carrying the plan out asks for beyond this: the records it has made. Less what it need not
    ask any more: whether the key that the plan chose for one is free.
    """

    def __init__(self, real: Sage300, notebook: Notebook, foresight: Foresight) -> None:
        super().__init__(real, notebook.names)
        self._notebook = notebook
        self._foresight = foresight
        self._made: dict[tuple[str, str], Row] = {}
        self._patched = Patched()
        self._absent: Counter[tuple[str, str]] = Counter()
        self.write_calls = self.more_reads = 0

    def pages(
        self, entity_set: str, *, select: Sequence[str], where: Criteria = (), page_size: int | None = None
    ) -> Iterator[Sequence[Row]]:
        for page in super().pages(entity_set, select=select, where=where, page_size=page_size):
            yield [self._as_patched(entity_set, row) for row in page]

    def find(self, entity_set: str, *, where: Criteria, select: Sequence[str], limit: int | None = None) -> list[Row]:
        found = super().find(entity_set, where=where, select=select, limit=limit)
        return [self._as_patched(entity_set, row) for row in found]

    def get(self, entity_set: str, key: str | int, *, select: Sequence[str] = ()) -> Row | None:
        made = self._made.get((entity_set, str(key)))
        if made is not None:
            self.more_reads += 1
            return {name: made.get(name) for name in select} if select else made
        found = super().get(entity_set, key, select=select)
        if found is None:
            self._absent[entity_set, str(key)] += 1
        return found if found is None else self._patched.over(entity_set, str(key), found)

    def _as_patched(self, entity_set: str, row: Row) -> Row:
        key = _KEYS.get(entity_set, "")
        return self._patched.over(entity_set, str(row[key]).strip(), row) if key in row else row

    def create(self, entity_set: str, body: Row) -> Row:
        self._refuse(entity_set, body)
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
        self.more_reads -= self._absent.pop((entity_set, planned.key), 0)
        return made

    def patch(self, entity_set: str, key: str | int, body: Row) -> None:
        self._refuse(entity_set, body)
        if (entity_set, str(key)) not in self._made:
            with self._foresight.aside():
                held = self._real.get(entity_set, key, select=sorted(body))
            if held is None:
                raise VendorError(
                    system=System.SAGE300,
                    code="RecordNotFound",
                    text=f"{entity_set} {key} is not in Sage",
                    verdict=Verdict.REFUSE,
                    advice="restore the record in Sage, or remove its link",
                )
            self._notebook.holds(System.SAGE300, str(key), held)
        self._patched.add(entity_set, str(key), body)
        self._note(writes.sage_patch(entity_set, key, self._notebook.names.named(body)))

    def _refuse(self, entity_set: str, body: Row) -> None:
        fault = self._foresight.of_sage(entity_set, body)
        if fault is not None:
            raise fault

    def _note(self, planned: PlannedWrite) -> None:
        self.write_calls += 1
        self._notebook.writes.append(planned)


class ShadowZoho(PassingZoho):
    """Implements `ZohoCrm`. `write_*` count the writes that would be sent.

    `more_reads` counts what carrying the plan out asks for beyond this: the records it has made.
    """

    def __init__(self, real: ZohoCrm, notebook: Notebook, foresight: Foresight) -> None:
        super().__init__(real, notebook.names)
        self._notebook = notebook
        self._foresight = foresight
        self._made: dict[tuple[str, str], dict[str, Any]] = {}
        self._patched = Patched()
        self.write_calls = self.write_credits = self.more_reads = 0

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
        for page in super().changed_since(module, fields=fields, since=since, where=where, until=until):
            yield replace(page, rows=[self._patched.over(module, str(row["id"]), row) for row in page.rows])

    def find(self, module: str, *, where: Criteria, fields: Sequence[str], limit: int | None = None) -> list[Row]:
        found = super().find(module, where=where, fields=fields, limit=limit)
        return [self._patched.over(module, str(row["id"]), row) for row in found]

    def get(self, module: str, record_id: str) -> Row | None:
        made = self._made.get((module, record_id))
        if made is not None:
            return dict(made)
        found = super().get(module, record_id)
        return found if found is None else self._patched.over(module, record_id, found)

    def get_many(self, module: str, ids: Sequence[str], *, fields: Sequence[str]) -> list[Row]:
        there = [one for one in ids if (module, one) not in self._made]
        read = super().get_many(module, there, fields=fields) if there else []
        found = {str(row["id"]): self._patched.over(module, str(row["id"]), row) for row in read}
        self.more_reads += bool(ids) - bool(there)
        for one in ids:
            if (module, one) in self._made:
                found[one] = {"id": one, **{name: self._made[module, one].get(name) for name in fields}}
        return [found[one] for one in ids if one in found]

    # writes

    def insert(self, module: str, rows: Sequence[Row], *, trigger: Sequence[str] = ()) -> list[RowResult]:
        self._count(len(rows))
        self._foresight.look_up(module, rows)
        results = []
        for row in rows:
            planned = writes.zoho_insert(module, self._notebook.names.named(row))
            results.append(self._refused(module, row, "") or self._created(module, row, planned))
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
        self._foresight.look_up(module, rows)
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
        self._foresight.look_up(module, rows, known_by=duplicate_check)
        known = self._matched(module, rows, duplicate_check)
        results = []
        for row in rows:
            planned = writes.zoho_upsert(module, self._notebook.names.named(row), duplicate_check)
            held = known.get(planned.key.casefold()) or self._made.get((module, planned.makes))
            refused = self._refused(module, row, "" if held is None else str(held["id"]), known_by=duplicate_check)
            if refused is not None:
                results.append(refused)
            elif held is None:
                results.append(self._created(module, row, planned))
            else:
                record_id = str(held["id"])
                self._foresight.took(module, record_id, row)
                self._notebook.names.became(planned.makes, record_id)
                self._notebook.holds(System.ZOHO_CRM, record_id, {name: held[name] for name in row if name in held})
                self._patched.add(module, record_id, row)
                self._notebook.writes.append(planned)
                results.append(RowResult(id=record_id))
        return results

    # how

    def _created(self, module: str, row: Row, planned: PlannedWrite) -> RowResult:
        self._made[module, planned.makes] = {"id": planned.makes, **row}
        self._foresight.took(module, planned.makes, row)
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
        refused = self._refused(module, row, record_id)
        if refused is not None:
            return refused
        self._foresight.took(module, record_id, row)
        if made is not None:
            made.update(row)
        else:
            held = there[record_id]
            now = {name: held[name] for name in row if name != "id" and name in held}
            self._notebook.holds(System.ZOHO_CRM, record_id, now)
            self._patched.add(module, record_id, row)
        if not self._notebook.names.completes(row):
            self._notebook.writes.append(writes.zoho_update(module, self._notebook.names.named(row)))
        return RowResult(id=record_id)

    def _refused(self, module: str, row: Row, record_id: str, *, known_by: Sequence[str] = ()) -> RowResult | None:
        for name, value in self._foresight.unlisted(module, row):
            self._notebook.note(
                f"{module}.{name}: {value!r} is not in the field's picklist; Zoho takes it all the same"
            )
        error = self._foresight.of_zoho(module, row, record_id=record_id, known_by=known_by)
        return None if error is None else RowResult(error=error)

    def _there(self, module: str, rows: Sequence[Row]) -> dict[str, Row]:
        """The records to be updated, with the fields concerned: what they hold, and whether they exist."""
        ids = [str(row["id"]) for row in rows if (module, str(row["id"])) not in self._made]
        with self._foresight.aside():
            found = self._real.get_many(module, ids, fields=_readable(rows)) if ids else []
        return {str(row["id"]): row for row in found}

    def _matched(self, module: str, rows: Sequence[Row], unique: Sequence[str]) -> dict[str, Row]:
        """What an upsert would find, by its unique value: Zoho compares without regard to case."""
        names = _readable(rows)
        found: dict[str, Row] = {}
        for name in unique:
            values = sorted({str(row[name]) for row in rows if row.get(name)})
            with self._foresight.aside():
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


def _readable(rows: Sequence[Row]) -> list[str]:
    """The fields concerned, but for subforms, which only a whole record shows."""
    return sorted({name for row in rows for name, value in row.items() if name != "id" and not isinstance(value, list)})
