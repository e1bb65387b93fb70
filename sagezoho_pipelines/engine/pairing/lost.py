"""Linked records that are no longer where the link says: found again under another id with proof, or gone.

A merge in Zoho leaves no row among the deleted ones and a renumbered Sage record no trace at all, so both are told by
what the record that took over holds: the unique Sage key, or everything by which the pair is known. What cannot be told
is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.reconcile import SAGE, ZOHO, is_blank, same
from sagezoho_pipelines.domain.records import Cause, Change, FieldChange, Link, Outcome, Row, System
from sagezoho_pipelines.domain.settled_pairs import GONE
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import sage_target, settling, zoho_modules
from sagezoho_pipelines.engine import write_back as write_backs
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import ZOHO_TELLS_DELETIONS
from sagezoho_pipelines.engine.pairing import pairs
from sagezoho_pipelines.engine.pairing.pairs import MODULE, Kind
from sagezoho_pipelines.engine.settling import Movement

#: What an account carries of its Sage record: field, and whether it holds the whole key or the number.
_CARRIES = {"vendors": ("Sage_Vendor_Key", True), "customers": ("Sage_Customer_Number", False)}

#: What an account says of a Sage record that is gone.
DELETED_IN_SAGE = "Deleted in Sage"


@dataclass(frozen=True, slots=True)
class Moved:
    """The same pair under a new id on one side, and why it is the same."""

    link: Link
    before: Link
    proof: str

    def movement(self) -> Movement:
        one, other = self.before, self.link
        side = SAGE if one.sage_id != other.sage_id else ZOHO
        old, new = (one.sage_id, other.sage_id) if side is SAGE else (one.zoho_id, other.zoho_id)
        entity = other.sage_entity if side is SAGE else MODULE
        fields = [FieldChange("id", (), self.proof, old, new)]
        return Movement(side, entity, new, "relink", Outcome.UPDATED, fields, {"text": self.proof})


def account_of(ctx: Context, kind: Kind, link: Link) -> Moved | str:
    """Where the account of a link went: the one it was merged into, else `deleted` or `lost`."""
    name, whole = _CARRIES[kind.flow]
    carried = ctx.sage_key(link.sage_id) if whole else link.sage_id
    holders = _free(ctx, kind, link, ctx.zoho.find(MODULE, where=[where(name, "eq", carried)], fields=[name], limit=10))
    holders = [row for row in holders if row.get(name) == carried]
    if len(holders) == 1:
        return _at_account(link, holders[0], f"account {link.zoho_id} is gone, and this one carries its {name}")
    if link.zoho_id in _deleted(ctx):
        return "deleted"
    tests = [where("Account_Name", "eq", link.zoho_name)]
    rows = ctx.zoho.find(MODULE, where=tests, fields=pairs.zoho_fields(ctx, kind), limit=10)
    named = [row for row in _free(ctx, kind, link, rows) if same(row.get("Account_Name"), link.zoho_name)]
    if len(named) == 1 and not holders and link.zoho_name and _took_over(ctx, kind, link, named[0]):
        proof = f"account {link.zoho_id} was merged away, and only this one has its name and says what it said"
        return _at_account(link, named[0], proof)
    return "lost"


def taken_over(ctx: Context, kind: Kind, account: Row) -> Moved | None:
    """The pair whose account was merged into this unlinked one, which carries its key; None where there is none.

    A copy carries the key as well, beside the account that it was copied from.
    """
    name, whole = _CARRIES[kind.flow]
    carried = str(account.get(name) or "").strip()
    number = carried.removeprefix(ctx.sage_key("")) if whole else carried
    link = ctx.ledger.links_by_sage(ctx.connection, kind.sage_entity, MODULE, [number]).get(number) if number else None
    if link is None or not link.zoho_id or ctx.zoho.get_many(MODULE, [link.zoho_id], fields=[name]):
        return None
    found = account_of(ctx, kind, link)
    return found if isinstance(found, Moved) and found.link.zoho_id == str(account["id"]) else None


def _took_over(ctx: Context, kind: Kind, link: Link, row: Row) -> bool:
    """Whether an account of the same name says nothing else than the one that is gone said, and something of that.

    Firms have branches, and the one that stayed may be another one's: a name alone proves nothing.
    """
    compared = pairs.pair(ctx, kind)
    bases = {name: compared.base(link, name, {}) for name in sorted(compared.two_way - {"Account_Name"})}
    said = {name: base.zoho for name, base in bases.items() if base is not None and not is_blank(base.zoho)}
    held = {name: row.get(name) for name in said if not is_blank(row.get(name))}
    return all(same(value, said[name]) for name, value in held.items()) and bool(held or not said)


def record_of(ctx: Context, kind: Kind, link: Link) -> Moved | None:
    """The Sage record that a link's record was renumbered to: it has all that the pair is known by, and no link."""
    if not link.sage_name:
        return None
    rows = ctx.sage.find(
        kind.entity_set, where=[where(kind.name, "eq", link.sage_name)], select=pairs.sage_fields(ctx, kind), limit=10
    )
    numbers = {_number(kind, row): row for row in rows if _number(kind, row) != link.sage_id}
    taken = ctx.ledger.links_by_sage(ctx.connection, kind.sage_entity, MODULE, sorted(numbers))
    alike = [number for number, row in numbers.items() if number not in taken and _is_alike(ctx, kind, link, row)]
    return _at_record(link, alike[0]) if len(alike) == 1 else None


def renumbered(ctx: Context, kind: Kind, new: Mapping[str, Row], *, captured: datetime) -> dict[str, Moved | Link]:
    """Of unlinked Sage records, those whose name a linked one had that is gone: moved, or a link to be asked about.

    Sage is not asked for a namesake that was delivered since the first of them was `captured`: on a first sync these
    are many, and none has gone.
    """
    names = {number: str(row.get(kind.name) or "").strip() for number, row in new.items()}
    wanted = sorted({*names.values()} - {""})
    held = ctx.ledger.links_by_name(ctx.connection, kind.sage_entity, MODULE, wanted, before=captured)
    if not held:
        return {}
    numbers = sorted({link.sage_id for link in held})
    there = ctx.sage.find(kind.entity_set, where=[where(kind.key, "in", numbers)], select=[kind.key])
    gone = [link for link in held if link.sage_id not in {_number(kind, row) for row in there}]
    found: dict[str, Moved | Link] = {}
    for number, row in new.items():
        mine = [link for link in gone if link.sage_name == names[number]]
        alike = [link for link in mine if _is_alike(ctx, kind, link, row)]
        if mine:
            found[number] = _at_record(alike[0], number) if len(mine) == len(alike) == 1 else mine[0]
    claimed = Counter(one.before.sage_id for one in found.values() if isinstance(one, Moved))
    return {
        number: one.before if isinstance(one, Moved) and claimed[one.before.sage_id] > 1 else one
        for number, one in found.items()
    }


def asked_about(ctx: Context, kind: Kind, change: Change, link: Link, *, target: tuple[System, str]) -> Settlement:
    """A new Sage record that may be one we know under another number."""
    error = VendorError(
        system=SAGE,
        code="RENUMBERED",
        text=f"{change.key} has the name of {link.sage_id}, which Sage no longer has; the rest of the two differs",
        verdict=Verdict.CONFLICT,
        advice=f"the same: 'sagezoho links remove' {link.sage_id}, then 'links add' {change.key} to Zoho account "
        f"{link.zoho_id}; another one: only remove, then retry this",
    )
    return settling.failed(ctx, kind.flow, change, error, target=target, operation="link")


def number_is_anothers(
    ctx: Context, kind: Kind, change: Change, link: Link, *, target: tuple[System, str]
) -> Settlement | None:
    """A record that was gone from Sage is there again, under another name: the number may be another firm's by now.

    None where it is the one we knew, or a person has said so by a retry.
    """
    was_gone = link.details.get(GONE) == str(SAGE) or link.written.get(kind.status) == DELETED_IN_SAGE
    name = str((change.payload or {}).get(kind.name) or "").strip()
    if not was_gone or change.cause is Cause.RETRY or same(name, link.sage_name):
        return None
    error = VendorError(
        system=SAGE,
        code="NUMBER_REUSED",
        text=f"{change.key} was gone from Sage, and is {name!r} now; its account is that of {link.sage_name!r}",
        verdict=Verdict.CONFLICT,
        field=kind.name,
        advice=f"another firm: 'sagezoho links remove' {change.key}, then retry this; the same: only retry it",
    )
    return settling.failed(ctx, kind.flow, change, error, target=target, operation="compare")


def gone_in_zoho(
    ctx: Context, kind: Kind, change: Change, link: Link, how: str, *, target: tuple[System, str]
) -> Settlement:
    """The account of a pair is no longer in Zoho: as the policy says; where it is not known to be deleted, ask."""
    if link.details.get(GONE) == str(ZOHO) and change.cause is not Cause.RETRY:
        return _quietly(ctx, kind, change)
    noted = replace(link, details={**link.details, GONE: str(ZOHO)}, target_time=None)
    policy = pairs.settings(ctx, kind).gone_in_zoho_crm if how == "deleted" else "inbox"
    text = f"{MODULE} {link.zoho_id} is no longer in Zoho"
    if policy == "inbox":
        error = VendorError(
            system=ZOHO,
            code="RECORD_DELETED" if how == "deleted" else "RECORD_LOST",
            text=text if how == "deleted" else f"{text}, and no other account is clearly the one it was merged into",
            verdict=Verdict.CONFLICT,
            advice="restore it from Zoho's recycle bin and retry this, link another one with 'sagezoho links', "
            "or dismiss it",
        )
        return settling.failed(ctx, kind.flow, change, error, target=target, links=[noted])
    if policy == "ignore":
        movement = Movement(ZOHO, MODULE, link.zoho_id, "leave", Outcome.NOOP, answer={"text": text})
        return settling.settled(ctx, kind.flow, change, Outcome.NOOP, movements=[movement], links=[noted])
    fields = [FieldChange("Status", (), text, None, "Inactive")]
    movement = Movement(
        SAGE, kind.sage_entity, link.sage_id, "mark", Outcome.UPDATED, fields, {"text": text},
        source=(ZOHO, MODULE, link.zoho_id),
    )  # fmt: skip
    try:
        sage_target.hold(ctx, change)
        ctx.sage.patch(kind.entity_set, link.sage_id, {"Status": "Inactive"})
    except VendorError as error:
        # Raised, it would be the end of all the others that are delivered along with this one.
        if error.verdict is Verdict.FATAL:
            raise
        to = (SAGE, kind.sage_entity)
        return settling.failed(ctx, kind.flow, change, error, target=to, attempt=movement)
    return settling.settled(ctx, kind.flow, change, Outcome.UPDATED, movements=[movement], links=[noted])


def gone_in_sage(
    ctx: Context, kind: Kind, change: Change, link: Link, *, target: tuple[System, str]
) -> Settlement | None:
    """The Sage record of a pair is gone: settled as the policy says; None where the account is to be marked."""
    policy = pairs.settings(ctx, kind).gone_in_sage300
    if policy == "mark":
        return None
    if link.details.get(GONE) == str(SAGE) and change.cause is not Cause.RETRY:
        return _quietly(ctx, kind, change)
    noted = replace(link, details={**link.details, GONE: str(SAGE)})
    text = f"{kind.flow[:-1]} {link.sage_id} is no longer in Sage"
    if policy == "ignore":
        movement = Movement(SAGE, kind.sage_entity, link.sage_id, "leave", Outcome.NOOP, answer={"text": text})
        return settling.settled(ctx, kind.flow, change, Outcome.NOOP, movements=[movement], links=[noted])
    error = VendorError(
        system=SAGE,
        code="RECORD_DELETED",
        text=text,
        verdict=Verdict.CONFLICT,
        advice="remove the link with 'sagezoho links remove', or make the record again and retry this",
    )
    return settling.failed(ctx, kind.flow, change, error, target=target, links=[noted])


def marked(movement: Movement, status: str, *, before: Any) -> Movement:
    """The audit line of a mark: that status is made of no field, but of the record's being gone."""
    fields = [
        one._replace(sources=(), expression="no longer in Sage", before=before) if one.target == status else one
        for one in movement.fields
    ]
    return replace(movement, fields=fields)


def _quietly(ctx: Context, kind: Kind, change: Change) -> Settlement:
    """Dealt with before; what the inbox holds of it stays there."""
    if ctx.ledger.standing(change.entity, [change.key]):
        return write_backs.echoed(change)
    return settling.settled(ctx, kind.flow, change, Outcome.NOOP)


def _free(ctx: Context, kind: Kind, link: Link, rows: Sequence[Row]) -> list[Row]:
    """The accounts that could have taken over: not the one that is gone, and none of another record."""
    ids = [str(row["id"]) for row in rows if str(row["id"]) != link.zoho_id]
    taken = ctx.ledger.links_by_zoho(ctx.connection, MODULE, kind.sage_entity, ids) if ids else {}
    return [row for row in rows if str(row["id"]) in ids and str(row["id"]) not in taken]


def _deleted(ctx: Context) -> frozenset[str]:
    """The accounts that Zoho says were deleted: asked once a run, and only when one is missing."""

    def ask() -> frozenset[str]:
        return frozenset(str(row["id"]) for row in ctx.zoho.deleted_since(MODULE, ctx.clock() - ZOHO_TELLS_DELETIONS))

    found: frozenset[str] = ctx.facts.get("deleted accounts", ask)
    return found


def _is_alike(ctx: Context, kind: Kind, link: Link, row: Row) -> bool:
    """Whether a Sage record says of every two-way field what the link's own record said last.

    Of an optional field that may not be known: the organisation does without it, or has it since lately.
    """
    compared = pairs.pair(ctx, kind)
    said = compared.to_zoho.apply({**row, "key": ""})
    optional = zoho_modules.optional_fields(MODULE)
    bases = {name: compared.base(link, name, {}) for name in compared.two_way}
    return all(same(base.sage, said[name]) if base is not None else name in optional for name, base in bases.items())


def _at_account(link: Link, row: Row, proof: str) -> Moved:
    new = replace(link, zoho_id=str(row["id"]), made_by="re-linked: merged", target_time=None)
    return Moved(new, link, proof)


def _at_record(link: Link, number: str) -> Moved:
    proof = f"{link.sage_id} is gone from Sage, and {number} says of itself what it said"
    return Moved(replace(link, sage_id=number, made_by="re-linked: renumbered", target_time=None), link, proof)


def _number(kind: Kind, row: Row) -> str:
    return str(row[kind.key]).strip()
