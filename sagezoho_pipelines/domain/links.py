"""The mapping table as people edit it: which kinds of pairs there are, and what one edit changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sagezoho_pipelines.domain.records import AuditEntry, Authority, EntityRef, Link, Look, System

#: Connection, own entity and id, and the entity on the other side.
Side = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class PairKind:
    """One kind of pair, e.g. Sage vendors with Zoho accounts.

    `source` and `source_entity` name the records whose changes are delivered to the other side: a new link has them
    looked at. `key_field` is the unique Zoho field that carries the Sage key; `shown` are further Zoho fields that show
    the Sage number. `authority` leads where nobody said otherwise, and `two_way` says whether that may be changed.
    """

    name: str
    flow: str
    sage_entity: str
    zoho_entity: str
    source: System
    source_entity: str
    authority: Authority
    key_field: str = ""
    shown: tuple[str, ...] = ()
    two_way: bool = False


KINDS: Mapping[str, PairKind] = {
    kind.name: kind
    for kind in (
        PairKind(
            "vendors",
            "vendors",
            "vendors",
            "Accounts",
            System.SAGE300,
            "vendors",
            Authority.SAGE300,
            key_field="Sage_Vendor_Key",
            two_way=True,
        ),
        PairKind(
            "contacts",
            "vendors",
            "vendors",
            "Contacts",
            System.SAGE300,
            "vendors",
            Authority.SAGE300,
            key_field="Sage_Contact_Key",
        ),
        PairKind(
            "customers",
            "customers",
            "customers",
            "Accounts",
            System.ZOHO_CRM,
            "deal_accounts",
            Authority.ZOHO_CRM,
            shown=("Sage_Customer_Number",),
            two_way=True,
        ),
        PairKind(
            "items",
            "invoices",
            "items",
            "Products",
            System.SAGE300,
            "",
            Authority.SAGE300,
            key_field="Sage_Item_Key",
        ),
        PairKind(
            "orders",
            "orders",
            "orders",
            "Deals",
            System.ZOHO_CRM,
            "deals",
            Authority.ZOHO_CRM,
            shown=("Sage_Order_Number",),
        ),
        PairKind(
            "invoices",
            "invoices",
            "invoices",
            "Invoices",
            System.SAGE300,
            "invoices",
            Authority.SAGE300,
            key_field="Sage_Invoice_Key",
        ),
    )
}


def kind_of(link: Link) -> PairKind:
    """The kind of a link. Raises KeyError for a pair of entities that no flow knows."""
    for kind in KINDS.values():
        if (kind.sage_entity, kind.zoho_entity) == (link.sage_entity, link.zoho_entity):
            return kind
    raise KeyError(f"{link.sage_entity}/{link.zoho_entity}")


def sides(link: Link) -> tuple[Side, Side]:
    """The two sides of a link, Sage's and Zoho's: of either there is one link only."""
    sage = (link.connection, link.sage_entity, link.sage_id, link.zoho_entity)
    zoho = (link.connection, link.zoho_entity, link.zoho_id, link.sage_entity)
    return sage, zoho


def source_of(link: Link) -> tuple[EntityRef, str] | None:
    """The record of a link whose changes are delivered, and its key; None where there is none, as for items."""
    kind = kind_of(link)
    if not kind.source_entity:
        return None
    key = link.sage_id if kind.source is System.SAGE300 else link.zoho_id
    return EntityRef(link.connection, kind.source, kind.source_entity), key


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A record that is not brought to the other side: no delivery creates it there.

    A person `decided` so; or has yet to decide which of several records over there it is.
    """

    entity: EntityRef
    key: str
    name: str
    who: str
    why: str
    at: datetime
    decided: bool = True


@dataclass(frozen=True, slots=True)
class LinkEdits:
    """What is changed in the mapping table in one transaction: all of it, or nothing.

    `lead` holds links whose authority and exceptions are to be as given; `resume` are records that are no longer left
    alone. `looks` have records of new links delivered.
    """

    add: Sequence[Link] = ()
    lead: Sequence[Link] = ()
    remove: Sequence[Link] = ()
    leave: Sequence[LeftAlone] = ()
    resume: Sequence[tuple[EntityRef, str]] = ()
    looks: Sequence[Look] = ()
    audit: Sequence[AuditEntry] = field(default=())
