"""The contacts of accounts that are about to be linked: one with the vendor's own e-mail address is the vendor's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import MappingFailed
from sagezoho_pipelines.domain.links import KINDS
from sagezoho_pipelines.domain.records import Link
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.linking import asking, sides
from sagezoho_pipelines.engine.linking.asking import Asked

_KIND = KINDS["contacts"]
_SET, _NUMBER = "AP/APVendors", "VendorNumber"
_MADE_BY = "matched: e-mail"


def links_for(ctx: Context, accounts: Sequence[Link]) -> list[Link]:
    """Links of the vendors' contacts, where the account to be linked has exactly one with the address that a sync would
    write. Without them the sync would add the same person a second time."""
    wanted = _addresses(ctx, [link.sage_id for link in accounts])
    if not wanted:
        return []
    found: Mapping[tuple[str, str], list[str]] = defaultdict(list)
    rows = ctx.zoho.find(
        "Contacts", where=[where("Email", "in", sorted(set(wanted.values())))], fields=["Account_Name", "Email"]
    )
    for row in rows:
        account = str((row.get("Account_Name") or {}).get("id") or "")
        found[account, str(row["Email"]).casefold()].append(str(row["id"]))
    asked = []
    for link in accounts:
        contacts = found.get((link.zoho_id, wanted.get(link.sage_id, "").casefold()), [])
        if len(contacts) == 1:
            asked.append(Asked(_KIND, link.sage_id, contacts[0], _MADE_BY))
    return list(asking.check(ctx, asked).add)


def _addresses(ctx: Context, vendors: Sequence[str]) -> dict[str, str]:
    """The e-mail address that a sync would give each vendor's contact."""
    mapping = ctx.mappings["vendors"]
    columns = sorted({_NUMBER, *mapping.source_fields("contacts")})
    found: dict[str, str] = {}
    rule = next((rule for rule in mapping["contacts"].rules if rule.target == "Email"), None)
    if rule is None or not vendors:
        return found
    for row in sides.sage_rows(ctx, _SET, _NUMBER, vendors, columns):
        try:
            email = rule.value({**row, "key": "", "account": {"id": ""}})
        except MappingFailed:  # the sync will say so of this vendor
            continue
        if email:
            found[str(row[_NUMBER]).strip()] = str(email)
    return found
