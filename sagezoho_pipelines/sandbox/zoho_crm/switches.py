"""What Zoho leaves open, as named switches, and the limits that hang on the edition.

Where the public record is silent or contradicts itself, the default is the reading that is harder for a client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sagezoho_pipelines.sandbox.switches import fault, setting, undecided


@dataclass
class ZohoSwitches:
    """Every undecided behaviour of the simulated organisation; a test turns one by assigning to it."""

    coql_limit_max: int = undecided(
        200,
        "Rows one COQL call may ask for (200 in the error list, 2000 in the overview).",
        2000,
    )
    coql_offset_total: int = undecided(10_000, "Rows reachable through offset (10 000 or 100 000).", 100000)
    coql_columns_max: int = undecided(50, "Columns in a select list (50 or 500).", 500)
    coql_in_max: int = undecided(50, "Values in an `in` list (50 or 100).", 100)
    search_lag_seconds: int = undecided(60, "How long a write stays invisible to search.", 0)
    count_stale_seconds: int = undecided(60, "How long actions/count repeats its last answer.", 0)
    empty_trigger_mutes_notifications: bool = undecided(False, "Whether `trigger: []` keeps channels silent.", True)
    unchanged_update_moves_modified_time: bool = undecided(
        True,
        "Whether an update that changes nothing still touches Modified_Time.",
        False,
    )
    computed_fields: Literal["rejected", "ignored"] = undecided(
        "rejected",
        "What happens to a Grand_Total, a Sub_Total or a line total that a client sends.",
        "ignored",
    )
    account_mandatory_on_documents: bool = undecided(
        True,
        "Whether quotes, sales orders and invoices insist on Account_Name.",
        False,
    )
    numeric_strings: bool = undecided(False, 'Whether "12.5" passes for a number.', True)
    currency_decimals: Literal["of the field", "as sent"] = undecided(
        "of the field", "Decimals that a currency value keeps: those of its field, or all.", "as sent"
    )
    double_decimals: Literal["of the field", "as sent"] = undecided(
        "of the field",
        "Decimals that a decimal value keeps: those of its field, two if it was made with none, or all.",
        "as sent",
    )
    trims_text: bool = undecided(True, "Whether blanks around a text are cut.", False)
    subform_rows_max: int = undecided(100, "Rows in one subform (100 or 200).", 200)
    if_modified_since_inclusive: bool = undecided(
        True,
        "Whether a row changed in exactly that second is listed again.",
        False,
        because="neither is harder: one repeats rows, the other leaves them out; peers have seen the first",
    )
    page_token_pins_rows: bool = undecided(
        False,
        "Whether the pages of a page_token show the rows as they stood when it was issued, or shift under changes.",
        True,
    )
    failed_rows_status: Literal["by rows", "ok"] = undecided(
        "by rows",
        "Status of a write with refused rows: 207, or 400 when all are; or the status of success, as older pages say.",
        "ok",
        because="seen in production as it stands; only older pages have the other",
    )
    oauth_error_status: int = undecided(
        200,
        "Status of a token request that is refused (200 or 400); a body with `error` it is under both.",
        400,
    )
    oauth_throttle_status: int = undecided(
        400,
        "Status of the eleventh token request within ten minutes (400, or 200 in older notes).",
        200,
        because="seen in recent logs as it stands; only an older post has the other",
    )
    scope_mismatch_status: Literal[401, 403] = undecided(
        401, "Status where the token lacks a scope; as 401 it looks like a token that has expired.", 403
    )
    code_spellings: Literal["of the pages", "of the OpenAPI file"] = undecided(
        "of the pages",
        "A wrong verb is INVALID_REQUEST_METHOD (400) or METHOD_NOT_ALLOWED (405), a throttled channel call "
        "TOO_MANY_REQUESTS or RATE_LIMIT_EXCEEDED.",
        "of the OpenAPI file",
        because="neither is harder: a client has to know both names",
    )
    dead_token_code: Literal["INVALID_TOKEN", "INVALID_OAUTHTOKEN"] = undecided(
        "INVALID_TOKEN",
        "What a token that is expired, revoked or evicted is called: as recorded on the wire, or as the page says.",
        "INVALID_OAUTHTOKEN",
        because="neither is harder, and the first has been seen",
    )
    retry_after_seconds: int | None = undecided(None, "What Retry-After says in a 429; None leaves it out.", 60)
    malformed_id: Literal["INVALID_URL_PATTERN", "INVALID_DATA"] = undecided(
        "INVALID_URL_PATTERN",
        "How a record id that is no number is refused in a URL: as an unknown address (404), or as bad data (400).",
        "INVALID_DATA",
    )
    failed_watch_status: Literal["by rows", "accepted"] = undecided(
        "by rows",
        "Status of a subscription with refused rows: 207, or 400 when all are; or 202 whatever is refused.",
        "accepted",
        because="the pages say so; only an older OpenAPI file has the other",
    )
    search_credits: int = undecided(3, "Credits that a search costs (3 or 1).", 1)
    refresh_tokens_per_window: int = undecided(10, "Refresh tokens a client gets within ten minutes (10 or 20).", 20)
    refresh_tokens_max: int = undecided(
        10,
        "Refresh tokens of one user and client (10 or 20); one more ends the oldest with its access tokens.",
        20,
    )
    notify_url_probed: bool = undecided(
        True,
        "Whether a subscription is refused when nothing that can be trusted answers at its notify_url.",
        False,
    )
    notify_url_probe: Literal["2xx", "any"] = undecided(
        "2xx", "What a probed address must answer to a GET: a status of 2xx, or any below 500.", "any"
    )
    notify_url_https_only: bool = undecided(True, "Whether notify_url must be https.", False)
    notify_url_ports: Literal["usual", "any"] = undecided(
        "usual",
        "Whether notify_url may name a port other than 443 (80, where http is taken).",
        "any",
    )
    channel_token_max: int = undecided(
        50,
        "Characters of a channel's token (50 in the pages, 256 in the OpenAPI file).",
        256,
    )
    wrong_data_center: bool = fault(
        False,
        "This host is not the organisation's: unknown client for OAuth, invalid token for the API.",
        True,
    )
    api_domain: str | None = fault(
        None,
        "What the token answer calls api_domain; None means the sandbox's own base.",
        "https://www.zohoapis.com",
    )
    bearer_accepted: bool = undecided(
        True,
        "Whether `Bearer` is taken beside `Zoho-oauthtoken`.",
        False,
        because="clients that send it are known to work; whether Zoho promises it is open",
    )
    custom_fields_max: int | None = setting(
        None,
        "Custom fields a module may hold; None takes the edition's number.",
        5,
    )
    unique_fields_max: int | None = setting(
        None,
        "Unique custom fields a module may hold; None takes the edition's number.",
        1,
    )
    unsupported_inventory: Literal["absent", "listed"] = undecided(
        "absent",
        "Below Professional: inventory modules missing from settings/modules, or listed as not api_supported.",
        "listed",
    )
    products_need_professional: bool = undecided(
        True,
        "Whether Products goes with the inventory modules, or stays in every edition.",
        False,
    )
    callback_retries: int = undecided(0, "How often a callback that was not answered 2xx is sent again.", 2)
    callback_timeout_seconds: float = undecided(
        5.0,
        "Real seconds until a callback that is not answered counts as failed.",
        30.0,
    )
    channel_ends_after_failures: int = undecided(
        20,
        "Callbacks in a row that fail before their channel is forgotten; 0 for never.",
        0,
    )
    callback_duplicate_rate: float = undecided(0.1, "Share of callbacks that come more than once.", 0.0)
    callback_copies: int = fault(1, "How often a callback that is doubled comes again.", 4)
    callback_drop_rate: float = fault(
        0.0,
        "Share of callbacks that are lost although the subscriber would have answered.",
        1.0,
    )
    callback_reorder_rate: float = undecided(0.1, "Share of callbacks held back until the next one has gone out.", 0.0)
    callback_delay_seconds: float = fault(0.0, "Real seconds between the change and its callback.", 0.05)
    callback_merges_rows: bool = undecided(
        True,
        "Whether the rows of one write arrive in one callback (`ids` with several entries).",
        False,
    )


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
