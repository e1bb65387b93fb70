"""What Zoho leaves open, as named switches, and the limits that hang on the edition.

Where the public record is silent or contradicts itself, the default is the reading that is harder for a client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass
class ZohoSwitches:
    """Every undecided behaviour of the simulated organisation; a test turns one by assigning to it."""

    coql_limit_max: int = 200
    """Rows one COQL call may ask for (200 in the error list, 2000 in the overview)."""
    coql_offset_total: int = 10_000
    """Rows reachable through offset (10 000 or 100 000)."""
    coql_columns_max: int = 50
    """Columns in a select list (50 or 500)."""
    coql_in_max: int = 50
    """Values in an `in` list (50 or 100)."""
    search_lag_seconds: int = 60
    """How long a write stays invisible to search."""
    count_stale_seconds: int = 60
    """How long actions/count repeats its last answer."""
    empty_trigger_mutes_notifications: bool = False
    """Whether `trigger: []` keeps channels silent."""
    unchanged_update_moves_modified_time: bool = True
    """Whether an update that changes nothing still touches Modified_Time."""
    computed_fields: Literal["rejected", "ignored"] = "rejected"
    """What happens to a Grand_Total, a Sub_Total or a line total that a client sends."""
    account_mandatory_on_documents: bool = True
    """Whether quotes, sales orders and invoices insist on Account_Name."""
    code_spellings: Literal["of the pages", "of the OpenAPI file"] = "of the pages"
    """A wrong verb is INVALID_REQUEST_METHOD (400) or METHOD_NOT_ALLOWED (405), a throttled channel call
    TOO_MANY_REQUESTS or RATE_LIMIT_EXCEEDED."""
    dead_token_code: Literal["INVALID_TOKEN", "INVALID_OAUTHTOKEN"] = "INVALID_TOKEN"
    """What a token that is expired, revoked or evicted is called: as recorded on the wire, or as the page says."""
    numeric_strings: bool = False
    """Whether "12.5" passes for a number."""
    currency_decimals: int | None = 2
    """Places a currency value is rounded to; None keeps it as sent."""
    trims_text: bool = True
    """Whether blanks around a text are cut."""
    subform_rows_max: int = 100
    """Rows in one subform (100 or 200)."""
    if_modified_since_inclusive: bool = True
    """Whether a row changed in exactly that second is listed again."""
    page_token_pins_rows: bool = False
    """Whether the pages of a page_token show the rows as they stood when it was issued, or shift under changes."""
    failed_rows_status: Literal["by rows", "ok"] = "by rows"
    """Status of a write with refused rows: 207, or 400 when all are; or the status of success, as older pages say."""
    oauth_error_status: int = 200
    """Status of a token request that is refused (200 or 400); a body with `error` it is under both."""
    oauth_throttle_status: int = 400
    """Status of the eleventh token request within ten minutes (400, or 200 in older notes)."""
    refresh_tokens_max: int = 10
    """Refresh tokens of one user and client (10 or 20); one more ends the oldest with its access tokens."""
    notify_url_probed: bool = True
    """Whether a subscription is refused when nothing that can be trusted answers at its notify_url."""
    notify_url_https_only: bool = True
    """Whether notify_url must be https."""
    notify_url_ports: Literal["usual", "any"] = "usual"
    """Whether notify_url may name a port other than 443 (80, where http is taken)."""
    channel_token_max: int = 50
    """Characters of a channel's token (50 in the pages, 256 in the OpenAPI file)."""
    wrong_data_center: bool = False
    """This host is not the organisation's: unknown client for OAuth, invalid token for the API."""
    api_domain: str | None = None
    """What the token answer calls api_domain; None means the sandbox's own base."""
    bearer_accepted: bool = True
    """Whether `Bearer` is taken beside `Zoho-oauthtoken`."""
    custom_fields_max: int | None = None
    """Custom fields a module may hold; None takes the edition's number."""
    unique_fields_max: int | None = None
    """Unique custom fields a module may hold; None takes the edition's number."""
    unsupported_inventory: Literal["absent", "listed"] = "absent"
    """Below Professional: inventory modules missing from settings/modules, or listed as not api_supported."""
    products_need_professional: bool = True
    """Whether Products goes with the inventory modules, or stays in every edition."""
    callback_retries: int = 0
    """How often a callback that was not answered 2xx is sent again."""
    callback_timeout_seconds: float = 5.0
    """Real seconds until a callback that is not answered counts as failed."""
    channel_ends_after_failures: int = 20
    """Callbacks in a row that fail before their channel is forgotten; 0 for never."""
    callback_duplicate_rate: float = 0.1
    """Share of callbacks that come more than once."""
    callback_copies: int = 1
    """How often a callback that is doubled comes again."""
    callback_drop_rate: float = 0.0
    """Share of callbacks that are lost although the subscriber would have answered."""
    callback_reorder_rate: float = 0.1
    """Share of callbacks held back until the next one has gone out."""
    callback_delay_seconds: float = 0.0
    """Real seconds between the change and its callback."""
    callback_merges_rows: bool = True
    """Whether the rows of one write arrive in one callback (`ids` with several entries)."""


@dataclass(frozen=True)
class Edition:
    """What a Zoho CRM subscription allows."""

    name: str
    credits_base: int
    credits_per_user: int
    credits_cap: int | None
    concurrency: int
    inventory: bool
    custom_fields: int
    unique_fields: int

    def credits(self, users: int) -> int:
        allowed = self.credits_base + self.credits_per_user * users
        return allowed if self.credits_cap is None else min(allowed, self.credits_cap)


EDITIONS: dict[str, Edition] = {
    edition.name: edition
    for edition in (
        Edition("free", 5_000, 0, None, 5, False, 10, 1),
        Edition("standard", 50_000, 250, 100_000, 10, False, 10, 2),
        Edition("professional", 50_000, 500, 3_000_000, 15, True, 155, 2),
        Edition("enterprise", 50_000, 1_000, 5_000_000, 20, True, 300, 10),
        Edition("ultimate", 50_000, 2_000, None, 25, True, 500, 25),
    )
}

HEAVY_CONCURRENCY = 10
"""Calls in flight of the heavy kind (COQL, search, sorted lists, writes of more than ten rows), any edition."""
