"""The company's first contents, made from a number: the same seed gives the same bytes on any day.

Codes are fixed and dates lie between 2019 and the middle of 2026; only the vendors' and customers' particulars, the
prices and the documents vary with the seed.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sagezoho_pipelines.sandbox.sage300.batches import create_batch, update_batch
from sagezoho_pipelines.sandbox.sage300.invoicing import ship_and_invoice
from sagezoho_pipelines.sandbox.sage300.masters import unformatted
from sagezoho_pipelines.sandbox.sage300.orders import create_order
from sagezoho_pipelines.sandbox.sage300.posting import post_batches
from sagezoho_pipelines.sandbox.sage300.receivables import receive_payment
from sagezoho_pipelines.sandbox.sage300.schema import Row
from sagezoho_pipelines.sandbox.sage300.seed_parties import customer_rows, vendor_rows

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld

FISCAL_YEARS = range(2018, 2036)
CURRENCIES = {"USD": ("U.S. Dollars", "$"), "CAD": ("Canadian Dollars", "$"), "EUR": ("Euros", "€")}
TERMS = {
    "N30": ("Net 30 days", 0, 30),
    "2N30": ("2% 10 days, net 30", 2, 30),
    "N60": ("Net 60 days", 0, 60),
    "NET7": ("Net 7 days", 0, 7),
    "COD": ("Cash on delivery", 0, 0),
}
TAX_GROUPS = {
    "CALIF": ("California sales tax", "USD", ("CATAX",)),
    "WASH": ("Washington sales tax", "USD", ("WATAX",)),
    "USDTAX": ("U.S. customers", "USD", ("WATAX",)),
    "BCTAX": ("British Columbia", "CAD", ("CAGST", "BCPST")),
    "ONTAX": ("Ontario", "CAD", ("ONHST",)),
    "EUVAT": ("European Union, tax included", "EUR", ("EUVAT",)),
    "EXEMPT": ("Exempt", "USD", ()),
}
VENDOR_GROUPS = {
    "INV": ("Inventory purchases", "TRADE", "USD", "CALIF", "N30"),
    "SERV": ("Services", "TRADE", "USD", "WASH", "NET7"),
    "CAN": ("Canadian suppliers", "TRADCA", "CAD", "BCTAX", "N60"),
    "EUR": ("European suppliers", "TRADEU", "EUR", "EUVAT", "2N30"),
}
CUSTOMER_GROUPS = {
    "WHL": ("Wholesale customers", "TRADE", "CALIF", "N30"),
    "RTL": ("Retail customers", "TRADE", "CALIF", "COD"),
    "CAN": ("Canadian customers", "TRADCA", "ONTAX", "N30"),
    "NOTAX": ("Customers without a tax group", "TRADE", "", "N30"),
}
MAINTAINED = date(2019, 1, 2)
_GOODS = ("Fluorescent desk lamp", "Halogen desk lamp", "Floor lamp, brass", "Wall sconce", "Clip-on lamp")


def seed_company(world: SageWorld, *, seed: int, vendors: int) -> None:
    """Fills an empty world."""
    rng = random.Random(seed)
    _seed_common(world)
    _seed_groups(world)
    _seed_items(world, rng)
    for row in vendor_rows(rng, vendors, VENDOR_GROUPS, random.Random(f"registrations:{seed}")):
        world.table("APVendors").put(row)
    for row in customer_rows(rng, CUSTOMER_GROUPS):
        world.table("ARCustomers").put(row)
    _seed_documents(world, rng)
    world.session = None


def _seed_common(world: SageWorld) -> None:
    for code, (description, symbol) in CURRENCIES.items():
        world.table("CSCurrencyCodes").put(
            {"CurrencyCodeKey": code, "Description": description, "Symbol": symbol, "DecimalPlaces": "Num2"}
        )
    for year in FISCAL_YEARS:
        row: Row = {"FiscalYear": str(year), "NumberOfFiscalPeriods": "Num12", "Active": True}
        for month in range(1, 13):
            first = date(year, month, 1)
            row[f"FiscalPeriod{month}StartDate"] = first
            row[f"FiscalPeriod{month}EndDate"] = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        world.table("CSFiscalCalendars").put(row)
    for code, (description, currency, authorities) in TAX_GROUPS.items():
        for side in ("Sales", "Purchases"):
            row = {"TaxGroupKey": code, "TransactionType": side, "Description": description}
            row |= {"TaxReportingCurrency": currency, "LastMaintained": MAINTAINED}
            for slot, authority in enumerate(authorities, 1):
                row |= {f"TaxAuthority{slot}": authority, f"Taxable{slot}": True}
            world.table("TXTaxGroups").put(row)


def _seed_groups(world: SageWorld) -> None:
    base: Row = {"Status": "Active", "DateLastMaintained": MAINTAINED}
    for code, (description, discount, days) in TERMS.items():
        schedule = {
            "TermsCode": code,
            "PaymentNumber": Decimal(1),
            "DiscountPercent": Decimal(discount),
            "DueNumberOfDays": Decimal(days),
        }
        terms = base | {"TermsCode": code, "Description": description, "NumberOfPayments": Decimal(1)}
        world.table("ARTerms").put(
            terms
            | {"TotalPercentDue": Decimal(100), "TermsPaymentSchedules": [schedule | {"PercentDue": Decimal(100)}]}
        )
        world.table("APTerms").put(
            terms
            | {"TotalPercentageDue": Decimal(100), "TermsPaymentSchedule": [schedule | {"PercentageDue": Decimal(100)}]}
        )
    for code, (description, accounts, currency, tax, due) in VENDOR_GROUPS.items():
        row = base | {"GroupCode": code, "Description": description, "AccountSet": accounts, "CurrencyCode": currency}
        row |= {"RateType": "SP", "BankCode": "CCB", "TaxGroup": tax, "Terms": due, "PaymentCode": "CHECK"}
        world.table("APVendorGroups").put(row | {"GeneralLedgerAccountNumber": "1300", "DistributionType": "GLAccount"})
    for code, (description, accounts, tax, due) in CUSTOMER_GROUPS.items():
        row = base | {"GroupCode": code, "Description": description, "AccountSet": accounts, "TaxGroup": tax}
        row |= {"BillingCycle": "BILLMT", "InterestProfile": "INTWHS", "AccountType": "OpenItem", "Terms": due}
        world.table("ARCustomerGroups").put(row | {"RateType": "SP", "PrintStatements": "Yes"})


def _seed_items(world: SageWorld, rng: random.Random) -> None:
    """Forty items: A1-105/0 as in the vendor's samples, then lamps and parts; two inactive, one not sellable."""
    for at in range(40):
        formatted = "A1-105/0" if at == 0 else f"A1-{100 + at * 5}/{at % 4}" if at < 25 else f"PART-{at:03d}"
        key = unformatted(formatted)
        world.setup.prices[key] = Decimal(rng.randrange(500, 50000)) / 100
        if at % 9 == 8:
            world.setup.exempt_items.add(key)
        units = [{"ItemNumber": key, "UnitOfMeasure": "Ea.", "ConversionFactor": Decimal(1), "FACTOR": Decimal(1)}]
        units.append(
            {"ItemNumber": key, "UnitOfMeasure": "Box", "ConversionFactor": Decimal(10), "FACTOR": Decimal(10)}
        )
        world.table("ICItems").put(
            {
                "UnformattedItemNumber": key,
                "ItemNumber": formatted,
                "Description": f"{_GOODS[at % 5]} {at:02d}" + ("  " if at % 7 == 3 else ""),
                "DateLastMaintained": MAINTAINED + timedelta(days=at * 40),
                "Status": at in (20, 30),
                "Sellable": at != 35,
                "StructureCode": "LONG",
                "Category": "A1",
                "AccountSetCode": "AVG",
                "StockItem": at < 35,
                "StockingUnitOfMeasure": "Ea.",
                "DefaultPriceListCode": "RTL",
                "UnitWeight": Decimal(rng.randrange(1, 80)) / 10,
                "WeightUnitOfMeasure": "lbs.",
                "ItemUnitsOfMeasure": units,
                "QuantityOnHand": Decimal(rng.randrange(0, 500)),
            }
        )


def _seed_documents(world: SageWorld, rng: random.Random) -> None:
    """Orders and invoices nobody asked the CRM about, paid and open, and A/P batches posted and open."""
    numbers = [row["CustomerNumber"] for row in world.table("ARCustomers") if _orderable(row)]
    items = [row["ItemNumber"] for row in world.table("ICItems") if row["Sellable"] and not row["Status"]]
    for at in range(8):
        world.session = date(2026, 1, 12) + timedelta(days=at * 17)
        lines: list[Row] = [
            {"Item": rng.choice(items), "QuantityOrdered": Decimal(rng.randrange(1, 12))} for _ in range(1 + at % 3)
        ]
        order = create_order(
            world,
            {"CustomerNumber": numbers[at % len(numbers)], "OrderDescription": "Counter sale", "OrderDetails": lines},
            "CLERK",
        )
        if at < 6:
            shipped = {line["LineNumber"]: line["QuantityBackordered"] for line in order["OrderDetails"]}
            _, invoice = ship_and_invoice(world, order, shipped)
            if at % 2 == 0:
                receive_payment(world, invoice["InvoiceNumber"], None)
    _seed_payables(world, rng)


def _orderable(row: Row) -> bool:
    return bool(row["Status"] == "Active" and row["OnHold"] == "No")


def _seed_payables(world: SageWorld, rng: random.Random) -> None:
    vendors = [row["VendorNumber"] for _, row in zip(range(200), world.table("APVendors"), strict=False)]
    active = [number for number in vendors if (world.table("APVendors").get(number) or {}).get("Status") == "Active"]
    if not active:
        return
    for at in range(6):
        world.session = date(2026, 2, 2) + timedelta(days=at * 21)
        entries: list[Row] = [
            {
                "VendorNumber": rng.choice(active),
                "DocumentNumber": f"V{at}-{n:03d}",
                "InvoiceDetails": [
                    {"DistributionCode": "INV", "DistributedAmount": Decimal(rng.randrange(2000, 90000)) / 100}
                ],
            }
            for n in range(1 + at % 4)
        ]
        payload: Row = {"Description": f"Supplier bills {at + 1}", "Invoices": entries}
        batch = create_batch(world, "APInvoiceBatches", payload, "CLERK")
        if at < 4:
            update_batch(world, "APInvoiceBatches", batch, {"BatchStatus": "ReadyToPost"}, "CLERK")
            post_batches(world, "APInvoiceBatches", {"PostAllBatches": "Postallbatches"})
