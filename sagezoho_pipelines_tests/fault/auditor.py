"""An auditor of the final state: reads both simulated vendors and the ledger's tables, and none of the engine's code.

What it expects of a target record it works out itself, from the source rows. What stands in the error inbox is
explained, and so neither lost nor wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import Engine

from sagezoho_pipelines_tests.fault import bindings, questions
from sagezoho_pipelines_tests.fault.agreement import Journal
from sagezoho_pipelines_tests.fault.evidence import (
    Finding,
    Read,
    Row,
    Tables,
    Verdict,
    amount,
    differing,
    grouped,
    looked_up,
    once,
    plain,
    repeated,
    tables_of,
    unless,
)

WON = ("Closed Won",)
#: A link's own record in the queue: what a person is asked about it stands there.
_SOURCES = {
    "vendors": ("sage300", "vendors", "sage_id"),
    "customers": ("zoho_crm", "deal_accounts", "zoho_id"),
    "orders": ("zoho_crm", "deals", "zoho_id"),
    "invoices": ("sage300", "invoices", "sage_id"),
}


def audit(read: Read, engine: Engine, journal: Journal | None = None, **options: str) -> Verdict:
    return judge(read, tables_of(engine), journal, **options)


def judge(
    read: Read, tables: Tables, journal: Journal | None = None, *, company: str = "SAMINC", prefix: str = "Z"
) -> Verdict:
    """`company` is part of the keys that Zoho carries; `prefix` begins the customer numbers that are handed out.

    `journal` tells what people typed; without it, what pairs may hold is not held against them.
    """
    auditor = _Auditor(read, tables, company, prefix, journal or Journal(read, lambda: tables["links"]))
    findings = list(auditor.findings())
    return Verdict(auditor.expected, findings)


class _Auditor:
    def __init__(self, read: Read, tables: Tables, company: str, prefix: str, journal: Journal) -> None:
        self._read = read
        self._journal = journal
        self._company = company
        self._prefix = prefix
        self.expected = 0
        self._changes, self._links = tables["changes"], tables["links"]
        self._intents, self._audit = tables["intents"], tables["audit"]

    def findings(self) -> Iterator[Finding]:
        yield from self._queue()
        yield from self._vendors()
        yield from self._customers()
        yield from self._orders()
        yield from self._invoices()
        yield from self._products()
        yield from self._bindings()
        yield from self._creations()
        yield from self._journal.findings(self._asked_about, self._audit)
        yield from questions.findings(self._entries, self._evidence())

    # the ledger

    @cached_property
    def _entries(self) -> list[Row]:
        """What a person has been asked about: the newest change of a record, refused or in conflict.

        A superseded change has handed its record on to another one, or left the question as it stands.
        """
        told = [row for row in self._changes if row["state"] != "superseded"]
        newest = {(row["system"], row["entity"], row["key"]): row for row in told}
        return [row for row in newest.values() if row["state"] in ("refused", "conflicted")]

    @cached_property
    def _inbox(self) -> set[tuple[str, str, str]]:
        return {(row["system"], row["entity"], row["key"]) for row in self._entries}

    def _evidence(self) -> questions.Evidence:
        return questions.Evidence(
            deals=self._deals,
            accounts={row["id"]: row for row in self._zoho("Accounts")},
            orders=grouped(self._read("sage300", "OEOrders"), "OrderReference"),
            customer_of=self._customer_of,
            worth=self._lines_total,
            journal=self._journal,
        )

    def _asked(self, system: str, entity: str, key: str) -> bool:
        return (system, entity, key) in self._inbox

    def _queue(self) -> Iterator[Finding]:
        for row in self._changes:
            record = f"{row['entity']} {row['key']}"
            if row["state"] in ("queued", "claimed"):
                yield Finding("unexplained", record, f"still {row['state']} after {row['attempts']} attempts")
            elif row["state"] == "delivered" and not row["outcome"]:
                yield Finding("unexplained", record, "delivered without an outcome")
        for row in self._intents:
            if row["state"] == "open" and (row["source_entity"], row["source_key"]) not in {
                (entity, key) for _, entity, key in self._inbox
            }:
                name = f"{row['source_entity']} {row['source_key']}"
                yield Finding("unexplained", name, f"its intent {row['business_key']} is open and nobody was asked")

    def _linked(self, sage_entity: str, zoho_entity: str) -> dict[str, str]:
        """Sage id -> Zoho id."""
        return {
            row["sage_id"]: row["zoho_id"]
            for row in self._links
            if (row["sage_entity"], row["zoho_entity"]) == (sage_entity, zoho_entity)
        }

    def _bindings(self) -> Iterator[Finding]:
        modules = {row["zoho_entity"] for row in self._links} | {"Accounts", "Contacts"}
        sides = bindings.Sides(
            self._company,
            sage={
                "vendors": {plain(row["VendorNumber"]): row for row in self._read("sage300", "APVendors")},
                "customers": {plain(row["CustomerNumber"]): row for row in self._read("sage300", "ARCustomers")},
                "orders": {plain(row["OrderNumber"]): row for row in self._read("sage300", "OEOrders")},
                "invoices": self._sage_invoices,
            },
            zoho={module: {row["id"]: row for row in self._zoho(module)} for module in modules},
            reserved={
                row["business_key"]: row["source_key"]
                for row in self._intents
                if row["target_entity"] == "customers" and row["state"] in ("settled", "open")
            },
        )
        yield from bindings.findings(self._links, sides, self._asked_about)

    def _asked_about(self, link: Row) -> bool:
        source = _SOURCES.get(link["sage_entity"])
        return source is not None and self._asked(source[0], source[1], link[source[2]])

    def _creations(self) -> Iterator[Finding]:
        """A document that we made has one line in the audit that says so."""
        made = [
            (row["target_entity"], row["target_id"])
            for row in self._audit
            if row["outcome"] == "created" and row["target_entity"] in ("orders", "customers", "Invoices")
        ]
        for entity, key in repeated(made):
            yield Finding("duplicated", f"{entity} {key}", "the audit says twice that it was created")
        documents = {"orders": "sage_id", "customers": "sage_id", "invoices": "zoho_id"}
        for link in self._links:
            side = documents.get(link["sage_entity"])
            if side is None:
                continue
            entity = link["sage_entity"] if side == "sage_id" else link["zoho_entity"]
            if (entity, link[side]) not in made:
                yield Finding("unexplained", f"{entity} {link[side]}", "no audit line says how it came to be")

    # the flows

    def _vendors(self) -> Iterator[Finding]:
        by_key = grouped(self._zoho("Accounts"), "Sage_Vendor_Key")
        contacts = grouped(self._zoho("Contacts"), "Sage_Contact_Key")
        accounts_of = self._linked("vendors", "Accounts")
        contacts_of = self._linked("vendors", "Contacts")
        vendors = {plain(row["VendorNumber"]): row for row in self._read("sage300", "APVendors")}
        for number, vendor in vendors.items():
            key, record = f"{self._company}/{number}", f"vendor {number}"
            asked = self._asked("sage300", "vendors", number)
            self.expected += 1
            yield from once(record, "account", by_key[key], asked)
            for account in by_key[key][:1]:
                if accounts_of.get(number) != account["id"]:
                    yield from unless(asked, "mislinked", record, f"linked to {accounts_of.get(number)}")
                yield from differing(record, asked, account, _account_of(vendor))
            if not any(plain(vendor.get(name)) for name in ("ContactName", "ContactsEmail", "Email")):
                continue
            self.expected += 1
            yield from once(record, "contact", contacts[key], asked)
            for contact in contacts[key][:1]:
                if contacts_of.get(number) != contact["id"]:
                    yield from unless(asked, "mislinked", record, f"contact linked to {contacts_of.get(number)}")
                expected = {"Email": plain(vendor["ContactsEmail"]) or plain(vendor["Email"])}
                yield from differing(record, asked, contact, expected)
                if by_key[key] and looked_up(contact.get("Account_Name")) != by_key[key][0]["id"]:
                    yield from unless(asked, "wrong", record, "its contact hangs on another account")

    @cached_property
    def _customer_of(self) -> dict[str, str]:
        """Zoho account id -> customer number, as linked."""
        return {account: number for number, account in self._linked("customers", "Accounts").items()}

    def _customers(self) -> Iterator[Finding]:
        accounts = {row["id"]: row for row in self._zoho("Accounts")}
        customers = {plain(row["CustomerNumber"]): row for row in self._read("sage300", "ARCustomers")}
        reserved = {row["business_key"]: row for row in self._intents if row["target_entity"] == "customers"}
        for account_id, number in self._customer_of.items():
            customer, account = customers.get(number), accounts.get(account_id)
            if customer is None or account is None:
                continue
            asked = self._asked("zoho_crm", "deal_accounts", account_id)
            expected = {
                "CustomerName": plain(account["Account_Name"])[:60],
                "City": plain(account.get("Billing_City")),
                "ZipPostalCode": plain(account.get("Billing_Code")),
                "PhoneNumber": plain(account.get("Phone")),
            }
            yield from differing(f"customer {number}", asked, customer, expected)
        for number in customers:
            if number.startswith(self._prefix) and number[len(self._prefix) :].isdigit():
                intent = reserved.get(number, {})
                asked = self._asked("zoho_crm", "deal_accounts", intent.get("source_key", ""))
                # An open intent is a finding of its own: the next run reads the customer back.
                if number not in self._customer_of.values() and not asked and intent.get("state") != "open":
                    yield Finding("duplicated", f"customer {number}", "made by us, and no account's")

    @cached_property
    def _deals(self) -> dict[str, Row]:
        return {row["id"]: row for row in self._zoho("Deals")}

    def _lines_total(self, deal: Row) -> Decimal | None:
        """What the deal's order is worth before tax; None where there is nothing to order or a person must choose."""
        quotes = [
            row
            for row in self._zoho("Quotes")
            if looked_up(row.get("Deal_Name")) == deal["id"] and row["Quote_Stage"] in ("Closed Won", "Accepted")
        ]
        if len(quotes) == 1 and quotes[0]["Quoted_Items"]:
            return sum((amount(line["Total_After_Discount"]) for line in quotes[0]["Quoted_Items"]), Decimal(0))
        return (amount(deal.get("Amount")) or None) if not quotes else None

    def _orders(self) -> Iterator[Finding]:
        by_reference = grouped(self._read("sage300", "OEOrders"), "OrderReference")
        linked = {deal: number for number, deal in self._linked("orders", "Deals").items()}
        for deal_id, deal in self._deals.items():
            total, account = self._lines_total(deal), looked_up(deal.get("Account_Name"))
            orders, record = by_reference[deal_id], f"deal {deal_id}"
            asked = self._asked("zoho_crm", "deals", deal_id)
            if len(orders) > 1:
                yield Finding(
                    "duplicated", record, f"{len(orders)} orders: {[plain(o['OrderNumber']) for o in orders]}"
                )
            if deal["Stage"] not in WON or not account or total is None:
                continue
            self.expected += 1
            yield from once(record, "order", orders[:1], asked)
            for order in orders[:1]:
                if linked.get(deal_id) != plain(order["OrderNumber"]):
                    yield from unless(asked, "mislinked", record, f"linked to {linked.get(deal_id)}")
                yield from differing(
                    record,
                    asked,
                    order,
                    {"CustomerNumber": self._customer_of.get(account, "none"), "OrderTotalBeforeTax": total},
                )

    @cached_property
    def _our_orders(self) -> dict[str, str]:
        """Order number -> deal id, for the orders that name a deal."""
        return {
            plain(row["OrderNumber"]): plain(row["OrderReference"])
            for row in self._read("sage300", "OEOrders")
            if plain(row["OrderReference"]) in self._deals
        }

    @cached_property
    def _sage_invoices(self) -> dict[str, dict[str, Any]]:
        """Key -> what Zoho should say of the invoice; `lines` is how many rows."""
        found: dict[str, dict[str, Any]] = {}
        for row in self._read("sage300", "OEInvoices"):
            number, order = plain(row["InvoiceNumber"]), plain(row["OrderNumber"])
            if order in self._our_orders:
                found[number] = _invoice(number, order, row["CustomerNumber"], row["InvoiceTotalWithTax"], row)
        for batch in self._read("sage300", "ARInvoiceBatches"):
            for row in batch["Invoices"] if batch["BatchStatus"] == "Posted" else ():
                number, order = plain(row["DocumentNumber"]), plain(row["OrderNumber"])
                if order in self._our_orders and row["DocumentType"] == "Invoice":
                    key = f"{plain(row['CustomerNumber'])}/{number}"
                    total = row["DocumentTotalIncludingTax"]
                    found[key] = _invoice(number, order, row["CustomerNumber"], total, row)
        return found

    def _invoices(self) -> Iterator[Finding]:
        by_key = grouped(self._zoho("Invoices"), "Sage_Invoice_Key")
        linked = self._linked("invoices", "Invoices")
        posted = {
            (plain(row["CustomerNumber"]), plain(row["DocumentNumber"])): row
            for row in self._read("sage300", "ARPostedDocuments")
        }
        linked_orders = self._linked("orders", "Deals")
        for key, expected in self._sage_invoices.items():
            if expected["order"] not in linked_orders:
                continue  # the order itself is a finding already, or waits in the inbox
            record, found = f"invoice {key}", by_key.pop(f"{self._company}/{key}", [])
            asked = self._asked("sage300", "invoices", key)
            self.expected += 1
            yield from once(record, "Zoho invoice", found, asked)
            state = posted.get((expected["customer"], expected["number"]))
            paid = self._asked("sage300", "posted_documents", f"{expected['customer']}/{expected['number']}")
            for invoice in found[:1]:
                if linked.get(key) != invoice["id"]:
                    yield from unless(asked, "mislinked", record, f"linked to {linked.get(key)}")
                lines = len(invoice["Invoiced_Items"])
                if lines != expected["lines"]:
                    kind = "duplicated" if lines > expected["lines"] else "wrong"
                    yield from unless(asked, kind, record, f"{lines} lines instead of {expected['lines']}")
                totals = dict.fromkeys(("Sage_Total", "Grand_Total"), expected["total"])
                fields = {**totals, "Sage_Order_Number": expected["order"]}
                yield from differing(record, asked, invoice, fields)
                if looked_up(invoice["Deal_Name__s"]) != self._our_orders[expected["order"]]:
                    yield from unless(asked, "wrong", record, "it names another deal")
                if state is not None:
                    open_amount = {"Sage_Open_Amount": amount(state["CustomerCurrencyAmountDue"])}
                    yield from differing(record, asked or paid, invoice, open_amount)
        for key, rows in by_key.items():
            yield Finding("wrong", f"Zoho invoice {rows[0]['id']}", f"its key {key!r} is no invoice of ours in Sage")

    def _products(self) -> Iterator[Finding]:
        codes = [plain(row.get("Product_Code")) for row in self._zoho("Products")]
        for code in repeated([code for code in codes if code]):
            yield Finding("duplicated", f"product {code}", "twice in Zoho")

    def _zoho(self, module: str) -> list[dict[str, Any]]:
        return [{**row, "id": str(row["id"])} for row in self._read("zoho_crm", module)]


def _account_of(vendor: Row) -> dict[str, Any]:
    return {
        "Account_Name": plain(vendor["VendorName"]) or plain(vendor["VendorNumber"]),
        "Account_Type": "Vendor",
        "Phone": plain(vendor["PhoneNumber"]),
        "Billing_City": plain(vendor["City"]),
        "Billing_Country": plain(vendor["Country"]),
        "Sage_Vendor_Terms": plain(vendor["Terms"]),
        "Sage_Vendor_Currency": plain(vendor["CurrencyCode"]),
        "Sage_Open_Balance": amount(vendor["BalanceDueInVendorCurrency"]),
    }


def _invoice(number: str, order: str, customer: Any, total: Any, row: Row) -> dict[str, Any]:
    return {
        "number": number,
        "order": order,
        "customer": plain(customer),
        "total": amount(total),
        "lines": len(row["InvoiceDetails"]),
    }
