"""What the engine needs of every mapping: a field that it looks records up by stays as it is, others must be filled."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.mapping import FlowMapping

#: By flow and target: fields that records are found again by. Another value would make every record a new one.
KEYS: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("vendors", "accounts"): ("Sage_Vendor_Key",),
        ("vendors", "contacts"): ("Sage_Contact_Key",),
        ("customers", "customers"): ("CustomerNumber",),
        ("orders", "orders"): ("CustomerNumber", "OrderReference"),
        ("invoices", "invoices"): ("Sage_Invoice_Key",),
        ("invoices", "ar_invoices"): ("Sage_Invoice_Key",),
        ("invoices", "products"): ("Sage_Item_Key",),
    }
)

#: By flow and target: fields that neither system takes a record without, or that the engine names records by.
FILLED: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("vendors", "accounts"): ("Account_Name",),
        ("vendors", "contacts"): ("Last_Name", "Account_Name"),
        ("customers", "customers"): ("CustomerName", "GroupCode"),
        ("orders", "order_lines"): (
            "LineType",
            "Item",
            "MiscellaneousChargesCode",
            "QuantityOrdered",
            "ExtendedAmount",
        ),
        ("invoices", "invoices"): ("Subject", "Account_Name"),
        ("invoices", "ar_invoices"): ("Subject", "Account_Name"),
        ("invoices", "invoice_lines"): ("Product_Name", "Quantity"),
        ("invoices", "ar_invoice_lines"): ("Product_Name", "Quantity"),
        ("invoices", "products"): ("Product_Name",),
    }
)


def require_needed(mapping: FlowMapping, shipped: FlowMapping, said: Mapping[tuple[str, str], str]) -> None:
    """Raise ConfigurationError for a needed field that is dropped, or a key that is changed.

    `said` tells by target and field which line of an override spoke last of it, as `file:line: key`.
    """
    for (flow, target), names in {**FILLED, **KEYS}.items():
        if flow != mapping.flow:
            continue
        rules = {rule.target: rule for rule in mapping[target].rules}
        originals = {rule.target: rule for rule in shipped[target].rules}
        for name in (*names, *FILLED.get((flow, target), ())):
            rule, original = rules.get(name), originals[name]
            where = said.get((target, name)) or (rule.place if rule else f"{flow}.yaml: targets.{target}.{name}")
            if rule is None:
                raise ConfigurationError(
                    f"{where}: the sync needs this field and cannot drop it; shipped is {original.expression!r}"
                )
            if name in KEYS.get((flow, target), ()) and rule.expression.strip() != original.expression:
                raise ConfigurationError(
                    f"{where}: the sync finds its records by this field, so it stays {original.expression!r}"
                )
