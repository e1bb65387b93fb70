"""Codes of refused orders that wait for something else to be mended, and then follow by themselves."""

from __future__ import annotations

from typing import Final

#: An order refused for its account, or the customer behind it: `details.account` names the account. The last two are
#: Sage's own codes, for this and for much else: `details` tell.
OF_THE_ACCOUNT: Final = (
    "CUSTOMER_MISSING",
    "CUSTOMER_INACTIVE",
    "CUSTOMER_ON_HOLD",
    "SHIP_TO_INCOMPLETE",
    "CURRENCY_DIFFERS",
    "General",
    "FieldInvalid",
)
#: An order refused for an item that Sage does not have or does not sell: `details.item` names it.
OF_AN_ITEM: Final = ("ITEM_UNKNOWN", "ITEM_INACTIVE", "ITEM_NOT_SELLABLE")
#: An order refused for its date, which no year of Sage's calendar was open for: `details.day` names it.
OF_A_DAY: Final = ("OUTSIDE_FISCAL_CALENDAR",)
