"""An order's ship-to address: a whole one, or Sage's own of the customer; never a mixture of two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: What Sage calls an address without them is incomplete.
_STREET = "ShipToAddressLine1"
_PARTS = (
    *(f"ShipToAddressLine{line}" for line in range(1, 5)),
    *("ShipToCity", "ShipToStateProvince", "ShipToZipPostalCode", "ShipToCountry"),
)


def whole(header: Mapping[str, Any], mapped: Iterable[str]) -> dict[str, Any]:
    """The header, with blanks for what its address lacks: Sage would fill that from the customer's own address."""
    if not header.get(_STREET):
        return dict(header)
    # In the order of the mapping, which is the order in which Sage applies them.
    return {name: header.get(name, "") for name in mapped if name in header or name in _PARTS}
