"""The entity sets served, by module: record type, key and verbs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from sagezoho_pipelines.sandbox.sage300.schema import RecordType, record_type

MASTER = ("GET", "POST", "PUT", "PATCH", "DELETE")
READ = ("GET",)
BATCH = ("GET", "POST", "PATCH")
DOCUMENT = ("GET", "POST")
PROCESS = ("POST",)


@dataclass(frozen=True)
class EntitySet:
    """`key` names the key properties in metadata order; `process` marks a set that only runs `$process`.

    `twin` is what the key property is called under another reading: rows hold both, a release shows one.
    """

    module: str
    name: str
    type_name: str
    key: tuple[str, ...]
    verbs: tuple[str, ...]
    process: bool = False
    twin: str = ""
    hidden: frozenset[str] = frozenset()

    @cached_property
    def type(self) -> RecordType:
        whole = record_type(self.type_name)
        if not self.hidden:
            return whole
        return RecordType(whole.name, {name: one for name, one in whole.fields.items() if name not in self.hidden})

    def released(self, hidden: Iterable[str]) -> EntitySet:
        """The set without the properties, named `APVendors.WebSite`, that an older release lacks."""
        mine = frozenset(name.partition(".")[2] for name in hidden if name.partition(".")[0] == self.name)
        if not mine:
            return self
        return replace(self, hidden=mine, key=(self.twin,) if self.twin and self.key[0] in mine else self.key)

    @property
    def clr_type(self) -> str:
        """The full type name that metadata and error texts show."""
        return f"{namespace(self.module)}.{self.type_name.removeprefix(self.module)}"


def namespace(module: str) -> str:
    return f"Sage.CA.SBS.ERP.Sage300.{module}.WebApi.Models"


SETS = (
    EntitySet("AP", "APVendors", "APVendor", ("VendorNumber",), MASTER),
    EntitySet("AP", "APVendorGroups", "APVendorGroup", ("GroupCode",), MASTER),
    EntitySet("AP", "APTerms", "APTerm", ("TermsCode",), MASTER),
    EntitySet("AP", "APInvoiceBatches", "APInvoiceBatch", ("BatchNumber",), BATCH),
    EntitySet("AP", "APPostInvoices", "APPostInvoice", ("ActionSelector",), PROCESS, process=True),
    EntitySet("AR", "ARCustomers", "ARCustomer", ("CustomerNumber",), MASTER),
    EntitySet("AR", "ARCustomerGroups", "ARCustomerGroup", ("GroupCode",), MASTER),
    EntitySet("AR", "ARTerms", "ARTerm", ("TermsCode",), MASTER, twin="TermsCodeKey"),
    EntitySet("AR", "ARPostedDocuments", "ARPostedDocument", ("CustomerNumber", "DocumentNumber"), READ),
    EntitySet("AR", "ARInvoiceBatches", "ARInvoiceBatch", ("BatchNumber",), BATCH),
    EntitySet("AR", "ARPostInvoices", "ARPostInvoice", ("ActionSelector",), PROCESS, process=True),
    EntitySet("OE", "OEOrders", "OEOrder", ("OrderUniquifier",), DOCUMENT),
    EntitySet("OE", "OEInvoices", "OEInvoice", ("InvoiceUniquifier",), READ),
    EntitySet("IC", "ICItems", "ICItem", ("UnformattedItemNumber",), MASTER),
    EntitySet("CS", "CSCurrencyCodes", "CSCurrencyCode", ("CurrencyCodeKey",), MASTER),
    EntitySet("CS", "CSFiscalCalendars", "CSFiscalCalendar", ("FiscalYear",), READ),
    EntitySet("TX", "TXTaxGroups", "TXTaxGroup", ("TaxGroupKey", "TransactionType"), READ),
)

BY_NAME = {(entity.module, entity.name): entity for entity in SETS}
MODULES = tuple(sorted({entity.module for entity in SETS}))
KNOWN_MODULES = ("AP", "AR", "BK", "CS", "GL", "IC", "MT", "OE", "PO", "TX")
"""Modules the product has; those without sets here answer ResourceNotFound for any set."""

_CALCULATED = {"InvoiceWillBeProduced", "CustomerExists", "DrivenbyUI", "InvoiceRunningTotal", "GOCALCTAX"}


def is_calculated(entity: EntitySet, name: str) -> bool:
    """Whether a property is looked up or computed on reading and has no column behind it."""
    if name in _CALCULATED or name.startswith("Process"):
        return True
    return entity.module == "OE" and name.endswith("Description") and name not in ("Description", "OrderDescription")
