"""Which deals become orders, and what their lines are made from."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from sagezoho_pipelines.config.cadence import Cadence
from sagezoho_pipelines.config.guards import Guards
from sagezoho_pipelines.config.section import Section
from sagezoho_pipelines.config.values import Day


class SubformLines(Section):
    """A subform on the deal that holds order lines, and the names of its fields."""

    field: str
    product: str = "Product"
    code: str = ""
    quantity: str = "Quantity"
    price: str = "Rate"
    discount: str = ""
    description: str = "Description"


class AmountLine(Section):
    """The one line made of a deal's Amount: a miscellaneous charge, or one unit of an item."""

    kind: Literal["miscellaneous", "item"] = "miscellaneous"
    code: str = "HC"


#: What can be asked of Sage before an order is posted.
Preflight = Literal["customer", "on_hold", "items", "fiscal_calendar", "ship_to", "purchase_order", "currency"]


class OrdersFlow(Section):
    """Which deals become orders (`stages` empty: every stage whose forecast type is closed-won) and with what lines.

    `start`: deals changed last, or won, before that day of the connection's time zone are left alone.
    `preflight`: what Sage is asked before an order is posted; what would be refused is not sent. Whoever's Sage takes
    orders that a check turns away (an item by its manufacturer's number, a customer on hold, or one without an address)
    leaves that check out; and so does, of `currency`, who enters in Zoho what each customer is billed in its own.
    `write_back`: deals and accounts in Zoho show their Sage number, and why they were refused.
    """

    enabled: bool = True
    stages: tuple[str, ...] = ()
    lines: tuple[Literal["quote", "subform", "amount"], ...] = Field(("quote", "subform", "amount"), min_length=1)
    quote_stages: tuple[str, ...] = ("Accepted", "Closed Won")
    subform: SubformLines | None = None
    amount: AmountLine = AmountLine()
    location: str = "1"
    overlap_seconds: int = Field(120, ge=0)
    start: Day = ""
    preflight: tuple[Preflight, ...] = get_args(Preflight)
    write_back: bool = True
    cadence: Cadence = Cadence(cron="*/5 * * * *")
    guards: Guards = Guards()
