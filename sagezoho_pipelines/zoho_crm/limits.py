"""Zoho CRM's limits and prices: every number the client obeys stands here once.

Where Zoho's own pages contradict one another the smaller number is used, which is right under both.
"""

from __future__ import annotations

API_VERSION = "v8"

ROWS_PER_WRITE = 100
ROWS_PER_HEAVY_WRITE = 10  # a write of more rows counts against the heavy-call concurrency
HEAVY_CONCURRENCY = 10  # on every edition: COQL, search, larger writes
IDS_PER_GET = 100
FIELDS_PER_GET = 50
DELETED_PER_PAGE = 200
FIELDS_PER_CREATE = 5
CHANNELS_PER_PAGE = 200

COQL_ROWS = 200  # 2000 is also documented
COQL_COLUMNS = 50  # 500 is also documented
COQL_IN_VALUES = 50  # 100 is also documented
COQL_CRITERIA = 25

TOKEN_SECONDS = 3600
TOKEN_EARLY_SECONDS = 300
TOKEN_THROTTLE_SECONDS = 60  # least wait after "Access Denied"; ten tokens in ten minutes are allowed
TOKEN_THROTTLE_MAX_SECONDS = 600

# Available from the Professional edition on; below it they answer INVALID_MODULE. Whether Products is among them is not
# said: where it answers so, it is.
INVENTORY_MODULES = frozenset({"Quotes", "Sales_Orders", "Purchase_Orders", "Invoices", "Price_Books", "Products"})

CREDIT = 1
CREDITS_HEADER = "X-API-CREDITS-REMAINING"  # sent only once half of the allowance is used


def write_credits(rows: int) -> int:
    """Insert, update and upsert: one credit for every started ten rows."""
    return max(1, -(-rows // 10))


def coql_credits(limit: int) -> int:
    """By the LIMIT asked for: 1 up to 200 rows, 2 up to 1000, 3 up to 2000."""
    return 1 if limit <= 200 else 2 if limit <= 1000 else 3


def is_heavy_write(rows: int) -> bool:
    return rows > ROWS_PER_HEAVY_WRITE
