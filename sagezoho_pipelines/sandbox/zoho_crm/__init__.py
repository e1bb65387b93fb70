"""A strict simulator of Zoho CRM v8 and Zoho's OAuth server: one organisation, seeded from a number."""
