"""What a deal's order is made of, and the order that this gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sagezoho_pipelines.domain.errors import MappingFailed
from sagezoho_pipelines.domain.mapping import TargetMapping
from sagezoho_pipelines.domain.records import Link, Row, System
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows import awaited
from sagezoho_pipelines.engine.flows.address_lines import require_room
from sagezoho_pipelines.engine.flows.orders import currencies, lines, ship_to

FLOW = "orders"
ENTITY_SET = "OE/OEOrders"
TARGET = (System.SAGE300, "orders")


def document_of(ctx: Context, deal: Row, account: Row, customer: Link | None) -> Row:
    """What the mapping of a deal's order sees; `customer` is None while the account is no Sage customer."""
    return {
        **deal,
        "account": account,
        "customer": {"number": customer.sage_id if customer is not None else None},
        "config": {"location": ctx.settings.flows.orders.location},
    }


@dataclass(frozen=True, slots=True)
class Draft:
    """What a deal's order is made of. `customer` is None while the account is no Sage customer.

    `header` fills the order's own fields: the mapping, and what a person set for this change.
    """

    deal: Row
    quotes: Sequence[Row]
    customer: Link | None
    account: Row
    header: TargetMapping

    @property
    def account_id(self) -> str:
        return account_id(self.deal)

    def currency(self, ctx: Context) -> str:
        """The currency of the figures that the order's lines are made of: the quote's, else the deal's."""
        return currencies.of(ctx, *self.quotes[:1], self.deal)

    def body(self, ctx: Context) -> dict[str, Any]:
        """The order as it would be posted now. Raises the refusal of a deal that has no usable lines."""
        return self.drawn_up(ctx)[0]

    def drawn_up(self, ctx: Context) -> tuple[dict[str, Any], Sequence[lines.Line]]:
        """The same, and the lines as the deal has them."""
        mapping = ctx.mappings[FLOW]
        document = document_of(ctx, self.deal, self.account, self.customer)
        sold = lines.lines_of(ctx, self.deal, self.quotes)
        details = [
            mapping["order_lines"].changes({}, mapping["order_lines"].apply({**document, "line": line}), creating=True)
            for line in sold
        ]
        header = self.header.changes({}, self.header.apply(document), creating=True)
        return {**ship_to.whole(header, (rule.target for rule in self.header.rules)), "OrderDetails": details}, sold

    def require_room(self, ctx: Context) -> None:
        """Raise the refusal of an order that would be sent to an address without its last lines."""
        require_room(
            self.header,
            document_of(ctx, self.deal, self.account, self.customer),
            code=awaited.TOO_LONG,
            what=f"the street of account {self.account_id} that the order ships to",
            field="ShipToAddressLine1",
            advice=f"give the shipping or billing street of account {self.account_id} fewer or shorter lines in Zoho: "
            "its orders follow, or retry this",
            details={"account": self.account_id},
        )

    def unedited(self, ctx: Context, body: Row) -> Row:
        """The order as the deal alone asks for it: what later versions of the deal are compared with."""
        plain = ctx.mappings[FLOW]["orders"]
        try:
            return body if self.header is plain else replace(self, header=plain).body(ctx)
        except MappingFailed:  # the edit stands in for what cannot be mapped
            return body


def account_id(deal: Row) -> str:
    return str((deal.get("Account_Name") or {}).get("id") or "")
