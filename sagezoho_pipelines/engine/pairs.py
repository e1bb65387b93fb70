"""Linked pairs on their way to being equal: both sides read, compared, and written where the leader's word is missing.

A pair is delivered under one key, by the handler of its flow; `flows/identity.py` only says which pairs to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sagezoho_pipelines.config import PairSettings
from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines.domain.pairing import Comparison, Misfit, Pair, Policy, compare
from sagezoho_pipelines.domain.reconcile import SAGE, ZOHO, Decision, Finding, edited_last, same
from sagezoho_pipelines.domain.records import Authority, Change, FieldChange, Link, Look, Outcome, Row, System
from sagezoho_pipelines.engine import sage_target, settling, zoho_target
from sagezoho_pipelines.engine import write_back as write_backs
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import as_date
from sagezoho_pipelines.engine.ports import Settlement
from sagezoho_pipelines.engine.settling import Movement
from sagezoho_pipelines.engine.widths import WIDTHS
from sagezoho_pipelines.engine.zoho_target import ZohoWrite

MODULE = "Accounts"
#: An open question of a comparison, as the inbox shows it.
SIDES_DIFFER = "SIDES_DIFFER"
MARKER = "DateLastMaintained"
_MODIFIED = ("Modified_Time", "Modified_By")
_OPERATIONS = {Finding.PUT_BACK: "put back", Finding.OVERRIDDEN: "conflict", Finding.EDITED: "edit"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of pair: an account and a Sage record of `entity_set`. The mappings are named by file and target."""

    flow: str
    sage_entity: str
    entity_set: str
    key: str
    name: str
    to_zoho: tuple[str, str]
    to_sage: tuple[str, str]
    written: System


VENDORS = Kind(
    "vendors", "vendors", "AP/APVendors", "VendorNumber", "VendorName",
    to_zoho=("vendors", "accounts"), to_sage=("identity", "vendors"), written=ZOHO,
)  # fmt: skip
CUSTOMERS = Kind(
    "customers", "customers", "AR/ARCustomers", "CustomerNumber", "CustomerName",
    to_zoho=("identity", "accounts"), to_sage=("customers", "customers"), written=SAGE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Carried:
    """What a pair's Sage record was sent, and how Sage has it now. `misfits` were not sent."""

    sent: tuple[str, ...] = ()
    record: Row | None = None
    misfits: Sequence[Misfit] = ()
    error: VendorError | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """What else a handler settles along with a pair."""

    links: Sequence[Link] = ()
    movements: Sequence[Movement] = ()
    looks: Sequence[Look] = ()
    outcome: Outcome = Outcome.NOOP


_NOTHING = Extras()


def enabled(ctx: Context, kind: Kind) -> bool:
    flows = ctx.settings.flows
    return flows.identity.enabled and bool(getattr(flows, kind.flow).enabled)


def settings(ctx: Context, kind: Kind) -> PairSettings:
    found: PairSettings = getattr(ctx.settings.flows.identity, kind.flow)
    return found


def pair(ctx: Context, kind: Kind) -> Pair:
    (flow, target), (back, back_target) = kind.to_zoho, kind.to_sage

    def make() -> Pair:
        return Pair(ctx.mappings[flow][target], ctx.mappings[back][back_target], kind.written)

    made: Pair = ctx.facts.get(f"pair of {kind.flow}", make)
    return made


def known(ctx: Context) -> frozenset[str]:
    """The compared fields that this organisation has: it may do without optional ones."""
    return frozenset(zoho_target.known_fields(ctx, MODULE))


def zoho_fields(ctx: Context, kind: Kind) -> tuple[str, ...]:
    """What is read of an account to compare it."""
    compared = pair(ctx, kind)
    reads = {source for rule in compared.sage_rules for source in rule.sources}
    names = {*compared.fields, *(reads & known(ctx)), *_MODIFIED}
    return zoho_target.readable(ctx, MODULE, sorted(names))


def sage_fields(ctx: Context, kind: Kind) -> tuple[str, ...]:
    """What is read of a Sage record to compare it."""
    flow, target = kind.to_zoho
    writes = {rule.target for rule in pair(ctx, kind).sage_rules}
    return tuple(sorted({*ctx.mappings[flow].source_fields(target), *writes, kind.key, kind.name, MARKER}))


def accounts(ctx: Context, kind: Kind, ids: Iterable[str]) -> dict[str, Row]:
    """The accounts as they are now, a hundred for one credit; those that Zoho no longer has are missing."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    return {str(row["id"]): row for row in ctx.zoho.get_many(MODULE, wanted, fields=zoho_fields(ctx, kind))}


def compared(
    ctx: Context,
    kind: Kind,
    change: Change,
    link: Link,
    sage: Row,
    account: Row,
    *,
    follows: frozenset[str] = frozenset(),
) -> Comparison:
    """One pair's comparison. `follows` are fields in which another pair of the same account speaks for Zoho."""
    own = settings(ctx, kind)
    exceptions = {**own.fields, **{name: Authority(one) for name, one in link.exceptions.items()}}
    exceptions |= dict.fromkeys(follows, Authority.ZOHO_CRM)

    def made(left_before: Mapping[str, Sequence[Any]]) -> Comparison:
        return compare(
            pair(ctx, kind),
            link,
            sage,
            account,
            Policy(link.authority, exceptions, own.other_side),
            known=known(ctx),
            untouched=_is_untouched(ctx, kind, link, account),
            later=_later(ctx, sage, account),
            by_hand=change.override.fields if change.override is not None else None,
            left_before=left_before,
        )

    found = made({})
    if not found.open:
        return found
    dismissed = ctx.ledger.dismissed(change.entity, [change.key], code=SIDES_DIFFER).get(change.key)
    return made(dismissed["details"]["fields"]) if dismissed else found


def first_agreed(ctx: Context, kind: Kind, sage: Row, account: Row) -> dict[str, Any]:
    """What a Sage record just made from an account agrees on with it: of what is led by Sage, nothing yet."""
    if not enabled(ctx, kind):
        return {}
    made = pair(ctx, kind)
    said = made.to_zoho.apply(sage)
    return {name: [said[name], account.get(name)] for name in sorted(made.two_way)}


def planned(comparison: Comparison, link: Link) -> ZohoWrite:
    """What the account is sent; it is not sent where somebody edited the account after it was read."""
    sent = comparison.to_zoho
    read_at = _instant(comparison.zoho.get("Modified_Time"))
    return ZohoWrite(MODULE, comparison.pair.to_zoho, link, sent, sent, unmodified_since=read_at)


def carry_to_sage(ctx: Context, kind: Kind, change: Change, link: Link, comparison: Comparison) -> Carried:
    """Change Sage's record where Zoho's word counts, and read back what Sage made of it.

    What does not fit stays behind and is told; a vendor's error is part of the answer, a fatal one is raised.
    """
    if not comparison.to_sage:
        return Carried()
    misfits = comparison.misfits(WIDTHS.get(kind.entity_set, {}))
    blocked = {one.field for one in misfits}
    sending = {
        name: "" if value is None else value
        for name, value in comparison.to_sage.items()
        if not blocked.intersection(one.field for one in comparison.fields_behind(name))
    }
    if not sending:
        return Carried(misfits=misfits)
    try:
        sage_target.hold(ctx, change)
        ctx.ledger.unsettle([(link, sending)])
        ctx.sage.patch(kind.entity_set, link.sage_id, sending)
        record = ctx.sage.get(kind.entity_set, link.sage_id, select=sage_fields(ctx, kind))
    except VendorError as error:
        if error.verdict is Verdict.FATAL:
            raise
        return Carried(tuple(sending), misfits=misfits, error=error)
    return Carried(tuple(sending), record, misfits)


def settlement(
    ctx: Context,
    kind: Kind,
    change: Change,
    comparison: Comparison,
    write: ZohoWrite,
    carried: Carried,
    *,
    target: tuple[System, str],
    extras: Extras = _NOTHING,
) -> Settlement:
    """The end of one pair's delivery: what was settled is kept, whatever became of the rest."""
    link = write.link
    assert link is not None
    fresh = _renewed(ctx, kind, change, comparison, write, carried)
    change = _learned(ctx, kind, change, comparison, write, carried)
    movements = [*_zoho_movements(comparison, write), *_sage_movements(kind, comparison, link, carried)]
    movements += [*_left(comparison, write), *extras.movements]
    problem = write.error or carried.error or _misfit(carried) or _undecided(comparison)
    links = [fresh, *extras.links]
    if problem is not None:
        problem = zoho_target.explained(write, problem) if write.error is not None else problem
        if not movements and _stands(ctx, change, problem):
            return write_backs.echoed(change)
        operation = "compare" if not (write.error or carried.error) else "update"
        side = target if carried.error is None else (SAGE, kind.sage_entity)
        return settling.failed(
            ctx, kind.flow, change, problem, target=side, operation=operation, links=links, movements=movements
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
    equal = comparison.is_equal or (whole and not comparison.left)
    return replace(
        link,
        sage_name=str(record.get(kind.name) or "").strip() or link.sage_name,
        zoho_name=str(zoho_name or ""),
        source_digest=change.digest,
        written=written,
        agreed=agreed,
        unsettled=_unsettled(write, carried),
        details={name: value for name, value in link.details.items() if name != "gone"},
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


def _learned(
    ctx: Context, kind: Kind, change: Change, comparison: Comparison, write: ZohoWrite, carried: Carried
) -> Change:
    """The change with the digest of its record as it is after our own write: the next poll then knows it."""
    fields = ctx.mappings[kind.flow].source_fields()
    if kind.written is ZOHO and carried.record is not None:
        return replace(change, digest=digest(carried.record, fields))
    if kind.written is SAGE and write.sent and write.error is None:
        return replace(change, digest=digest({**comparison.zoho, **write.sent}, fields))
    return change


def _zoho_movements(comparison: Comparison, write: ZohoWrite) -> list[Movement]:
    """One line for each kind of finding. A failed write is told too: what it may have overridden is not forgotten."""
    rules = {rule.target: rule for rule in comparison.pair.to_zoho.rules}
    link = write.link
    assert link is not None
    found = []
    outcome = Outcome.UPDATED if write.error is None else Outcome.RETRYING
    for operation, decisions in _by_operation(comparison.towards(ZOHO)).items():
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
                _decided(decisions),
                source=(SAGE, link.sage_entity, link.sage_id),
            )
        )
    return found


def _sage_movements(kind: Kind, comparison: Comparison, link: Link, carried: Carried) -> list[Movement]:
    by_operation: dict[str, list[str]] = {}
    decisions: dict[str, list[Decision]] = {}
    for name in carried.sent:
        behind = comparison.fields_behind(name)
        operation = next(iter(_by_operation(behind)), "update" if name in comparison.one_way else "edit")
        by_operation.setdefault(operation, []).append(name)
        decisions.setdefault(operation, []).extend(behind)
    outcome = Outcome.UPDATED if carried.error is None else Outcome.RETRYING
    return [
        Movement(
            SAGE, kind.sage_entity, link.sage_id, operation, outcome, comparison.sage_changes(names),
            _decided(decisions[operation]), source=(ZOHO, MODULE, link.zoho_id),
        )
        for operation, names in by_operation.items()
    ]  # fmt: skip


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


def _by_operation(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    found: dict[str, list[Decision]] = {}
    for one in decisions:
        first = one.finding is Finding.OVERRIDDEN and not one.changed
        found.setdefault("first contact" if first else _OPERATIONS.get(one.finding, "update"), []).append(one)
    return {name: found[name] for name in ("conflict", "put back", "edit", "first contact", "update") if name in found}


def _decided(decisions: Iterable[Decision]) -> dict[str, Any]:
    return {"decided": {one.field: one.sentence for one in decisions}}


def _misfit(carried: Carried) -> VendorError | None:
    if not carried.misfits:
        return None
    first = carried.misfits[0]
    text = "; ".join(f"{one.field}: {one.text}" for one in carried.misfits)
    return settling.refusal(
        "TOO_LONG", text, field=first.field, advice="shorten it in Zoho, or declare a rule in the mapping"
    )


def _undecided(comparison: Comparison) -> VendorError | None:
    """Both values of each open field: a person takes one, leaves them, or says who leads."""
    if not comparison.open:
        return None
    text = "; ".join(f"{one.field} is {one.sentence}" for one in comparison.open)
    return VendorError(
        system=ZOHO,
        code=SIDES_DIFFER,
        text=text,
        verdict=Verdict.CONFLICT,
        field=comparison.open[0].field,
        advice="edit it here to set both sides, correct one side and retry, or dismiss it to leave both as they are",
        details={"fields": {one.field: [one.sage, one.zoho] for one in comparison.open}},
    )


def _is_untouched(ctx: Context, kind: Kind, link: Link, account: Row) -> bool:
    """Whether the account is as our own last write left it."""
    modified = _instant(account.get("Modified_Time"))
    if kind.written is not ZOHO or link.target_time is None or modified != link.target_time:
        return False
    by = account.get("Modified_By")
    return isinstance(by, Mapping) and bool(by.get("id")) and str(by["id"]) == _ourselves(ctx)


def _ourselves(ctx: Context) -> str:
    """The id of the Zoho user that we write as; empty where the token may not ask."""

    def ask() -> str:
        try:
            return str(ctx.zoho.current_user().get("id") or "")
        except VendorError:
            return ""

    found: str = ctx.facts.get("zoho user", ask)
    return found


def _later(ctx: Context, sage: Row, account: Row) -> System | None:
    """The side edited last. A modification of our own says nothing of when a person edited before it."""
    side = edited_last(
        as_date(sage.get(MARKER)), _instant(account.get("Modified_Time")), ZoneInfo(ctx.settings.timezone)
    )
    by = account.get("Modified_By")
    ours = isinstance(by, Mapping) and str(by.get("id") or "") == _ourselves(ctx) if side is ZOHO else False
    return None if ours else side


def _instant(value: Any) -> datetime | None:
    return datetime.fromisoformat(str(value)) if value else None


def _as(both: Sequence[Any], written: Any) -> bool:
    return same(both[0], written) and same(both[1], written)
