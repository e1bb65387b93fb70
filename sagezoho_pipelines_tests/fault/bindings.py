"""Who is who: every link is held against the keys and the names that its two records carry themselves.

A key that a record carries decides; where it carries none, the names must agree. Nobody being asked excuses a link
that a key contradicts, or a record with two links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sagezoho_pipelines_tests.fault.evidence import Finding, Row, grouped, looked_up, plain, repeated, unless

Records = Mapping[str, Row]
"""Id -> the record, raw."""


@dataclass(frozen=True)
class Sides:
    """Both vendors' records by entity or module, and the reservations of customer numbers: number -> account id.

    An entity that is not listed cannot be looked for: its links are not held against it.
    """

    company: str
    sage: Mapping[str, Records]
    zoho: Mapping[str, Records]
    reserved: Mapping[str, str] = field(default_factory=dict)


def findings(links: Sequence[Row], sides: Sides, asked: Callable[[Row], bool]) -> Iterator[Finding]:
    """`asked` says whether a person has been asked about a link's record."""
    for link in links:
        yield from _one(link, sides, asked(link))
    yield from _double_links(links)
    yield from _double_records(sides)


def _one(link: Row, sides: Sides, asked: bool) -> Iterator[Finding]:
    record, there = f"{link['sage_entity']} {link['sage_id']}", f"{link['zoho_entity']} {link['zoho_id']}"
    sage_records = sides.sage.get(link["sage_entity"])
    sage: Row | None = sage_records.get(link["sage_id"]) if sage_records is not None else {}
    zoho = sides.zoho[link["zoho_entity"]].get(link["zoho_id"])
    if zoho is None and sage is None:
        yield Finding("mislinked", record, f"linked to {there}, and neither of them is there")
    elif zoho is None:
        yield from unless(asked, "mislinked", record, f"linked to {there}, which is not there")
    elif sage is None:
        # A vendor may be deleted in Sage: its account stays, and must not say that it is active.
        if plain(zoho.get("Sage_Vendor_Status")) in ("", "Active"):
            yield from unless(asked, "mislinked", record, f"linked to {there}, and not in Sage")
    else:
        yield from _own(link, sage, zoho, sides, asked)


def _own(link: Row, sage: Row, zoho: Row, sides: Sides, asked: bool) -> Iterator[Finding]:
    """Whether the two are each other's own."""
    kind, sage_id, zoho_id = (link["sage_entity"], link["zoho_entity"]), link["sage_id"], link["zoho_id"]
    record, key = f"{kind[0]} {sage_id}", f"{sides.company}/{sage_id}"
    carried, expected = {
        ("vendors", "Accounts"): (zoho.get("Sage_Vendor_Key"), key),
        ("vendors", "Contacts"): (zoho.get("Sage_Contact_Key"), key),
        ("customers", "Accounts"): (_account_of(sage_id, sides), zoho_id),
        ("orders", "Deals"): (sage.get("OrderReference"), zoho_id),
        ("invoices", "Invoices"): (zoho.get("Sage_Invoice_Key"), key),
        ("items", "Products"): (zoho.get("Product_Code"), sage_id),
    }.get(kind, ("", ""))
    if plain(carried):
        if plain(carried) != expected:
            words = f"linked to {kind[1]} {zoho_id}, whose key is {plain(carried)!r} instead of {expected!r}"
            yield Finding("mislinked", record, words)
        return
    names = {
        ("vendors", "Accounts"): (sage.get("VendorName"), zoho.get("Account_Name")),
        ("vendors", "Contacts"): (sage.get("ContactsEmail") or sage.get("Email"), zoho.get("Email")),
        ("customers", "Accounts"): (sage.get("CustomerName"), plain(zoho.get("Account_Name"))[:60]),
    }.get(kind)
    if names is None:
        yield Finding("mislinked", record, f"linked to {kind[1]} {zoho_id}, and neither names the other")
    elif plain(names[0]).casefold() != plain(names[1]).casefold():
        words = f"linked to {kind[1]} {zoho_id} without a key, and called {names[0]!r} here, {names[1]!r} there"
        yield from unless(asked, "mislinked", record, words)


def _account_of(number: str, sides: Sides) -> str:
    """The account that a customer number was reserved for, while that account exists: a merge may have ended it."""
    account = sides.reserved.get(number, "")
    return account if account in sides.zoho["Accounts"] else ""


def _double_links(links: Sequence[Row]) -> Iterator[Finding]:
    for side, other in (("sage", "zoho"), ("zoho", "sage")):
        names = [(r["connection"], r[f"{side}_entity"], r[f"{side}_id"], r[f"{other}_entity"]) for r in links]
        for _, entity, key, module in repeated(names):
            yield Finding("mislinked", f"{entity} {key}", f"has two links to {module}")


def _double_records(sides: Sides) -> Iterator[Finding]:
    """Two records on one side that claim the same one on the other."""
    accounts = sides.zoho["Accounts"].values()
    for name in ("Sage_Vendor_Key", "Sage_Vendor_Number"):
        for key, rows in grouped(accounts, name).items():
            if len(rows) > 1:
                yield Finding("duplicated", f"vendor {key}", f"{len(rows)} accounts carry it as their {name}")
    numbers: dict[str, list[str]] = {}
    for number, account in sides.reserved.items():
        if number in sides.sage["customers"]:
            numbers.setdefault(account, []).append(number)
    for account, found in numbers.items():
        if len(found) > 1:
            yield Finding("duplicated", f"account {account}", f"is several customers: {', '.join(sorted(found))}")
    for contact in sides.zoho["Contacts"].values():
        vendor = plain(contact.get("Sage_Contact_Key"))
        account = sides.zoho["Accounts"].get(looked_up(contact.get("Account_Name")), {})
        if vendor and plain(account.get("Sage_Vendor_Key")) not in ("", vendor):
            yield Finding("mislinked", f"contact {contact['id']}", f"of {vendor}, on the account of another vendor")
