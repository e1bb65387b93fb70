"""Lines of a new order: values written in payload order, each with the defaults it drags in.

Setting an item resets description, price, discount and unit; a quantity or a unit prices the line anew unless
PriceOverride already stands. So a price before its item, or before the override, is lost, as in the real service.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sagezoho_pipelines.sandbox.sage300.codes import unknown
from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.masters import unformatted
from sagezoho_pipelines.sandbox.sage300.optional_fields import accepted
from sagezoho_pipelines.sandbox.sage300.payloads import OPERATION, without_operations
from sagezoho_pipelines.sandbox.sage300.schema import Row, record_type, rounded
from sagezoho_pipelines.sandbox.sage300.taxes import line_taxes, tax_columns

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld

LINE_STEP = 32
_COMPUTED = ("LineNumber", "DetailNumber", "OrderUniquifier", "QuantityBackordered", "QuantityShippedtodate", OPERATION)


def build_line(world: SageWorld, order: Row, sent: Row, index: int) -> Row:
    """One order line. Raises SageError FieldInvalid or RecordInvalid with Sage's words."""
    writer = _LineWriter(world, order)
    for name, value in sent.items():
        writer.write(name, value)
    return writer.finish(index)


def find_item(world: SageWorld, number: str) -> Row:
    """The item of a formatted or unformatted number. Raises SageError FieldInvalid."""
    item = world.table("ICItems").get(unformatted(number))
    if item is None:
        raise SageError(
            "FieldInvalid",
            f"Item number {number} does not exist. Enter an item number that exists in Inventory Control.",
        )
    if item.get("Status", False):
        raise SageError("FieldInvalid", f"Item number {number} is inactive.")
    if not item.get("Sellable", False):
        raise SageError("FieldInvalid", f"Item number {number} is not sellable.")
    return item


def per_order_unit(line: Row) -> Decimal:
    """The price of one unit as ordered: lines may be ordered in boxes and priced by the piece."""
    price: Decimal = line["PricingUnitPrice"]
    ordered, priced = line.get("OrderUnitConversion"), line.get("PricingUnitConversion")
    return price if ordered == priced or not ordered or not priced else price * ordered / priced


class _LineWriter:
    def __init__(self, world: SageWorld, order: Row) -> None:
        self.world = world
        self.order = order
        self.line: Row = {"LineType": "Item", "Location": order["DefaultLocationCode"]}
        self.item: Row | None = None
        self._decimals = world.decimals(order["OrderSourceCurrency"])

    def write(self, name: str, value: object) -> None:
        if name in _COMPUTED:
            return
        if name == "OrderDetailOptionalFields":
            self._options(value)
            return
        self.line[name] = value
        match name:
            case "Item":
                self._set_item(str(value))
            case "MiscellaneousChargesCode":
                self._set_charge(str(value))
            case "QuantityOrdered" | "PriceList":
                self._reprice()
            case "OrderUnitOfMeasure":
                self._set_unit(str(value))
            case "PricingUnitOfMeasure":
                self._set_pricing_unit(str(value))
            case "PricingUnitPrice":
                self.line["OrderUnitPrice"] = per_order_unit(self.line)
            case "OrderUnitPrice":
                self.line["PricingUnitPrice"] = self._per_pricing_unit(self.line["OrderUnitPrice"])
            case "PriceOverride" if not value:
                self._reprice()

    def _set_item(self, number: str) -> None:
        self.item = item = find_item(self.world, number)
        if self.line["LineType"] != "Item":
            raise SageError("FieldInvalid", "Item. The line type must be Item.")
        unit = item["StockingUnitOfMeasure"]
        self.line |= {
            "Item": item["ItemNumber"],
            "Description": item.get("Description", ""),
            "Category": item.get("Category", ""),
            "ItemAccountSet": item.get("AccountSetCode", ""),
            "StockItem": item.get("StockItem", False),
            "PriceList": self.order.get("DefaultPriceListCode", "RTL"),
            "OrderUnitOfMeasure": unit,
            "PricingUnitOfMeasure": unit,
            "OrderUnitConversion": Decimal(1),
            "PricingUnitConversion": Decimal(1),
            "UnitPriceNumberOfDecimals": 2,
            "PriceOverride": False,
            "DiscountPercent": Decimal(0),
        }
        self.write("PricingUnitOfMeasure", self.world.setup.pricing_units.get(item["UnformattedItemNumber"], unit))
        self._reprice()

    def _set_charge(self, code: str) -> None:
        charge = self.world.setup.charges.get(code.upper())
        if charge is None:
            raise SageError("FieldInvalid", f"Miscellaneous charge code {code} does not exist.")
        if self.line["LineType"] != "Miscellaneous":
            raise SageError("FieldInvalid", "Miscellaneous Charges Code. The line type must be Miscellaneous.")
        self.line |= {
            "MiscellaneousChargesCode": charge.code,
            "Description": charge.description,
            "ExtendedAmount": charge.amount,
        }

    def _set_unit(self, unit: str) -> None:
        """The unit that is ordered in; the line is priced by it too until PricingUnitOfMeasure says otherwise."""
        factor = self._factor(unit)
        if factor is not None:
            self.line |= {"OrderUnitConversion": factor, "PricingUnitConversion": factor, "PricingUnitOfMeasure": unit}
            self._reprice()

    def _set_pricing_unit(self, unit: str) -> None:
        factor = self._factor(unit)
        if factor is not None:
            self.line |= {"PricingUnitConversion": factor}
            self._reprice()
            self.line["OrderUnitPrice"] = per_order_unit(self.line)

    def _factor(self, unit: str) -> Decimal | None:
        """How many stocking units make one; None while the line has no item. Raises SageError FieldInvalid."""
        if self.item is None:
            return None
        units: dict[str, Row] = {self.item["StockingUnitOfMeasure"].rstrip().upper(): {}}
        units |= {row.get("UnitOfMeasure", "").upper(): row for row in self.item.get("ItemUnitsOfMeasure", [])}
        known = units.get(unit.rstrip().upper())
        if known is None:
            raise SageError("FieldInvalid", f"Unit of measure {unit} does not exist for item {self.line['Item']}.")
        factor: Decimal = known.get("ConversionFactor", Decimal(1))
        return factor

    def _reprice(self) -> None:
        """The list price, unless the price was overridden already."""
        if self.item is None or self.line.get("PriceOverride"):
            return
        base = self.world.setup.prices[self.item["UnformattedItemNumber"]]
        rate = self.world.setup.exchange_rates[self.order["OrderSourceCurrency"]]
        self.line["PricingUnitPrice"] = self._rounded(base / rate * self.line["PricingUnitConversion"])
        self.line |= {"OrderUnitPrice": per_order_unit(self.line), "PricingBaseUnitPrice": self._rounded(base / rate)}

    def _per_pricing_unit(self, price: Decimal) -> Decimal:
        ordered, priced = self.line.get("OrderUnitConversion"), self.line.get("PricingUnitConversion")
        return price if ordered == priced or not ordered or not priced else price * priced / ordered

    def _rounded(self, amount: Decimal) -> Decimal:
        return rounded(amount, self._decimals)

    def _options(self, value: object) -> None:
        rows = value if isinstance(value, list) else []
        stored = [without_operations(row) for row in rows]
        kind = record_type("OrderDetailOptionalField")
        self.line["OrderDetailOptionalFields"] = accepted(self.world.setup.optional_fields, kind, stored)
        self.line["NumberOfOptionalFields"] = len(rows)

    def finish(self, index: int) -> Row:
        line = self.line
        self._reprice()
        exempt = False
        if line["LineType"] == "Miscellaneous":
            if not line.get("MiscellaneousChargesCode"):
                raise SageError("RecordInvalid", "Miscellaneous Charges Code cannot be blank.")
            line |= {"ExtendedAmount": self._rounded(line["ExtendedAmount"]), "QuantityOrdered": Decimal(0)}
        else:
            exempt = self._finish_item()
        discount = line.get("DiscountPercent", Decimal(0))
        if not 0 <= discount <= 100:
            raise SageError("FieldInvalid", "Discount Percent. The percentage must be between 0 and 100.")
        line["OrderDiscountAmount"] = self._rounded(line["ExtendedAmount"] * discount / 100)
        item = line["LineType"] == "Item"
        if (line["Location"] or item) and line["Location"] not in self.world.setup.locations:
            raise SageError("FieldInvalid", f"Location {line['Location']} does not exist.")
        if wrong := unknown(self.world.setup.codes, line):
            raise SageError("FieldInvalid", *wrong)
        net = line["ExtendedAmount"] - line["OrderDiscountAmount"]
        line |= tax_columns(line_taxes(self.world, self.order.get("TaxGroup", ""), net, self._decimals, exempt=exempt))
        return line | {
            "OrderUniquifier": self.order["OrderUniquifier"],
            "LineNumber": (index + 1) * LINE_STEP,
            "DetailNumber": index + 1,
            "DetailCompleted": "Notcompleted",
        }

    def _finish_item(self) -> bool:
        line = self.line
        if self.item is None:
            raise SageError("RecordInvalid", "Item cannot be blank.")
        quantity = line.get("QuantityOrdered", Decimal(0))
        shipped = line.get("QuantityShipped", Decimal(0))
        if quantity <= 0:
            raise SageError("FieldInvalid", "Quantity Ordered. The quantity must be greater than zero.")
        if not 0 <= shipped <= quantity:
            raise SageError("FieldInvalid", "Quantity Shipped. The quantity cannot exceed the quantity ordered.")
        if line["PricingUnitPrice"] < 0:
            raise SageError("FieldInvalid", "Pricing Unit Price. The price cannot be negative.")
        extended = self._rounded(quantity * per_order_unit(line))
        line |= {
            "OriginalQuantityOrdered": quantity,
            "QuantityBackordered": quantity - shipped,
            "ExtendedOrderAmount": extended,
            "ExtendedAmount": extended,
        }
        return self.item["UnformattedItemNumber"] in self.world.setup.exempt_items
