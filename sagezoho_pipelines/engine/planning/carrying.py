"""Beginning what a plan agreed to, and what of it is left."""

from __future__ import annotations

from datetime import datetime

from sagezoho_pipelines.domain.records import EntityRef, System
from sagezoho_pipelines.engine import write_back
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.planning.document import Plan, Seal
from sagezoho_pipelines.engine.planning.moved import require_unmoved
from sagezoho_pipelines.engine.ports import LedgerView, PlanStore, ReadableLedger


def begin(ctx: Context, ledger: ReadableLedger, store: PlanStore, plan: Plan, seal: Seal, *, actor: str) -> int:
    """The plan's number, under which its runs send what it holds and nothing else.

    Raises PlanMoved, with nothing written, when planning again does not give the same plan. The numbers that the plan
    gives out are taken from their sequences first, so that nobody else gets them.
    """
    digest = plan.digest(seal)
    require_unmoved(ctx, ledger, plan, seal, store.find(plan.connection, digest))
    document = plan.redacted(seal).document()
    number = store.begin(plan.connection, plan.flows, digest=digest, document=document, actor=actor, at=ctx.clock())
    for name, last in sorted(plan.numbers.items()):
        if (ledger.sequence(plan.connection, name) or 0) < last:
            ledger.next_number(plan.connection, name, start=last)
    return number


def undone(ledger: LedgerView, plan: Plan, *, at: datetime) -> list[str]:
    """Records that the plan writes and that are still in the queue: to be tried again, or held by a killed process.

    What Zoho is to be told of a record that a vendor refused against the plan waits for the next sync, and is not among
    them: no plan holds it.
    """
    wanted: dict[EntityRef, set[str]] = {}
    for item in plan.items:
        if item.outcome in ("created", "updated"):
            entity = EntityRef(plan.connection, System(item.source_system), item.source_entity)
            wanted.setdefault(entity, set()).add(item.source_id)
    return [
        f"{entity.entity} {one.change.key}"
        for entity in sorted(wanted)
        for one in ledger.open(entity, at=at)
        if one.change.key in wanted[entity] and not (entity.entity == write_back.ENTITY and one.queued and not one.due)
    ]
