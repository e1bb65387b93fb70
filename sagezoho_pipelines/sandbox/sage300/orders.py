"""Orders written over the API: number, uniquifier, customer defaults, lines, taxes, totals, and Sage's refusals."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sagezoho_pipelines.sandbox.sage300.codes import unknown
from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.invoicing import ship_and_invoice
from sagezoho_pipelines.sandbox.sage300.optional_fields import accepted
from sagezoho_pipelines.sandbox.sage300.order_lines import build_line
from sagezoho_pipelines.sandbox.sage300.payloads import OPERATION, without_operations
from sagezoho_pipelines.sandbox.sage300.schema import Row, record_type, rounded, words
from sagezoho_pipelines.sandbox.sage300.taxes import tax_totals

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld

FIRST_UNIQUIFIER, UNIQUIFIER_STEP = 100352, 512
_ADDRESS = ("AddressLine1", "AddressLine2", "AddressLine3", "AddressLine4", "City", "StateProvince", "ZipPostalCode")
_COMPUTED = frozenset(
    {
        *("OrderUniquifier", "OrderFiscalYear", "OrderCompleted", "NumberOfLinesOnOrder", "NextDetailNumber"),
        *("OrderTotal", "OrderAmountDue", "OrderSubtotalAmount", "OrderItemTotalAmount", "OrderTotalBeforeTax"),
        *("OrderInclTaxTotal", "OrderExclTaxTotal", "OrderTotalWithInvoiceDisc", "OrderTotalMiscellaneousCharges"),
        *("TotalAmountItems", "TotalAmountMiscellaneousCharges", "ItemDetailDiscountTotal"),
        *("NumberOfInvoices", "LastInvoiceNumber", "NumberOfShipments", "LastShipmentNumber"),
        *("LastPostingDate", "OrderCompletionDate"),
    }
)
"""What Sage works out or keeps by itself; a value of it in a payload is refused unless it says nothing."""
_PARTY = (*_ADDRESS, "Country", "PhoneNumber", "FaxNumber", "Email")


def new_order(world: SageWorld) -> Row:
    """What a new order starts with."""
    return {
        "OrderType": "Active",
        "OrderDate": world.session_date,
        "DefaultLocationCode": "1",
        "DefaultPriceListCode": "RTL",
        "OrderHomeCurrency": world.setup.functional_currency,
        "OrderSourceCurrency": world.setup.functional_currency,
        "OrderRate": Decimal(1),
        "IncludeInCRMOpportunityTotal": True,
    }


def create_order(world: SageWorld, payload: Row, user: str) -> Row:
    """The stored order, invoiced already where the payload asks for it.

    Raises SageError: RecordDuplicate for a number in use, FieldInvalid for what does not exist, General for a customer
    on hold and an incomplete ship-to address, RecordInvalid for an order without customer or lines.
    """
    order = new_order(world)
    sent_lines: list[Row] = []
    for name, value in payload.items():
        match name:
            case _ if name in _COMPUTED:
                if value != world.table("OEOrders").entity.type.fields[name].default:
                    _refuse_computed(world, name)
            case "OrderDetails":
                sent_lines = value
            case "OrderOptionalFields":
                rows = [without_operations(row) for row in value]
                order[name] = accepted(world.setup.optional_fields, record_type("OrderOptionalField"), rows)
            case "CustomerNumber":
                _set_customer(world, order, value)
            case _ if name != OPERATION:
                order[name] = value
    if not order.get("CustomerNumber"):
        raise SageError("RecordInvalid", "Customer Number cannot be blank.")
    if not sent_lines:
        raise SageError("RecordInvalid", "The order has no details.")
    _check_header(world, order)
    uniquifier = world.next_number("order uniquifier", FIRST_UNIQUIFIER, UNIQUIFIER_STEP)
    order["OrderUniquifier"] = Decimal(uniquifier)
    order["OrderDetails"] = [build_line(world, order, sent, at) for at, sent in enumerate(sent_lines)]
    order["OrderNumber"] = _number(world, order)
    order["EnteredBy"] = user
    total(order, world.decimals(order["OrderSourceCurrency"]))
    produce = order.get("InvoiceWillBeProduced", False)
    shipped = {line["LineNumber"]: line.get("QuantityShipped", Decimal(0)) for line in order["OrderDetails"]}
    order["InvoiceWillBeProduced"] = False
    if produce and not order.get("OnHold"):
        # A closed period must refuse the whole document, not leave an order without its invoice.
        world.fiscal_period(max(world.session_date, order["OrderDate"]), "Invoice Date")
        world.table("OEOrders").put(order)
        return ship_and_invoice(world, order, shipped)[0]
    return world.table("OEOrders").put(order)


def _number(world: SageWorld, order: Row) -> str:
    number = str(order.get("OrderNumber", "")).upper()
    table = world.table("OEOrders")
    if number:
        if table.where(OrderNumber=number):
            raise SageError("RecordDuplicate", f"Order number '{number}' already exists.")
        return number
    while True:
        number = f"ORD{world.next_number('order number'):09d}"
        if not table.where(OrderNumber=number):
            return number


def _refuse_computed(world: SageWorld, name: str) -> None:
    if world.switches.read_only_fields == "refused":
        raise SageError("FieldInvalid", f"{words(name)}. Field is calculated and cannot be changed.")


def _set_customer(world: SageWorld, order: Row, number: str) -> None:
    """Takes over the customer's addresses and codes, over whatever the payload set before."""
    customer = world.table("ARCustomers").get(number.upper())
    if customer is None:
        raise SageError("FieldInvalid", f"Customer number {number} does not exist.")
    if customer.get("Status") == "Inactive":
        raise SageError("FieldInvalid", f"Customer number {number} is inactive.")
    if customer.get("OnHold") == "Yes":
        if world.switches.held_customers == "refused":
            raise SageError("General", f"Customer number {number} is on hold.")
        order |= {"OnHold": True, "OnholdReason": "Customer on hold"}
    currency = customer.get("CurrencyCode", "USD")
    order |= {
        "CustomerNumber": customer["CustomerNumber"],
        "CustomerGroupCode": customer.get("GroupCode", ""),
        "TermsCode": customer.get("Terms", ""),
        "TaxGroup": customer.get("TaxGroup", ""),
        "DefaultPriceListCode": customer.get("CustomerPriceList", "RTL"),
        "CustomerDiscountLevel": customer.get("CustomerDiscountType", "Base"),
        "CustomerAccountSet": customer.get("AccountSet", ""),
        "Territory": customer.get("TerritoryCode", ""),
        "Salesperson1": customer.get("Salesperson1", ""),
        "OrderSourceCurrency": currency,
        "OrderRate": world.setup.exchange_rates[currency],
        "BillToContact": customer.get("ContactName", ""),
        "BillToContactEmail": customer.get("ContactsEmail", ""),
        "ShipToContact": customer.get("ContactName", ""),
        "BillToName": customer.get("CustomerName", ""),
        "ShipToName": customer.get("CustomerName", ""),
    }
    for side in ("BillTo", "ShipTo"):
        order |= {f"{side}{name}": customer.get(name, "") for name in _PARTY}
    if customer.get("InventoryLocation"):
        order["DefaultLocationCode"] = customer["InventoryLocation"]


def _check_header(world: SageWorld, order: Row) -> None:
    wrong = unknown(world.setup.codes, order)
    for field, table, title, more in (
        ("TermsCode", "ARTerms", "Terms code", ()),
        ("TaxGroup", "TXTaxGroups", "Tax group", ("Sales",)),
    ):
        value = order.get(field, "").rstrip()
        if value and (value, *more) not in world.table(table):
            wrong.append(f"{title} {value} does not exist.")
    if order["DefaultLocationCode"] not in world.setup.locations:
        wrong.append(f"Location {order['DefaultLocationCode']} does not exist.")
    if order.get("ShipToLocationCode"):
        wrong.append(f"Ship-to location {order['ShipToLocationCode']} does not exist.")
    _check_amounts(world, order, wrong)
    if wrong:
        raise SageError("FieldInvalid", *wrong)
    if order.get("OrderDate") is None:
        raise SageError("FieldInvalid", "Cannot determine the fiscal period for Order Date.", "Order Date is blank.")
    year, period = world.fiscal_period(order["OrderDate"], "Order Date")
    order |= {"OrderFiscalYear": year, "OrderFiscalPeriod": f"Num{period}"}
    _check_ship_to(world, order)
    _check_purchase_order(world, order)


def _check_amounts(world: SageWorld, order: Row, wrong: list[str]) -> None:
    """Adds what is wrong with tax group, currency and discount; an order is in its customer's currency."""
    if not order.get("TaxGroup", "").rstrip():
        wrong.append("Tax Group cannot be blank.")
    customer = world.table("ARCustomers").get(order["CustomerNumber"]) or {}
    if order["OrderSourceCurrency"] != customer.get("CurrencyCode"):
        wrong.append(f"Order Source Currency {order['OrderSourceCurrency']} is not the customer's currency.")
    if order.get("OrderRate", Decimal(0)) <= 0:
        wrong.append("Order Rate. The rate must be greater than zero.")
    if not 0 <= order.get("OrderDiscountPercentage", Decimal(0)) <= 100:
        wrong.append("Order Discount Percentage. The percentage must be between 0 and 100.")


def _check_ship_to(world: SageWorld, order: Row) -> None:
    begun = any(order.get(f"ShipTo{name}") for name in (*_ADDRESS, "Country"))
    missing = [name for name in ("Name", "AddressLine1", "City") if not order.get(f"ShipTo{name}")]
    if missing and (begun or world.switches.ship_to == "required"):
        raise SageError("General", "The ship-to address is incomplete.", f"Missing: {', '.join(missing)}.")


def _check_purchase_order(world: SageWorld, order: Row) -> None:
    number = order.get("PurchaseOrderNumber", "")
    customer = world.table("ARCustomers").get(order["CustomerNumber"]) or {}
    if not number or customer.get("CheckForDuplicatePOs") != "Error":
        return
    if world.table("OEOrders").where(CustomerNumber=order["CustomerNumber"], PurchaseOrderNumber=number):
        raise SageError("General", f"Purchase order number {number} already exists for customer.")


def total(order: Row, decimals: int) -> None:
    """Computes the order's totals from its lines."""
    lines = order["OrderDetails"]
    items = [line for line in lines if line["LineType"] == "Item"]
    charges = [line for line in lines if line["LineType"] != "Item"]
    item_total = sum((line["ExtendedAmount"] - line["OrderDiscountAmount"] for line in items), Decimal(0))
    charge_total = sum((line["ExtendedAmount"] - line["OrderDiscountAmount"] for line in charges), Decimal(0))
    header, excluded, included = tax_totals(lines)
    discount = rounded(item_total * order.get("OrderDiscountPercentage", Decimal(0)) / 100, decimals)
    subtotal = item_total + charge_total - discount
    order |= header
    order |= {
        "OrderItemTotalAmount": item_total,
        "TotalAmountItems": item_total,
        "OrderTotalMiscellaneousCharges": charge_total,
        "TotalAmountMiscellaneousCharges": charge_total,
        "OrderDiscountBase": item_total,
        "OrderDiscountAmount": discount,
        "OrderSubtotalAmount": subtotal,
        "OrderTotalWithInvoiceDisc": subtotal,
        "OrderTotalBeforeTax": subtotal - included,
        "OrderExclTaxTotal": excluded,
        "OrderInclTaxTotal": included,
        "OrderTotal": subtotal + excluded,
        "OrderAmountDue": subtotal + excluded,
        "ItemDetailDiscountTotal": sum((line["OrderDiscountAmount"] for line in items), Decimal(0)),
        "NumberOfLinesOnOrder": len(lines),
        "NumberMiscellaneousChargesLines": len(charges),
        "NextDetailNumber": len(lines) + 1,
        "NumberOfOptionalFields": len(order.get("OrderOptionalFields", [])),
        "OrderCompleted": "IncompleteNotIncluded",
    }
