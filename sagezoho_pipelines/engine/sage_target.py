"""Creating one record in Sage: intent first, one POST, and reading back by business key when the outcome is unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines.domain.records import Change, Row, System
from sagezoho_pipelines.domain.settlement import Intent
from sagezoho_pipelines.engine.context import Context


@dataclass(frozen=True, slots=True)
class Created:
    """The record as Sage has it now; `found` means that an unanswered attempt had created it.

    `earlier` means that it was an earlier attempt; `stale` that the source has changed since: Sage holds the older
    version.
    """

    record: Row
    found: bool
    stale: bool = False
    earlier: bool = False


def create(
    ctx: Context,
    entity_set: str,
    body: Row,
    intent: Intent,
    read_back: Callable[[], Row | None],
    *,
    payload_digest: str,
    look_first: bool = False,
    before_send: Callable[[], None] = lambda: None,
) -> Created:
    """Create what the intent announces, at most once.

    An intent that an earlier attempt left open is settled by reading the target back, never by a blind resend. When
    this attempt's own answer is lost, the target is read back at once; if the record is not there yet, the intent
    stays open for the next attempt and OutcomeUnknown is raised. `look_first` reads the target before a first send
    too: what is in Sage already, says a ledger restored from a backup, must not be posted again. `before_send` raises
    the refusal of what must not be sent; nothing is asked of it where the record exists.
    """
    if look_first or not intent.fresh:
        existing = read_back()
        if existing is not None:
            stale = intent.payload_digest != payload_digest
            return Created(existing, found=True, stale=stale, earlier=True)
    before_send()
    if not intent.fresh:
        ctx.ledger.sending(intent.id, payload_digest)
    try:
        return Created(ctx.sage.create(entity_set, body), found=False)
    except OutcomeUnknown as unknown:
        existing = _quietly(read_back)
        if existing is not None:
            return Created(existing, found=True)
        raise unknown


def _quietly(read_back: Callable[[], Row | None]) -> Row | None:
    """The vendor is in trouble already: when it cannot be read either, the next attempt reads it."""
    try:
        return read_back()
    except VendorError:
        return None


def hold(ctx: Context, change: Change) -> None:
    """Renew the lease before sending. Raises when it was lost: another worker may be sending this record now."""
    held = ctx.ledger.extend([change], lease_seconds=ctx.settings.lease_seconds, at=ctx.clock())
    if change.id not in held:
        raise VendorError(
            system=System.SAGE300,
            code="LeaseLost",
            text="not sent: the batch took so long that another worker has taken over this record",
            verdict=Verdict.RETRY,
        )
