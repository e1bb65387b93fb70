"""Whether what stands in the inbox has a reason: a question about nothing is as bad as a silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sagezoho_pipelines_tests.fault.agreement import Journal
from sagezoho_pipelines_tests.fault.evidence import Finding, Row, amount, looked_up, plain

#: What an order takes over from its deal's account.
_SHIP_TO = {
    "ShipToName": ("Account_Name", 60), "ShipToPhoneNumber": ("Phone", 30), "ShipToCity": ("Billing_City", 30),
    "ShipToStateProvince": ("Billing_State", 30), "ShipToZipPostalCode": ("Billing_Code", 20),
    "ShipToCountry": ("Billing_Country", 30),
}  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """`worth` is what a deal's order should come to before tax, `orders` Sage's by the deal they name."""

    deals: Mapping[str, Row]
    accounts: Mapping[str, Row]
    orders: Mapping[str, Sequence[Row]]
    customer_of: Mapping[str, str]
    worth: Callable[[Row], Decimal | None]
    journal: Journal


def findings(entries: Iterable[Row], seen: Evidence) -> Iterator[Finding]:
    for entry in entries:
        code = plain((entry["error"] or {}).get("code"))
        why = _CHECKS[code](entry, seen) if code in _CHECKS else ""
        if why:
            yield Finding("unexplained", f"{entry['entity']} {entry['key']}", f"{code} waits in the inbox, and {why}")


def _order_exists(entry: Row, seen: Evidence) -> str:
    """The deal has an order that says something else by now, or that outlived it."""
    orders = seen.orders.get(entry["key"], ())
    if not orders:
        return "Sage has no order of it"
    deal = seen.deals.get(entry["key"])
    return "its order says what the deal says" if deal is not None and not _moved(deal, orders[0], seen) else ""


def _moved(deal: Row, order: Row, seen: Evidence) -> bool:
    account_id = looked_up(deal.get("Account_Name"))
    account = seen.accounts.get(account_id, {})
    date = plain(order["OrderDate"])[:10]
    ordered = {
        "deal": (plain(order["OrderDescription"]), plain(deal["Deal_Name"])[:60]),
        "purchase order": (plain(order["PurchaseOrderNumber"]), plain(deal.get("Customer_PO_Number"))[:22]),
        "date": (date, plain(deal["Closing_Date"])),
        "customer": (plain(order["CustomerNumber"]), seen.customer_of.get(account_id, "")),
        "worth": (amount(order["OrderTotalBeforeTax"]), seen.worth(deal) or Decimal(0)),
        **{name: (plain(order[name]), plain(account.get(of))[:size]) for name, (of, size) in _SHIP_TO.items()},
    }
    # An account that was typed in may have been another one while the order was looked at.
    typed = seen.journal.ever.get(account_id, set()).intersection(of for of, _ in _SHIP_TO.values())
    return bool(typed) or any(one != other for one, other in ordered.values())


def _sides_differ(entry: Row, seen: Evidence) -> str:
    """Both sides hold another value, and nobody leads."""
    entity = "vendors" if entry["entity"] == "vendors" else "customers"
    differing = seen.journal.differing(entity, entry["key"])
    return "" if any(leader == "newest" for _, leader in differing) else f"what differs is {differing}"


_CHECKS: Mapping[str, Callable[[Row, Evidence], str]] = {
    "ORDER_EXISTS": _order_exists,
    "SIDES_DIFFER": _sides_differ,
}
