"""What the picklists of a new Zoho CRM organisation offer."""

from __future__ import annotations

PICKLISTS: dict[str, str] = {
    "none": "",
    "record_status": "Available|Draft|Trash",
    "currency": "USD|CAD|EUR",
    "account_type": "Analyst|Competitor|Customer|Distributor|Integrator|Investor|Other|Partner|Press"
    "|Prospect|Reseller|Supplier|Vendor",
    "industry": "Communications|Government/Military|Manufacturing|Optical Networking|Storage Equipment"
    "|Technology|Wholesale",
    "ownership": "Other|Private|Public|Subsidiary|Partnership|Government",
    "rating": "Acquired|Active|Market Failed|Project Cancelled|Shut Down",
    "lead_source": "Advertisement|Cold Call|Employee Referral|External Referral|Online Store|Partner"
    "|Public Relations|Trade Show|Web Download",
    "lead_status": "Attempted to Contact|Contact in Future|Contacted|Junk Lead|Lost Lead|Not Contacted",
    "salutation": "Mr.|Mrs.|Ms.|Dr.|Prof.",
    "gl_account": "Sales-Software|Sales-Hardware|Rental Income|Interest Income",
    "deal_type": "Existing Business|New Business",
    "pipeline": "Standard (Standard)",
    "loss": "Expectation Mismatch|Price|Unqualified Customer|Lack of response|Missed Follow Ups"
    "|Wrong Target|Competition|Future Interest|Other",
    "product_category": "Hardware|Software|CRM Applications",
    "unit": "Box|Carton|Dozen|Each|Hours|Impressions|Lb|M|Pack|Pages|Pieces|Quantity|Reams|Sheet|Spiral Binder|Sq Ft",
    "quote_stage": "Draft|Negotiation|Delivered|On Hold|Confirmed|Closed Won|Closed Lost",
    "carrier": "FedEX|UPS|USPS|DHL|BlueDart",
    "order_status": "Created|Approved|Delivered|Cancelled",
    "invoice_status": "Created|Approved|Delivered|Cancelled",
    "call_type": "Inbound|Outbound|Missed",
    "pricing": "Flat|Differential",
}

STAGES: tuple[tuple[str, str, int, str], ...] = (
    ("Qualification", "Qualification", 10, "Open"),
    ("Needs Analysis", "Needs Analysis", 20, "Open"),
    ("Value Proposition", "Value Proposition", 40, "Open"),
    ("Identify Decision Makers", "Id. Decision Makers", 60, "Open"),
    ("Proposal/Price Quote", "Proposal/Price Quote", 75, "Open"),
    ("Negotiation/Review", "Negotiation/Review", 90, "Open"),
    ("Closed Won", "Closed Won", 100, "Closed Won"),
    ("Closed Lost", "Closed Lost", 0, "Closed Lost"),
    ("Closed Lost to Competition", "Closed Lost to Competition", 0, "Closed Lost"),
)
"""Deals.Stage: what people see, what the API stores, probability and forecast type."""
