"""The first match: which Sage records and which Zoho accounts are the same firm, before anything is written.

`run` reads both sides and pairs them; what a person decides about that goes through `deciding`, which links instead of
creating.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sagezoho_pipelines.config import Match
from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.links import KINDS, LeftAlone, PairKind
from sagezoho_pipelines.domain.matching.match import Matching, match
from sagezoho_pipelines.domain.matching.parties import FREE_MAIL, Party
from sagezoho_pipelines.domain.matching.rules import Thresholds
from sagezoho_pipelines.domain.records import EntityRef, Row, System
from sagezoho_pipelines.engine import zoho_modules
from sagezoho_pipelines.engine.context import Context

Flow = Literal["vendors", "customers"]
FLOWS: tuple[Flow, ...] = ("vendors", "customers")

_SETS = {
    "vendors": ("AP/APVendors", "VendorNumber", "VendorName"),
    "customers": ("AR/ARCustomers", "CustomerNumber", "CustomerName"),
}
#: Our own fields on an account: the key, and the plain number.
_OWN = {"vendors": ("Sage_Vendor_Key", "Sage_Vendor_Number"), "customers": ("", "Sage_Customer_Number")}
_ADDRESS = ("AddressLine1", "City", "ZipPostalCode")
_SAGE_MAILS, _SAGE_PHONES = ("Email", "ContactsEmail", "WebSite"), ("PhoneNumber", "ContactsPhone")
_ZOHO = ("Account_Name", "Phone", "Website", "Billing_Street", "Billing_City", "Billing_Code")


@dataclass(frozen=True, slots=True)
class MatchReport:
    """How the two sides stand. `sage` and `zoho` hold every record that is not linked, by key.

    `linked` counts pairs that are linked already, `left_alone` are records that a person decided not to bring over:
    neither takes part in the matching.
    """

    connection: str
    flow: Flow
    matching: Matching
    sage: Mapping[str, Party]
    zoho: Mapping[str, Party]
    linked: int
    left_alone: Mapping[str, LeftAlone]

    def figures(self) -> dict[str, int]:
        return {
            "matched": len(self.matching.matched),
            "ambiguous": len(self.matching.ambiguous),
            "only_sage300": len(self.matching.only_left),
            "only_zoho_crm": len(self.matching.only_right),
            "linked": self.linked,
            "left_alone": len(self.left_alone),
        }


def kind_of(flow: Flow) -> PairKind:
    return KINDS[flow]


def source_of(ctx: Context, flow: Flow) -> EntityRef:
    """The records that the flow would create on the other side, and that can be left alone."""
    kind = kind_of(flow)
    return EntityRef(ctx.connection, kind.source, kind.source_entity)


def run(ctx: Context, flow: Flow) -> MatchReport:
    """Read all records of both sides and pair those that are not linked. Writes nothing."""
    settings: Match = getattr(ctx.settings.flows, flow).match
    kind = kind_of(flow)
    sage, zoho = _sage(ctx, flow, settings), _zoho(ctx, flow, settings)
    by_sage = ctx.ledger.links_by_sage(ctx.connection, kind.sage_entity, kind.zoho_entity, sorted(sage))
    by_zoho = ctx.ledger.links_by_zoho(ctx.connection, kind.zoho_entity, kind.sage_entity, sorted(zoho))
    left = ctx.ledger.left_alone(source_of(ctx, flow))
    left = {key: one for key, one in left.items() if one.decided}
    lefts = {
        key: one for key, one in sage.items() if key not in by_sage and not _passed(kind, System.SAGE300, key, left)
    }
    rights = {
        key: one for key, one in zoho.items() if key not in by_zoho and not _passed(kind, System.ZOHO_CRM, key, left)
    }
    limits = Thresholds(settings.name, settings.similar, settings.backed, settings.with_id, settings.margin)
    found = match(list(lefts.values()), list(rights.values()), limits)
    return MatchReport(ctx.connection, flow, found, lefts, rights, len(by_sage), left)


def _passed(kind: PairKind, side: System, key: str, left_alone: Mapping[str, LeftAlone]) -> bool:
    return kind.source is side and key in left_alone


def _sage(ctx: Context, flow: Flow, settings: Match) -> dict[str, Party]:
    entity_set, key, name = _SETS[flow]
    columns = sorted({key, name, *_ADDRESS, *_SAGE_MAILS, *_SAGE_PHONES, *settings.sage_tax_fields})
    free = FREE_MAIL | set(settings.free_mail)
    found: dict[str, Party] = {}
    for page in ctx.sage.pages(entity_set, select=columns):
        for row in page:
            number = _text(row[key])
            found[number] = Party(
                key=number,
                name=_text(row[name]),
                tax_numbers=_texts(row, settings.sage_tax_fields),
                mails=_texts(row, _SAGE_MAILS),
                phones=_texts(row, _SAGE_PHONES),
                city=_text(row["City"]),
                postal_code=_text(row["ZipPostalCode"]),
                street=_text(row["AddressLine1"]),
                free_mail=free,
            )
    return found


def _zoho(ctx: Context, flow: Flow, settings: Match) -> dict[str, Party]:
    known = zoho_modules.known_fields(ctx, "Accounts")
    key, number = _OWN[flow]
    numbers = [name for name in (number, *settings.zoho_id_fields) if name in known]
    taxes = [name for name in settings.zoho_tax_fields if name in known]
    columns = sorted({*_ZOHO, *numbers, *taxes, *({key} & known)})
    mails = _mails(ctx) if settings.contacts else {}
    free = FREE_MAIL | set(settings.free_mail)
    found: dict[str, Party] = {}
    for row in ctx.zoho.find("Accounts", where=[], fields=columns):
        carried = _text(row.get(key)) if key else ""
        prefix = ctx.sage_key("")
        if carried and not carried.startswith(prefix):
            continue  # another company's vendor: it belongs to another connection
        ids = [carried.removeprefix(prefix)] if carried else list(_texts(row, numbers))
        record = str(row["id"])
        found[record] = Party(
            key=record,
            name=_text(row.get("Account_Name")),
            external_ids=tuple(ids),
            tax_numbers=_texts(row, taxes),
            mails=(_text(row.get("Website")), *mails.get(record, ())),
            phones=_texts(row, ("Phone",)),
            city=_text(row.get("Billing_City")),
            postal_code=_text(row.get("Billing_Code")),
            street=_text(row.get("Billing_Street")),
            free_mail=free,
        )
    return found


def _mails(ctx: Context) -> dict[str, list[str]]:
    """The e-mail addresses of each account's contacts."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in ctx.zoho.find("Contacts", where=[where("Email", "not_null")], fields=["Account_Name", "Email"]):
        account = _text((row.get("Account_Name") or {}).get("id"))
        if account:
            found[account].append(_text(row.get("Email")))
    return {account: sorted(mails) for account, mails in found.items()}


def _texts(row: Row, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(text for name in names if (text := _text(row.get(name))))


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
