"""Whether a rule may come to nothing: of a record that says no more than its key."""

from __future__ import annotations

from sagezoho_pipelines.domain.errors import MappingFailed
from sagezoho_pipelines.domain.mapping import FieldRule
from sagezoho_pipelines.domain.reconcile import is_blank
from sagezoho_pipelines.domain.records import Row

#: What every document holds: the keys of its source, the ids of the records that it belongs to, a line's quantity.
_BARE: Row = {
    **dict.fromkeys(("key", "id", "VendorNumber", "CustomerNumber", "ItemNumber", "InvoiceNumber"), "1"),
    **dict.fromkeys(("DocumentNumber", "Account_Name", "Deal_Name", "QuantityShipped"), "1"),
    **{name: {"id": "1", "number": "1"} for name in ("account", "deal", "product", "customer")},
}


def may_give_nothing(rule: FieldRule) -> bool:
    try:
        return is_blank(rule.value(_BARE))
    except MappingFailed:
        return True
