"""Carrying a plan out: both vendors' clients, wrapped so that a write which the plan does not hold is never sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.planned import PlannedWrite
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.domain.zoho import RowResult
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.planning import writes
from sagezoho_pipelines.engine.planning.document import Plan, Seal
from sagezoho_pipelines.engine.planning.foresight import Foresight
from sagezoho_pipelines.engine.planning.passing import PassingSage, PassingZoho
from sagezoho_pipelines.engine.ports import Ledger, Sage300, ZohoCrm

NOT_IN_PLAN = "NOT_IN_PLAN"
#: So many links are asked for at once.
_LINKS = 1000


def bound(ctx: Context, plan: Plan, seal: Seal) -> Context:
    """The context in which exactly this plan is carried out. The plan is redacted: values are told by their digests."""
    approval, foresight = Approval(plan, seal, names_of(plan, ctx.ledger)), Foresight(ctx.sage, ctx.zoho)
    return replace(
        ctx,
        sage=ApprovedSage(ctx.sage, approval, foresight),
        zoho=ApprovedZoho(ctx.zoho, approval, foresight),
        pins=plan.pinned,
        approved=True,
    )


def names_of(plan: Plan, ledger: Ledger) -> writes.Names:
    """The plan's placeholders, and the ids of those of its records that are there by now, as the links tell."""
    ids: dict[str, str] = {}
    kinds = sorted({(one.sage_entity, one.zoho_entity) for one in plan.made})
    for sage_entity, zoho_entity in kinds:
        mine = [one for one in plan.made if (one.sage_entity, one.zoho_entity) == (sage_entity, zoho_entity)]
        for some in (mine[at : at + _LINKS] for at in range(0, len(mine), _LINKS)):
            keys = [one.sage_id for one in some if one.sage_id]
            by_sage = ledger.links_by_sage(plan.connection, sage_entity, zoho_entity, keys) if keys else {}
            keys = [one.zoho_id for one in some if one.zoho_id]
            by_zoho = ledger.links_by_zoho(plan.connection, zoho_entity, sage_entity, keys) if keys else {}
            ids |= {by_sage[one.sage_id].zoho_id: one.placeholder for one in some if one.sage_id in by_sage}
            ids |= {by_zoho[one.zoho_id].sage_id: one.placeholder for one in some if one.zoho_id in by_zoho}
    return writes.Names((one.makes for one in plan.writes), ids)


class Approval:
    """The writes that were agreed to, and the names of the records they make."""

    def __init__(self, plan: Plan, seal: Seal, names: writes.Names) -> None:
        self._allowed = {(one.call, one.digest) for one in plan.writes}
        self._seal = seal
        self.names = names

    def allows(self, write: PlannedWrite) -> bool:
        return (write.call, self._seal.of(write.digest, 32)) in self._allowed


def refusal(system: System, write: PlannedWrite) -> VendorError:
    """The change stays queued: a later sync, or the next plan, takes it."""
    return VendorError(
        system=system,
        code=NOT_IN_PLAN,
        text=f"not sent: the plan holds no such write ({write.call} {write.key})",
        verdict=Verdict.RETRY,
        advice="the record, or what became of it, is not as the plan says; it stays queued for the next plan or sync",
    )


class ApprovedSage(PassingSage):
    """Implements `Sage300`. What the plan foresaw as a refusal is one, in the plan's own words."""

    def __init__(self, real: Sage300, approval: Approval, foresight: Foresight) -> None:
        super().__init__(real, approval.names)
        self._approval = approval
        self._foresight = foresight

    def create(self, entity_set: str, body: Row) -> Row:
        self._require(writes.sage_create(entity_set, self._names.named(body)), entity_set, body)
        made = self._real.create(entity_set, body)
        self._names.saw_in_sage(entity_set, {**body, **made})
        return made

    def patch(self, entity_set: str, key: str | int, body: Row) -> None:
        self._require(writes.sage_patch(entity_set, key, self._names.named(body)), entity_set, body)
        self._real.patch(entity_set, key, body)

    def _require(self, write: PlannedWrite, entity_set: str, body: Row) -> None:
        if not self._approval.allows(write):
            raise self._foresight.of_sage(entity_set, body) or refusal(System.SAGE300, write)


class ApprovedZoho(PassingZoho):
    """Implements `ZohoCrm`. Of a write's rows those that the plan holds are sent; the others are refused, or wait."""

    def __init__(self, real: ZohoCrm, approval: Approval, foresight: Foresight) -> None:
        super().__init__(real, approval.names)
        self._approval = approval
        self._foresight = foresight

    def insert(self, module: str, rows: Sequence[Row], *, trigger: Sequence[str] = ()) -> list[RowResult]:
        planned = [writes.zoho_insert(module, self._names.named(row)) for row in rows]
        return self._send(module, rows, planned, lambda chosen: self._real.insert(module, chosen, trigger=trigger))

    def update(
        self,
        module: str,
        rows: Sequence[Row],
        *,
        trigger: Sequence[str] = (),
        unmodified_since: datetime | None = None,
    ) -> list[RowResult]:
        planned = [writes.zoho_update(module, self._names.named(row)) for row in rows]
        return self._send(
            module,
            rows,
            planned,
            lambda chosen: self._real.update(module, chosen, trigger=trigger, unmodified_since=unmodified_since),
        )

    def upsert(
        self, module: str, rows: Sequence[Row], *, duplicate_check: Sequence[str], trigger: Sequence[str] = ()
    ) -> list[RowResult]:
        planned = [writes.zoho_upsert(module, self._names.named(row), duplicate_check) for row in rows]
        return self._send(
            module,
            rows,
            planned,
            lambda chosen: self._real.upsert(module, chosen, duplicate_check=duplicate_check, trigger=trigger),
            known_by=duplicate_check,
        )

    def _send(
        self,
        module: str,
        rows: Sequence[Row],
        planned: Sequence[PlannedWrite],
        send: Callable[[Sequence[Row]], list[RowResult]],
        known_by: Sequence[str] = (),
    ) -> list[RowResult]:
        chosen = [
            index
            for index, write in enumerate(planned)
            if self._approval.allows(write) or self._names.completes(rows[index])
        ]
        results = [
            RowResult() if index in chosen else RowResult(error=self._unplanned(module, row, planned[index], known_by))
            for index, row in enumerate(rows)
        ]
        answers = send([rows[index] for index in chosen]) if chosen else []
        for index, answer in zip(chosen, answers, strict=True):
            results[index] = answer
            if answer.error is None and planned[index].makes:
                self._names.became(planned[index].makes, answer.id)
        return results

    def _unplanned(self, module: str, row: Row, write: PlannedWrite, known_by: Sequence[str]) -> VendorError:
        """Foreseen by the plan, or else of a record that has changed since."""
        foreseen = self._foresight.of_zoho(module, row, record_id=str(row.get("id") or ""), known_by=known_by)
        return foreseen or refusal(System.ZOHO_CRM, write)
