"""A shadow of Sage 300: reads pass through, writes are noted and answered as if they had been carried out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sagezoho_pipelines.domain.criteria import Criteria
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.planned import PlannedWrite
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.engine.pairing import pairs
from sagezoho_pipelines.engine.planning import writes
from sagezoho_pipelines.engine.planning.foresight import Foresight
from sagezoho_pipelines.engine.planning.notebook import Notebook
from sagezoho_pipelines.engine.planning.passing import PassingSage
from sagezoho_pipelines.engine.planning.patched import Patched
from sagezoho_pipelines.engine.ports import Sage300

#: The sets in which the flows change records, and what those go by.
_KEYS = {kind.entity_set: kind.key for kind in (pairs.VENDORS, pairs.CUSTOMERS)}


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
