"""What people do at Sage's own screens: each action takes and answers a JSON object, for the control API.

Dates are ISO texts, amounts numbers or texts. Properties travel under their Web API names in `fields`.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import simplejson

from sagezoho_pipelines.sandbox.sage300.batches import LEDGERS, create_batch, update_batch
from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.invoicing import ship_and_invoice
from sagezoho_pipelines.sandbox.sage300.masters import create_master, delete_master, update_master
from sagezoho_pipelines.sandbox.sage300.payloads import read_payload
from sagezoho_pipelines.sandbox.sage300.posting import post_batches
from sagezoho_pipelines.sandbox.sage300.receivables import receive_payment, return_payment
from sagezoho_pipelines.sandbox.sage300.schema import Row
from sagezoho_pipelines.sandbox.world import Action

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld

Given = dict[str, Any]
CLERK = "CLERK"


def people_actions(world: SageWorld) -> dict[str, Action]:
    """The actions by name; each holds the world's lock and turns Sage's refusals into ValueError."""
    people = _People(world)
    names = [name for name in dir(people) if not name.startswith("_") and name != "world"]
    return {name: _locked(world, getattr(people, name)) for name in names}


def _locked(world: SageWorld, action: Action) -> Action:
    def locked(given: Given) -> Given:
        with world.lock:
            try:
                return action(given)
            except SageError as error:
                raise ValueError(f"{error.code}: {error}") from None

    return locked


class _People:
    """Public methods are the actions."""

    def __init__(self, world: SageWorld) -> None:
        self.world = world

    def add_vendor(self, given: Given) -> Given:
        """`{"fields": {...}}`; VendorNumber, GroupCode and VendorName have defaults."""
        number = f"NEW{self.world.next_number('walk-in vendor'):05d}"
        fields = {"VendorNumber": number, "GroupCode": "INV", "VendorName": "New Vendor", **given.get("fields", {})}
        row = create_master(self.world, "APVendors", self._payload("APVendors", fields))
        return {"VendorNumber": row["VendorNumber"]}

    def edit_vendor(self, given: Given) -> Given:
        """`{"vendor": number, "fields": {...}}`."""
        return self._edit("APVendors", given["vendor"], given["fields"])

    def delete_vendor(self, given: Given) -> Given:
        """`{"vendor": number}`."""
        delete_master(self.world, "APVendors", self._row("APVendors", given["vendor"]))
        return {}

    def renumber_vendor(self, given: Given) -> Given:
        """`{"vendor": number, "number": new}`: the same record under another number; nothing tells what it was."""
        return self._renumber("APVendors", "VendorNumber", given["vendor"], given["number"])

    def renumber_customer(self, given: Given) -> Given:
        """`{"customer": number, "number": new}`."""
        return self._renumber("ARCustomers", "CustomerNumber", given["customer"], given["number"])

    def delete_customer(self, given: Given) -> Given:
        """`{"customer": number}`."""
        delete_master(self.world, "ARCustomers", self._row("ARCustomers", given["customer"]))
        return {}

    def edit_customer(self, given: Given) -> Given:
        """`{"customer": number, "fields": {...}}`."""
        return self._edit("ARCustomers", given["customer"], given["fields"])

    def hold_customer(self, given: Given) -> Given:
        """`{"customer": number, "hold": true}`."""
        hold = "Yes" if given.get("hold", True) else "No"
        return self._edit("ARCustomers", given["customer"], {"OnHold": hold})

    def add_item(self, given: Given) -> Given:
        """`{"item": number, "price": p, "priced_by": unit, "description": text, "fields": {...}}`."""
        number = given["item"]
        fields = {
            "UnformattedItemNumber": number,
            "ItemNumber": number,
            "Description": given.get("description", number),
            "StockingUnitOfMeasure": "Ea.",
            "ItemUnitsOfMeasure": [{"ItemNumber": number, "UnitOfMeasure": "Ea.", "ConversionFactor": 1, "FACTOR": 1}],
            **given.get("fields", {}),
        }
        row = create_master(self.world, "ICItems", self._payload("ICItems", fields))
        self.world.setup.prices[row["UnformattedItemNumber"]] = _decimal(given.get("price", "100"))
        if given.get("priced_by"):
            self.world.setup.pricing_units[row["UnformattedItemNumber"]] = given["priced_by"]
        return {"UnformattedItemNumber": row["UnformattedItemNumber"]}

    def edit_item(self, given: Given) -> Given:
        """`{"item": number without separators, "fields": {...}}`."""
        return self._edit("ICItems", given["item"], given["fields"])

    def ship_and_invoice_order(self, given: Given) -> Given:
        """`{"order": number, "lines": {"1": quantity}}`: these details, or all that is outstanding."""
        order = self._order(given["order"])
        if order.get("OnHold"):
            raise ValueError(f"order {order['OrderNumber']} is on hold")
        asked = {int(at): _decimal(quantity) for at, quantity in (given.get("lines") or {}).items()}
        shipped: dict[int, Decimal] = {}
        for line in order["OrderDetails"]:
            left = line.get("QuantityBackordered", Decimal(0)) if line["LineType"] == "Item" else Decimal(0)
            quantity = asked.get(line["DetailNumber"], Decimal(0)) if asked else left
            if not 0 <= quantity <= left:
                raise ValueError(f"line {line['DetailNumber']}: {quantity} of {left} cannot be shipped")
            shipped[line["LineNumber"]] = quantity
        if not any(shipped.values()) and order.get("NumberOfInvoices"):
            raise ValueError(f"order {order['OrderNumber']} has nothing left to ship")
        changed, invoice = ship_and_invoice(self.world, order, shipped)
        return {
            "InvoiceNumber": invoice["InvoiceNumber"],
            "InvoiceUniquifier": int(invoice["InvoiceUniquifier"]),
            "ShipmentNumber": invoice["ShipmentNumber"],
            "InvoiceTotalWithTax": invoice["InvoiceTotalWithTax"],
            "OrderCompleted": changed["OrderCompleted"],
        }

    def receive_payment(self, given: Given) -> Given:
        """`{"document": number, "amount": a}`; all that is due without an amount."""
        amount = _decimal(given["amount"]) if given.get("amount") is not None else None
        document = receive_payment(self.world, given["document"], amount)
        return {name: document[name] for name in ("CustomerNumber", "CustomerCurrencyAmountDue", "FullyPaid")}

    def return_payment(self, given: Given) -> Given:
        """`{"document": number, "amount": a}`: a cheque comes back from the bank."""
        document = return_payment(self.world, given["document"], _decimal(given["amount"]))
        return {name: document[name] for name in ("CustomerNumber", "CustomerCurrencyAmountDue", "FullyPaid")}

    def add_ar_batch(self, given: Given) -> Given:
        """`{"customer": number, "amount": a, "order": number, "description": text, "date": d}`.

        Makes an open batch of service invoices, an entry each; `{"entries": [...]}` takes several.
        """
        entries = []
        for one in given.get("entries") or [given]:
            entry = {
                "CustomerNumber": one["customer"],
                "OrderNumber": one.get("order", ""),
                "InvoiceDescription": one.get("description", "Services"),
                "DocumentType": one.get("type", "Invoice"),
                "InvoiceDetails": [{"DistributionCode": "SERVIC", "ExtendedAmountWithTIP": _decimal(one["amount"])}],
            }
            if one.get("date"):
                entry["DocumentDate"] = one["date"]
            entries.append(entry)
        return self._add_batch("ARInvoiceBatches", given, entries)

    def add_ap_batch(self, given: Given) -> Given:
        """`{"vendor": number, "amount": a, "document": number, "date": d}`, or `{"entries": [...]}` of these."""
        entries = []
        for one in given.get("entries") or [given]:
            document = one.get("document") or f"BILL{self.world.next_number('vendor bill'):06d}"
            entry = {
                "VendorNumber": one["vendor"],
                "DocumentNumber": document,
                "DocumentType": one.get("type", "Invoice"),
                "InvoiceDetails": [{"DistributionCode": "INV", "DistributedAmount": _decimal(one["amount"])}],
            }
            if one.get("date"):
                entry["DocumentDate"] = one["date"]
            entries.append(entry)
        return self._add_batch("APInvoiceBatches", given, entries)

    def post_ar_batch(self, given: Given) -> Given:
        """`{"batch": number}`."""
        return self._post_batch("ARInvoiceBatches", given["batch"])

    def post_ap_batch(self, given: Given) -> Given:
        """`{"batch": number}`."""
        return self._post_batch("APInvoiceBatches", given["batch"])

    def add_currency(self, given: Given) -> Given:
        """`{"code": c, "decimals": 0 to 3, "rate": r}`: a currency the company deals in, worth `rate` of its own."""
        code = str(given["code"]).upper()
        fields = {"CurrencyCodeKey": code, "Description": given.get("description", code)}
        fields["DecimalPlaces"] = f"Num{int(given['decimals'])}"
        create_master(self.world, "CSCurrencyCodes", self._payload("CSCurrencyCodes", fields))
        self.world.setup.exchange_rates[code] = _decimal(given.get("rate", 1))
        return {"code": code}

    def set_session_date(self, given: Given) -> Given:
        """`{"date": d}`, or null to follow the clock again."""
        self.world.session = date.fromisoformat(given["date"]) if given["date"] else None
        return {"session_date": self.world.session_date.isoformat()}

    def close_fiscal_period(self, given: Given) -> Given:
        """`{"year": y, "period": p, "closed": true}`."""
        period = int(given["year"]), int(given["period"])
        if given.get("closed", True):
            self.world.closed_periods.add(period)
        else:
            self.world.closed_periods.discard(period)
        return {"closed": sorted(list(one) for one in self.world.closed_periods)}

    def _payload(self, name: str, fields: Given) -> Row:
        return read_payload(self.world.table(name).entity, simplejson.dumps(fields, use_decimal=True).encode())

    def _row(self, name: str, *key: Any) -> Row:
        row = self.world.table(name).get(*key)
        if row is None:
            raise ValueError(f"{name} has no {key[0]}")
        return row

    def _order(self, number: str) -> Row:
        found = self.world.table("OEOrders").where(OrderNumber=number)
        if not found:
            raise ValueError(f"no order {number}")
        return found[0]

    def _renumber(self, name: str, key: str, number: str, new: str) -> Given:
        table, row = self.world.table(name), self._row(name, number)
        if (new.upper(),) in table:
            raise ValueError(f"{name} has {new} already")
        table.delete(table.key_of(row))
        table.put({**row, key: new.upper()})
        return {key: new.upper()}

    def _edit(self, name: str, number: str, fields: Given) -> Given:
        row = self._row(name, number)
        changed = update_master(self.world, name, row, self._payload(name, fields), purge=False)
        return {"DateLastMaintained": changed["DateLastMaintained"]}

    def _add_batch(self, name: str, given: Given, entries: list[Given]) -> Given:
        payload = self._payload(name, {"Description": given.get("description", "Entered"), "Invoices": entries})
        batch = create_batch(self.world, name, payload, CLERK)
        documents = [entry["DocumentNumber"] for entry in batch["Invoices"]]
        return {"BatchNumber": int(batch["BatchNumber"]), "DocumentNumbers": documents}

    def _post_batch(self, name: str, number: Any) -> Given:
        at = Decimal(str(number))
        batch = self._row(name, at)
        if batch["BatchStatus"] == "Open":
            update_batch(self.world, LEDGERS[name].batches, batch, {"BatchStatus": "ReadyToPost"}, CLERK)
        post_batches(self.world, name, {"PostBatchFrom": at, "PostBatchTo": at})
        posted = self._row(name, at)
        return {"BatchStatus": posted["BatchStatus"], "NumberOfErrors": int(posted["NumberOfErrors"])}


def _decimal(value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except ArithmeticError:
        raise ValueError(f"{value!r} is not a number") from None
