"""An order's ship-to address: a whole one, or Sage's own of the customer; never a mixture of two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Row, System

#: What Sage calls an address without them is incomplete.
_STREET = "ShipToAddressLine1"
_PARTS = (
    *(f"ShipToAddressLine{line}" for line in range(1, 5)),
    *("ShipToCity", "ShipToStateProvince", "ShipToZipPostalCode", "ShipToCountry"),
)
#: Sage's code for an incomplete address, and for much else: only its words tell.
INCOMPLETE = "General"


def whole(header: Mapping[str, Any], mapped: Iterable[str]) -> dict[str, Any]:
    """The header, with blanks for what its address lacks: Sage would fill that from the customer's own address."""
    if not header.get(_STREET):
        return dict(header)
    # In the order of the mapping, which is the order in which Sage applies them.
    return {name: header.get(name, "") for name in mapped if name in header or name in _PARTS}


def explained(error: VendorError, header: Row, account: str) -> VendorError:
    """Sage's refusal of an order without an address of its own: what to complete, and where."""
    said = error.code == INCOMPLETE and "ship" in error.text.casefold()
    if header.get(_STREET) or not said or error.verdict is not Verdict.REFUSE:
        return error
    return VendorError(
        system=System.SAGE300,
        code=error.code,
        text=error.text,
        verdict=error.verdict,
        field=_STREET,
        status=error.status,
        advice=(
            f"complete the billing address (street and city) of account {account} in Zoho: its customer and its orders "
            "follow by themselves; or give the customer an address in Sage 300, then retry this"
        ),
        details={"account": account},
    )
