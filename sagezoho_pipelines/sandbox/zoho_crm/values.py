"""What a value must look like to stand in a field, and how a stored value is shown.

Stored: text as it is, numbers as int or Decimal, instants as whole seconds since 1970, lookups and owners as the
int id of the other record, subforms as lists of rows. Shown: Zoho's JSON, instants in the token user's zone.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Field
from sagezoho_pipelines.sandbox.zoho_crm.errors import RowError, row_invalid
from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches

EMAIL = re.compile(r"[A-Za-z0-9_](?:[\w\-.+%'&]*)@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,22}")
PHONE = re.compile(
    r"\+?(?![.\-])(?>(?>[.\-]?[ ]?[\da-zA-Z]+)+|(?:[ ]?\((?![.\-])(?>[ .\-]?[\da-zA-Z]+)+\)(?!\.)"
    r"(?:[ \-]?[\da-zA-Z]+)?)+)+(?>(?>,*;?[\da-zA-Z]+)+)?;?"
)
WEBSITE = re.compile(r"(?:(?:https?|ftp)://)?[^\s/?#:.@<>\"']+(?:\.[^\s/?#:.@<>\"']+)+(?::\d+)?(?:[/?#]\S*)?")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+-]\d{2}:\d{2}", re.ASCII)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
DIGITS = re.compile(r"-?\d{1,19}")

EXPECTED = {
    "ownerlookup": "jsonobject",
    "lookup": "jsonobject",
    "textarea": "string",
    "text": "string",
    "picklist": "string",
    "website": "website",
    "formula": "double",
    "multiselectpicklist": "jsonarray",
    "tags": "jsonarray",
    "taxes": "jsonarray",
    "ranges": "jsonarray",
    "currency": "double",
    "percent": "double",
    "subform": "jsonarray",
}


def parse_instant(text: str) -> int | None:
    """Whole seconds since 1970 for `yyyy-MM-ddTHH:mm:ss±HH:mm`, as Zoho writes instants; None for anything else."""
    if not INSTANT.fullmatch(text):
        return None
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return None


def header_instant(text: str) -> int | None:
    """The same of a header, where clients are known to send `Z` for UTC too."""
    return parse_instant(f"{text[:-1]}+00:00" if text.endswith("Z") else text)


def places(text: str) -> int:
    """Characters as Zoho counts them: a sign beyond the first plane of Unicode is two."""
    return len(text) + sum(sign > "\uffff" for sign in text)


@lru_cache(maxsize=65536)
def show_instant(seconds: int, zone: ZoneInfo) -> str:
    """yyyy-MM-ddTHH:mm:ss±HH:mm in `zone`."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).isoformat(timespec="seconds")


def parse_id(given: object) -> int | None:
    """A record id sent as a string of digits or as a JSON integer."""
    if isinstance(given, bool):
        return None
    if isinstance(given, int):
        return given if given > 0 else None
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) <= 19:
        return int(given)
    return None


def is_date(text: str) -> bool:
    if not DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def read_scalar(field: Field, value: Any, path: str, switches: ZohoSwitches) -> Any:
    """The stored form of `value`, which is neither null nor a lookup nor a subform; RowError when unfit."""
    kind = field.data_type
    if field.is_text:
        return _text(field, value, path, switches)
    if kind in ("integer", "double", "currency", "percent"):
        return _number(field, value, path, switches)
    if kind == "bigint":
        return _bigint(value, path)
    if kind == "boolean":
        if isinstance(value, bool):
            return value
        raise _wrong(field, path)
    if kind == "date":
        if isinstance(value, str) and is_date(value):
            return value
        raise _wrong(field, path)
    if kind == "datetime":
        seconds = parse_instant(value) if isinstance(value, str) else None
        if seconds is None:
            raise _wrong(field, path)
        return seconds
    if isinstance(value, list):
        return _array(field, value, path)
    raise _wrong(field, path)


def _wrong(field: Field, path: str) -> RowError:
    return row_invalid(path, expected_data_type=EXPECTED.get(field.data_type, field.data_type))


def _text(field: Field, value: Any, path: str, switches: ZohoSwitches) -> str | None:
    if not isinstance(value, str):
        raise _wrong(field, path)
    text = value.strip() if switches.trims_text else value
    if not text:
        return None
    if places(text) > field.length:
        raise row_invalid(path, maximum_length=field.length)
    if CONTROL.search(text):
        raise _wrong(field, path)
    pattern = {"email": EMAIL, "phone": PHONE, "website": WEBSITE}.get(field.data_type)
    if pattern is not None and not pattern.fullmatch(text):
        raise _wrong(field, path)
    return text


def _number(field: Field, value: Any, path: str, switches: ZohoSwitches) -> int | Decimal:
    if isinstance(value, str) and switches.numeric_strings:
        try:
            value = Decimal(value)
        except ArithmeticError:
            raise _wrong(field, path) from None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong(field, path)
    if field.data_type == "integer":
        if value != int(value):
            raise _wrong(field, path)
        value = int(value)
    if abs(value) >= 10**field.length:
        raise row_invalid(path, maximum_length=field.length)
    kept = {"currency": switches.currency_decimals, "double": switches.double_decimals}.get(field.data_type)
    if kept == "of the field" and field.decimal_place is not None and isinstance(value, Decimal):
        value = value.quantize(Decimal(1).scaleb(-field.decimal_place), ROUND_HALF_UP)
    return plain(value)


def plain(value: int | Decimal) -> int | Decimal:
    """A number without a needless fraction: 12.00 is shown as 12, 12.50 as 12.5."""
    if isinstance(value, int):
        return value
    whole = value.to_integral_value()
    return int(whole) if whole == value else value.normalize()


def _bigint(value: Any, path: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not DIGITS.fullmatch(value):
        raise row_invalid(path, expected_data_type="bigint")
    if len(value.lstrip("-")) > 18:
        raise row_invalid(path, maximum_length=18)
    return str(int(value))


def _array(field: Field, value: list[Any], path: str) -> list[Any]:
    if field.data_type == "multiselectpicklist" and not all(isinstance(one, str) for one in value):
        raise _wrong(field, path)
    if field.data_type in ("ranges", "taxes") and not all(isinstance(one, dict) for one in value):
        raise _wrong(field, path)
    return value
