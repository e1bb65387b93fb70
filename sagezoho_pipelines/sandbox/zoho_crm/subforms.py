"""The line items of the standard modules, and one subform that people added to Deals; in the notation of fields.py."""

from __future__ import annotations

LINE = """
Product_Name lookup 120 ->Products mandatory
Quantity double 16 mandatory
List_Price currency 16
Total formula 16 ro
Discount currency 16
Total_After_Discount formula 16 ro
Tax currency 16 ro
Net_Total formula 16 ro
Line_Tax taxes 0
Description textarea 32000
Price_Book_Name lookup 120 ->Price_Books
Sequence_Number integer 9 ro
Parent_Id lookup 120 ->{parent} ro
Created_Time datetime 120 ro
Modified_Time datetime 120 ro
"""

SUBFORMS: dict[str, tuple[str, str]] = {
    "Quoted_Items": ("Quotes", LINE),
    "Ordered_Items": ("Sales_Orders", LINE),
    "Purchase_Items": ("Purchase_Orders", LINE),
    "Invoiced_Items": ("Invoices", LINE),
    "Deal_Items": (
        "Deals",
        """
Product lookup 120 ->Products custom
Quantity double 16 custom
Rate currency 16 custom
Discount percent 5 custom
Notes text 255 custom
Parent_Id lookup 120 ->Deals ro
Created_Time datetime 120 ro
Modified_Time datetime 120 ro
""",
    ),
}
