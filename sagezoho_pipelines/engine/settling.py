"""The end of an attempt: what a delivery or an error means for its change, its audit line and its next attempt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.errors import LinkTaken, VendorError, Verdict
from sagezoho_pipelines.domain.mapping import TargetMapping
from sagezoho_pipelines.domain.records import (
    AuditEntry,
    Change,
    ChangeState,
    FieldChange,
    Link,
    Look,
    Outcome,
    Row,
    System,
)
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine.context import Context

_STATES = {
    Outcome.CREATED: ChangeState.DELIVERED,
    Outcome.UPDATED: ChangeState.DELIVERED,
    Outcome.NOOP: ChangeState.DELIVERED,
    Outcome.SKIPPED: ChangeState.DELIVERED,
    Outcome.REFUSED: ChangeState.REFUSED,
    Outcome.CONFLICTED: ChangeState.CONFLICTED,
    Outcome.RETRYING: ChangeState.QUEUED,
}


#: What an audit line's answer holds besides the vendor's: why each field of a pair is what it is.
DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Movement:
    """One write to one target record, or the attempt at one: becomes an audit entry.

    `source` is the record whose word counted, as system, entity and id, where that is not the change's own.
    """

    target_system: System
    target_entity: str
    target_id: str
    operation: str
    outcome: Outcome
    fields: Iterable[FieldChange] = ()
    answer: Row | None = None
    source: tuple[System, str, str] | None = None


def audit_entry(ctx: Context, flow: str, change: Change, movement: Movement) -> AuditEntry:
    system, entity, key = movement.source or (change.entity.system, change.entity.entity, change.key)
    return AuditEntry(
        at=ctx.clock(),
        actor=ctx.actor,
        connection=ctx.connection,
        flow=flow,
        direction=f"{system}->{movement.target_system}",
        source_system=str(system),
        source_entity=entity,
        source_id=key,
        target_system=str(movement.target_system),
        target_entity=movement.target_entity,
        target_id=movement.target_id,
        operation=movement.operation,
        outcome=str(movement.outcome),
        fields=movement.fields,
        answer=movement.answer or {},
        cause=str(change.cause),
        run_id=ctx.run_id,
        change_id=change.id,
    )


def settled(
    ctx: Context,
    flow: str,
    change: Change,
    outcome: Outcome,
    *,
    movements: Sequence[Movement] = (),
    links: Sequence[Link] = (),
    looks: Sequence[Look] = (),
    intents: Sequence[tuple[int, str, str]] = (),
    error: Mapping[str, Any] | None = None,
    retry_at: datetime | None = None,
) -> Settlement:
    """The settlement of a change whose outcome is known."""
    return Settlement(
        change=change,
        state=_STATES[outcome],
        outcome=outcome,
        links=links,
        audit=[audit_entry(ctx, flow, change, movement) for movement in movements],
        looks=looks,
        intents=intents,
        error=error or {},
        retry_at=retry_at,
    )


def failed(
    ctx: Context,
    flow: str,
    change: Change,
    error: VendorError,
    *,
    target: tuple[System, str],
    operation: str = "deliver",
    attempt: Movement | None = None,
    links: Sequence[Link] = (),
    movements: Sequence[Movement] = (),
    intents: Sequence[tuple[int, str, str]] = (),
) -> Settlement:
    """The settlement of a failed attempt, as the error's verdict asks: retry later, refuse, skip or conflict.

    `attempt` is the write that failed, where it came so far: the audit tells what was to be written. `movements` are
    those that went well.
    """
    outcome = outcome_of(ctx, change, error)
    retry_at = next_attempt(ctx, change, error.retry_after) if outcome is Outcome.RETRYING else None
    answer = {**error.answer(), "details": dict(error.details)} if error.details else error.answer()
    if outcome is Outcome.REFUSED and error.verdict is Verdict.RETRY:
        answer["advice"] = f"given up after {change.attempt} attempts; retry it when the cause is gone"
    meant = attempt if attempt is not None else Movement(target[0], target[1], "", operation, outcome)
    decided = {name: told for name, told in (meant.answer or {}).items() if name == DECIDED}
    movement = replace(meant, outcome=outcome, answer={**answer, **decided})
    return settled(
        ctx,
        flow,
        change,
        outcome,
        movements=[*movements, movement],
        links=links,
        intents=intents,
        error=answer,
        retry_at=retry_at,
    )


def outcome_of(ctx: Context, change: Change, error: VendorError) -> Outcome:
    """What an attempt that failed counts as; one that was tried too often is refused."""
    if error.verdict is Verdict.RETRY or error.verdict is Verdict.FATAL:
        exhausted = change.attempt >= ctx.settings.retries.max_attempts
        return Outcome.REFUSED if exhausted else Outcome.RETRYING
    return {
        Verdict.REFUSE: Outcome.REFUSED,
        Verdict.SKIP: Outcome.SKIPPED,
        Verdict.CONFLICT: Outcome.CONFLICTED,
    }[error.verdict]


def next_attempt(ctx: Context, change: Change, retry_after: float | None) -> datetime:
    """Exponential back-off with full jitter in its upper half, never before the vendor's own Retry-After."""
    retries = ctx.settings.retries
    ceiling = min(retries.cap_seconds, retries.base_seconds * 2 ** min(change.attempt - 1, 20))
    delay = ceiling * (0.5 + 0.5 * ctx.random())
    return ctx.clock() + timedelta(seconds=max(delay, retry_after or 0))


def refusal(code: str, text: str, *, field: str = "", advice: str = "", system: System = System.SAGE300) -> VendorError:
    """A refusal of our own, before anything is sent: worded and handled like a vendor's."""
    return VendorError(system=system, code=code, text=text, verdict=Verdict.REFUSE, field=field, advice=advice)


def resolved(change: Change, payload: Row, fields: Sequence[str], name: str = "") -> Change:
    """A change that said only "look at this record", with the record as it is now."""
    now = digest(payload, fields)
    kept = change.override if now == change.digest else None  # made for another version of the record
    return replace(change, payload=payload, digest=now, name=name or change.name, override=kept)


def edited(mapping: TargetMapping, change: Change) -> TargetMapping:
    """The mapping as this change is to be delivered: with what a person set for it in the inbox."""
    return mapping if change.override is None else mapping.edited(change.override.fields)


def settle(ctx: Context, settlements: list[Settlement], flow: str, *, target: tuple[System, str]) -> None:
    """Commit a batch. A record whose target belongs to another one becomes a conflict; the others are kept.

    `settlements` is changed in place, so that it says what was committed.
    """
    while True:
        try:
            ctx.ledger.settle(settlements, at=ctx.clock())
            return
        except LinkTaken as taken:
            stopped = [index for index, settlement in enumerate(settlements) if taken.link in settlement.links]
            if not stopped:
                raise
            for index in stopped:
                change = settlements[index].change
                settlements[index] = failed(ctx, flow, change, _link_taken(taken), target=target, operation="link")


def _link_taken(taken: LinkTaken) -> VendorError:
    held = taken.held
    return VendorError(
        system=System.ZOHO_CRM,
        code="LINK_TAKEN",
        text=f"{held.zoho_entity} {held.zoho_id} belongs to Sage {held.sage_entity} {held.sage_id}",
        verdict=Verdict.CONFLICT,
        advice="decide which two records belong together: merge the duplicates, or remove the wrong link",
    )
