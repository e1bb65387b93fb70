"""What became of a pair: its link with what the two have settled on, its audit lines, and what a person must decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines.domain.pairing import Comparison
from sagezoho_pipelines.domain.reconcile import SAGE, ZOHO, Decision, same
from sagezoho_pipelines.domain.records import Change, FieldChange, Link, Look, Outcome, Row, System
from sagezoho_pipelines.domain.settled_pairs import ASKED, ATTEMPTED, GIVING_WAY, GONE
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import settling, zoho_target
from sagezoho_pipelines.engine import write_back as write_backs
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.pairing import giving_way, pairs
from sagezoho_pipelines.engine.pairing.pairs import MODULE, Carried, Kind
from sagezoho_pipelines.engine.pairing.questions import INACTIVE, SIDES_DIFFER
from sagezoho_pipelines.engine.settling import Movement
from sagezoho_pipelines.engine.zoho_write import ZohoWrite

#: Details of a link that end with its next settlement.
_PASSING = (GONE, GIVING_WAY, ATTEMPTED, ASKED)


@dataclass(frozen=True, slots=True)
class Extras:
    """What else a handler settles along with a pair."""

    links: Sequence[Link] = ()
    movements: Sequence[Movement] = ()
    looks: Sequence[Look] = ()
    outcome: Outcome = Outcome.NOOP


def settlement(
    ctx: Context,
    kind: Kind,
    change: Change,
    comparison: Comparison,
    write: ZohoWrite,
    carried: Carried,
    *,
    target: tuple[System, str],
    extras: Extras,
) -> Settlement:
    """The end of one pair's delivery: what was settled is kept, whatever became of the rest."""
    link = write.link
    assert link is not None
    fresh = _renewed(ctx, kind, change, comparison, write, carried)
    change = _learned(ctx, kind, change, comparison, write, carried)
    sides = ((kind.sage_entity, link.sage_id), (MODULE, link.zoho_id))
    to_zoho = _zoho_movements(ctx, change, comparison, write)
    to_sage = _sage_movements(ctx, change, kind, comparison, link, carried)
    movements = [*giving_way.told_late(comparison, link, *sides), *to_zoho, *to_sage]
    movements += [*_left(comparison, write), *extras.movements]
    asked = _asked(ctx, kind, comparison, link)
    problem = write.error or carried.error or _misfit(carried) or _undecided(kind, comparison, asked)
    if asked:
        fresh = replace(fresh, details={**fresh.details, ASKED: asked})
    links = [fresh, *extras.links]
    if problem is not None:
        problem = zoho_target.explained(write, problem) if write.error is not None else problem
        if not movements and _stands(ctx, change, problem):
            return write_backs.echoed(change)
        broken = to_zoho if write.error is not None else to_sage if carried.error is not None else []
        attempt = broken[-1] if broken else None
        return settling.failed(
            ctx,
            kind.flow,
            change,
            problem,
            target=target if carried.error is None else (SAGE, kind.sage_entity),
            operation="compare" if not (write.error or carried.error) else "update",
            attempt=attempt,
            links=links,
            movements=[one for one in movements if one is not attempt],
        )
    written = write.sent or carried.sent
    outcome = Outcome.UPDATED if written or extras.outcome is Outcome.UPDATED else Outcome.NOOP
    return settling.settled(ctx, kind.flow, change, outcome, movements=movements, links=links, looks=extras.looks)


def _stands(ctx: Context, change: Change, problem: VendorError) -> bool:
    """Whether the inbox says the very same of the record already."""
    held = ctx.ledger.standing(change.entity, [change.key]).get(change.key)
    return held is not None and (held.error.get("code"), held.error.get("text")) == (problem.code, problem.text)


def _renewed(
    ctx: Context, kind: Kind, change: Change, comparison: Comparison, write: ZohoWrite, carried: Carried
) -> Link:
    """The link with what the two have settled on."""
    link = write.link
    assert link is not None
    unsettled = {one.field for one in carried.misfits}
    if write.error is not None:
        unsettled |= {one.field for one in comparison.towards(ZOHO)}
    if carried.error is not None:
        unsettled |= {one.field for one in comparison.towards(SAGE)}
    record = carried.record or comparison.sage
    after = comparison.pair.to_zoho.apply({**comparison.sage, **record})
    agreed = comparison.agreed(link, after, frozenset(unsettled))
    written = _written(kind, link, comparison, write, carried)
    if kind.written is ZOHO:
        agreed = {name: both for name, both in agreed.items() if name not in written or not _as(both, written[name])}
    zoho_name = comparison.zoho.get("Account_Name")
    if write.error is None:
        zoho_name = write.sent.get("Account_Name", zoho_name)
    time = write.result.modified_time if write.result is not None and write.error is None else None
    whole = not (comparison.open or unsettled)
    details = {name: value for name, value in link.details.items() if name not in _PASSING}
    equal = comparison.is_equal or (whole and not comparison.left)
    return replace(
        link,
        sage_name=str(record.get(kind.name) or "").strip() or link.sage_name,
        zoho_name=str(zoho_name or ""),
        source_digest=change.digest,
        written=written,
        agreed=agreed,
        unsettled=_unsettled(write, carried),
        details={**details, **_remembered(comparison, link, write, carried)},
        # Of a record with an open question not all that it holds is ours, even if we wrote it last.
        target_time=(time or link.target_time) if whole else None,
        seen_equal_at=ctx.clock() if equal else link.seen_equal_at,
    )


def _written(kind: Kind, link: Link, comparison: Comparison, write: ZohoWrite, carried: Carried) -> Row:
    if kind.written is ZOHO:
        return {**link.written, **write.sent} if write.error is None else link.written
    sent = {} if carried.error is not None else {name: comparison.to_sage[name] for name in carried.sent}
    return {**link.written, **sent}


def _unsettled(write: ZohoWrite, carried: Carried) -> tuple[str, ...]:
    """The fields that a side may hold by now or not: of all others both sides have just been read."""
    zoho = write.sent if isinstance(write.error, OutcomeUnknown) else {}
    sage = carried.sent if isinstance(carried.error, OutcomeUnknown) else ()
    return tuple(sorted({*zoho, *sage}))


def _remembered(comparison: Comparison, link: Link, write: ZohoWrite, carried: Carried) -> Row:
    """What was sent to a side of which nobody knows whether it arrived: what is typed there next shows by it."""
    if not _unsettled(write, carried):
        return {}
    sending = {name: comparison.to_sage[name] for name in carried.sent}
    return giving_way.remembered(link, [*write.gives_way, *giving_way.in_sage(comparison, sending)])


def _learned(
    ctx: Context, kind: Kind, change: Change, comparison: Comparison, write: ZohoWrite, carried: Carried
) -> Change:
    """The change with the digest of its record as it is after our own write: the next poll then knows it."""
    fields = pairs.digested(ctx, kind)
    if kind.written is ZOHO and carried.record is not None:
        return replace(change, digest=digest(carried.record, fields))
    if kind.written is SAGE and write.sent and write.error is None:
        return replace(change, digest=digest({**comparison.zoho, **write.sent}, fields))
    return change


def _zoho_movements(ctx: Context, change: Change, comparison: Comparison, write: ZohoWrite) -> list[Movement]:
    """One line for each kind of finding. A failed write is told too: what it may have overridden is not forgotten."""
    rules = {rule.target: rule for rule in comparison.pair.to_zoho.rules}
    link = write.link
    assert link is not None
    found = []
    outcome = Outcome.UPDATED if write.error is None else settling.outcome_of(ctx, change, write.error)
    answer = {"id": link.zoho_id, "code": "SUCCESS"} if write.error is None else write.error.answer()
    for operation, decisions in giving_way.by_operation(comparison.towards(ZOHO)).items():
        fields = [
            FieldChange(one.field, rules[one.field].sources, rules[one.field].expression, one.zoho, one.value)
            for one in decisions
        ]
        found.append(
            Movement(
                ZOHO,
                MODULE,
                link.zoho_id,
                operation,
                outcome,
                fields,
                {**answer, **_decided(decisions)},
                source=(SAGE, link.sage_entity, link.sage_id),
            )
        )
    return found


def _sage_movements(
    ctx: Context, change: Change, kind: Kind, comparison: Comparison, link: Link, carried: Carried
) -> list[Movement]:
    by_operation: dict[str, list[str]] = {}
    decisions: dict[str, list[Decision]] = {}
    for name in carried.sent:
        behind = comparison.fields_behind(name)
        operation = next(iter(giving_way.by_operation(behind)), "update" if name in comparison.one_way else "edit")
        by_operation.setdefault(operation, []).append(name)
        decisions.setdefault(operation, []).extend(behind)
    outcome = Outcome.UPDATED if carried.error is None else settling.outcome_of(ctx, change, carried.error)
    answer = {} if carried.error is None else carried.error.answer()
    return [
        Movement(
            SAGE, kind.sage_entity, link.sage_id, operation, outcome, comparison.sage_changes(names),
            {**answer, **_decided(decisions[operation]), **_otherwise(comparison, carried, names)},
            source=(ZOHO, MODULE, link.zoho_id),
        )
        for operation, names in by_operation.items()
    ]  # fmt: skip


def _otherwise(comparison: Comparison, carried: Carried, names: Sequence[str]) -> dict[str, Any]:
    """Where Sage was read with something else than it was sent: a form of its own, or somebody was quick."""
    held = carried.record or {}
    found = {name: held[name] for name in names if name in held and not same(held[name], comparison.to_sage[name])}
    return {"read_back": found} if found else {}


def _left(comparison: Comparison, write: ZohoWrite) -> list[Movement]:
    """A difference that stays is told once: afterwards it is what the two have settled on."""
    if not comparison.left:
        return []
    link = write.link
    assert link is not None
    fields = [FieldChange(one.field, (), "left as it is", one.sage, one.zoho) for one in comparison.left]
    answer = _decided(comparison.left)
    return [
        Movement(
            ZOHO, MODULE, link.zoho_id, "leave", Outcome.NOOP, fields, answer,
            source=(SAGE, link.sage_entity, link.sage_id),
        )
    ]  # fmt: skip


def _decided(decisions: Iterable[Decision]) -> dict[str, Any]:
    return {settling.DECIDED: {one.field: one.sentence for one in decisions}}


def _misfit(carried: Carried) -> VendorError | None:
    if not carried.misfits:
        return None
    first = carried.misfits[0]
    text = "; ".join(f"{one.field}: {one.text}" for one in carried.misfits)
    return settling.refusal(
        "TOO_LONG", text, field=first.field, advice="shorten it in Zoho, or declare a rule in the mapping"
    )


def _asked(ctx: Context, kind: Kind, comparison: Comparison, link: Link) -> str:
    """When it was first asked what the inactive Sage record means; empty where that is no question."""
    if kind.status not in {one.field for one in comparison.open}:
        return ""
    return str(link.details.get(ASKED) or ctx.clock().isoformat())


def _undecided(kind: Kind, comparison: Comparison, asked: str) -> VendorError | None:
    """Both values of each open field: a person takes one, leaves them, or says who leads."""
    if not comparison.open:
        return None
    text = "; ".join(f"{one.field} is {one.sentence}" for one in comparison.open)
    details: dict[str, Any] = {"fields": {one.field: [one.sage, one.zoho] for one in comparison.open}}
    if asked:
        details[ASKED] = asked
    if asked and len(comparison.open) == 1:
        shown = comparison.open[0].sage
        return VendorError(
            system=SAGE,
            code=INACTIVE,
            text=f"{kind.flow[:-1]} {comparison.sage[kind.key]} has become inactive in Sage; {text}",
            verdict=Verdict.CONFLICT,
            field=kind.status,
            advice=f"dismiss it to leave the account as it is; to mark it, set its {kind.status} to {shown!r} in Zoho "
            "and retry this",
            details=details,
        )
    return VendorError(
        system=ZOHO,
        code=SIDES_DIFFER,
        text=text,
        verdict=Verdict.CONFLICT,
        field=comparison.open[0].field,
        advice="edit it here to set both sides, correct one side and retry, or dismiss it to leave both as they are",
        details=details,
    )


def _as(both: Sequence[Any], written: Any) -> bool:
    return same(both[0], written) and same(both[1], written)
