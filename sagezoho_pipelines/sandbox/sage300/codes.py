"""Codes that records name and that no set served here lists: account sets, banks, price lists and their like.

The real service refuses one that the company has not set up, so the simulated one must.
"""

from __future__ import annotations

from collections.abc import Mapping

from sagezoho_pipelines.sandbox.sage300.schema import Row

_PRICE_LIST = "Price list"
_SALESPERSON = "Salesperson"

TITLES: Mapping[str, str] = {
    "AccountSet": "Account set",
    "AutocashProfile": "Autocash profile",
    "BankCode": "Bank code",
    "BillingCycle": "Billing cycle",
    "CustomerPriceList": _PRICE_LIST,
    "DefaultPriceListCode": _PRICE_LIST,
    "InterestProfile": "Interest profile",
    "PaymentCode": "Payment code",
    "PriceList": _PRICE_LIST,
    "RateType": "Rate type",
    "ShipViaCode": "Ship-via code",
    "TerritoryCode": "Territory",
    "Territory": "Territory",
    **{f"Salesperson{number}": _SALESPERSON for number in range(1, 6)},
}
"""What each property names, as the refusal says it."""


def standard() -> dict[str, frozenset[str]]:
    """The codes of the simulated company, by title."""
    return {
        "Account set": frozenset({"TRADE", "TRADCA", "TRADEU", "USA"}),
        "Autocash profile": frozenset({"AUTO"}),
        "Bank code": frozenset({"CCB", "SEATAC"}),
        "Billing cycle": frozenset({"BILLMT"}),
        "Interest profile": frozenset({"INTWHS"}),
        "Payment code": frozenset({"CHECK", "CHECKCAD", "CASH"}),
        _PRICE_LIST: frozenset({"RTL", "WHS"}),
        "Rate type": frozenset({"SP"}),
        _SALESPERSON: frozenset({"DH", "JM"}),
        "Ship-via code": frozenset({"CCT", "GROUND"}),
        "Territory": frozenset({"EAST", "WEST"}),
    }


def unknown(known: Mapping[str, frozenset[str]], row: Row) -> list[str]:
    """A refusal for each code in `row` that the company does not have; an empty one names nothing."""
    return [
        f"{TITLES[name]} '{value.rstrip()}' does not exist."
        for name, value in row.items()
        if name in TITLES and value.rstrip() and value.rstrip().upper() not in known[TITLES[name]]
    ]
