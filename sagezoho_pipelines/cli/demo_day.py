"""What people do at the screens of both vendors on the demo's day, through the sandbox's control API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import requests

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.errors import SagezohoError

_SECONDS = 30
_ADDRESS = ("Billing_Street", "Billing_City", "Billing_State", "Billing_Code", "Billing_Country")


@dataclass(frozen=True, slots=True)
class Morning:
    """What was done in the morning: ids as the vendors answered them, and a sentence for each deed."""

    deal_id: str
    told: Sequence[str]


@dataclass(frozen=True, slots=True)
class Edited:
    """A vendor and the account it is linked to."""

    vendor: str
    account: str


@dataclass(frozen=True, slots=True)
class BothSides:
    """Pairs that are edited: one in other fields on each side, one in the same field, one where Sage leads."""

    apart: Edited
    alike: Edited
    led: Edited
    #: What each field of the three must hold on both sides afterwards: pair, Sage field, Zoho field, value.
    expected: Sequence[tuple[Edited, str, str, str]] = ()
    told: Sequence[str] = ()


class People:
    """The clerks of one sandbox. Raises SagezohoError when the sandbox does not do as asked."""

    def __init__(self, connections: Mapping[str, Mapping[str, str]]) -> None:
        self._sage = _origin(connections["sage300"]["url"])
        self._zoho = _origin(connections["zoho_crm"]["accounts_url"])

    def morning(self) -> Morning:
        """A vendor is added and another renamed in Sage; a deal is closed in Zoho."""
        vendor = self._act(
            self._sage, "add_vendor",
            fields={
                "VendorNumber": "HARBOR", "VendorName": "Harbor Paper & Print", "ContactName": "Ana Ruiz",
                "ContactsEmail": "ana.ruiz@harborpaper.example", "AddressLine1": "14 Dock Street",
                "City": "Oakland", "StateProvince": "CA", "ZipPostalCode": "94607", "Country": "USA",
            },
        )["VendorNumber"]  # fmt: skip
        renamed = next(row for row in self._rows(self._sage, "APVendors") if row["VendorNumber"].strip() != vendor)
        number, old = renamed["VendorNumber"].strip(), renamed["VendorName"].strip()
        new = f"{old} International"
        self._act(self._sage, "edit_vendor", vendor=number, fields={"VendorName": new})
        deal = self._open_deal()
        self._act(self._zoho, "close_deal", deal_id=str(deal["id"]))
        return Morning(
            str(deal["id"]),
            (
                f"Sage 300: vendor {vendor} 'Harbor Paper & Print' was added",
                f"Sage 300: vendor {number} '{old}' is now called '{new}'",
                f"Zoho CRM: deal {deal['id']} '{deal['Deal_Name']}' over {deal['Amount']} was won",
            ),
        )  # fmt: skip

    def complete(self, refused: Sequence[Mapping[str, Any]]) -> list[str]:
        """What won deals and their accounts lacked is filled in, in Zoho."""
        told = []
        deals = {str(one["record"]) for one in refused}
        for deal in sorted(str(one["record"]) for one in refused if one["error"]["code"] == "NO_LINES"):
            self._act(self._zoho, "edit_deal", deal_id=deal, values={"Amount": 4800})
            told.append(f"Zoho CRM: deal {deal} was given the amount it lacked, 4800")
        owners = {_account_of(row) for row in self._rows(self._zoho, "Deals") if str(row["id"]) in deals}
        for row in self._rows(self._zoho, "Accounts"):
            if str(row["id"]) not in owners or all(row.get(name) for name in _ADDRESS):
                continue
            address = {"Billing_Street": "12 Mill Lane", "Billing_City": "Salem", "Billing_State": "OR"}
            self._act(self._zoho, "edit_account", account_id=str(row["id"]), values=address)
            told.append(f"Zoho CRM: account {row['id']} was given the address it lacked, 12 Mill Lane, Salem")
        return told

    def ship_and_invoice(self, order: str) -> tuple[str, str]:
        """The order is shipped and invoiced in Sage: the invoice's number, and what was done."""
        invoiced = self._act(self._sage, "ship_and_invoice_order", order=order)
        number, total = str(invoiced["InvoiceNumber"]).strip(), invoiced["InvoiceTotalWithTax"]
        return number, f"Sage 300: order {order} was shipped and invoiced: invoice {number} over {total}"

    def receive_payment(self, invoice: str) -> str:
        """The invoice is paid in Sage."""
        paid = self._act(self._sage, "receive_payment", document=invoice)
        return f"Sage 300: invoice {invoice} was paid; {paid['CustomerCurrencyAmountDue']} is still due"

    def known_vendors(self) -> dict[str, str]:
        """Which account really is which vendor: what people know who have dealt with the firms for years."""
        return {str(row["vendor"]): str(row["account"]) for row in self._rows(self._zoho, "known_vendors")}

    def accounts(self) -> list[dict[str, Any]]:
        return self._rows(self._zoho, "Accounts")

    def vendors(self) -> int:
        return len(self._rows(self._sage, "APVendors"))

    def pairs(self) -> BothSides:
        """Three linked pairs that the day has left alone."""
        renamed = {row["VendorNumber"].strip() for row in self._rows(self._sage, "APVendors")
                   if row["VendorName"].strip().endswith("International")}  # fmt: skip
        customers = {str(row["id"]) for row in self.accounts() if row.get("Sage_Customer_Number")}
        chosen = [
            Edited(vendor, account)
            for vendor, account in sorted(self.known_vendors().items())
            if vendor not in renamed and account not in customers
        ]
        return BothSides(chosen[0], chosen[1], chosen[2])

    def edit_both_sides(self, pairs: BothSides) -> BothSides:
        """Other fields of one pair, the same field of another, and a field that is not theirs to edit."""
        sage, zoho, phone, site = "Sage 300", "Zoho CRM", "5105550199", "https://shop.example/harbour"
        self._in_sage(pairs.apart, PhoneNumber=phone)
        self._in_zoho(pairs.apart, Website=site)
        self._in_sage(pairs.alike, VendorName="Golden Gate Paper Inc")
        self._in_zoho(pairs.alike, Account_Name="GG Paper (new owner)")
        city = next(
            row for row in self._rows(self._sage, "APVendors") if row["VendorNumber"].strip() == pairs.led.vendor
        )
        self._in_zoho(pairs.led, Billing_City="Atlantis")
        expected = (
            (pairs.apart, "PhoneNumber", "Phone", phone),
            (pairs.apart, "WebSite", "Website", site),
            (pairs.alike, "VendorName", "Account_Name", "Golden Gate Paper Inc"),
            (pairs.led, "City", "Billing_City", city["City"].strip()),
        )
        told = (
            f"{sage}: vendor {pairs.apart.vendor} has the phone number {phone}",
            f"{zoho}: its account {pairs.apart.account} has the web site {site}",
            f"{sage}: vendor {pairs.alike.vendor} is now called 'Golden Gate Paper Inc'",
            f"{zoho}: its account {pairs.alike.account} is now called 'GG Paper (new owner)'",
            f"{zoho}: account {pairs.led.account} of vendor {pairs.led.vendor} has moved to 'Atlantis'",
        )
        return replace(pairs, expected=expected, told=told)

    def disagreements(self, edited: BothSides) -> list[str]:
        """Where the two sides hold anything but what was to be expected."""
        vendors = {row["VendorNumber"].strip(): row for row in self._rows(self._sage, "APVendors")}
        accounts = {str(row["id"]): row for row in self._rows(self._zoho, "Accounts")}
        found = []
        for pair, sage_field, zoho_field, value in edited.expected:
            here, there = vendors[pair.vendor][sage_field].strip(), accounts[pair.account][zoho_field]
            if (here, there or "") != (value, value):
                found.append(f"{pair.vendor} {sage_field} {here!r}, {zoho_field} {there!r}, expected {value!r}")
        return found

    def _in_sage(self, pair: Edited, **fields: str) -> None:
        self._act(self._sage, "edit_vendor", vendor=pair.vendor, fields=fields)

    def _in_zoho(self, pair: Edited, **values: str) -> None:
        self._act(self._zoho, "edit_account", account_id=pair.account, values=values)

    def _open_deal(self) -> Mapping[str, Any]:
        """An open deal over an amount, of an account with an address; made where the seed has none that tells more."""
        accounts = {str(row["id"]): row for row in self._rows(self._zoho, "Accounts")}
        whole = {key for key, row in accounts.items() if all(row.get(name) for name in _ADDRESS)}
        quoted = {str((row.get("Deal_Name") or {}).get("id")) for row in self._rows(self._zoho, "Quotes")}
        deals = self._rows(self._zoho, "Deals")
        customers = {_account_of(deal) for deal in deals if deal["Stage"] == "Closed Won"}
        suitable = [
            deal
            for deal in deals
            if "Closed" not in str(deal["Stage"])
            and deal.get("Amount")
            and not deal.get("Deal_Items")
            and str(deal["id"]) not in quoted
            and _account_of(deal) in whole
        ]
        # Rather one whose account is no customer yet, so that it becomes one on the way.
        fresh = [deal for deal in suitable if _account_of(deal) not in customers]
        ids = sorted(whole - customers) or sorted(whole)
        if fresh or (suitable and not whole - customers):
            return (fresh or suitable)[0]
        if not ids:
            raise SagezohoError("The sandbox's Zoho has no account with an address; run the demo with more deals.")
        name, amount = "Reception refit", "12500.00"
        made = self._act(self._zoho, "add_deal", name=name, account_id=ids[0], amount=amount)
        return {"id": made["id"], "Deal_Name": name, "Amount": amount}

    def _rows(self, origin: str, collection: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._ask("GET", f"{origin}/__sandbox__/state/{collection}", None)
        return rows

    def _act(self, origin: str, action: str, **given: Any) -> dict[str, Any]:
        done: dict[str, Any] = self._ask("POST", f"{origin}/__sandbox__/act/{action}", given)
        return done

    def _ask(self, method: str, url: str, body: Any) -> Any:
        try:
            answer = requests.request(method, url, json=body, timeout=_SECONDS)
        except requests.RequestException as error:
            raise SagezohoError(f"The sandbox does not answer ({type(error).__name__}).") from None
        if answer.status_code >= 300:
            raise SagezohoError(f"The sandbox refused {url.rpartition('/')[2]}: {answer.text[:300]}")
        return json.loads(answer.content)


def _account_of(deal: Mapping[str, Any]) -> str:
    return str((deal.get("Account_Name") or {}).get("id"))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
