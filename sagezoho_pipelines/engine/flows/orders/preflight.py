"""What Sage would refuse an order for, asked before it is posted, as far as its Web API lets that be read.

What cannot be read (a locked period, options of the company, a set that this user may not open) shows in Sage's own
answer only: see `refusals`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Link, Row, System
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.feeds import as_date
from sagezoho_pipelines.engine.flows import awaited
from sagezoho_pipelines.engine.zoho_modules import CURRENCY

log = logging.getLogger(__name__)

CUSTOMERS, ORDERS = "AR/ARCustomers", "OE/OEOrders"
ITEMS, CALENDARS = "IC/ICItems", "CS/CSFiscalCalendars"
_ADDRESS = (*(f"AddressLine{line}" for line in range(1, 5)), "City", "StateProvince", "ZipPostalCode", "Country")
_CUSTOMER = ("CustomerNumber", "Status", "OnHold", "CheckForDuplicatePOs", "CurrencyCode", *_ADDRESS)
_ITEM = ("UnformattedItemNumber", "ItemNumber", "Status", "Sellable")
_PERIODS = range(1, 14)
#: What a set answers that this user, or this release of Sage, does not open.
_CLOSED = frozenset({"Forbidden", "ResourceNotFound", "MethodNotAllowed", "InvalidParameters"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason for which Sage would refuse an order; `details` name the record whose mending lets it follow."""

    code: str
    field: str
    text: str
    advice: str
    details: Mapping[str, str] | None = None


def check(ctx: Context, body: Row, customer: Link, currency: str) -> None:
    """Raise one refusal that names everything for which Sage would turn this order away; nothing where it is fine.

    `currency` is that of its figures. Sage would take them for the customer's, so another one is refused here.
    """
    problems = list(_problems(ctx, body, customer, currency))
    if not problems:
        return
    first = problems[0]
    raise VendorError(
        system=System.SAGE300,
        code=first.code,
        text="; ".join(problem.text for problem in problems),
        verdict=Verdict.REFUSE,
        field=first.field,
        advice="; ".join(dict.fromkeys(problem.advice for problem in problems)),
        details={**(first.details or {}), "found": [problem.code for problem in problems]},
    )


def _problems(ctx: Context, body: Row, customer: Link, currency: str) -> Iterator[Problem]:
    wanted = frozenset(ctx.settings.flows.orders.preflight)
    if wanted & {"customer", "on_hold", "ship_to", "purchase_order", "currency"}:
        rows = _asked(ctx, CUSTOMERS, lambda: _held(ctx, customer.sage_id))
        if rows is not None:
            yield from _of_customer(ctx, body, customer, rows[0] if rows else None, wanted)
        if rows and "currency" in wanted:
            yield from _of_currency(body, customer, rows[0], currency)
    if "items" in wanted:
        yield from _of_items(ctx, body["OrderDetails"])
    if "fiscal_calendar" in wanted:
        yield from _of_date(ctx, body.get("OrderDate"))


def _held(ctx: Context, number: str) -> list[Row]:
    row = ctx.sage.get(CUSTOMERS, number, select=_CUSTOMER)
    return [] if row is None else [row]


def _of_customer(
    ctx: Context, body: Row, customer: Link, held: Row | None, wanted: frozenset[str]
) -> Iterator[Problem]:
    number, mended_at = customer.sage_id, {"account": customer.zoho_id}
    if held is None:
        if "customer" in wanted:
            yield Problem(
                awaited.GONE,
                "CustomerNumber",
                f"customer {number} is no longer in Sage 300",
                f"restore customer {number} in Sage 300, or link account {customer.zoho_id} to another one with "
                "'sagezoho links': its orders follow, or retry this",
                mended_at,
            )
        return
    if "customer" in wanted and _text(held, "Status") == "Inactive":
        yield Problem(
            "CUSTOMER_INACTIVE",
            "CustomerNumber",
            f"customer {number} is inactive",
            f"make customer {number} active in Sage 300: its orders follow, or retry this",
            mended_at,
        )
    if "on_hold" in wanted and _text(held, "OnHold") == "Yes":
        yield Problem(
            "CUSTOMER_ON_HOLD",
            "CustomerNumber",
            f"customer {number} is on hold",
            f"take customer {number} off hold in Sage 300: its orders follow, or retry this",
            mended_at,
        )
    if "ship_to" in wanted:
        yield from _of_address(body, customer, held)
    if "purchase_order" in wanted and _text(held, "CheckForDuplicatePOs") == "Error":
        yield from _of_purchase_order(ctx, body, number)


def _of_address(body: Row, customer: Link, held: Row) -> Iterator[Problem]:
    """A ship-to address without street or city: the order's own, or the customer's that Sage takes in its place."""
    if body.get("ShipToLocationCode"):
        return  # Sage takes that location's address
    own = {name: _text(body, f"ShipTo{name}") for name in _ADDRESS}
    whole = bool(own["AddressLine1"])  # else Sage fills what is not sent from the customer's own
    address = own if whole else {name: own[name] or _text(held, name) for name in _ADDRESS}
    missing = [f"ShipTo{name}" for name in ("AddressLine1", "City") if not address[name]]
    if missing:
        whose = "the order's" if any(own.values()) else f"customer {customer.sage_id}'s"
        yield Problem(
            "SHIP_TO_INCOMPLETE",
            missing[0],
            f"the ship-to address is incomplete: {whose} has no {' and no '.join(missing)}",
            f"complete the billing address (street and city) of account {customer.zoho_id} in Zoho, or the address of "
            f"customer {customer.sage_id} in Sage 300: its orders follow, or retry this",
            {"account": customer.zoho_id},
        )


def _of_currency(body: Row, customer: Link, held: Row, currency: str) -> Iterator[Problem]:
    """Figures of one currency that Sage would bill in another. A line that Sage prices itself has no figure."""
    theirs = _text(held, "CurrencyCode").upper()
    priced = any(line.get(name) for line in body["OrderDetails"] for name in ("PricingUnitPrice", "ExtendedAmount"))
    if priced and theirs and currency and theirs != currency:
        yield Problem(
            "CURRENCY_DIFFERS",
            CURRENCY,
            f"the deal's figures are in {currency}, and Sage 300 bills customer {customer.sage_id} in {theirs}",
            f"correct the currency of the deal or its quote in Zoho, or link account {customer.zoho_id} to a customer "
            "that is billed in it with 'sagezoho links', then retry this; where Zoho's figures are meant in each "
            "customer's own currency, leave currency out of flows.orders.preflight",
            {"account": customer.zoho_id},
        )


def _of_purchase_order(ctx: Context, body: Row, number: str) -> Iterator[Problem]:
    """Asked only for customers whose own setting makes a second order of the same number an error."""
    purchase_order = _text(body, "PurchaseOrderNumber")
    if not purchase_order:
        return
    order = _ordered_on(ctx, number, purchase_order)
    if order:
        yield Problem(
            "PURCHASE_ORDER_USED",
            "PurchaseOrderNumber",
            f"customer {number} has ordered on purchase order {purchase_order} already: order {order}",
            "correct the purchase order number in Zoho; where both orders are right, let Sage 300 accept the number "
            f"twice for customer {number}: the order follows",
            {"used": f"{number} {purchase_order}"},
        )


def _ordered_on(ctx: Context, number: str, purchase_order: str) -> str:
    """The order that the customer has on this purchase order; empty where there is none."""
    criteria = [where("CustomerNumber", "eq", number), where("PurchaseOrderNumber", "eq", purchase_order)]
    found = ctx.sage.find(ORDERS, where=criteria, select=("OrderNumber",), limit=1)
    return _text(found[0], "OrderNumber") if found else ""


def usable(ctx: Context, used: Sequence[str]) -> list[str]:
    """Of these customers' purchase order numbers, those that an order may bear now."""
    return [one for one in used if _may_bear(ctx, *one.split(" ", 1))]


def _may_bear(ctx: Context, number: str, purchase_order: str) -> bool:
    rows = _asked(ctx, CUSTOMERS, lambda: _held(ctx, number))
    if not rows:
        return False
    return _text(rows[0], "CheckForDuplicatePOs") != "Error" or not _ordered_on(ctx, number, purchase_order)


def _of_items(ctx: Context, lines: Sequence[Row]) -> Iterator[Problem]:
    """Each item that Sage does not have or does not sell. What was found sellable is not asked again in this run."""
    numbers = [(at, _text(line, "Item").upper()) for at, line in enumerate(lines, 1) if _text(line, "Item")]
    sellable: set[str] = ctx.facts.get("sellable items", set)
    unknown = sorted({number for _, number in numbers} - sellable)
    found = _items_in_sage(ctx, unknown) if unknown else {}
    if found is None:
        return
    for at, number in numbers:
        if number in sellable:
            continue
        problem = _of_item(found.get(number), f"line {at}: item {number}", number)
        if problem is None:
            sellable.add(number)
        else:
            yield problem


def sellable(ctx: Context, numbers: Sequence[str]) -> list[str]:
    """Of these items, those that an order may name now."""
    found = _items_in_sage(ctx, numbers) or {}
    return [number for number in numbers if number in found and _of_item(found[number], "", number) is None]


def _items_in_sage(ctx: Context, numbers: Sequence[str]) -> dict[str, Row] | None:
    """The items of these numbers, as far as Sage has them; None where the set cannot be read.

    An order may name an item with the separators of its segments or without them: `A1-105/0` has the key `A1105/0`.
    Which characters separate is set per item structure.
    """
    formatted = _items_by(ctx, "ItemNumber", numbers)
    if formatted is None:
        return None
    rest = {number: _plain(number) for number in numbers if number not in formatted}
    plain = _items_by(ctx, "UnformattedItemNumber", sorted({*rest, *chain(*rest.values())})) if rest else {}
    if plain is None:
        return None
    named = {number: next((plain[key] for key in keys if key in plain), None) for number, keys in rest.items()}
    return {**formatted, **{number: row for number, row in named.items() if row is not None}}


def _items_by(ctx: Context, name: str, values: Sequence[str]) -> dict[str, Row] | None:
    rows = _asked(ctx, ITEMS, lambda: ctx.sage.find(ITEMS, where=[where(name, "in", list(values))], select=_ITEM))
    return None if rows is None else {_text(row, name).upper(): row for row in rows}


def _plain(number: str) -> list[str]:
    """The keys that an item of this number may have."""
    return [number, number.replace("-", ""), "".join(one for one in number if one.isalnum())]


def _of_item(item: Row | None, what: str, number: str) -> Problem | None:
    mended_at = {"item": number}
    if item is None:
        return Problem(
            "ITEM_UNKNOWN",
            "Item",
            f"{what} is not in Sage 300's Inventory Control",
            f"create item {number} in Sage 300: the order follows; or correct the product code in Zoho and retry this",
            mended_at,
        )
    if item.get("Status") is True:
        return Problem(
            "ITEM_INACTIVE",
            "Item",
            f"{what} is inactive in Sage 300",
            f"make item {number} active in Sage 300: the order follows; or put another product on the deal and retry "
            "this",
            mended_at,
        )
    if item.get("Sellable") is False:
        return Problem(
            "ITEM_NOT_SELLABLE",
            "Item",
            f"{what} is not marked as sellable in Sage 300",
            f"mark item {number} as sellable in Sage 300: the order follows; or put another product on the deal and "
            "retry this",
            mended_at,
        )
    return None


def open_days(ctx: Context, days: Sequence[str]) -> list[str]:
    """Of these days, those that an order may bear now."""
    return [day for day in days if _is_open(ctx, date.fromisoformat(day))]


def _of_date(ctx: Context, given: Any) -> Iterator[Problem]:
    day = given if isinstance(given, date) else as_date(given)
    if day is None or _is_open(ctx, day):
        return
    yield Problem(
        "OUTSIDE_FISCAL_CALENDAR",
        "OrderDate",
        f"the order's date {day.isoformat()} is in no active year of Sage 300's fiscal calendar",
        "correct the deal's Closing Date in Zoho, or open that year in Sage 300 (Common Services, Fiscal Calendar): "
        "the order follows",
        {"day": day.isoformat()},
    )


def _is_open(ctx: Context, day: date) -> bool:
    """Whether an active year holds the day; also where Sage does not show its calendar."""
    years: Sequence[tuple[date, date, bool]] = ctx.facts.get("fiscal years", lambda: _fiscal_years(ctx))
    return not years or any(first <= day <= last and active for first, last, active in years)


def _fiscal_years(ctx: Context) -> list[tuple[date, date, bool]]:
    """First day, last day and whether active, of each year; nothing where Sage does not show them all."""
    rows = _asked(ctx, CALENDARS, lambda: ctx.sage.find(CALENDARS, where=[], select=()))
    years = []
    for row in rows or ():
        starts = [as_date(row.get(f"FiscalPeriod{period}StartDate")) for period in _PERIODS]
        ends = [as_date(row.get(f"FiscalPeriod{period}EndDate")) for period in _PERIODS]
        begins, closes = [day for day in starts if day is not None], [day for day in ends if day is not None]
        if not begins or not closes or "Active" not in row:
            return []
        years.append((min(begins), max(closes), bool(row["Active"])))
    return years


def _asked(ctx: Context, entity_set: str, ask: Callable[[], list[Row]]) -> list[Row] | None:
    """What a set answers; None where this user or this release cannot read it: said once in a run, and left to Sage."""
    closed: set[str] = ctx.facts.get("sets that cannot be read", set)
    if entity_set in closed:
        return None
    try:
        return ask()
    except VendorError as error:
        if error.code not in _CLOSED:
            raise
        closed.add(entity_set)
        log.warning("%s: orders are posted without a look at %s first: %s", ctx.connection, entity_set, error)
        return None


def _text(row: Row, name: str) -> str:
    return str(row.get(name) or "").strip()
