"""Entity sets of the Web API by name, their key properties, and the applications they belong to.

Names are those of v1.0 (endpoint reference of August 2022). Where Sage's own sources disagree on a key (ARTerms), the
set is left out: a caller reads the key from `$metadata`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

VENDORS: Final = "AP/APVendors"
VENDOR_GROUPS: Final = "AP/APVendorGroups"
AP_INVOICE_BATCHES: Final = "AP/APInvoiceBatches"
CUSTOMERS: Final = "AR/ARCustomers"
CUSTOMER_GROUPS: Final = "AR/ARCustomerGroups"
SHIP_TO_LOCATIONS: Final = "AR/ARShipToLocations"
POSTED_DOCUMENTS: Final = "AR/ARPostedDocuments"
AR_INVOICE_BATCHES: Final = "AR/ARInvoiceBatches"
ORDERS: Final = "OE/OEOrders"
INVOICES: Final = "OE/OEInvoices"
ITEMS: Final = "IC/ICItems"
CURRENCY_CODES: Final = "CS/CSCurrencyCodes"
TAX_GROUPS: Final = "TX/TXTaxGroups"

#: Key properties of each set, in metadata order.
KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        VENDORS: ("VendorNumber",),
        VENDOR_GROUPS: ("GroupCode",),
        AP_INVOICE_BATCHES: ("BatchNumber",),
        CUSTOMERS: ("CustomerNumber",),
        CUSTOMER_GROUPS: ("GroupCode",),
        SHIP_TO_LOCATIONS: ("CustomerNumber", "ShipToLocationKey"),
        POSTED_DOCUMENTS: ("CustomerNumber", "DocumentNumber"),
        AR_INVOICE_BATCHES: ("BatchNumber",),
        ORDERS: ("OrderUniquifier",),
        INVOICES: ("InvoiceUniquifier",),
        ITEMS: ("UnformattedItemNumber",),
        CURRENCY_CODES: ("CurrencyCodeKey",),
        TAX_GROUPS: ("TaxGroupKey", "TransactionType"),
        "AR/ARSalespersons": ("SalespersonKey",),
        "AR/ARPayments": ("CustomerNumber", "DocumentNumber", "SequenceNumber"),
        "AR/ARReceiptAndAdjustmentBatches": ("BatchRecordType", "BatchNumber"),
        "AP/APPaymentAndAdjustmentBatches": ("BatchSelector", "BatchNumber"),
        "IC/ICItemPricing": ("CurrencyCode", "UnformattedItemNumber", "PriceListCode"),
        "OE/OECreditDebitNotes": ("CNUniquifier",),
    }
)

#: Keys that the server holds as numbers: an id kept as text is sent without quotes.
NUMERIC_KEYS: Final = frozenset(
    {"BatchNumber", "OrderUniquifier", "InvoiceUniquifier", "CNUniquifier", "SequenceNumber"}
)


@dataclass(frozen=True, slots=True)
class Application:
    """One Sage 300 application: the right "Sage 300 Web API" is granted per application."""

    code: str
    name: str
    entity_set: str
    column: str


#: What the flows read, with the cheapest set that shows whether the application answers.
APPLICATIONS: Final = (
    Application("AP", "Accounts Payable", VENDOR_GROUPS, "GroupCode"),
    Application("AR", "Accounts Receivable", CUSTOMER_GROUPS, "GroupCode"),
    Application("OE", "Order Entry", ORDERS, "OrderUniquifier"),
    Application("IC", "Inventory Control", ITEMS, "UnformattedItemNumber"),
    Application("CS", "Common Services", CURRENCY_CODES, "CurrencyCodeKey"),
    Application("TX", "Tax Services", TAX_GROUPS, "TaxGroupKey"),
)


def key_of(entity_set: str) -> tuple[str, ...]:
    """The key properties of a set, or nothing when they are not known for certain."""
    return KEYS.get(entity_set, ())
