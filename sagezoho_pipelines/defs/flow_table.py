"""The data flow as a table: what is captured, what is delivered from it, and what follows what.

Capture nodes read a source into the queue; delivery nodes empty the queue into the other system. Assets, jobs,
schedules and sensors are all made from these rows, so what Dagster is to know of a new flow is said here alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sagezoho_pipelines.domain.records import System

SAGE, ZOHO = System.SAGE300, System.ZOHO_CRM

Name = tuple[System, str]


@dataclass(frozen=True, slots=True)
class Columns:
    """Where columns of a target come from: one target of the flow's mapping file, read from `source`.

    `into` and `out_of` name the subform on either side that holds the fields. `context` says which asset a name of
    the mapping's context stands for.
    """

    mapping: str
    source: Name
    into: str = ""
    out_of: str = ""
    context: Mapping[str, Name] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capture:
    """One feed. `flows` use it, the one that polls it first; `route` is the handler run right after the feed.

    `reads` names the targets of the flow's mapping file whose source fields are this feed's columns. `leads_to` are
    deliveries of other flows that empty what the route hands on: they are part of this flow's runs. `needs` is the
    other flow whose pairs the feed looks after.
    """

    feed: str
    system: System
    flows: Sequence[str]
    group: str
    description: str
    after: Sequence[Name] = ()
    route: str = ""
    reads: Sequence[str] = ()
    leads_to: Sequence[Name] = ()
    needs: str = ""

    @property
    def name(self) -> Name:
        return self.system, self.feed


@dataclass(frozen=True, slots=True)
class Target:
    """One asset that a delivery writes."""

    system: System
    entity: str
    description: str
    after: Sequence[Name]
    columns: Sequence[Columns]

    @property
    def name(self) -> Name:
        return self.system, self.entity


@dataclass(frozen=True, slots=True)
class Delivery:
    """One handler of a flow and the assets it writes, each after those it needs.

    `takes` is the entity whose changes it claims, `drains` names the feeds that lead to them, `counts` the target
    whose records its figures count.
    """

    flow: str
    handler: str
    group: str
    takes: Name
    drains: Sequence[str]
    targets: Sequence[Target]
    counts: Name


CAPTURES: Sequence[Capture] = (
    Capture(
        "vendors", SAGE, ("vendors",), "vendors",
        "Vendors of Sage 300 (AP/APVendors) that are new or changed, read into the queue.",
        reads=("accounts", "contacts"),
    ),
    Capture(
        "ap_batches", SAGE, ("vendors",), "vendors",
        "Posted A/P invoice batches of Sage 300. Each vendor they name is queued to be looked at again: its balance, "
        "open invoices and last invoice date have moved.",
        route="ap_batches",
    ),
    Capture(
        "deals", ZOHO, ("orders", "customers"), "sales",
        "Deals of Zoho CRM that closed or reached a configured stage, read into the queue. Accounts of theirs that "
        "are no Sage customers yet are queued too.",
        reads=("orders",),
    ),
    Capture(
        "deal_accounts", ZOHO, ("customers",), "sales",
        "Accounts of Zoho CRM that are Sage customers, or become one because a deal of theirs qualifies.",
        after=((ZOHO, "deals"),), reads=("customers",),
    ),
    Capture(
        "invoices", SAGE, ("invoices",), "invoices",
        "Order-entry invoices of Sage 300 (OE/OEInvoices) that came from our orders, read into the queue.",
        after=((SAGE, "orders"),), reads=("invoices",),
    ),
    Capture(
        "ar_batches", SAGE, ("invoices",), "invoices",
        "Posted A/R invoice batches of Sage 300. Entries of our orders that were billed straight in Accounts "
        "Receivable are queued as invoices.",
        after=((SAGE, "orders"),),
        route="ar_batches",
    ),
    Capture(
        "posted_documents", SAGE, ("invoices",), "invoices",
        "Posted documents of Accounts Receivable (AR/ARPostedDocuments) whose invoice is in Zoho: what is still open.",
        reads=("payments",),
    ),
    Capture(
        "vendor_accounts", ZOHO, ("identity",), "identity",
        "Accounts of Zoho CRM that are linked to a Sage vendor and were edited there. Each leads to a look at its "
        "vendor, whose delivery compares both sides.",
        route="vendor_accounts", reads=("vendors",), leads_to=((ZOHO, "accounts"), (ZOHO, "contacts")),
        needs="vendors",
    ),
    Capture(
        "customer_records", SAGE, ("identity",), "identity",
        "Customers of Sage 300 (AR/ARCustomers) that are linked to a Zoho account and were edited in Sage. Each leads "
        "to a look at its account, whose delivery compares both sides.",
        route="customer_records", reads=("accounts",), leads_to=((SAGE, "customers"),),
        needs="customers",
    ),
)  # fmt: skip

DELIVERIES: Sequence[Delivery] = (
    Delivery(
        "vendors", "accounts", "vendors", (SAGE, "vendors"), ("vendors", "ap_batches"),
        (
            Target(
                ZOHO, "accounts", "Zoho CRM accounts of type Vendor, one for each Sage vendor.",
                ((SAGE, "vendors"), (SAGE, "ap_batches"), (ZOHO, "vendor_accounts")),
                (Columns("accounts", (SAGE, "vendors")),),
            ),
            Target(
                ZOHO, "contacts", "Zoho CRM contacts, one for each Sage vendor that names one.",
                ((SAGE, "vendors"), (ZOHO, "accounts")),
                (Columns("contacts", (SAGE, "vendors"), context={"account": (ZOHO, "accounts")}),),
            ),
        ),
        counts=(ZOHO, "accounts"),
    ),
    Delivery(
        "customers", "customers", "sales", (ZOHO, "deal_accounts"), ("deals", "deal_accounts"),
        (
            Target(
                SAGE, "customers", "Sage 300 customers (AR/ARCustomers) made from the accounts of won deals.",
                ((ZOHO, "deal_accounts"), (SAGE, "customer_records")),
                (Columns("customers", (ZOHO, "deal_accounts")),),
            ),
        ),
        counts=(SAGE, "customers"),
    ),
    Delivery(
        "orders", "orders", "sales", (ZOHO, "deals"), ("deals",),
        (
            Target(
                SAGE, "orders", "Sage 300 sales orders (OE/OEOrders), one for each qualifying deal.",
                ((ZOHO, "deals"), (ZOHO, "deal_accounts"), (SAGE, "customers")),
                (
                    Columns("orders", (ZOHO, "deals"), context={"account": (ZOHO, "deal_accounts")}),
                    Columns("order_lines", (ZOHO, "deals"), into="OrderDetails"),
                ),
            ),
        ),
        counts=(SAGE, "orders"),
    ),
    Delivery(
        "invoices", "invoices", "invoices", (SAGE, "invoices"), ("invoices", "ar_batches"),
        (
            Target(
                ZOHO, "products", "Zoho CRM products that invoice lines name, by product code.",
                ((SAGE, "invoices"), (SAGE, "ar_batches")),
                (Columns("products", (SAGE, "invoices"), out_of="InvoiceDetails"),),
            ),
            Target(
                ZOHO, "invoices", "Zoho CRM invoices of our orders, with their lines and what is still open.",
                ((SAGE, "invoices"), (SAGE, "ar_batches"), (ZOHO, "products")),
                (
                    Columns("invoices", (SAGE, "invoices")),
                    Columns(
                        "invoice_lines", (SAGE, "invoices"), into="Invoiced_Items", out_of="InvoiceDetails",
                        context={"product": (ZOHO, "products")},
                    ),
                    Columns("ar_invoices", (SAGE, "ar_batches"), out_of="Invoices"),
                    Columns(
                        "ar_invoice_lines", (SAGE, "ar_batches"), into="Invoiced_Items",
                        out_of="Invoices.InvoiceDetails", context={"product": (ZOHO, "products")},
                    ),
                ),
            ),
        ),
        counts=(ZOHO, "invoices"),
    ),
    Delivery(
        "invoices", "posted_documents", "invoices", (SAGE, "posted_documents"), ("posted_documents",),
        (
            Target(
                ZOHO, "payments", "Open amount and payment status of invoices that Zoho CRM has.",
                ((SAGE, "posted_documents"), (ZOHO, "invoices")),
                (Columns("payments", (SAGE, "posted_documents")),),
            ),
        ),
        counts=(ZOHO, "payments"),
    ),
)  # fmt: skip
