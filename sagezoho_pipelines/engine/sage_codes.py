"""Codes that Sage keeps in sets of their own (groups, terms, taxes, items …), and whether a company has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.engine.ports import Sage300


@dataclass(frozen=True, slots=True)
class CodeSet:
    """`columns` are the names its key may have: Sage's own sources disagree, so each is tried until one is understood.

    `extra` is the rest of the key.
    """

    entity_set: str
    columns: tuple[str, ...]
    extra: tuple[tuple[str, str], ...] = ()


_TERMS = ("TermsCode", "TermsCodeKey")
CUSTOMER_GROUPS = CodeSet("AR/ARCustomerGroups", ("GroupCode",))
VENDOR_GROUPS = CodeSet("AP/APVendorGroups", ("GroupCode",))
CUSTOMER_TERMS = CodeSet("AR/ARTerms", _TERMS)
VENDOR_TERMS = CodeSet("AP/APTerms", _TERMS)
SALES_TAXES = CodeSet("TX/TXTaxGroups", ("TaxGroupKey",), (("TransactionType", "Sales"),))
PURCHASE_TAXES = CodeSet("TX/TXTaxGroups", ("TaxGroupKey",), (("TransactionType", "Purchases"),))
CURRENCIES = CodeSet("CS/CSCurrencyCodes", ("CurrencyCodeKey",))
ITEMS = CodeSet("IC/ICItems", ("UnformattedItemNumber",))
LOCATIONS = CodeSet("IC/ICLocations", ("LocationKey",))
CHARGES = CodeSet(
    "OE/OEMiscellaneousCharges", ("MiscellaneousChargesCode", "MiscellaneousChargeCode", "MiscellaneousChargeKey")
)

#: Fields that must name a code of a set, or hold nothing, by the set they are written to.
REFERENCES: Mapping[str, Mapping[str, tuple[str, CodeSet]]] = {
    "AR/ARCustomers": {
        "GroupCode": ("customer group", CUSTOMER_GROUPS),
        "Terms": ("terms code", CUSTOMER_TERMS),
        "TaxGroup": ("tax group for sales", SALES_TAXES),
        "CurrencyCode": ("currency", CURRENCIES),
    },
    "AP/APVendors": {
        "GroupCode": ("vendor group", VENDOR_GROUPS),
        "Terms": ("terms code", VENDOR_TERMS),
        "TaxGroup": ("tax group for purchases", PURCHASE_TAXES),
        "CurrencyCode": ("currency", CURRENCIES),
    },
}
_NOT_UNDERSTOOD = ("InvalidParameters", "BadRequest", "ResourceNotFound", "NotFound", "MethodNotAllowed")


@dataclass(frozen=True, slots=True)
class Answer:
    """`column` is the name of the key that this company's release understands."""

    column: str
    exists: bool


def ask(sage: Sage300, codes: CodeSet, value: str) -> Answer | None:
    """Whether the company has the code; None where its Web API does not offer the set."""
    for column in codes.columns:
        try:
            rows = sage.find(
                codes.entity_set,
                where=[where(column, "eq", value), *(where(name, "eq", text) for name, text in codes.extra)],
                select=[column],
                limit=1,
            )
        except VendorError as error:
            if error.code in _NOT_UNDERSTOOD:
                continue
            raise
        return Answer(column, bool(rows))
    return None
