"""Which deals become orders, and what their lines are made from."""

from __future__ import annotations

from typing import Literal

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


class OrdersFlow(Section):
    """Which deals become orders (`stages` empty: every stage whose forecast type is closed-won) and with what lines.

    `start`: deals changed before that day are left alone.
    `write_back`: deals and accounts in Zoho show their Sage number, and why they were refused.
    """

    enabled: bool = True
    stages: tuple[str, ...] = ()
    lines: tuple[Literal["quote", "subform", "amount"], ...] = ("quote", "subform", "amount")
    quote_stages: tuple[str, ...] = ("Accepted", "Closed Won")
    subform: SubformLines | None = None
    amount: AmountLine = AmountLine()
    location: str = "1"
    overlap_seconds: int = Field(120, ge=0)
    start: Day = ""
    write_back: bool = True
    cadence: Cadence = Cadence(cron="*/5 * * * *")
    guards: Guards = Guards()
