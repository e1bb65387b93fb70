"""Conditions on records, in neutral form: each client turns them into its own query language, quoting every value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

Operator = Literal["eq", "ne", "gt", "ge", "lt", "le", "in", "starts_with", "is_null", "not_null"]
Scalar = str | int | Decimal | bool | date | datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """`field operator value`; a list of conditions is a conjunction. `in` takes a sequence, the null tests nothing."""

    field: str
    operator: Operator
    value: Scalar | Sequence[Scalar] | None = None


Criteria = Sequence[Condition]


def where(field: str, operator: Operator, value: Scalar | Sequence[Scalar] | None = None) -> Condition:
    return Condition(field, operator, value)
