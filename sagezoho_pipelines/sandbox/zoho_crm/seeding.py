"""An organisation's past, made up from its seed: accounts, contacts, products, deals and quotes.

Nothing here knows what any client will read: there are accounts without an address, deals without an amount, won
deals without an account, quotes that nobody accepted, and names that differ only in case.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sagezoho_pipelines.sandbox.known_vendors import ExistingAccount
from sagezoho_pipelines.sandbox.retyping import slug
from sagezoho_pipelines.sandbox.zoho_crm import picklists
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation
from sagezoho_pipelines.sandbox.zoho_crm.settings import create_field
from sagezoho_pipelines.sandbox.zoho_crm.writes import Writer

EPOCH = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
SPAN_SECONDS = 200 * 24 * 3600
ITEMS = (
    ("A1-110/2", "Fluorescent Desk Lamp", "95.00", "Each"),
    ("A1-105/0", "Halogen Desk Lamp", "122.40", "Each"),
    ("A1-120/0", "Pole Lamp", "61.99", "Each"),
    ("A1-140/0", "Wall Sconce", "44.75", "Each"),
    ("PART-036", "On-site Installation", "120.00", "Hours"),
)
FIRST = (
    "Aino",
    "Bashir",
    "Chloe",
    "Dmitri",
    "Esra",
    "Fiona",
    "Gustavo",
    "Hana",
    "Ivo",
    "José",
    "Kaja",
    "Liam",
    "Mei",
    "Noor",
    "Oluwaseun",
    "Priya",
    "Quentin",
    "Rosa",
    "Søren",
    "Tomasz",
)
LAST = (
    "Abara",
    "Bergström",
    "Castillo",
    "Dupont",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Horváth",
    "Ito",
    "Johansson",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nguyen",
    "O'Brien",
    "Petrov",
    "Quispe",
    "Rossi",
    "Sato",
    "Tanaka",
)
STEM = (
    "Alder",
    "Beacon",
    "Cobalt",
    "Dover",
    "Ember",
    "Fairview",
    "Granite",
    "Harbour",
    "Ironwood",
    "Juniper",
    "Keystone",
    "Lakeside",
    "Meridian",
    "Northgate",
    "Orchard",
    "Pinnacle",
    "Quarry",
    "Ridgeway",
    "Summit",
    "Tideline",
)
TRADE = (
    "Lighting",
    "Interiors",
    "Builders",
    "Hotels",
    "Supply",
    "Electrical",
    "Clinics",
    "Studios",
    "Foods",
    "Logistics",
)
FORM = ("Ltd", "Inc.", "LLC", "GmbH", "& Sons", "Co.")
PLACES = (
    ("Vancouver", "BC", "V6B 1A1", "Canada"),
    ("Portland", "OR", "97204", "United States"),
    ("Austin", "TX", "78701", "United States"),
    ("Toronto", "ON", "M5H 2N2", "Canada"),
    ("Denver", "CO", "80202", "United States"),
)
STREETS = ("Mill Road", "Station Street", "Harbour Way", "King's Court", "Elm Avenue")
WON_SHARE = 0.35


class Seeder:
    """Fills an empty organisation; the same seed, sizes and order of calls give the same bytes."""

    def __init__(self, org: Organisation, existing: Mapping[int, ExistingAccount]) -> None:
        self.org = org
        self.draw = org.random
        self.existing = existing
        self.known: list[dict[str, str]] = []
        """Which account really is which vendor of the company."""
        self.accounts: list[str] = []
        self.contacts: dict[str, str] = {}
        self.products: list[str] = []

    def fill(self, *, deals: int, accounts: int | None) -> None:
        many = max(4, (deals * 2) // 3) if accounts is None else accounts
        if self.existing:
            self.own_fields()
        steps = len(ITEMS) + many + deals
        step = SPAN_SECONDS / max(1, steps)
        done = 0
        for make, times in ((self.product, len(ITEMS)), (self.account, many), (self.deal, deals)):
            for number in range(times):
                self.org.written_at = int(EPOCH.timestamp() + done * step)
                make(number)
                done += 1
        self.org.written_at = None
        for table in self.org.tables.values():
            table.stale.clear()

    def insert(self, module: str, values: dict[str, Any]) -> str:
        actor = self.draw.choice(self.org.users[1:])
        done = Writer(self.org, self.org.modules[module], actor).insert(values, "$")
        return str(done["details"]["id"])

    def product(self, number: int) -> None:
        code, name, price, unit = ITEMS[number]
        self.products.append(
            self.insert(
                "Products",
                {
                    "Product_Name": name,
                    "Product_Code": code,
                    "Unit_Price": Decimal(price),
                    "Usage_Unit": unit,
                    "Product_Active": True,
                    "Taxable": True,
                },
            )
        )

    def own_fields(self) -> None:
        """What an organisation that has dealt with these firms for years has added to its accounts."""
        for label, length in (("Tax ID", 30), ("Supplier No", 20)):
            given = {"field_label": label, "data_type": "text", "length": length}
            create_field(self.org, self.org.modules["Accounts"], given, "$")

    def firm(self, number: int, one: ExistingAccount) -> None:
        draw, firm = self.draw, one.firm
        values = {
            "Account_Name": firm.name,
            "Account_Type": draw.choice(("Partner", "Other", "Distributor", None)),
            "Phone": firm.phone[:30] or None,
            "Website": firm.website or None,
            "Billing_Street": firm.street or None,
            "Billing_City": firm.city or None,
            "Billing_State": firm.state or None,
            "Billing_Code": firm.postal_code or None,
            "Billing_Country": firm.country or None,
            "Tax_ID": firm.tax_number or None,
            "Supplier_No": one.noted or None,
        }
        account = self.insert("Accounts", values)
        self.accounts.append(account)
        if one.vendor:
            self.known.append({"vendor": one.vendor, "account": account})
        if firm.mail_domain:
            first, last = draw.choice(FIRST), draw.choice(LAST)
            person = {"First_Name": first, "Last_Name": last, "Account_Name": {"id": account}}
            mail = one.mail or f"{slug(first)}.{slug(last)}{number}@{firm.mail_domain}"
            self.contacts[account] = self.insert("Contacts", {**person, "Email": mail})

    def account(self, number: int) -> None:
        if number in self.existing:
            self.firm(number, self.existing[number])
            return
        draw = self.draw
        stem, trade, form = STEM[number % 20], TRADE[number // 20 % 10], FORM[number // 200 % 6]
        name = f"{stem} {trade} {form}" + (f" {number // 1200 + 1}" if number >= 1200 else "")
        values: dict[str, Any] = {
            "Account_Name": name,
            "Account_Type": draw.choice(("Customer", "Prospect", "Customer", None)),
            "Phone": f"+1 604 555 {draw.randrange(10_000):04d}",
            "Website": f"www.{stem.lower()}{number}.example",
            "Industry": draw.choice(("Manufacturing", "Technology", "Wholesale", None)),
        }
        city, state, code, country = draw.choice(PLACES)
        address = {
            "Street": f"{draw.randrange(1, 999)} {draw.choice(STREETS)}",
            "City": city,
            "State": state,
            "Code": code,
            "Country": country,
        }
        kind = draw.random()
        sides = ("Billing", "Shipping") if kind < 0.6 else ("Billing",) if kind < 0.85 else ()
        for side in sides:
            values |= {f"{side}_{part}": text for part, text in address.items()}
        if sides and kind > 0.78:
            values["Billing_Code"] = None
        account = self.insert("Accounts", values)
        self.accounts.append(account)
        if draw.random() < 0.8:
            first, last = draw.choice(FIRST), draw.choice(LAST)
            self.contacts[account] = self.insert(
                "Contacts",
                {
                    "First_Name": first if draw.random() < 0.9 else None,
                    "Last_Name": last,
                    "Email": f"contact{number}@{stem.lower()}.example" if draw.random() < 0.8 else None,
                    "Phone": values["Phone"],
                    "Account_Name": {"id": account},
                },
            )

    def deal(self, number: int) -> None:
        draw = self.draw
        won = draw.random() < WON_SHARE
        open_or_lost = [actual for _, actual, _, forecast in picklists.STAGES if forecast != "Closed Won"]
        account = draw.choice(self.accounts) if self.accounts and draw.random() < 0.96 else None
        happened = datetime.fromtimestamp(self.org.now(), UTC).date()
        closing: date = happened if won else happened + timedelta(days=draw.randrange(5, 90))
        amount = Decimal(draw.randrange(20_000, 2_500_000)).scaleb(-2) if draw.random() < 0.85 else None
        values: dict[str, Any] = {
            "Deal_Name": f"{draw.choice(TRADE)} refit {number + 1}",
            "Stage": "Closed Won" if won else draw.choice(open_or_lost),
            "Amount": amount,
            "Closing_Date": closing.isoformat(),
            "Type": draw.choice(("New Business", "Existing Business")),
            "Account_Name": {"id": account} if account else None,
            "Contact_Name": {"id": self.contacts[account]} if account in self.contacts else None,
        }
        way = draw.random()
        if way < 0.2:
            values["Deal_Items"] = [
                {
                    "Product": {"id": line["Product_Name"]["id"]},
                    "Quantity": line["Quantity"],
                    "Rate": line["List_Price"],
                }
                for line in self.lines()
            ]
        deal = self.insert("Deals", values)
        if way > 0.5 and account is not None:
            stages = ("Closed Won", "Confirmed") if won and way > 0.6 else ("Draft", "Negotiation", "On Hold")
            self.insert(
                "Quotes",
                {
                    "Subject": f"Quote for {values['Deal_Name']}",
                    "Quote_Stage": draw.choice(stages),
                    "Deal_Name": {"id": deal},
                    "Account_Name": {"id": account},
                    "Valid_Till": (closing + timedelta(days=30)).isoformat(),
                    "Quoted_Items": self.lines(),
                },
            )

    def lines(self) -> list[dict[str, Any]]:
        draw = self.draw
        chosen = draw.sample(range(len(ITEMS)), draw.randrange(1, 4))
        return [
            {
                "Product_Name": {"id": self.products[at]},
                "Quantity": draw.randrange(1, 12),
                "List_Price": Decimal(ITEMS[at][2]),
                "Discount": Decimal("5.00") if draw.random() < 0.2 else 0,
            }
            for at in chosen
        ]
