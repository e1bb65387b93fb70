"""Sage's refusals of an order in its own words, with what to do and where: at the deal, at its account, or in Sage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Link, Row, System


@dataclass(frozen=True, slots=True)
class _Cause:
    """`words` are all in Sage's text, in lower case. `where` makes the details that let the order follow a mending."""

    words: tuple[str, ...]
    field: str
    advice: str
    where: Callable[[Link], dict[str, Any]] = lambda _customer: {}


_CAUSES = (
    _Cause(
        ("ship", "address"),
        "ShipToAddressLine1",
        "complete the billing address (street and city) of account {account} in Zoho: its customer and its orders "
        "follow by themselves; or give customer {customer} an address in Sage 300, then retry this",
        lambda customer: {"account": customer.zoho_id},
    ),
    _Cause(
        ("item number", "does not exist"),
        "Item",
        "create the item in Sage 300's Inventory Control, or correct the product code in Zoho; then retry this",
    ),
    _Cause(
        ("purchase order", "already exists"),
        "PurchaseOrderNumber",
        "correct the purchase order number of the deal in Zoho: its order follows; where both orders are right, let "
        "Sage 300 accept the number twice for customer {customer}, then retry this",
    ),
    _Cause(
        ("fiscal period",),
        "OrderDate",
        "correct the deal's Closing Date in Zoho, or open that year and period in Sage 300 (Common Services, Fiscal "
        "Calendar) and retry this",
    ),
    _Cause(
        ("on hold",),
        "CustomerNumber",
        "take customer {customer} off hold in Sage 300: its orders follow, or retry this",
        lambda customer: {"account": customer.zoho_id},
    ),
    _Cause(
        ("customer", "inactive"),
        "CustomerNumber",
        "make customer {customer} active in Sage 300: its orders follow, or retry this",
        lambda customer: {"account": customer.zoho_id},
    ),
)


def explained(error: VendorError, order: Row, customer: Link) -> VendorError:
    """The refusal with the remedy of its cause; as it came where the cause is not known."""
    said = error.text.casefold()
    cause = next((one for one in _CAUSES if all(word in said for word in one.words)), None)
    if cause is None or error.verdict is not Verdict.REFUSE:
        return error
    if cause.field in order and cause.field.startswith("ShipTo"):
        return error  # it has an address of its own, and Sage misses something else in it
    return VendorError(
        system=System.SAGE300,
        code=error.code,
        text=error.text,
        verdict=error.verdict,
        field=error.field or cause.field,
        status=error.status,
        advice=cause.advice.format(account=customer.zoho_id, customer=customer.sage_id),
        details={**error.details, **cause.where(customer)},
    )
