"""Fields of the modules of people and companies; see the package for how a line reads."""

from __future__ import annotations

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
}
