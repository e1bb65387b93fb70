"""What the public record of the Sage 300 Web API leaves open, and its settings, as named switches.

Where a behaviour is undecided, the default is the reading that is harder for a client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sagezoho_pipelines.sandbox.switches import fault, setting, undecided


@dataclass
class SageSwitches:
    """A test turns one by assigning to it, or through the control API."""

    page_size: int = setting(100, "Rows a page may hold (`PageSize` in the service's web.config).", 1000)
    top_overrides_page_size: bool = undecided(
        False,
        "Whether `$top` above the page size gets that many rows in one page.",
        True,
    )
    next_link_keeps_options: bool = undecided(
        False,
        "Whether `@odata.nextLink` carries the request's other options beside `$skip`.",
        True,
    )
    order_by: bool = undecided(False, "Whether `$orderby` on one property is honoured (refused otherwise).", True)
    legacy_literals: bool = undecided(
        False,
        "Whether `substringof`, `datetime'…'` and the decimal suffix `m` pass, as an old page still says.",
        True,
    )
    contains: bool = undecided(
        True,
        "Whether `contains` passes in a filter.",
        False,
        because="it is the word of the OData library that the Web API is built on",
    )
    unknown_options: Literal["refused", "ignored"] = undecided(
        "refused",
        "What becomes of `$search`, `$apply`, `$expand` and other query options that the Web API is not known to take.",
        "ignored",
        because="neither is harder: one answers nothing, the other something else than was asked for",
    )
    filter_words: Literal["of the pages", "of the library"] = undecided(
        "of the pages",
        "Whether a filter may also say what Sage's pages do not name and the OData library would take: `not`, "
        "conditions without a comparison, comparisons of two properties or two literals.",
        "of the library",
    )
    filter_on_calculated: bool = undecided(
        False,
        "Whether properties that are no table column can be filtered on.",
        True,
    )
    filter_node_limit: int = setting(
        100,
        "Nodes a filter expression may have: each operator, property and literal is one.",
        10000,
    )
    admin_allowed: bool = setting(False, "`AllowWebApiAccessForAdmin`: whether the user ADMIN gets in.", True)
    any_tenant: bool = undecided(False, "Whether the tenant in the URL may be something else than `-`.", True)
    user_any_case: bool = undecided(False, "Whether a user id in lower case is recognised.", True)
    password_any_case: bool = undecided(
        False,
        "Whether the case of a password counts for nothing, as in the classic sign-on.",
        True,
    )
    company_any_case: bool = undecided(False, "Whether the company in the URL may be written in lower case.", True)
    content_type_required: bool = setting(
        True,
        "Whether a request without `Content-Type: application/json` gets 500, GET included.",
        False,
    )
    hidden: tuple[str, ...] = setting(
        (),
        "Properties that this release does not have, as `APVendors.WebSite`: not described, not read, not taken.",
        ("APVendors.WebSite",),
    )
    query_length_max: int = setting(
        2048,
        "Characters of a query string that IIS lets through, as it is set up at first; a longer one gets its 404 page.",
        4096,
    )
    path_signs: Literal["as IIS", "any"] = setting(
        "as IIS",
        "Whether a path is refused for `< > * % & : \\ ? +` and a slash in a key, encoded or not, as IIS and ASP.NET "
        "are set up at first.",
        "any",
    )
    error_content_type: Literal["text/plain", "application/json"] = undecided(
        "text/plain",
        "What the body of a refusal is called, which is JSON under both: clients have met the one, the other follows.",
        "application/json",
    )
    parallel_requests_max: int = undecided(8, "Requests served at once; one more gets 429 TooManyRequests.", 16)
    padded: tuple[str, ...] = undecided(
        ("ShortName", "Terms", "TermsCode", "TermsCodeKey", "AccountSet", "OrderUnitOfMeasure"),
        "Text properties that come filled with blanks to their full width.",
        (),
    )
    amount_decimals: Literal["of the currency", "two"] = undecided(
        "of the currency",
        "Decimals that documents' amounts are rounded to: those of their currency (CSCurrencyCodes), or two in any.",
        "two",
    )
    held_customers: Literal["refused", "held"] = undecided(
        "refused",
        "An order for a customer on hold is refused, or accepted and put on hold itself.",
        "held",
    )
    ship_to: Literal["partial", "required"] = undecided(
        "required",
        "Ship-to addresses refused: those begun but not complete, or empty ones as well.",
        "partial",
    )
    batch_number_sent: Literal["ignored", "used"] = undecided(
        "ignored",
        "Whether a new batch takes the BatchNumber in the payload.",
        "used",
    )
    read_only_fields: Literal["refused", "ignored"] = undecided(
        "refused",
        "What happens to balances and maintenance dates in a payload.",
        "ignored",
    )
    posting_touches_maintained: bool = undecided(
        False,
        "Whether posting a document moves DateLastMaintained of its customer or vendor.",
        True,
    )
    posting_touches_edited: bool = undecided(False, "Whether posting a batch moves its DateLastEdited.", True)
    orders_editable: bool = undecided(False, "Whether OEOrders takes PATCH, PUT and DELETE.", True)
    terms_key: Literal["TermsCode", "TermsCodeKey"] = undecided(
        "TermsCode",
        "What the key property of ARTerms is called.",
        "TermsCodeKey",
        because="neither is harder: Sage's sample payloads have the one, its older metadata the other",
    )
    unrecorded_statuses: Literal["natural", "500"] = undecided(
        "natural",
        "HTTP status of refusals whose code alone is on record (all but 404, 409 and 500).",
        "500",
        because="the natural statuses are inferred with confidence; a client should go by the code under both",
    )
    location_header: bool = undecided(False, "Whether 201 comes with a Location header.", True)
    process_status: int = undecided(204, "Status of a successful `$process` call.", 200)
    broken: Literal["", "DBLinkError", "SessionError", "InternalServerError"] = fault(
        "",
        "The whole service answers every request with this installation error.",
        "DBLinkError",
        "SessionError",
        "InternalServerError",
    )

    @property
    def unseen(self) -> tuple[str, ...]:
        """Properties that are not there: the hidden ones, and those that are called something else."""
        other = "TermsCodeKey" if self.terms_key == "TermsCode" else "TermsCode"
        return (*self.hidden, f"ARTerms.{other}")
