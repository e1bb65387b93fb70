"""The standard modules and fields of a Zoho CRM organisation, one line per field.

A line reads `Api_Name type length options`; options are `mandatory`, `ro` (Zoho computes or owns it),
`->Module` (what a lookup points to), `:Module` (the rows a subform holds), `pick=NAME` (a list of picklists.py) and
`label=Words_with_underscores` where the label is not the API name with blanks.
"""

from __future__ import annotations

from sagezoho_pipelines.sandbox.zoho_crm.fields import activities, parties, trade

SYSTEM = """
Owner ownerlookup 120
Created_By ownerlookup 120 ro
Modified_By ownerlookup 120 ro
Created_Time datetime 120 ro
Modified_Time datetime 120 ro
Last_Activity_Time datetime 120 ro
Tag tags 2000 ro
Locked__s boolean 5 ro label=Locked
Record_Status__s picklist 120 ro pick=record_status label=Record_Status
"""

DOCUMENT = """
Account_Name lookup 120 ->Accounts mandatory
Contact_Name lookup 120 ->Contacts
Currency picklist 120 pick=currency
Exchange_Rate double 16
Billing_Street text 250
Billing_City text 100
Billing_State text 100
Billing_Code text 30
Billing_Country text 100
Shipping_Street text 250
Shipping_City text 100
Shipping_State text 100
Shipping_Code text 30
Shipping_Country text 100
Description textarea 32000
Terms_and_Conditions textarea 32000
Sub_Total formula 16 ro
Discount currency 16
Tax currency 16 ro
Adjustment currency 16
Grand_Total formula 16 ro
"""

MODULES: dict[str, str] = parties.MODULES | trade.MODULES | activities.MODULES
"""The lines of every module, in the order in which an organisation lists them."""

INVENTORY = frozenset({"Quotes", "Sales_Orders", "Purchase_Orders", "Invoices", "Price_Books"})
"""Modules of the Professional edition and above."""

NAME_FIELD: dict[str, str] = {
    "Leads": "Full_Name",
    "Accounts": "Account_Name",
    "Contacts": "Full_Name",
    "Vendors": "Vendor_Name",
    "Deals": "Deal_Name",
    "Products": "Product_Name",
    "Price_Books": "Price_Book_Name",
    "Campaigns": "Campaign_Name",
}
"""The field shown as a record's name; Subject where a module is not listed."""

DUPLICATE_FIELD: dict[str, str | None] = {
    "Leads": "Email",
    "Contacts": "Email",
    "Accounts": "Account_Name",
    "Vendors": "Vendor_Name",
    "Deals": "Deal_Name",
    "Products": "Product_Name",
    "Price_Books": "Price_Book_Name",
    "Campaigns": "Campaign_Name",
    "Tasks": None,
    "Calls": None,
}
"""The system's own duplicate check of an upsert; Subject where a module is not listed."""
