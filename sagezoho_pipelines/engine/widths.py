"""How many characters Sage keeps of the texts that we write."""

from __future__ import annotations

from collections.abc import Mapping

_PARTY = {
    "ShortName": 10, "GroupCode": 6, "AddressLine1": 60, "AddressLine2": 60, "AddressLine3": 60, "AddressLine4": 60,
    "City": 30, "StateProvince": 30, "ZipPostalCode": 20, "Country": 30, "ContactName": 60, "PhoneNumber": 30,
    "FaxNumber": 30, "CurrencyCode": 3, "Terms": 6, "TaxGroup": 12, "ContactsEmail": 50, "Email": 50, "WebSite": 100,
    "ContactsPhone": 30, "ContactsFax": 30,
}  # fmt: skip
#: Characters that a text column of Sage holds, as its Web API declares them.
WIDTHS: Mapping[str, Mapping[str, int]] = {
    "AR/ARCustomers": {**_PARTY, "CustomerNumber": 12, "CustomerName": 60},
    "AP/APVendors": {**_PARTY, "VendorNumber": 12, "VendorName": 60},
    "OE/OEOrders": {
        "CustomerNumber": 12, "ShipToName": 60, "ShipToAddressLine1": 60, "ShipToAddressLine2": 60,
        "ShipToAddressLine3": 60, "ShipToAddressLine4": 60, "ShipToCity": 30, "ShipToStateProvince": 30,
        "ShipToZipPostalCode": 20, "ShipToCountry": 30, "ShipToPhoneNumber": 30, "PurchaseOrderNumber": 22,
        "OrderReference": 60, "OrderDescription": 60, "OrderDetails.Item": 24, "OrderDetails.Description": 60,
        "OrderDetails.MiscellaneousChargesCode": 6, "OrderDetails.Location": 6,
    },
}  # fmt: skip
