"""Shipping and invoicing an order: the shipment number, the posted O/E invoice, and its open document in A/R."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sagezoho_pipelines.sandbox.sage300.order_lines import per_order_unit
from sagezoho_pipelines.sandbox.sage300.receivables import post_receivable
from sagezoho_pipelines.sandbox.sage300.schema import Row, rounded
from sagezoho_pipelines.sandbox.sage300.taxes import EXEMPT_CLASS, line_taxes, tax_columns, tax_totals

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld

_HEADER = {
    "CustomerNumber": "CustomerNumber",
    "OrderNumber": "OrderNumber",
    "OrderDate": "OrderDate",
    "PurchaseOrderNumber": "PurchaseOrderNumber",
    "TermsCode": "TermsCode",
    "Reference": "OrderReference",
    "Description": "OrderDescription",
    "Comment": "OrderComment",
    "TaxGroup": "TaxGroup",
    "Location": "DefaultLocationCode",
    "PriceListCode": "DefaultPriceListCode",
    "CustomerDiscountLevel": "CustomerDiscountLevel",
    "CustomerAccountSet": "CustomerAccountSet",
    "Territory": "Territory",
    "ShipViaCode": "ShipViaCode",
    "Salesperson1": "Salesperson1",
    "EnteredBy": "EnteredBy",
    "InvoiceDiscountPercentage": "OrderDiscountPercentage",
    "InvoiceHomeCurrency": "OrderHomeCurrency",
    "InvoiceSourceCurrency": "OrderSourceCurrency",
    "InvoiceRate": "OrderRate",
    "BillTo": "BillToName",
    "ShipTo": "ShipToName",
    "ShipToAddressCode": "ShipToLocationCode",
    "BillToContactEmail": "BillToContactEmail",
}
"""Invoice property: order property. The two sets spell the same thing differently."""
_PARTY = {
    "Address1": "AddressLine1",
    "Address2": "AddressLine2",
    "Address3": "AddressLine3",
    "Address4": "AddressLine4",
    "City": "City",
    "State": "StateProvince",
    "ZipCode": "ZipPostalCode",
    "Country": "Country",
    "Phone": "PhoneNumber",
    "Fax": "FaxNumber",
    "Contact": "Contact",
    "Email": "Email",
}
TERM_DAYS = {"N30": 30, "2N30": 30, "N60": 60, "COD": 0, "NET7": 7}


def ship_and_invoice(world: SageWorld, order: Row, shipped: Mapping[int, Decimal]) -> tuple[Row, Row]:
    """Ships these quantities (by LineNumber), invoices them, posts the invoice. Returns the order and the invoice.

    Miscellaneous charges go on the order's first invoice. Raises SageError where the session date has no open period.
    """
    day = world.session_date
    if day < order["OrderDate"]:
        day = order["OrderDate"]
    year, period = world.fiscal_period(day, "Invoice Date")
    uniquifier = Decimal(world.next_number("invoice uniquifier", 640, 1))
    first = not order.get("NumberOfInvoices")
    lines = [
        _invoice_line(world, order, line, shipped.get(line["LineNumber"], Decimal(0)), at, uniquifier)
        for at, line in enumerate(_billable(order, shipped, first=first))
    ]
    number = f"IN{world.next_number('oe invoice'):09d}"
    shipment = f"SH{world.next_number('oe shipment'):09d}"
    shipment_uniquifier = Decimal(world.next_number("shipment uniquifier", 5120, 1))
    invoice = _invoice(order, lines, day) | {
        "InvoiceUniquifier": uniquifier,
        "InvoiceNumber": number,
        "ShipmentNumber": shipment,
        "ShipmentUniquifier": shipment_uniquifier,
        "InvoiceFiscalYear": year,
        "InvoiceFiscalPeriod": f"Num{period}",
        "PostingDate": world.session_date,
        "InvoiceSubtotalAmount": Decimal(0),
    }
    _total(invoice, lines, world.decimals(order["OrderSourceCurrency"]))
    for line in lines:
        line |= {"ShipmentNumber": shipment, "ShipmentUniquifier": shipment_uniquifier}
    world.table("OEInvoices").put(invoice)
    changed = world.table("OEOrders").put(_shipped_order(order, shipped, invoice))
    post_receivable(
        world,
        {
            "CustomerNumber": order["CustomerNumber"],
            "DocumentNumber": number,
            "OrderNumber": order["OrderNumber"],
            "PONumber": order.get("PurchaseOrderNumber", ""),
            "ShipmentNumber": shipment,
            "DocumentDate": day,
            "DueDate": invoice["InvoicePaymentSchedules"][0]["DueDate"],
            "Terms": order.get("TermsCode", ""),
            "TransactionType": "InvoiceItemIssued",
            "InvoiceType": "Item",
            "DocumentDescription": order.get("OrderDescription", ""),
            "CustomerCurrencyInvoiceAmount": invoice["InvoiceTotalWithTax"],
            "CustomerCurrencyTaxAmount": invoice["TotalTaxAmount"],
            "SourceApplication": "OE",
        },
    )
    return changed, invoice


def _billable(order: Row, shipped: Mapping[int, Decimal], *, first: bool) -> list[Row]:
    return [
        line
        for line in order["OrderDetails"]
        if (line["LineType"] == "Item" and shipped.get(line["LineNumber"])) or (line["LineType"] != "Item" and first)
    ]


def _invoice_line(world: SageWorld, order: Row, line: Row, quantity: Decimal, at: int, uniquifier: Decimal) -> Row:
    decimals = world.decimals(order["OrderSourceCurrency"])
    extended = line["ExtendedAmount"]
    if line["LineType"] == "Item":
        extended = rounded(quantity * per_order_unit(line), decimals)
    discount = rounded(extended * line.get("DiscountPercent", Decimal(0)) / 100, decimals)
    exempt = line.get("TaxClass1") == EXEMPT_CLASS
    taxes = line_taxes(world, order.get("TaxGroup", ""), extended - discount, decimals, exempt=exempt)
    included = sum((tax.amount for tax in taxes if tax.included), Decimal(0))
    excluded = sum((tax.amount for tax in taxes if not tax.included), Decimal(0))
    copied = ("LineType", "Item", "MiscellaneousChargesCode", "Description", "Category", "Location", "PriceList")
    row = {name: line[name] for name in (*copied, "PricingUnitPrice", "PriceOverride", "StockItem") if name in line}
    return (
        row
        | {
            "InvoiceUniquifier": uniquifier,
            "LineUniquifier": (at + 1) * 32,
            "DetailNumber": at + 1,
            "UnformattedItemNumber": line.get("Item", "").replace("-", ""),
            "OrderNumber": order["OrderNumber"],
            "OrderDetailNumber": line["DetailNumber"],
            "QuantityShipped": quantity,
            "OriginalQuantityshipped": quantity,
            "OrderQuantityOrdered": line.get("QuantityOrdered", Decimal(0)),
            "InvoiceUnitOfMeasure": line.get("OrderUnitOfMeasure", ""),
            "PricingUnit": line.get("PricingUnitOfMeasure", ""),
            "UnitPrice": line.get("OrderUnitPrice", Decimal(0)),
            "ExtendedShippedPriceMiscellaneousCha": extended,
            "DiscountPercent": line.get("DiscountPercent", Decimal(0)),
            "ExtendedDiscountedPrice": extended - discount,
            "DiscountedExtendedAmount": extended - discount,
            "InvoiceDiscountAmount": discount,
            "TaxTotal": included + excluded,
            "ExtendedAmountNetOfTax": extended - discount - included,
            "DetailAmountDue": extended - discount + excluded,
            "OrderDate": order["OrderDate"],
        }
        | tax_columns(taxes)
    )


def _invoice(order: Row, lines: list[Row], day: date) -> Row:
    invoice = {name: order[source] for name, source in _HEADER.items() if source in order}
    for side in ("BillTo", "ShipTo"):
        invoice |= {f"{side}{name}": order.get(f"{side}{source}", "") for name, source in _PARTY.items()}
    return invoice | {
        "InvoiceDate": day,
        "ShipmentDate": day,
        "DATEBUS": day,
        "InvoiceStatus": "Documentcosted",
        "Allowpartialshipments": "Yes",
        "InvoiceDetails": lines,
        "NumberOfLinesInInvoice": len(lines),
        "NextDetailNumber": len(lines) + 1,
        "InvoiceRateDateMatching": 3,
        "InvoiceRateOperator": 1,
        "CustomerExists": True,
        "FromHowManyShipments": 1,
    }


def _total(invoice: Row, lines: list[Row], decimals: int) -> None:
    header, excluded, included = tax_totals(lines)
    items = sum((line["DiscountedExtendedAmount"] for line in lines if line["LineType"] == "Item"), Decimal(0))
    charges = sum((line["DiscountedExtendedAmount"] for line in lines if line["LineType"] != "Item"), Decimal(0))
    discount = rounded(items * invoice.get("InvoiceDiscountPercentage", Decimal(0)) / 100, decimals)
    subtotal = items + charges - discount
    total = subtotal + excluded
    due = invoice["InvoiceDate"] + timedelta(days=TERM_DAYS.get(invoice.get("TermsCode", "").rstrip(), 30))
    invoice |= header
    for slot in range(1, 6):
        tax = header.get(f"ExcludedTaxAmount{slot}", Decimal(0)) + header.get(f"IncludedTaxAmount{slot}", Decimal(0))
        invoice[f"TotalTaxAmount{slot}"] = tax
    invoice |= {
        "InvoiceItemTotalAmount": items,
        "InvoiceTotalMiscellaneousCharges": charges,
        "InvoiceDiscountBase": items,
        "InvoiceDiscountAmount": discount,
        "InvoiceSubtotalAmount": subtotal,
        "InvoiceTotalWithInvoiceDisc": subtotal,
        "InvoiceTotalBeforeTax": subtotal - included,
        "InvoiceIncludedTaxTotAmount": included,
        "InvoiceExcludedTaxTotAmount": excluded,
        "TotalTaxAmount": included + excluded,
        "InvoiceTotalWithTax": total,
        "InvoiceAmountDue": total,
        "TotalTermsAmountDue": total,
        "NumberOfTermsPayments": Decimal(1),
        "InvoicePaymentSchedules": [
            {
                "InvoiceUniquifier": invoice["InvoiceUniquifier"],
                "PaymentNumber": 1,
                "DueAmountBase": total,
                "DueDate": due,
                "PercentageDue": Decimal(100),
                "AmountDue": total,
                "DiscountBase": total,
                "DiscountDate": invoice["InvoiceDate"],
            }
        ],
    }


def _shipped_order(order: Row, shipped: Mapping[int, Decimal], invoice: Row) -> Row:
    lines = []
    for line in order["OrderDetails"]:
        sent = shipped.get(line["LineNumber"], Decimal(0))
        so_far = line.get("QuantityShippedtodate", Decimal(0)) + sent
        left = line.get("OriginalQuantityOrdered", Decimal(0)) - so_far
        done = line["LineType"] != "Item" or left <= 0
        lines.append(
            line
            | {
                "QuantityShippedtodate": so_far,
                "QuantityShipped": Decimal(0),
                "QuantityOrdered": max(left, Decimal(0)),
                "QuantityBackordered": max(left, Decimal(0)),
                "DetailCompleted": "Completed" if done else "Notcompleted",
            }
        )
    complete = all(line["DetailCompleted"] == "Completed" for line in lines)
    return order | {
        "OrderDetails": lines,
        "LastInvoiceNumber": invoice["InvoiceNumber"],
        "InvoiceNumber": invoice["InvoiceNumber"],
        "InvoiceDate": invoice["InvoiceDate"],
        "InvoiceFiscalYear": invoice["InvoiceFiscalYear"],
        "InvoiceFiscalPeriod": invoice["InvoiceFiscalPeriod"],
        "LastShipmentNumber": invoice["ShipmentNumber"],
        "ShipmentDate": invoice["ShipmentDate"],
        "NumberOfInvoices": order.get("NumberOfInvoices", 0) + 1,
        "NumberOfShipments": order.get("NumberOfShipments", 0) + 1,
        "LastPostingDate": invoice["PostingDate"],
        "OrderCompleted": "CompleteNotIncluded" if complete else "IncompleteNotIncluded",
        "OrderCompletionDate": invoice["InvoiceDate"] if complete else None,
    }
