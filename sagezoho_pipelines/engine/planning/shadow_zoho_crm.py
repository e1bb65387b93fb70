"""A shadow of Zoho CRM: reads pass through, writes are noted and answered as if they had been carried out."""

# A shadow takes what the port it implements is given, and needs less of it.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sagezoho_pipelines.domain.criteria import Criteria, where
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.planned import PlannedWrite
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.domain.zoho import RowResult, ZohoPage
from sagezoho_pipelines.engine.planning import writes
from sagezoho_pipelines.engine.planning.foresight import Foresight
from sagezoho_pipelines.engine.planning.notebook import Notebook
from sagezoho_pipelines.engine.planning.passing import PassingZoho
from sagezoho_pipelines.engine.planning.patched import Patched
from sagezoho_pipelines.engine.ports import ZohoCrm


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
