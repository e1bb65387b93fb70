"""Fields of deals, products and the documents of sales and purchases; see the package for how a line reads."""

from __future__ import annotations

MODULES: dict[str, str] = {
    "Deals": """
Deal_Name text 120 mandatory
Stage picklist 120 mandatory pick=stage
Amount currency 16
Closing_Date date 20
Account_Name lookup 120 ->Accounts
Contact_Name lookup 120 ->Contacts
Type picklist 120 pick=deal_type
Probability integer 9
Expected_Revenue currency 16 ro
Lead_Source picklist 120 pick=lead_source
Next_Step text 100
Pipeline picklist 120 pick=pipeline
Reason_For_Loss__s picklist 120 pick=loss label=Reason_For_Loss
Currency picklist 120 pick=currency
Exchange_Rate double 16
Stage_Modified_Time datetime 120 ro
Overall_Sales_Duration integer 9 ro
Sales_Cycle_Duration integer 9 ro
Campaign_Source lookup 120 ->Campaigns
Lead_Conversion_Time integer 9 ro
Territory territories 0 ro
Change_Log_Time__s datetime 120 ro label=Change_Log_Time
Description textarea 32000
Deal_Items subform 0 :Deal_Items custom
""",
    "Products": """
Product_Name text 200 mandatory
Product_Code text 40
Vendor_Name lookup 120 ->Vendors
Product_Active boolean 5
Manufacturer picklist 120 pick=none
Product_Category picklist 120 pick=product_category
Unit_Price currency 16
Commission_Rate currency 16
Taxable boolean 5
Usage_Unit picklist 120 pick=unit
Qty_Ordered double 16 ro
Qty_in_Stock double 16
Qty_in_Demand double 16
Reorder_Level double 16
Sales_Start_Date date 20
Sales_End_Date date 20
Support_Start_Date date 20
Support_Expiry_Date date 20
Description textarea 32000
Handler ownerlookup 120
Tax multiselectpicklist 2000 pick=none
Record_Image profileimage 255 ro
""",
    "Quotes": """
Subject text 120 mandatory
Quote_Number autonumber 120 ro
Quote_Stage picklist 120 pick=quote_stage
Deal_Name lookup 120 ->Deals
Valid_Till date 20
Carrier picklist 120 pick=carrier
Team text 50
{document}
Quoted_Items subform 0 :Quoted_Items mandatory
""",
    "Sales_Orders": """
Subject text 120 mandatory
SO_Number autonumber 120 ro
Customer_No text 30
Deal_Name lookup 120 ->Deals
Quote_Name lookup 120 ->Quotes
Purchase_Order text 50
Due_Date date 20
Pending text 50
Carrier picklist 120 pick=carrier
Status picklist 120 pick=order_status
Sales_Commission currency 16
Excise_Duty currency 16
{document}
Ordered_Items subform 0 :Ordered_Items mandatory
""",
    "Purchase_Orders": """
Subject text 120 mandatory
PO_Number text 50
Vendor_Name lookup 120 ->Vendors mandatory
Requisition_No text 50
Tracking_Number text 50
PO_Date date 20
Due_Date date 20
Carrier picklist 120 pick=carrier
Status picklist 120 pick=order_status
Sales_Commission currency 16
Excise_Duty currency 16
{document}
Purchase_Items subform 0 :Purchase_Items mandatory
""",
    "Invoices": """
Subject text 120 mandatory
Invoice_Number autonumber 120 ro
Invoice_Date date 20
Due_Date date 20
Status picklist 120 pick=invoice_status
Sales_Order lookup 120 ->Sales_Orders
Purchase_Order text 50
Deal_Name__s lookup 120 ->Deals label=Deal_Name
Sales_Commission currency 16
Excise_Duty currency 16
{document}
Invoiced_Items subform 0 :Invoiced_Items mandatory
""",
    "Price_Books": """
Price_Book_Name text 120 mandatory
Active boolean 5
Pricing_Model picklist 120 pick=pricing
Pricing_Details ranges 0 mandatory
Description textarea 32000
""",
}
