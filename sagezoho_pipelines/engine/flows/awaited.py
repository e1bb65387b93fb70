"""Refused orders that wait for something else to be mended, and then follow by themselves: by which codes they do."""

from __future__ import annotations

from typing import Final

from sagezoho_pipelines.domain.records import Cause, Look
from sagezoho_pipelines.engine.context import Context

#: An order refused for a customer that Sage no longer has under its number.
GONE: Final = "CUSTOMER_GONE"
#: An order refused for a ship-to address of which Sage would take the first lines only.
TOO_LONG: Final = "SHIP_TO_TOO_LONG"
#: An order refused for its account, or the customer behind it: `details.account` names the account. The last two are
#: Sage's own codes, for this and for much else: `details` tell.
OF_THE_ACCOUNT: Final = (
    "CUSTOMER_MISSING",
    GONE,
    "CUSTOMER_INACTIVE",
    "CUSTOMER_ON_HOLD",
    "SHIP_TO_INCOMPLETE",
    TOO_LONG,
    "CURRENCY_DIFFERS",
    "General",
    "FieldInvalid",
)
#: An order refused for an item that Sage does not have or does not sell: `details.item` names it.
OF_AN_ITEM: Final = ("ITEM_UNKNOWN", "ITEM_INACTIVE", "ITEM_NOT_SELLABLE")
#: An order refused for a purchase order number used already: `details.used` names customer and number, by a space.
OF_A_NUMBER: Final = ("PURCHASE_ORDER_USED",)
#: An order refused for its date, which no year of Sage's calendar was open for: `details.day` names it.
OF_A_DAY: Final = ("OUTSIDE_FISCAL_CALENDAR",)


def orders_of(ctx: Context, account_id: str) -> list[Look]:
    """Looks at the deals that were refused for what this account, or its customer, was or lacked."""
    deals = ctx.zoho_entity("deals")
    refused = ctx.ledger.refused_with(deals, codes=OF_THE_ACCOUNT, name="account", values=[account_id])
    waiting = refused.get(account_id, [])
    return [Look(deals, key, Cause.RETRY, "its account can be ordered for now") for key in waiting]
