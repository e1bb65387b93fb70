"""Runs a COQL query: checks it against the metadata and the limits, then reads the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.coql_columns import ID_FIELD, ColumnPath
from sagezoho_pipelines.sandbox.zoho_crm.coql_conditions import Test, invalid_query, literal, plain_test, text_test
from sagezoho_pipelines.sandbox.zoho_crm.coql_parse import (
    Column,
    Condition,
    Criteria,
    Pair,
    Query,
    parse,
)
from sagezoho_pipelines.sandbox.zoho_crm.errors import ApiError
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation
from sagezoho_pipelines.sandbox.zoho_crm.table import Row
from sagezoho_pipelines.sandbox.zoho_crm.values import plain

EQUALITY = frozenset({"=", "!=", "in", "not in", "is null", "is not null"})
LIKE = frozenset({"like", "not like"})
RANGE = frozenset({"<", "<=", ">", ">=", "between"})
CRITERIA_MAX, JOINS_MAX, ORDER_MAX, GROUP_MAX, AGGREGATES_MAX = 25, 2, 10, 4, 5


def exceeded(limit: int, clause: str) -> ApiError:
    return ApiError(400, "LIMIT_EXCEEDED", "limit exceeded", {"limit": limit, "clause": clause})


def cost(text: str) -> int:
    """Credits of a query: 1 up to 200 rows, 2 up to 1000, 3 beyond; 1 when it cannot be parsed."""
    try:
        limit = parse(text).limit
    except ApiError:
        return 1
    return 1 if limit <= 200 else 2 if limit <= 1000 else 3


def prepare(org: Organisation, text: str) -> Prepared:
    """A query that can be answered; ApiError for one that cannot."""
    return Prepared(org, parse(text))


class Prepared:
    """One query, checked; see `answer`."""

    def __init__(self, org: Organisation, query: Query) -> None:
        self.org = org
        self.query = query
        self.module = org.module(query.module, in_path=False)
        self.paths: dict[str, ColumnPath] = {}
        self.conditions = list(_flat(query.where))
        self.check_limits()
        self.columns = [(column, self.path(column.name)) for column in query.columns]
        self.test = self.criteria(query.where)
        self.order = [(self.path(name), descends) for name, descends in query.order_by]
        for column, path in self.columns:
            if column.aggregate is not None:
                path.require(column.aggregate)
        for name in (*query.group_by, *(name for name, _ in query.order_by)):
            self.path(name).require("order")

    def path(self, name: str) -> ColumnPath:
        if name not in self.paths:
            self.paths[name] = ColumnPath(self.org, self.module, name)
        return self.paths[name]

    def check_limits(self) -> None:
        query, switches = self.query, self.org.switches
        if query.limit > switches.coql_limit_max or query.limit < 1:
            raise exceeded(switches.coql_limit_max, "limit")
        if query.offset + query.limit > switches.coql_offset_total:
            raise exceeded(switches.coql_offset_total, "offset")
        if len(query.columns) > switches.coql_columns_max:
            raise exceeded(switches.coql_columns_max, "select")
        if len(self.conditions) > CRITERIA_MAX:
            raise exceeded(CRITERIA_MAX, "where")
        if any(len(one.values) > switches.coql_in_max for one in self.conditions):
            raise exceeded(switches.coql_in_max, "in")
        if len(query.order_by) > ORDER_MAX:
            raise exceeded(ORDER_MAX, "order by")
        if len(query.group_by) > GROUP_MAX:
            raise exceeded(GROUP_MAX, "group by")
        if sum(one.aggregate is not None for one in query.columns) > AGGREGATES_MAX:
            raise exceeded(AGGREGATES_MAX, "select")
        names = [one.name for one in query.columns if one.aggregate is None]
        ordered = [name for name, _ in query.order_by]
        for listed in (names, ordered):
            if len(set(listed)) < len(listed):
                raise ApiError(400, "DUPLICATE_DATA", "duplicate columns are not allowed", {})
        every = names + ordered + [one.column for one in self.conditions]
        # Each lookup on the way is a join: `Parent.Owner.name` has two.
        joins = {tuple(steps[:at]) for name in every for steps in [name.split(".")] for at in range(1, len(steps))}
        if len(joins) > JOINS_MAX:
            raise exceeded(JOINS_MAX, "join")

    def criteria(self, where: Criteria) -> Test:
        if isinstance(where, Pair):
            left, right = self.criteria(where.left), self.criteria(where.right)
            if where.joint == "and":
                return lambda row: left(row) and right(row)
            return lambda row: left(row) or right(row)
        return self.condition(where)

    def condition(self, one: Condition) -> Test:
        path = self.path(one.column)
        field = path.field
        allowed = EQUALITY
        if field is ID_FIELD or field.is_number or field.data_type in ("date", "datetime", "bigint"):
            allowed = EQUALITY | RANGE
        elif field.is_text:
            allowed = EQUALITY | LIKE
        elif field.data_type == "boolean":
            allowed = frozenset({"=", "!="})
        if one.operator not in allowed:
            raise invalid_query("invalid operator found", column_name=one.column, operator=one.operator)
        values = [literal(field, given, one.column) for given in one.values]
        value = path.value
        if field.is_text:
            return text_test(one.operator, [str(given) for given in values], value)
        return plain_test(one.operator, values, value, number=field.data_type == "bigint" and field is not ID_FIELD)

    def rows(self) -> Iterator[Row]:
        """Candidate rows in the order asked for, narrowed by id, Modified_Time or an equality where possible."""
        if self.module.parent is not None:
            yield from self.sorted(self.lines())
            return
        table = self.org.table(self.module.api_name)
        low, high = self.bounds(self.query.where, "id")
        from_time, to_time = self.bounds(self.query.where, "Modified_Time")
        names = [(name, descends) for name, descends in self.query.order_by]
        looked_up = self.looked_up()
        if looked_up is not None:
            ids = sorted(looked_up)
            yield from self.sorted(table.rows[one] for one in ids)
        elif not names or names[0][0] == "id":
            descends = bool(names) and names[0][1]
            if from_time is not None:
                found = sorted(table.modified_between(from_time, to_time), reverse=descends)
                yield from (table.rows[one] for one in found)
            else:
                yield from (table.rows[one] for one in table.ids_between(low, high, descending=descends))
        elif names in ([("Modified_Time", False)], [("Modified_Time", False), ("id", False)]):
            yield from (table.rows[one] for one in table.modified_between(from_time, to_time))
        elif names == [("Modified_Time", True), ("id", True)]:
            yield from (table.rows[one] for one in table.modified_between(from_time, to_time, descending=True))
        else:
            yield from self.sorted(table.rows[one] for one in table.modified_between(from_time, to_time))

    def lines(self) -> Iterator[Row]:
        """Rows of a subform module, each reachable through the record it hangs on."""
        table = self.org.table(self.module.parent or "")
        held = next(one for one in table.module.subforms() if one.subform == self.module.api_name)
        for parent in table.ids:
            yield from table.rows[parent].get(held.api_name) or []

    def sorted(self, rows: Iterable[Row]) -> Iterator[Row]:
        found = list(rows)
        found.sort(key=lambda row: row["id"])
        for path, descends in reversed(self.order):
            value = path.value
            found.sort(key=lambda row: _rank(value(row)), reverse=descends)
        return iter(found)

    def looked_up(self) -> set[int] | None:
        """Ids that an equality on an own column leaves, taken from an index; None when there is no such one."""
        for one in _conjuncts(self.query.where):
            if not isinstance(one, Condition) or one.operator not in ("=", "in") or "." in one.column:
                continue
            field = self.path(one.column).field
            table = self.org.table(self.module.api_name)
            values = [literal(field, given, one.column) for given in one.values]
            if field is ID_FIELD:
                return {value for value in values if value in table.rows}
            if field.data_type == "bigint":
                values = [str(value) for value in values]
            if field.is_text or field.data_type in ("lookup", "bigint"):
                return {found for value in values for found in table.matching(one.column, value)}
        return None

    def bounds(self, where: Criteria, column: str) -> tuple[int | None, int | None]:
        """Inclusive bounds that `where` implies for a column held as an int."""
        if isinstance(where, Pair):
            left, right = self.bounds(where.left, column), self.bounds(where.right, column)
            if where.joint == "and":
                return _tighter(left[0], right[0], max), _tighter(left[1], right[1], min)
            low = None if left[0] is None or right[0] is None else min(left[0], right[0])
            high = None if left[1] is None or right[1] is None else max(left[1], right[1])
            return low, high
        if where.column != column or where.operator not in {"=", "<", "<=", ">", ">=", "between"}:
            return None, None
        values = [int(literal(self.path(column).field, given, column)) for given in where.values]
        if where.operator == "between":
            return values[0], values[1]
        low = values[0] if where.operator in ("=", ">", ">=") else None
        high = values[0] if where.operator in ("=", "<", "<=") else None
        return low, high

    def joined(self) -> list[str]:
        """The modules that its columns reach through lookups."""
        return sorted({hop.lookup for path in self.paths.values() for hop in path.hops if hop.lookup})

    def answer(self) -> dict[str, Any] | None:
        """The answer's body, None when no row matches."""
        query = self.query
        if query.group_by or any(column.aggregate for column, _ in self.columns):
            return self.grouped()
        found: list[Row] = []
        skip = query.offset
        for row in self.rows():
            if not self.test(row):
                continue
            if skip:
                skip -= 1
                continue
            found.append(row)
            if len(found) > query.limit:
                break
        if not found:
            return None
        data = []
        for row in found[: query.limit]:
            shown = {column.key: path.show(path.value(row)) for column, path in self.columns}
            shown["id"] = str(row["id"])
            data.append(shown)
        return {"data": data, "info": {"count": len(data), "more_records": len(found) > query.limit}}

    def grouped(self) -> dict[str, Any] | None:
        keys = [self.path(name) for name in self.query.group_by]
        bare = [column.name for column, _ in self.columns if column.aggregate is None]
        if any(name not in self.query.group_by for name in bare):
            raise invalid_query("column must be in the group by clause", column_name=bare[0])
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in self.rows():
            if self.test(row):
                groups.setdefault(tuple(_rank(path.value(row)) for path in keys), []).append(row)
        data = [
            {column.key: _aggregate(column, path, rows) for column, path in self.columns} for rows in groups.values()
        ]
        window = data[self.query.offset : self.query.offset + self.query.limit]
        if not window:
            return None
        more = len(data) > self.query.offset + self.query.limit
        return {"data": window, "info": {"count": len(window), "more_records": more}}


def _aggregate(column: Column, path: ColumnPath, rows: list[Row]) -> Any:
    if column.aggregate is None:
        return path.show(path.value(rows[0]))
    held = [one for one in (path.value(row) for row in rows) if one is not None]
    if column.aggregate == "count":
        return len(held)
    if not held:
        return None
    if column.aggregate in ("min", "max"):
        # Long integers are held as text.
        pick = min if column.aggregate == "min" else max
        return path.show(pick(held, key=int) if path.field.data_type == "bigint" else pick(held))
    total = sum((Decimal(one) for one in held), Decimal(0))
    return plain(total if column.aggregate == "sum" else total / len(held))


def _flat(where: Criteria) -> Iterator[Condition]:
    if isinstance(where, Pair):
        yield from _flat(where.left)
        yield from _flat(where.right)
    else:
        yield where


def _conjuncts(where: Criteria) -> Iterator[Criteria]:
    if isinstance(where, Pair) and where.joint == "and":
        yield from _conjuncts(where.left)
        yield from _conjuncts(where.right)
    else:
        yield where


def _tighter(one: int | None, other: int | None, pick: Callable[[int, int], int]) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return pick(one, other)


def _rank(value: Any) -> tuple[bool, Any]:
    """Nulls first, text without case, everything comparable with its own kind."""
    return (value is not None, value.casefold() if isinstance(value, str) else value or 0)


def module_of(text: str) -> str:
    """The module a query reads from; ApiError when it cannot be parsed."""
    return parse(text).module
