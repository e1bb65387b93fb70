"""Making a plan: the flows run once, on shadows, and every settlement becomes items of the plan."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.domain.planned import Cost, FieldPlan, Made, Pin, PlanItem
from sagezoho_pipelines.domain.records import AuditEntry, Change, Link, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import pausing
from sagezoho_pipelines.engine.context import Context, Facts
from sagezoho_pipelines.engine.planning.document import Plan, order_of, sorted_writes
from sagezoho_pipelines.engine.planning.foresight import Foresight
from sagezoho_pipelines.engine.planning.notebook import Notebook
from sagezoho_pipelines.engine.planning.shadow_ledger import ShadowLedger
from sagezoho_pipelines.engine.planning.shadow_sage300 import ShadowSage
from sagezoho_pipelines.engine.planning.shadow_zoho_crm import ShadowZoho
from sagezoho_pipelines.engine.planning.writes import Names, is_placeholder
from sagezoho_pipelines.engine.ports import ReadableLedger
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window

#: Where a connection's settings decide what is written; the rest (time-outs, cadence, guards) may change freely.
_DECIDING = {"sage300": {"url", "company"}, "zoho_crm": {"accounts_url", "trigger"}}

_PASSES_GUARD = "a sync would stop at a guard, and applying this plan passes it."


def make(ctx: Context, ledger: ReadableLedger, flows: Sequence[str], *, names: Names | None = None) -> Plan:
    """What a sync of these flows would do now. Nothing is written, to either vendor or to the ledger.

    `names` are the records of a plan that was begun earlier: what it has made goes by its placeholders.

    One step after the other, so that the numbers handed out are the same each time. Raises what would stop a sync:
    a vendor that is away, a missing field, a connection at rest.
    """
    resting = pausing.resting(ctx)
    if resting is not None:
        raise SagezohoError(f"nothing can be planned: {resting}")
    notebook, collected = Notebook(names or Names()), _Collected()
    moment = ctx.clock()
    shadow = ShadowLedger(ledger, at=moment, settled=collected.add)
    foresight = Foresight(ctx.sage, ctx.zoho)
    sage, zoho = ShadowSage(ctx.sage, notebook, foresight), ShadowZoho(ctx.zoho, notebook, foresight)
    before = _reads(ctx)
    planning = replace(
        ctx,
        ledger=shadow,
        sage=sage,
        zoho=zoho,
        settings=_one_by_one(ctx),
        clock=lambda: moment,
        stop=threading.Event(),
        actor="plan",
        run_id="plan",
        approved=True,
        foresees=lambda hold: notebook.note(f"{hold.flow}: {_PASSES_GUARD} {hold.text}"),
    )
    for flow in flows:
        collected.flow = flow
        # Each flow is a run of its own, which learns for itself what a run has to know.
        tally = run_flow(replace(planning, facts=Facts()), flow, Window.incremental())
        for note in tally.notes:
            notebook.note(note)
    after = _reads(ctx)
    cost = Cost(
        sage300_reads=after[0] - before[0] - foresight.sage_reads + sage.more_reads,
        sage300_writes=sage.write_calls,
        zoho_crm_reads=after[1] - before[1] - foresight.zoho_reads + zoho.more_reads,
        zoho_crm_writes=zoho.write_calls,
        zoho_crm_credits=after[2] - before[2] - foresight.zoho_credits + zoho.write_credits + zoho.more_reads,
        sage300_looks=after[0] - before[0],
        zoho_crm_looks=after[2] - before[2],
    )
    chosen = [
        Pin(one.target_system, one.target_entity, one.business_key, one.source_entity, one.source_key)
        for one in shadow.begun
        if one.target_system == System.SAGE300 and one.business_key != one.source_key
    ]
    return Plan(
        connection=ctx.connection,
        flows=list(flows),
        configuration=configuration(ctx, flows),
        mappings={flow: ctx.mappings[flow].fingerprint for flow in sorted(flows)},
        items=sorted((item.plan(notebook) for item in collected.items), key=order_of(flows)),
        writes=sorted_writes(notebook.writes),
        made=sorted(collected.made, key=lambda one: one.placeholder),
        pins=sorted(chosen, key=lambda pin: (pin.target_entity, pin.business_key)),
        numbers=shadow.numbers,
        notes=notebook.notes,
        cost=cost,
    )


def configuration(ctx: Context, flows: Sequence[str]) -> str:
    """Changes when a setting does that decides what is written."""
    settings = ctx.settings.model_dump(mode="json", include={**_DECIDING, "flows": set(flows)})
    settings["flows"] = {
        flow: {
            name: value
            for name, value in chosen.items()
            if name not in ("guards", "match") and not (isinstance(value, dict) and "cron" in value)
        }
        for flow, chosen in settings["flows"].items()
    }
    return digest(settings)[:16]


@dataclass(frozen=True, slots=True)
class _Noted:
    """One audit line of a settlement to be, or the settlement itself where it would write none."""

    flow: str
    change: Change
    outcome: str
    error: Any
    entry: AuditEntry | None

    def plan(self, notebook: Notebook) -> PlanItem:
        change, entry = self.change, self.entry
        item = PlanItem(
            flow=self.flow,
            source_system=str(change.entity.system),
            source_entity=change.entity.entity,
            source_id=change.key,
            source_name=change.name,
            source_digest=change.digest or "",
            operation="none",
            outcome=self.outcome,
            error=self.error,
        )
        if entry is None:
            return item
        held = notebook.held.get((System(entry.target_system), entry.target_id), {})
        return replace(
            item,
            operation=entry.operation,
            outcome=entry.outcome,
            target_system=entry.target_system,
            target_entity=entry.target_entity,
            target_id=entry.target_id,
            target_digest=digest(held, sorted({field.target for field in entry.fields} & held.keys())) if held else "",
            fields=[FieldPlan(one.target, held.get(one.target, one.before), one.after) for one in entry.fields],
            error=_answer(entry) if entry.outcome in ("refused", "conflicted", "retrying") else {},
        )


class _Collected:
    """Hears of every settlement while `flow` runs."""

    def __init__(self) -> None:
        self.flow = ""
        self.items: list[_Noted] = []
        self.made: list[Made] = []

    def add(self, settlement: Settlement) -> None:
        change, outcome = replace(settlement.change, payload=None), str(settlement.outcome)
        error = {name: value for name, value in settlement.error.items() if name != "details"}
        self.items += [_Noted(entry.flow, change, outcome, {}, entry) for entry in settlement.audit]
        if not settlement.audit:
            self.items.append(_Noted(self.flow, change, outcome, error, None))
        new = [link for link in settlement.links if is_placeholder(link.sage_id) or is_placeholder(link.zoho_id)]
        self.made += [_made(link) for link in new]


def _answer(entry: AuditEntry) -> dict[str, Any]:
    return {name: value for name, value in entry.answer.items() if name != "details"}


def _made(link: Link) -> Made:
    """A link one of whose sides is a placeholder."""
    new_in_zoho = is_placeholder(link.zoho_id)
    return Made(
        placeholder=link.zoho_id if new_in_zoho else link.sage_id,
        sage_entity=link.sage_entity,
        sage_id=link.sage_id if new_in_zoho else "",
        zoho_entity=link.zoho_entity,
        zoho_id="" if new_in_zoho else link.zoho_id,
    )


def _one_by_one(ctx: Context) -> Any:
    """The settings with one worker for each handler."""
    return ctx.settings.model_copy(
        update={
            "sage300": ctx.settings.sage300.model_copy(update={"concurrency": 1}),
            "zoho_crm": ctx.settings.zoho_crm.model_copy(update={"concurrency": 1}),
        }
    )


def _reads(ctx: Context) -> tuple[int, int, int]:
    """Calls of either vendor and credits so far."""
    return ctx.sage.usage.needed_calls, ctx.zoho.usage.needed_calls, ctx.zoho.usage.needed_credits
