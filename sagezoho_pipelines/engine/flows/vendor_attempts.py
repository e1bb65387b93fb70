"""Attempts that were cut off before they could link what they made: found again, with what each of them said.

What a person has typed into such a record since is an edit like any other, and stays or gives way as one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sagezoho_pipelines.domain.records import Change, Link, Look, Outcome
from sagezoho_pipelines.engine import settling
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows.vendor_ground import (
    ACCOUNT_KEY,
    CONTACT_KEY,
    FLOW,
    TARGET,
    Delivery,
    Ground,
    document_of,
    new_link,
)
from sagezoho_pipelines.engine.pairing import left_behind
from sagezoho_pipelines.engine.settling import Movement


def note(ctx: Context, new: Sequence[Change], looks: Collection[int]) -> None:
    """Before they are made in Zoho: what these vendors say, of which the ledger holds no version yet."""
    looked_at = [change for change in new if change.id in looks]
    if looked_at:
        ctx.ledger.attempting(looked_at)


def link_accounts(ctx: Context, ground: Ground) -> None:
    """Link the accounts that an attempt which was cut off has made and which were written to since.

    Each is then looked at as any linked one is. Where nobody knows what that attempt wrote, the two meet for the
    first time.
    """
    mapping = ctx.mappings[FLOW]["accounts"]
    new = {ctx.sage_key(change.key): change for change in ground.changes if change.key not in ground.links}

    def mapped(version: Change) -> dict[str, Any]:
        return settling.edited(mapping, version).apply(document_of(ctx, version.key, version.payload))

    for key, found in left_behind.edited_since(ctx, "Accounts", ACCOUNT_KEY, new, mapped).items():
        change = new[key]
        link = new_link(ctx, change, "Accounts", str((change.payload or {}).get("VendorName") or ""), change.name)
        link = replace(found.link(link), seen_equal_at=None)
        look = Look(change.entity, change.key, change.cause, "its account was edited before it was linked")
        answer = {"text": f"account {link.zoho_id} was made by an attempt that was cut off, and edited since"}
        movement = Movement(*TARGET, link.zoho_id, "link", Outcome.NOOP, answer=answer)
        ground.settle(
            change,
            settling.settled(ctx, FLOW, change, Outcome.NOOP, movements=[movement], links=[link], looks=[look]),
        )


def contact_links(ctx: Context, new: Sequence[Delivery]) -> dict[str, Link]:
    """Links to contacts that an attempt which was cut off has made: what a person has edited there since stays."""
    by_key = {ctx.sage_key(item.change.key): item for item in new}
    changes = {key: item.change for key, item in by_key.items()}
    accounts = {item.change.key: {"id": item.account.record_id} for item in new}

    def mapped(version: Change) -> dict[str, Any]:
        vendor = document_of(ctx, version.key, version.payload)
        return ctx.mappings[FLOW]["contacts"].apply({**vendor, "account": accounts[version.key]})

    links = {}
    for key, found in left_behind.edited_since(ctx, "Contacts", CONTACT_KEY, changes, mapped).items():
        item = by_key[key]
        fresh = new_link(ctx, item.change, "Contacts", str(item.document.get("VendorName") or ""), "")
        links[item.change.key] = found.link(fresh)
    return links
