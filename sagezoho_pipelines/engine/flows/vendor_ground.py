"""What a batch of vendors stands on: the vendors as Sage has them, their links, and the accounts as Zoho has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.pairing import Comparison
from sagezoho_pipelines.domain.records import Authority, Change, Link, Row, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import settling
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.pairing import lost, pairs
from sagezoho_pipelines.engine.zoho_write import ZohoWrite

FLOW = "vendors"
ENTITY_SET = "AP/APVendors"
TARGET = (System.ZOHO_CRM, "Accounts")
#: The unique fields that carry a vendor's key: of its account, and of its contact.
ACCOUNT_KEY = "Sage_Vendor_Key"
CONTACT_KEY = "Sage_Contact_Key"

#: A vendor that fills one of these names a contact.
CONTACT_FIELDS = ("ContactName", "ContactsEmail", "Email")
#: Read of every vendor, whatever the mapping reads: its key, its name, and whether it names a contact.
_ALWAYS_READ = ("VendorNumber", "VendorName", *CONTACT_FIELDS)


def vendor_fields(ctx: Context) -> tuple[str, ...]:
    return tuple(sorted({*ctx.mappings[FLOW].source_fields(), *_ALWAYS_READ}))


def read_fields(ctx: Context) -> tuple[str, ...]:
    """What is read of a vendor: besides what is mapped, what it takes to compare it with its account."""
    return tuple(sorted({*vendor_fields(ctx), *pairs.sage_fields(ctx, pairs.VENDORS)}))


@dataclass(slots=True)
class Ground:
    """What a batch stands on: its changes, their links, the accounts as they are; `settlements` are done already."""

    changes: list[Change]
    links: dict[str, Link]
    accounts: dict[str, Row] = field(default_factory=dict)
    moved: dict[str, lost.Moved] = field(default_factory=dict)
    settlements: list[Settlement] = field(default_factory=list)

    def follow(self, number: str, moved: lost.Moved) -> None:
        self.links[number] = moved.link
        self.moved[number] = moved

    def settle(self, change: Change, settlement: Settlement) -> None:
        self.changes.remove(change)
        self.settlements.append(settlement)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One vendor on its way. `pair` is set where both sides were read and compared."""

    change: Change
    document: Row
    account: ZohoWrite
    contact: ZohoWrite | None = None
    pair: Comparison | None = None
    moved: lost.Moved | None = None


def resolve(ctx: Context, changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Fetch what is only looked at: the vendors as they are now, and those that are no longer there."""
    looks = [change.key for change in changes if change.payload is None]
    if not looks:
        return list(changes), []
    fields = vendor_fields(ctx)
    found = fetched(ctx, looks)
    here = [
        change
        if change.payload is not None
        else settling.resolved(change, found[change.key], fields, str(found[change.key].get("VendorName") or ""))
        for change in changes
        if change.payload is not None or change.key in found
    ]
    return here, [change for change in changes if change.payload is None and change.key not in found]


def ground_of(ctx: Context, changes: Sequence[Change]) -> Ground:
    """What the vendors are linked to, and the accounts of those as Zoho has them now, a hundred for one credit.

    One whose number or account is another than the link says is followed there, or asked about.
    """
    links = ctx.ledger.links_by_sage(ctx.connection, "vendors", "Accounts", [change.key for change in changes])
    ground = Ground(list(changes), links)
    if not pairs.enabled(ctx, pairs.VENDORS):
        return ground
    new = {change.key: change.payload or {} for change in changes if change.key not in links}
    since = min((change.captured_at for change in changes), default=ctx.clock())
    for number, found in lost.renumbered(ctx, pairs.VENDORS, new, captured=since).items():
        if isinstance(found, lost.Moved):
            ground.follow(number, found)
        else:
            [change] = [one for one in changes if one.key == number]
            ground.settle(change, lost.asked_about(ctx, pairs.VENDORS, change, found, target=TARGET))
    ground.accounts |= pairs.accounts(ctx, pairs.VENDORS, [link.zoho_id for link in ground.links.values()])
    for change in [one for one in ground.changes if one.key in ground.links]:
        link = ground.links[change.key]
        if link.zoho_id in ground.accounts:
            anothers = lost.number_is_anothers(ctx, pairs.VENDORS, change, link, target=TARGET)
            if anothers is not None:
                ground.settle(change, anothers)
            continue
        where_to = lost.account_of(ctx, pairs.VENDORS, link)
        if isinstance(where_to, lost.Moved):
            ground.follow(change.key, where_to)
            ground.accounts |= pairs.accounts(ctx, pairs.VENDORS, [where_to.link.zoho_id])
        else:
            settled = lost.gone_in_zoho(ctx, pairs.VENDORS, change, link, where_to, target=TARGET)
            ground.settle(change, settled)
    return ground


def compared(ctx: Context, ground: Ground) -> dict[int, Comparison]:
    """The linked ones compared with their accounts.

    A vendor that is to be written is read again first: what a poll captured may be some minutes old.
    """
    links, accounts = ground.links, ground.accounts
    there = [one for one in ground.changes if one.key in links and links[one.key].zoho_id in accounts]

    def compare(change: Change, vendor: Row | None) -> Comparison:
        link, document = links[change.key], document_of(ctx, change.key, vendor)
        return pairs.compared(ctx, pairs.VENDORS, change, link, document, accounts[link.zoho_id])

    found = {change.id: compare(change, change.payload) for change in there}
    stale = [change for change in there if found[change.id].to_sage]
    fresh = fetched(ctx, [change.key for change in stale]) if stale else {}
    return found | {change.id: compare(change, fresh[change.key]) for change in stale if change.key in fresh}


def document_of(ctx: Context, number: str, vendor: Row | None) -> Row:
    return {**(vendor or {}), "key": ctx.sage_key(number)}


def fetched(ctx: Context, numbers: Sequence[str]) -> dict[str, Row]:
    """The vendors as Sage has them now."""
    rows = ctx.sage.find(ENTITY_SET, where=[where("VendorNumber", "in", numbers)], select=read_fields(ctx))
    return {str(row["VendorNumber"]): row for row in rows}


def new_link(ctx: Context, change: Change, module: str, sage_name: str, zoho_name: Any) -> Link:
    """What is known of a vendor and its account or contact; its Zoho id comes with the answer."""
    return Link(
        connection=ctx.connection,
        sage_entity="vendors",
        sage_id=change.key,
        zoho_entity=module,
        zoho_id="",
        sage_name=sage_name.strip(),
        zoho_name=str(zoho_name or ""),
        authority=pairs.leader(ctx, pairs.VENDORS, alone=Authority.SAGE300),
        source_digest=change.digest,
        seen_equal_at=ctx.clock(),
    )
