"""Vendors and customers as real companies have them: odd names, gaps, holds, blanks at the end."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal

from sagezoho_pipelines.sandbox.sage300.schema import Row

_FIRST = ("Anna", "José", "Wei", "Søren", "Maria", "John", "Zoë", "Priya", "Liam", "Björn", "Fatima", "Chloé")
_LAST = ("Müller", "O'Brien", "Smith", "Ñandú", "Chen", "D'Angelo", "Patel", "van der Berg", "Łukasz", "Jones", "Li")
_TRADE = ("Lighting", "Industrial Supply", "Electric", "Hardware", "Freight", "Office Products", "Metals", "Packaging")
_FORM = ("Inc.", "Ltd.", "GmbH", "LLC", "& Sons", "Co.", "S.A.", "Corporation")
_PLACE = (
    ("Seattle", "WA", "98101", "USA"),
    ("San Francisco", "CA", "94105", "USA"),
    ("Toronto", "ON", "M5V 2T6", "Canada"),
    ("Vancouver", "BC", "V6B 1A1", "Canada"),
    ("München", "BY", "80331", "Germany"),
    ("Québec", "QC", "G1R 4P5", "Canada"),
    ("Val-d'Or", "QC", "J9P 1A1", "Canada"),
)
_DAYS = (date(2026, 6, 30) - date(2019, 1, 1)).days


def vendor_rows(
    rng: random.Random, count: int, groups: Mapping[str, tuple[str, str, str, str, str]], registry: random.Random
) -> Iterator[Row]:
    """`count` vendors in key order; the first is 1200, as in the vendor's samples. `registry` numbers the firms."""
    codes = list(groups)
    for at in range(count):
        group = codes[0] if at == 0 else rng.choice(codes)
        _, accounts, currency, tax, terms = groups[group]
        name = _company(rng, at)
        row: Row = {
            "VendorNumber": "1200" if at == 0 else f"V{at:06d}",
            "ShortName": name[:10].rstrip().upper(),
            "GroupCode": group,
            "Status": "Active",
            "DateLastMaintained": date(2019, 1, 1) + timedelta(days=rng.randrange(_DAYS)),
            "StartDate": date(2018, 1, 15),
            "VendorName": name,
            "AccountSet": accounts,
            "CurrencyCode": currency,
            "RateType": "SP",
            "BankCode": "CCB",
            "Terms": terms,
            "TaxGroup": tax,
            "GLAccount": "1300",
            "DistributionType": "GLAccount",
            "PaymentCode": "CHECK",
            **_where(rng, at),
        }
        _blemish(rng, row, at, "VendorName", held="OnHold")
        row["BusinessRegistrationNumber"] = _registration(registry, row["Country"]) if at else ""
        yield row


def customer_rows(rng: random.Random, groups: Mapping[str, tuple[str, str, str, str]]) -> Iterator[Row]:
    """Twelve customers: 1100, 1200 and 1400 as in the vendor's samples, one of them on hold, one inactive."""
    for at, number in enumerate(
        ("1100", "1105", "1200", "1210", "1300", "1400", "1500", "1510", "1600", "1700", "1800", "1900")
    ):
        group = "CAN" if number in ("1300", "1600") else "RTL" if at % 3 == 1 else "WHL"
        _, accounts, tax, terms = groups[group]
        name = _company(rng, at * 3 + 1)
        yield {
            "CustomerNumber": number,
            "ShortName": name[:10].rstrip().upper(),
            "GroupCode": group,
            "Status": "Inactive" if number == "1900" else "Active",
            "InactiveDate": date(2025, 5, 1) if number == "1900" else None,
            "OnHold": "Yes" if number == "1800" else "No",
            "DateLastMaintained": date(2020, 1, 1) + timedelta(days=at * 97),
            "StartDate": date(2018, 1, 15),
            "CustomerName": name,
            "AccountSet": accounts,
            "BillingCycle": "BILLMT",
            "InterestProfile": "INTWHS",
            "CurrencyCode": "CAD" if group == "CAN" else "USD",
            "PrintStatements": "Yes",
            "Terms": terms,
            "RateType": "SP",
            "TaxGroup": tax,
            "CreditLimitCustomerCurrency": Decimal(50000),
            "CustomerPriceList": "RTL",
            "AllowPartialShipments": "Yes",
            "AllowBackorderQuantities": "Yes",
            **_where(rng, at * 2 + 1),
        }


def _company(rng: random.Random, at: int) -> str:
    if at % 97 == 50:
        return f"The Very Long Established {rng.choice(_TRADE)} Company of {rng.choice(_LAST)}"[:60]
    return f"{rng.choice(_LAST)} {rng.choice(_TRADE)} {rng.choice(_FORM)}"


def _where(rng: random.Random, at: int) -> Row:
    city, state, zipcode, country = _PLACE[rng.randrange(len(_PLACE))]
    row: Row = {
        "AddressLine1": f"{rng.randrange(1, 9999)} Main Street",
        "City": city,
        "StateProvince": state,
        "ZipPostalCode": zipcode,
        "Country": country,
        "PhoneNumber": f"{rng.randrange(10**9, 10**10)}",
    }
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    match at % 6:
        case 0:
            row["ContactName"] = first
        case 5:
            pass
        case _:
            row["ContactName"] = f"{first} {last}"
    if at % 4:
        row["ContactsEmail"] = f"contact{at}@vendor{at}.example"
    if at % 3:
        row["Email"] = f"office@vendor{at}.example"
    if at % 5 == 0:
        row |= {"WebSite": f"www.vendor{at}.example", "AddressLine2": f"Suite {at % 400}"}
    return row


def _registration(registry: random.Random, country: str) -> str:
    """The firm's number with the tax office or the trade register, which fewer than half of them were asked for."""
    number, asked = registry.randrange(10**8, 10**9), registry.random() < 0.45
    shown = {"Germany": f"DE{number}", "Canada": f"{number} RT0001"}.get(
        country, f"{number // 10**7}-{number % 10**7:07d}"
    )
    return shown if asked else ""


def _blemish(rng: random.Random, row: Row, at: int, name: str, *, held: str) -> None:
    if at % 19 == 7:
        row |= {"Status": "Inactive", "InactiveDate": date(2024, 3, 1)}
    if at % 23 == 9:
        row["OnHold"] = held
    if at % 11 == 3:
        row[name] = (row[name] + "   ")[:60]
        row["City"] += "  "
    if rng.random() < 0.02:
        row["AddressLine1"] = ""
