"""What the public record of the Sage 300 Web API leaves open, and its settings, as named switches.

Where a behaviour is undecided, the default is the reading that is harder for a client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass
class SageSwitches:
    """A test turns one by assigning to it, or through the control API."""

    page_size: int = 100
    """Rows a page may hold (`PageSize` in the service's web.config)."""
    top_overrides_page_size: bool = False
    """Whether `$top` above the page size gets that many rows in one page."""
    next_link_keeps_options: bool = False
    """Whether `@odata.nextLink` carries the request's other options beside `$skip`."""
    order_by: bool = False
    """Whether `$orderby` on one property is honoured (refused otherwise)."""
    legacy_literals: bool = False
    """Whether `substringof`, `datetime'…'` and the decimal suffix `m` pass, as an old page still says."""
    filter_on_calculated: bool = False
    """Whether properties that are no table column can be filtered on."""
    filter_node_limit: int = 100
    """Nodes a filter expression may have: each operator, property and literal is one."""
    admin_allowed: bool = False
    """`AllowWebApiAccessForAdmin`: whether the user ADMIN gets in."""
    user_any_case: bool = False
    """Whether a user id in lower case is recognised."""
    password_any_case: bool = False
    """Whether the case of a password counts for nothing, as in the classic sign-on."""
    company_any_case: bool = False
    """Whether the company in the URL may be written in lower case."""
    content_type_required: bool = True
    """Whether a request without `Content-Type: application/json` gets 500, GET included."""
    hidden: tuple[str, ...] = ()
    """Properties that this release does not have, as `APVendors.WebSite`: not described, not read, not taken."""
    query_length_max: int = 2048
    """Characters of a query string that IIS lets through, as it is set up at first; a longer one gets its 404 page."""
    parallel_requests_max: int = 8
    """Requests served at once; one more gets 429 TooManyRequests."""
    padded: tuple[str, ...] = ("ShortName", "Terms", "TermsCode", "AccountSet", "OrderUnitOfMeasure")
    """Text properties that come filled with blanks to their full width."""
    held_customers: Literal["refused", "held"] = "refused"
    """An order for a customer on hold is refused, or accepted and put on hold itself."""
    ship_to: Literal["partial", "required"] = "required"
    """Ship-to addresses refused: those begun but not complete, or empty ones as well."""
    batch_number_sent: Literal["ignored", "used"] = "ignored"
    """Whether a new batch takes the BatchNumber in the payload."""
    read_only_fields: Literal["refused", "ignored"] = "refused"
    """What happens to balances and maintenance dates in a payload."""
    posting_touches_maintained: bool = False
    """Whether posting a document moves DateLastMaintained of its customer or vendor."""
    posting_touches_edited: bool = False
    """Whether posting a batch moves its DateLastEdited."""
    orders_editable: bool = False
    """Whether OEOrders takes PATCH, PUT and DELETE."""
    location_header: bool = False
    """Whether 201 comes with a Location header."""
    process_status: int = 204
    """Status of a successful `$process` call."""
    broken: Literal["", "DBLinkError", "SessionError", "InternalServerError"] = ""
    """The whole service answers every request with this installation error."""
