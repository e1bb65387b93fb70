"""Where customers come from and where they go, and what their mapping sees."""

from __future__ import annotations

from sagezoho_pipelines.domain.mapping import TargetMapping
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows.address_lines import require_room

FLOW = "customers"
ENTITY_SET = "AR/ARCustomers"
#: The accounts of deals that qualify: a customer goes by its account's id.
SOURCE = "deal_accounts"
TARGET = (System.SAGE300, "customers")
#: Read of a customer to tell whether it is there, and whose it is.
READ_BACK = ("CustomerNumber", "CustomerName", "CurrencyCode")


def document_of(ctx: Context, account: Row, number: str) -> Row:
    """What the mapping of an account's customer sees."""
    config = ctx.settings.flows.customers.model_dump(include={"group", "terms", "tax_group", "currency"})
    return {**account, "config": config, "customer": {"number": number}}


def mapped(mapping: TargetMapping, document: Row) -> Row:
    """The customer of an account, whole: raises the refusal of an address that Sage has too few lines for."""
    after = mapping.apply(document)
    require_room(
        mapping,
        document,
        code="TOO_LONG",
        what="the account's address",
        field="Billing_Street",
        advice="give the account's billing street fewer or shorter lines in Zoho; its customer and its orders follow",
    )
    return after
