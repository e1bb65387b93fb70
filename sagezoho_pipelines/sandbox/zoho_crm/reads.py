"""Lists: records page by page, and the deleted ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Module
from sagezoho_pipelines.sandbox.zoho_crm.errors import ApiError, invalid_param, param_missing
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation
from sagezoho_pipelines.sandbox.zoho_crm.show import show_row
from sagezoho_pipelines.sandbox.zoho_crm.table import Table
from sagezoho_pipelines.sandbox.zoho_crm.values import header_instant, parse_id, show_instant

Params = Mapping[str, str]
FIELDS_MAX = 50
PAGE_MAX = 200
PAGE_WALL = 2_000
TOKEN_WALL = 100_000
_OR_BOTH = ("true", "false", "both")
TOKEN_SECONDS = 24 * 3600
IDS_MAX = 100
TOKENS_KEPT = 20_000


class NotModified(Exception):
    """If-Modified-Since left nothing to show."""


@dataclass(frozen=True)
class _Place:
    """Where a page token stands and what it is bound to."""

    bound: tuple[tuple[str, str], ...]
    page: int
    expires: int
    pinned: tuple[int, ...] | None = None
    """Ids of all rows as they stood; None where pages shift under changes."""


class PageTokens:
    """The page tokens handed out, the oldest forgotten first."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, _Place] = OrderedDict()

    def issue(
        self, org: Organisation, bound: tuple[tuple[str, str], ...], page: int, pinned: tuple[int, ...] | None = None
    ) -> tuple[str, int]:
        token = f"{org.random.getrandbits(256):064x}"
        expires = org.now() + TOKEN_SECONDS
        self._places[token] = _Place(bound, page, expires, pinned)
        if len(self._places) > TOKENS_KEPT:
            self._places.popitem(last=False)
        return token, expires

    def place(self, org: Organisation, token: str, bound: tuple[tuple[str, str], ...]) -> _Place:
        place = self._places.get(token)
        if place is None:
            raise invalid_param("page_token", "The token given seems to be invalid")
        if place.bound != bound:
            raise ApiError(
                400,
                "TOKEN_BOUND_DATA_MISMATCH",
                "The page_token given seems to be invalid or input param is added, altered, or deleted",
                {"param_name": "page_token"},
            )
        if place.expires <= org.now():
            raise ApiError(400, "EXPIRED_VALUE", "The token given has expired", {"param_name": "page_token"})
        return place


def positive(params: Params, name: str, default: int, most: int | None = None) -> int:
    """A whole number from 1, at most `most`."""
    text = params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1 or (most is not None and int(text) > most):
        raise invalid_param(name)
    return int(text)


def since(header: str | None) -> int | None:
    """The instant of an If-…-Since header: ISO 8601 with offset, never the HTTP date."""
    if header is None:
        return None
    seconds = header_instant(header)
    if seconds is None:
        raise ApiError(400, "INVALID_DATA", "invalid data", {"header": "If-Modified-Since"})
    return seconds


def wanted_fields(params: Params) -> list[str]:
    text = params.get("fields", "")
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise param_missing("fields")
    if len(names) > FIELDS_MAX:
        raise ApiError(400, "LIMIT_EXCEEDED", "Fields limit exceeded", {"limit": FIELDS_MAX, "param_name": "fields"})
    return list(dict.fromkeys(names))


def _check_filters(params: Params) -> None:
    """ApiError for the other filters of a list, where they ask for what this organisation cannot tell."""
    if "territory_id" in params:
        raise ApiError(400, "INVALID_MODULE", "Territory is not supported for the given module.")
    for name, known in (("converted", _OR_BOTH), ("approved", _OR_BOTH), ("include_child", _OR_BOTH[:2])):
        if params.get(name, "true").lower() not in known:
            raise invalid_param(name)


def list_records(
    org: Organisation, tokens: PageTokens, module: Module, params: Params, modified_since: str | None
) -> dict[str, Any] | None:
    """One page, None when there is nothing at all; NotModified when the header filters everything away."""
    names = wanted_fields(params)
    per_page = positive(params, "per_page", PAGE_MAX, PAGE_MAX)
    sort_by = params.get("sort_by", "id")
    order = params.get("sort_order", "desc")
    if sort_by not in ("id", "Created_Time", "Modified_Time"):
        raise invalid_param("sort_by")
    if order not in ("asc", "desc"):
        raise invalid_param("sort_order")
    if "cvid" in params and "sort_by" in params:
        raise _ambiguous("cvid", "sort_by")
    if "cvid" in params:
        raise invalid_param("cvid")
    _check_filters(params)
    floor = since(modified_since)
    if floor is not None and not org.switches.if_modified_since_inclusive:
        floor += 1
    bound = tuple(sorted((name, value) for name, value in params.items() if name not in ("page", "page_token")))
    bound += (("#module", module.api_name), ("#since", modified_since or ""))
    token = params.get("page_token")
    pinned: tuple[int, ...] | None = None
    if token is not None:
        if "page" in params:
            raise _ambiguous("page", "page_token")
        place = tokens.place(org, token, bound)
        page, pinned = place.page, place.pinned
        if page * per_page > TOKEN_WALL:
            raise ApiError(
                400,
                "PAGINATION_LIMIT_EXCEEDED",
                "You can only get up to first 100000 records using page_token param",
                {"limit": TOKEN_WALL},
            )
    else:
        page = positive(params, "page", 1)
        if page * per_page > PAGE_WALL:
            raise ApiError(
                400,
                "DISCRETE_PAGINATION_LIMIT_EXCEEDED",
                "You can only get the first 2000 records without using page_token param",
                {"limit": PAGE_WALL},
            )
    table = org.table(module.api_name)
    start = (page - 1) * per_page
    if pinned is None and org.switches.page_token_pins_rows:
        pinned = tuple(_window(table, params, floor, sort_by, order == "desc", 0, TOKEN_WALL + 1))
    if pinned is None:
        found = _window(table, params, floor, sort_by, order == "desc", start, per_page + 1)
    else:
        found = [one for one in pinned[start : start + per_page + 1] if one in table.rows]
    if not found:
        if floor is not None:
            raise NotModified
        return None
    more = len(found) > per_page
    rows = [show_row(org, module, table.rows[one], names, whole=False) for one in found[:per_page]]
    next_token, expiry, previous = None, None, None
    if more:
        next_token, expires = tokens.issue(org, bound, page + 1, pinned)
        expiry = show_instant(expires, org.zone)
    if page > 1:
        previous, _ = tokens.issue(org, bound, page - 1, pinned)
    info = {
        "per_page": per_page,
        "next_page_token": next_token,
        "count": len(rows),
        "sort_by": sort_by,
        "page": page,
        "previous_page_token": previous,
        "page_token_expiry": expiry,
        "sort_order": order,
        "more_records": more,
    }
    return {"data": rows, "info": info}


def _ambiguous(first: str, second: str) -> ApiError:
    return ApiError(
        400,
        "AMBIGUITY_DURING_PROCESSING",
        f"You cannot use both {first} and {second}",
        {"ambiguity_due_to": [{"param_name": first}, {"param_name": second}]},
    )


def _window(
    table: Table, params: Params, floor: int | None, sort_by: str, descending: bool, start: int, size: int
) -> list[int]:
    """Ids of rows start … start+size in the order asked for."""
    chosen: list[int] | None = None
    if "ids" in params:
        asked = [one for one in params["ids"].split(",") if one]
        if len(asked) > IDS_MAX or any(parse_id(one) is None for one in asked):
            raise invalid_param("ids")
        chosen = [one for one in map(int, asked) if one in table.rows]
        if floor is not None:
            chosen = [one for one in chosen if table.rows[one]["Modified_Time"] >= floor]
    elif floor is not None and sort_by != "Modified_Time":
        chosen = list(table.modified_between(floor, None))
    elif sort_by == "Created_Time":
        chosen = list(table.ids)
    if chosen is None:
        if sort_by == "Modified_Time":
            return list(islice(table.modified_between(floor, None, descending=descending), start, start + size))
        total = len(table.ids)
        if descending:
            return table.ids[max(0, total - start - size) : max(0, total - start)][::-1]
        return table.ids[start : start + size]
    if sort_by == "id":
        chosen.sort(reverse=descending)
    else:
        chosen.sort(key=lambda one: (table.rows[one][sort_by], one), reverse=descending)
    return chosen[start : start + size]


def list_deleted(org: Organisation, module: Module, params: Params, modified_since: str | None) -> Any:
    """One page of /deleted, newest first; None when there is none."""
    kind = params.get("type", "all")
    if kind not in ("all", "recycle", "permanent"):
        raise ApiError(
            400, "PATTERN_NOT_MATCHED", "Please check whether the input values are correct", {"param_name": "type"}
        )
    per_page = positive(params, "per_page", PAGE_MAX, PAGE_MAX)
    page = positive(params, "page", 1)
    floor = since(modified_since)
    now = org.now()
    found = []
    for one in reversed(org.table(module.api_name).deleted):
        age = (now - one.at) // 86_400
        permanent = one.permanent or age >= 60
        if age >= 120 or (floor is not None and one.at < floor):
            continue
        if kind != "all" and permanent != (kind == "permanent"):
            continue
        found.append((one, permanent))
    window = found[(page - 1) * per_page : page * per_page]
    if not window:
        return None
    rows = [
        {
            "deleted_by": None if permanent or one.deleted_by is None else org.user(one.deleted_by).brief(),
            "id": str(one.id),
            "display_name": None if permanent else one.display_name,
            "type": "permanent" if permanent else "recycle",
            "created_by": None if permanent or one.created_by is None else org.user(one.created_by).brief(),
            "deleted_time": show_instant(one.at, org.zone),
        }
        for one, permanent in window
    ]
    more = len(found) > page * per_page
    return {"data": rows, "info": {"per_page": per_page, "count": len(rows), "page": page, "more_records": more}}
