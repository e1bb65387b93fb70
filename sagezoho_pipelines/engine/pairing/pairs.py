"""Linked pairs on their way to being equal: both sides read, compared, and written where the leader's word is missing.

A pair is delivered under one key, by the handler of its flow; `flows/identity.py` only says which pairs to look at, and
`pair_settling.py` writes down what became of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sagezoho_pipelines.config import PairSettings
from sagezoho_pipelines.domain.errors import ConfigurationError, VendorError, Verdict
from sagezoho_pipelines.domain.pairing import Comparison, Misfit, compare
from sagezoho_pipelines.domain.reconcile import SAGE, ZOHO, edited_last, same
from sagezoho_pipelines.domain.records import Authority, Change, Link, Row, System
from sagezoho_pipelines.domain.settled_pairs import ASKED, Pair, Policy
from sagezoho_pipelines.engine import sage_target, zoho_modules
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import as_date
from sagezoho_pipelines.engine.pairing import giving_way, questions
from sagezoho_pipelines.engine.widths import WIDTHS
from sagezoho_pipelines.engine.zoho_write import ZohoWrite

MODULE = "Accounts"
MARKER = "DateLastMaintained"
_MODIFIED = ("Modified_Time", "Modified_By")
#: Sage's record is no longer the one that was compared.
EDITED_MEANWHILE = "EDITED_MEANWHILE"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of pair: an account and a Sage record of `entity_set`. The mappings are named by file and target.

    `status` is the account's field that shows whether the Sage record is active.
    """

    flow: str
    sage_entity: str
    entity_set: str
    key: str
    name: str
    to_zoho: tuple[str, str]
    to_sage: tuple[str, str]
    written: System
    status: str


VENDORS = Kind(
    "vendors", "vendors", "AP/APVendors", "VendorNumber", "VendorName",
    to_zoho=("vendors", "accounts"), to_sage=("identity", "vendors"), written=ZOHO, status="Sage_Vendor_Status",
)  # fmt: skip
CUSTOMERS = Kind(
    "customers", "customers", "AR/ARCustomers", "CustomerNumber", "CustomerName",
    to_zoho=("identity", "accounts"), to_sage=("customers", "customers"), written=SAGE, status="Sage_Customer_Status",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Carried:
    """What a pair's Sage record was sent, and how Sage has it now. `misfits` were not sent."""

    sent: tuple[str, ...] = ()
    record: Row | None = None
    misfits: Sequence[Misfit] = ()
    error: VendorError | None = None


def enabled(ctx: Context, kind: Kind) -> bool:
    flows = ctx.settings.flows
    return flows.identity.enabled and bool(getattr(flows, kind.flow).enabled)


def settings(ctx: Context, kind: Kind) -> PairSettings:
    found: PairSettings = getattr(ctx.settings.flows.identity, kind.flow)
    return found


def leader(ctx: Context, kind: Kind, *, alone: Authority) -> Authority:
    """Who leads for a pair that is linked now; `alone` where pairs of this kind are not kept equal both ways."""
    return settings(ctx, kind).authority if enabled(ctx, kind) else alone


def require_settings(ctx: Context, kind: Kind) -> None:
    """Raises ConfigurationError for a field that somebody is to lead for and that does not go both ways."""
    if not enabled(ctx, kind):
        return
    two_way = pair(ctx, kind).two_way
    wrong = sorted(settings(ctx, kind).fields.keys() - two_way)
    if wrong:
        raise ConfigurationError(
            f"{ctx.connection}: flows.identity.{kind.flow}.fields: {wrong[0]} does not go both ways; these do: "
            f"{', '.join(sorted(two_way))}."
        )


def pair(ctx: Context, kind: Kind) -> Pair:
    (flow, target), (back, back_target) = kind.to_zoho, kind.to_sage

    def make() -> Pair:
        return Pair(ctx.mappings[flow][target], ctx.mappings[back][back_target], kind.written)

    made: Pair = ctx.facts.get(f"pair of {kind.flow}", make)
    return made


def known(ctx: Context) -> frozenset[str]:
    """The compared fields that this organisation has: it may do without optional ones."""
    return frozenset(zoho_modules.known_fields(ctx, MODULE))


def zoho_fields(ctx: Context, kind: Kind) -> tuple[str, ...]:
    """What is read of an account to compare it."""
    compared = pair(ctx, kind)
    reads = {source for rule in compared.sage_rules for source in rule.sources}
    names = {*compared.fields, *(reads & known(ctx)), *_MODIFIED}
    return zoho_modules.readable(ctx, MODULE, sorted(names))


def digested(ctx: Context, kind: Kind) -> tuple[str, ...]:
    """The fields of the record a pair is delivered for that make another version of it.

    Of an account all that is compared, since what is put back must be noticed first; a field that the organisation has
    only lately makes all accounts new ones, to be looked at.
    """
    names = ctx.mappings[kind.flow].source_fields()
    if kind.written is ZOHO:
        return tuple(names)
    compared = pair(ctx, kind).fields if enabled(ctx, kind) else ()
    return zoho_modules.readable(ctx, MODULE, sorted({*names, *compared}))


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
            Policy(link.authority, exceptions, own.other_side, kind.status, own.inactive_in_sage300),
            known=known(ctx),
            untouched=_is_untouched(ctx, kind, link, account),
            later=_later(ctx, sage, account),
            by_hand=change.override.fields if change.override is not None else None,
            left_before=left_before,
        )

    found = made({})
    if not found.open:
        return found
    left_before = _left_before(ctx, kind, change, link)
    return made(left_before) if left_before else found


def _left_before(ctx: Context, kind: Kind, change: Change, link: Link) -> dict[str, Any]:
    """Differences that a person dismissed. That a record is inactive is asked anew each time it becomes so."""
    found: dict[str, Any] = {}
    for code in (questions.SIDES_DIFFER, questions.INACTIVE):
        entry = ctx.ledger.dismissed(change.entity, [change.key], code=code).get(change.key)
        details = entry["details"] if entry else {}
        is_earlier = details.get(ASKED) != link.details.get(ASKED)
        fields = details.get("fields", {})
        found |= {name: both for name, both in fields.items() if not (is_earlier and name == kind.status)}
    return found


def first_agreed(ctx: Context, kind: Kind, sage: Row, account: Row) -> dict[str, Any]:
    """What a Sage record just made from an account agrees on with it: of what is led by Sage, nothing yet."""
    if not enabled(ctx, kind):
        return {}
    made = pair(ctx, kind)
    said = made.to_zoho.apply(sage)
    return {name: [said[name], account.get(name)] for name in sorted(made.two_way & known(ctx))}


def planned(comparison: Comparison, link: Link) -> ZohoWrite:
    """What the account is sent; it is not sent where somebody edited the account after it was read."""
    sent = comparison.to_zoho
    read_at = _instant(comparison.zoho.get("Modified_Time"))
    gives_way = giving_way.in_zoho(comparison)
    return ZohoWrite(MODULE, comparison.pair.to_zoho, link, sent, sent, unmodified_since=read_at, gives_way=gives_way)


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
        _require_unedited(ctx, kind, link, comparison, sending)
        ctx.ledger.give_way([(link, giving_way.in_sage(comparison, sending))])
        ctx.ledger.unsettle([(link, sending)])
        ctx.sage.patch(kind.entity_set, link.sage_id, sending)
        record = ctx.sage.get(kind.entity_set, link.sage_id, select=sage_fields(ctx, kind))
    except VendorError as error:
        if error.verdict is Verdict.FATAL:
            raise
        return Carried(() if error.code == EDITED_MEANWHILE else tuple(sending), misfits=misfits, error=error)
    return Carried(tuple(sending), record, misfits)


def _require_unedited(ctx: Context, kind: Kind, link: Link, comparison: Comparison, sending: Iterable[str]) -> None:
    """Sage takes no condition with a write, and keeps no trace of what it overwrites: so it is read once more.

    Raises VendorError, to be tried again, where somebody has edited what is to be written. What is typed between this
    read and the write that follows at once cannot be told.
    """
    now = ctx.sage.get(kind.entity_set, link.sage_id, select=sage_fields(ctx, kind)) or {}
    edited = sorted(name for name in sending if not same(now.get(name), comparison.sage.get(name)))
    if edited:
        raise VendorError(
            system=SAGE,
            code=EDITED_MEANWHILE,
            text=f"not sent: {', '.join(edited)} of {link.sage_id} was edited in Sage after it was read",
            verdict=Verdict.RETRY,
            field=edited[0],
        )


def _is_untouched(ctx: Context, kind: Kind, link: Link, account: Row) -> bool:
    """Whether the account is as our own last write left it."""
    modified = _instant(account.get("Modified_Time"))
    if kind.written is not ZOHO or link.target_time is None or modified != link.target_time:
        return False
    return is_ours(ctx, account)


def is_ours(ctx: Context, row: Row) -> bool:
    """Whether Zoho says that the last to write a record was the user we write as."""
    by = row.get("Modified_By")
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
    side = edited_last(as_date(sage.get(MARKER)), _instant(account.get("Modified_Time")), ctx.zone)
    return None if side is ZOHO and is_ours(ctx, account) else side


def _instant(value: Any) -> datetime | None:
    return datetime.fromisoformat(str(value)) if value else None
