"""The standard modules and fields of a Zoho CRM organisation, one line per field.

A line reads `Api_Name type length options`; options are `mandatory`, `ro` (Zoho computes or owns it),
`->Module` (what a lookup points to), `:Module` (the rows a subform holds), `pick=NAME` (a list of picklists.py) and
`label=Words_with_underscores` where the label is not the API name with blanks.
"""

from __future__ import annotations

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

MODULES: dict[str, str] = {
    "Leads": """
Company text 200
First_Name text 40
Last_Name text 80 mandatory
Full_Name text 120 ro
Designation text 100
Email email 100
Secondary_Email email 100
Phone phone 30
Mobile phone 30
Fax text 30
Website website 255
Lead_Source picklist 120 pick=lead_source
Lead_Status picklist 120 pick=lead_status
Industry picklist 120 pick=industry
No_of_Employees integer 9
Annual_Revenue currency 16
Rating picklist 120 pick=rating
Street text 250
City text 100
State text 100
Zip_Code text 30
Country text 100
Description textarea 32000
Salutation picklist 120 pick=salutation
Currency picklist 120 pick=currency
Exchange_Rate double 16
Email_Opt_Out boolean 5
Converted__s boolean 5 ro label=Is_Converted
Converted_Account lookup 120 ->Accounts ro
Converted_Contact lookup 120 ->Contacts ro
Converted_Deal lookup 120 ->Deals ro
Converted_Date_Time datetime 120 ro
Lead_Conversion_Time integer 9 ro
Layout layout 120 ro
Record_Image profileimage 255 ro
Territories territories 0 ro
Change_Log_Time__s datetime 120 ro label=Change_Log_Time
Enrich_Status__s picklist 120 ro pick=none label=Enrich_Status
Last_Enriched_Time__s datetime 120 ro label=Last_Enriched_Time
Skype_ID text 50
Twitter text 50
Data_Source picklist 120 ro pick=none
Data_Processing_Basis picklist 120 ro pick=none
Data_Processing_Basis_Details consent_lookup 120 ro
Days_Visited integer 9 ro
Average_Time_Spent_Minutes double 16 ro
Number_Of_Chats integer 9 ro
Visitor_Score bigint 18 ro
Referrer website 255 ro
First_Visited_URL website 255 ro
First_Visited_Time datetime 120 ro
Last_Visited_Time datetime 120 ro
Unsubscribed_Mode picklist 120 ro pick=none
Unsubscribed_Time datetime 120 ro
""",
    "Accounts": """
Account_Name text 200 mandatory
Account_Number bigint 18
Account_Site text 80
Account_Type picklist 120 pick=account_type
Parent_Account lookup 120 ->Accounts
Phone phone 30
Fax text 30
Website website 255
Industry picklist 120 pick=industry
Ownership picklist 120 pick=ownership
Rating picklist 120 pick=rating
Employees integer 9
Annual_Revenue currency 16
SIC_Code integer 9
Ticker_Symbol text 30
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
Record_Image profileimage 255 ro
Territories territories 0 ro
Change_Log_Time__s datetime 120 ro label=Change_Log_Time
Enrich_Status__s picklist 120 ro pick=none label=Enrich_Status
Last_Enriched_Time__s datetime 120 ro label=Last_Enriched_Time
""",
    "Contacts": """
First_Name text 40
Last_Name text 80 mandatory
Full_Name text 120 ro
Salutation picklist 120 pick=salutation
Email email 100
Secondary_Email email 100
Phone phone 30
Mobile phone 30
Home_Phone phone 30
Other_Phone phone 30
Asst_Phone phone 30
Assistant text 50
Fax text 30
Title text 100
Department text 30
Account_Name lookup 120 ->Accounts
Vendor_Name lookup 120 ->Vendors
Reporting_To lookup 120 ->Contacts
Lead_Source picklist 120 pick=lead_source
Mailing_Street text 250
Mailing_City text 100
Mailing_State text 100
Mailing_Zip text 30
Mailing_Country text 100
Other_Street text 250
Other_City text 100
Other_State text 100
Other_Zip text 30
Other_Country text 100
Date_of_Birth date 20
Email_Opt_Out boolean 5
Description textarea 32000
Reports_To text 255 ro
Record_Image profileimage 255 ro
Territories territories 0 ro
Change_Log_Time__s datetime 120 ro label=Change_Log_Time
Enrich_Status__s picklist 120 ro pick=none label=Enrich_Status
Last_Enriched_Time__s datetime 120 ro label=Last_Enriched_Time
Skype_ID text 50
Twitter text 50
Data_Source picklist 120 ro pick=none
Data_Processing_Basis picklist 120 ro pick=none
Data_Processing_Basis_Details consent_lookup 120 ro
Days_Visited integer 9 ro
Average_Time_Spent_Minutes double 16 ro
Number_Of_Chats integer 9 ro
Visitor_Score bigint 18 ro
Referrer website 255 ro
First_Visited_URL website 255 ro
First_Visited_Time datetime 120 ro
Last_Visited_Time datetime 120 ro
Unsubscribed_Mode picklist 120 ro pick=none
Unsubscribed_Time datetime 120 ro
""",
    "Vendors": """
Vendor_Name text 120 mandatory
Email email 100
Phone phone 30
Website website 255
Category text 100
GL_Account picklist 120 pick=gl_account
Street text 250
City text 100
State text 100
Zip_Code text 30
Country text 100
Email_Opt_Out boolean 5
Description textarea 32000
Record_Image profileimage 255 ro
Unsubscribed_Mode picklist 120 ro pick=none
Unsubscribed_Time datetime 120 ro
""",
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
    "Campaigns": """
Campaign_Name text 200 mandatory
Type picklist 120 pick=none
Status picklist 120 pick=none
Start_Date date 20
End_Date date 20
Budgeted_Cost currency 16
Actual_Cost currency 16
Description textarea 32000
Currency picklist 120 pick=currency
Exchange_Rate double 16
Expected_Revenue currency 16
Expected_Response bigint 18
Num_sent bigint 18
Parent_Campaign lookup 120 ->Campaigns
""",
    "Tasks": """
Subject text 255 mandatory
Due_Date date 20
Status picklist 120 pick=none
Priority picklist 120 pick=none
Description textarea 32000
Who_Id lookup 120 ->Contacts label=Contact_Name
What_Id lookup 120 ->Accounts label=Related_To
Closed_Time datetime 120 ro
Remind_At ALARM 120 ro
Recurring_Activity RRULE 120 ro
Send_Notification_Email boolean 5
""",
    "Calls": """
Subject text 255 mandatory
Call_Type picklist 120 mandatory pick=call_type
Call_Start_Time datetime 120 mandatory
Call_Duration text 120 mandatory
Call_Duration_in_seconds integer 9 ro
Call_Purpose picklist 120 pick=none
Call_Result text 120
Call_Agenda text 255
Outgoing_Call_Status picklist 120 pick=none
Scheduled_In_CRM picklist 120 pick=none
Reminder picklist 120 pick=none
CTI_Entry boolean 5 ro
Caller_ID text 120 ro
Dialled_Number text 120 ro
Voice_Recording__s text 255 ro
Description textarea 32000
Who_Id lookup 120 ->Contacts label=Contact_Name
What_Id lookup 120 ->Accounts label=Related_To
""",
}

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
