"""Two versions of an order, and what differs between them in words that sales and finance share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sagezoho_pipelines.domain.digest import equal
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine.flows.orders import amounts

_LINES, _ADDRESS = "OrderDetails", "ShipTo"
#: Fields that are told with both their values: short ones, which somebody would look for.
_WITH_VALUES = {
    "CustomerNumber": "the customer",
    "PurchaseOrderNumber": "the purchase order number",
    "OrderDate": "the date",
}
_WORDS = {"OrderDescription": "the description"}


def told(ordered: Row, now: Row) -> list[str]:
    """What differs, the weightiest first; a field of somebody's own mapping by its Sage name."""
    names = [name for name in {**ordered, **now} if not equal(ordered.get(name), now.get(name))]
    found = [
        f"{words}{_values(ordered.get(name), now.get(name))}" for name, words in _WITH_VALUES.items() if name in names
    ]
    if _LINES in names:
        found.append(f"the lines{_sums(ordered, now)}")
    if any(name.startswith(_ADDRESS) for name in names):
        found.append("the ship-to address")
    plain = (name for name in sorted(names) if name not in {*_WITH_VALUES, _LINES} and not name.startswith(_ADDRESS))
    return [*found, *(_WORDS.get(name, name) for name in plain)]


def _sums(ordered: Row, now: Row) -> str:
    """What the lines come to, where that can be said and is not the same."""
    sums = [amounts.net(version.get(_LINES) or ()) for version in (ordered, now)]
    return "" if None in sums or sums[0] == sums[1] else _values(*(_amount(one) for one in sums if one is not None))


def _amount(one: Decimal) -> str:
    """With cents, and with all that it has beyond them."""
    exponent = one.normalize().as_tuple().exponent
    return f"{one:.{max(2, -exponent if isinstance(exponent, int) else 0)}f}"


def _values(ordered: Any, now: Any) -> str:
    return f" ({_text(ordered)}, now {_text(now)})"


def _text(value: Any) -> str:
    return str(value).strip() if value not in (None, "") else "none"
