"""Fields of campaigns, tasks and calls; see the package for how a line reads."""

from __future__ import annotations

MODULES: dict[str, str] = {
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
