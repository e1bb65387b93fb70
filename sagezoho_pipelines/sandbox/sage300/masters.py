"""Master records written over the API: vendors, customers, their groups, terms, items, currencies.

Values are written in the order of the payload, as the real service does, so a group's defaults overwrite what came
before the group and are overwritten by what comes after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sagezoho_pipelines.sandbox.sage300.codes import unknown
from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.optional_fields import accepted
from sagezoho_pipelines.sandbox.sage300.payloads import OPERATION, merge_details, without_operations
from sagezoho_pipelines.sandbox.sage300.schema import RecordType, Row, record_type, words

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld

_KEPT = ("BalanceDue", "DateOfLast", "NumberOfOp", "NumberOfPaid", "AmountPastDue")
"""How the properties begin that the ledger keeps by itself: balances, activity, counts of documents and options."""


@dataclass(frozen=True)
class Reference:
    """A property that must name an existing record; `key` makes the other set's key from the value."""

    field: str
    table: str
    title: str
    key: Callable[[str], tuple[Any, ...]] = lambda value: (value,)


@dataclass(frozen=True)
class Master:
    """What the business layer knows of one master set.

    `group` names the set whose record gives defaults for the properties in `inherited` (own name: group's name).
    """

    title: str
    stamp: str = "DateLastMaintained"
    required: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    group: str = ""
    inherited: tuple[tuple[str, str], ...] = ()
    created: tuple[tuple[str, Any], ...] = ()
    option_rows: str = ""
    used_in: tuple[tuple[str, str], ...] = ()


def _same(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name) for name in names)


_CURRENCY = Reference("CurrencyCode", "CSCurrencyCodes", "Currency")

MASTERS: dict[str, Master] = {
    "APVendors": Master(
        "Vendor",
        required=("GroupCode", "CurrencyCode"),
        references=(
            Reference("GroupCode", "APVendorGroups", "Vendor group"),
            Reference("Terms", "APTerms", "Terms code"),
            Reference("TaxGroup", "TXTaxGroups", "Tax group", lambda code: (code, "Purchases")),
            _CURRENCY,
        ),
        group="APVendorGroups",
        inherited=(
            *_same("AccountSet", "CurrencyCode", "RateType", "BankCode", "Terms", "TaxGroup", "PaymentCode"),
            *_same("DistributionSet", "DistributionCode", "DistributionType", "DuplicateAmountCode"),
            ("GLAccount", "GeneralLedgerAccountNumber"),
        ),
        created=(("Status", "Active"), ("DeliveryMethod", "Mail")),
        option_rows="VendorOptionalFieldValues",
    ),
    "ARCustomers": Master(
        "Customer",
        required=("GroupCode", "TaxGroup", "CurrencyCode"),
        references=(
            Reference("GroupCode", "ARCustomerGroups", "Customer group"),
            Reference("Terms", "ARTerms", "Terms code"),
            Reference("TaxGroup", "TXTaxGroups", "Tax group", lambda code: (code, "Sales")),
            _CURRENCY,
        ),
        group="ARCustomerGroups",
        inherited=_same(
            *("AccountSet", "AutocashProfile", "BillingCycle", "InterestProfile", "AccountType", "Terms", "RateType"),
            *("TaxGroup", "PrintStatements", "CheckCreditLimit", "CheckOverdueAmounts", "Salesperson1"),
        ),
        created=(
            ("Status", "Active"),
            ("AllowPartialShipments", "Yes"),
            ("AllowBackorderQuantities", "Yes"),
            ("CustomerPriceList", "RTL"),
        ),
        option_rows="CustomerOptionalFieldValues",
        used_in=(("OEOrders", "CustomerNumber"), ("ARPostedDocuments", "CustomerNumber")),
    ),
    "APVendorGroups": Master(
        "Vendor group",
        created=(("Status", "Active"),),
        references=(Reference("Terms", "APTerms", "Terms code"), _CURRENCY),
        used_in=(("APVendors", "GroupCode"),),
    ),
    "ARCustomerGroups": Master(
        "Customer group",
        created=(("Status", "Active"),),
        references=(Reference("Terms", "ARTerms", "Terms code"),),
        used_in=(("ARCustomers", "GroupCode"),),
        option_rows="CustomerGroupOptionalFieldVa",
    ),
    "APTerms": Master("Terms code", created=(("Status", "Active"),), used_in=(("APVendors", "Terms"),)),
    "ARTerms": Master("Terms code", created=(("Status", "Active"),), used_in=(("ARCustomers", "Terms"),)),
    "ICItems": Master("Item", created=(("Sellable", True),), required=("StockingUnitOfMeasure",)),
    "CSCurrencyCodes": Master("Currency", stamp="", used_in=(("ARCustomers", "CurrencyCode"),)),
}


def create_master(world: SageWorld, name: str, payload: Row) -> Row:
    """Raises SageError RecordDuplicate, RecordInvalid or FieldInvalid; the stored row otherwise."""
    table, master = world.table(name), MASTERS[name]
    payload = _keyed(name, payload)
    missing = [key for key in table.entity.key if not payload.get(key)]
    if missing:
        raise SageError("RecordInvalid", *(f"{words(key)} cannot be blank." for key in missing))
    key = table.key_of(payload)
    if key in table:
        raise SageError("RecordDuplicate", f"{master.title} '{key[0]}' already exists.")
    row = new_master(world, name)
    row = _written(world, name, row, payload, purge=True)
    _complete_new(world, name, row)
    _check(world, name, row)
    return table.put(row)


def new_master(world: SageWorld, name: str) -> Row:
    """The defaults a new record starts with, as `$template` shows them."""
    row: Row = dict(MASTERS[name].created)
    if name in ("APVendors", "ARCustomers"):
        row |= {"StartDate": world.session_date, "CurrencyCode": world.setup.functional_currency}
    return row


def update_master(world: SageWorld, name: str, row: Row, payload: Row, *, purge: bool) -> Row:
    """PATCH, or with `purge` PUT, which drops the detail rows the payload does not hold."""
    table, master = world.table(name), MASTERS[name]
    payload = _keyed(name, payload)
    for key in table.entity.key:
        if key in payload and payload[key] != row[key].rstrip():
            raise SageError("InvalidPayload", f"The property '{key}' differs from the key in the URL.")
    if purge:
        row = {key: value for key, value in row.items() if table.entity.type.fields[key].kind != "C"}
    changed = _written(world, name, {**row}, payload, purge=purge)
    if changed.get("Status") == "Inactive" and row.get("Status") == "Active":
        changed["InactiveDate"] = world.session_date
    elif changed.get("Status") == "Active":
        changed["InactiveDate"] = None
    if master.stamp:
        changed[master.stamp] = world.session_date
    _check(world, name, changed)
    return table.put(changed)


def delete_master(world: SageWorld, name: str, row: Row) -> None:
    """Raises SageError General while other records refer to it or money is open on it."""
    table, master = world.table(name), MASTERS[name]
    key = table.key_of(row)
    balance = row.get("BalanceDueInVendorCurrency") or row.get("BalanceDueInCustomerCurrency")
    used = any(world.table(other).where(**{field: key[0]}) for other, field in master.used_in)
    if balance or used:
        raise SageError("General", f"{master.title} '{key[0]}' cannot be deleted. It is in use.")
    table.delete(key)


def _keyed(name: str, payload: Row) -> Row:
    """Key codes are stored in upper case; an item's key is its number without separators."""
    upper = ("VendorNumber", "CustomerNumber", "GroupCode", "TermsCode", "CurrencyCodeKey", "UnformattedItemNumber")
    payload = {key: value.upper() if key in upper else value for key, value in payload.items() if key != OPERATION}
    if name == "ICItems" and "UnformattedItemNumber" in payload:
        payload["UnformattedItemNumber"] = unformatted(payload["UnformattedItemNumber"])
        payload.setdefault("ItemNumber", payload["UnformattedItemNumber"])
    return payload


def unformatted(item: str) -> str:
    """An item number without its segment separators: `A1-105/0` is stored as `A1105/0`."""
    return item.upper().rstrip().replace("-", "")


def _written(world: SageWorld, name: str, row: Row, payload: Row, *, purge: bool) -> Row:
    master, kind = MASTERS[name], world.table(name).entity.type
    for field, value in payload.items():
        if _read_only(master, field):
            if world.switches.read_only_fields == "refused":
                raise SageError("FieldInvalid", f"{words(field)}. Field is calculated and cannot be changed.")
            continue
        if kind.fields[field].kind == "C":
            nested = record_type(kind.fields[field].collection)
            row[field] = _details(world, master, field, nested, row.get(field, []), value, purge=purge)
            if field == master.option_rows and "NumberOfOptionalFields" in kind.fields:
                row["NumberOfOptionalFields"] = len(row[field])
            continue
        row[field] = value
        if master.group and field == "GroupCode":
            group = world.table(master.group).get(value)
            if group is None:
                raise SageError("FieldInvalid", f"{_title(master, field)} '{value}' does not exist.")
            if group.get("Status") == "Inactive":
                raise SageError("FieldInvalid", f"{_title(master, field)} '{value}' is inactive.")
            row |= {own: group[theirs] for own, theirs in master.inherited if theirs in group}
    return row


def _title(master: Master, field: str) -> str:
    return next((ref.title for ref in master.references if ref.field == field), words(field))


def _read_only(master: Master, field: str) -> bool:
    return field == master.stamp or field.startswith(_KEPT)


def _details(
    world: SageWorld,
    master: Master,
    field: str,
    kind: RecordType,
    held: list[Row],
    sent: list[Row],
    *,
    purge: bool,
) -> list[Row]:
    if field == master.option_rows:
        deleted = [row for row in sent if row.get(OPERATION) == "Delete"]
        written = accepted(world.setup.optional_fields, kind, [row for row in sent if row not in deleted])
        return merge_details([] if purge else held, [*deleted, *written], "OptionalField")
    return [without_operations(row) for row in sent]


def _complete_new(world: SageWorld, name: str, row: Row) -> None:
    master = MASTERS[name]
    if master.stamp:
        row[master.stamp] = world.session_date
    if name in ("APVendors", "ARCustomers"):
        title = "VendorName" if name == "APVendors" else "CustomerName"
        row.setdefault("ShortName", row.get(title, "")[:10].rstrip().upper())
    if name == "ICItems":
        world.setup.prices.setdefault(row["UnformattedItemNumber"], Decimal(100))


def _check(world: SageWorld, name: str, row: Row) -> None:
    master = MASTERS[name]
    blank = [field for field in master.required if not row.get(field)]
    if blank:
        raise SageError("RecordInvalid", *(f"{words(field)} cannot be blank." for field in blank))
    wrong = [
        f"{ref.title} '{value}' does not exist."
        for ref in master.references
        if (value := row.get(ref.field, "").rstrip()) and ref.key(value) not in world.table(ref.table)
    ]
    wrong += unknown(world.setup.codes, row)
    if wrong:
        raise SageError("FieldInvalid", *wrong)
