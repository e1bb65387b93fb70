"""Which of the organisation's accounts really are vendors of the company: chosen and typed anew from the seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sagezoho_pipelines.sandbox.retyping import Firm, namesake, retyped

#: Of the organisation's other accounts, how many are called nearly like a vendor.
_NAMESAKES = 0.12
_NUMBER_NOTED = 0.06
_SAME_PERSON = 0.4


@dataclass(frozen=True, slots=True)
class ExistingAccount:
    """An account of the organisation's past. `vendor` is the company's number for it, empty for any other firm.

    `noted` is that number as somebody wrote it down in the account, `mail` the vendor's own address where sales writes
    to the same person.
    """

    firm: Firm
    vendor: str = ""
    noted: str = ""
    mail: str = ""


def existing_accounts(
    vendors: Iterable[Mapping[str, Any]], *, seed: int, accounts: int, known: int
) -> dict[int, ExistingAccount]:
    """By place among the `accounts` of the organisation: the `known` ones, and firms that are called nearly the same.

    Places that are left out are accounts that have nothing to do with the company. Raises ValueError for more known
    vendors than there are accounts, or vendors.
    """
    if not known:
        return {}
    rows = list(vendors)
    if known > min(accounts, len(rows)):
        raise ValueError(f"{known} known vendors need as many accounts and vendors; there are {accounts}, {len(rows)}")
    rng = random.Random(f"known vendors:{seed}")
    places = rng.sample(range(accounts), accounts)
    found: dict[int, ExistingAccount] = {}
    for place, row in zip(places, rng.sample(rows, known), strict=False):
        number = str(row["VendorNumber"]).strip()
        noted = number if rng.random() < _NUMBER_NOTED else ""
        firm = retyped(rng, firm_of(row))
        person = str(row.get("ContactsEmail") or "")
        same = firm.mail_domain and person.endswith(f"@{firm.mail_domain}") and rng.random() < _SAME_PERSON
        found[place] = ExistingAccount(firm, number, noted, person if same else "")
    for place in places[known:]:
        if rng.random() < _NAMESAKES:
            found[place] = ExistingAccount(namesake(rng, firm_of(rng.choice(rows))))
    return found


def firm_of(vendor: Mapping[str, Any]) -> Firm:
    """A vendor of the company as a firm."""
    mail = str(vendor.get("Email") or vendor.get("ContactsEmail") or "")
    return Firm(
        name=str(vendor["VendorName"]).strip(),
        street=str(vendor.get("AddressLine1") or ""),
        city=str(vendor.get("City") or "").strip(),
        state=str(vendor.get("StateProvince") or ""),
        postal_code=str(vendor.get("ZipPostalCode") or ""),
        country=str(vendor.get("Country") or ""),
        phone=str(vendor.get("PhoneNumber") or ""),
        mail_domain=mail.partition("@")[2],
        tax_number=str(vendor.get("BusinessRegistrationNumber") or ""),
    )
