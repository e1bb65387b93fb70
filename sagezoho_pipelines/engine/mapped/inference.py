"""What an expression can result in, told from the expression and the description of what it reads.

It is never stricter than the truth: what cannot be told is `OTHER`, of unknown length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sagezoho_pipelines.domain.mapping import FieldRule
from sagezoho_pipelines.domain.metadata import FieldInfo, Kind

_PROJECTIONS = frozenset({"projection", "filter_projection", "value_projection", "flatten", "slice", "pipe"})


@dataclass(frozen=True, slots=True)
class Result:
    """`kinds` it may be of, none for nothing ever; `length` in characters at most, None where nobody knows.

    `literals` are texts that the expression itself may give; where not `open`, no other text. `cut` is the length that
    a declared rule shortens to. `leaks`: a condition that does not hold gives false instead of a value.
    """

    kinds: frozenset[Kind] = frozenset()
    length: int | None = 0
    literals: frozenset[str] = frozenset()
    open: bool = False
    cut: int | None = None
    leaks: bool = False


_UNKNOWN = Result(frozenset({Kind.OTHER}), None, open=True)

Scope = Callable[[str], FieldInfo | None]


def infer(rule: FieldRule, scope: Scope) -> Result:
    """`scope` gives the description of a path; None where there is none."""
    return _Inference(rule, scope).of(rule.compiled.parsed)


def paths(node: Any) -> Iterator[str]:
    """Every path that an expression reads, as deep as it names it: `InvoicePaymentSchedules.DueDate`."""
    path = _path(node)
    if path is not None:
        yield path
    elif node["type"] in _PROJECTIONS or node["type"] == "subexpression":
        yield from paths(node["children"][0])
    else:
        for child in node.get("children", ()):
            yield from paths(child)


def comparisons(node: Any) -> Iterator[tuple[str, str]]:
    """Each field that is compared with a text of the expression."""
    if node["type"] == "comparator":
        for one, other in (node["children"], reversed(node["children"])):
            path = _path(one)
            if path is not None and other["type"] == "literal" and isinstance(other["value"], str):
                yield path, other["value"]
    for child in node.get("children", ()):
        yield from comparisons(child)


def _path(node: Any) -> str | None:
    match node["type"]:
        case "field":
            return str(node["value"])
        case "subexpression":
            left, right = (_path(child) for child in node["children"])
            return f"{left}.{right}" if left is not None and right is not None else None
        case "index_expression" if all(child["type"] == "index" for child in node["children"][1:]):
            return _path(node["children"][0])
    return None


class _Inference:
    def __init__(self, rule: FieldRule, scope: Scope) -> None:
        self._scope = scope
        self._maps = {one.name: one for one in rule.value_maps}

    def of(self, node: Any) -> Result:
        path = _path(node)
        if path is not None:
            return self._field(path)
        children: Sequence[Any] = node.get("children", ())
        match node["type"]:
            case "literal":
                return _literal(node["value"])
            case "or_expression":
                left, right = map(self.of, children)
                return _either(replace(left, leaks=False), right)
            case "and_expression":
                condition, then = map(self.of, children)
                return replace(then, leaks=then.leaks or condition.kinds == {Kind.BOOLEAN})
            case "comparator" | "not_expression":
                return Result(frozenset({Kind.BOOLEAN}))
            case "multi_select_dict":
                return Result(frozenset({Kind.RECORD}))
            case "multi_select_list":
                return Result(frozenset({Kind.ROWS}))
            case "function_expression":
                return self._call(node["value"], children)
        return _UNKNOWN

    def _field(self, path: str) -> Result:
        info = self._scope(path)
        if info is None:
            return _UNKNOWN
        if info.kind is Kind.CHOICE:
            length = max(map(len, info.values), default=0) if info.closed else info.length
            literals = frozenset(info.values) if info.closed else frozenset()
            return Result(frozenset({Kind.TEXT}), length, literals, open=not info.closed)
        return Result(frozenset({info.kind}), info.length if info.kind is Kind.TEXT else None, open=True)

    def _call(self, name: str, arguments: Sequence[Any]) -> Result:
        match name:
            case "trim" | "upper" | "lower" | "first_name" | "last_name" | "first_address":
                return self._text_of(arguments[0], getattr(str, name, str))
            case "shorten" | "address_line":
                length = _number(arguments[-1])
                whole = self._text_of(arguments[0])
                cut = length if whole.length is None or (length is not None and whole.length > length) else None
                return replace(whole, length=_least(whole.length, length), literals=frozenset(), open=True, cut=cut)
            case "join_lines" | "join_words":
                return self._joined(arguments[0])
            case "date":
                return Result(frozenset({Kind.DATE}), 10, open=True)
            case "decimal" | "nonzero" | "minus" | "to_number" | "length" | "sum" | "abs" | "ceil" | "floor":
                return Result(frozenset({Kind.NUMBER}), None, open=True)
            case "lookup":
                return self._lookup(arguments)
            case "if_all":
                return _either(self.of(arguments[1]), self.of(arguments[2]))
            case "not_null":
                return _any(self.of(argument) for argument in arguments)
            case "to_string" | "join":
                return Result(frozenset({Kind.TEXT}), None, open=True)
            case "contains" | "starts_with" | "ends_with":
                return Result(frozenset({Kind.BOOLEAN}))
        return _UNKNOWN

    def _text_of(self, node: Any, change: Callable[[str], str] = str) -> Result:
        """Whatever it is, as text."""
        found = self.of(node)
        if not found.kinds:
            return found
        measured = found.length if found.kinds <= {Kind.TEXT, Kind.DATE} else None
        return replace(
            found, kinds=frozenset({Kind.TEXT}), length=measured, literals=frozenset(map(change, found.literals))
        )

    def _joined(self, node: Any) -> Result:
        parts = [self._text_of(child) for child in node.get("children", ())]
        if node["type"] != "multi_select_list" or any(part.length is None for part in parts):
            return Result(frozenset({Kind.TEXT}), None, open=True)
        length = sum(part.length or 0 for part in parts) + max(0, len(parts) - 1)
        return Result(frozenset({Kind.TEXT}), length, open=True)

    def _lookup(self, arguments: Sequence[Any]) -> Result:
        known = self._maps[arguments[0]["value"]].entries.values()
        mapped = Result(frozenset({Kind.TEXT}), max(map(len, known), default=0), frozenset(known) - {""})
        return mapped if len(arguments) == 2 else _either(mapped, self.of(arguments[2]))


def _literal(value: Any) -> Result:
    match value:
        case None:
            return Result()
        case bool():
            return Result(frozenset({Kind.BOOLEAN}))
        case str():
            return Result(frozenset({Kind.TEXT}), len(value), frozenset({value} - {""}))
        case int() | float() | Decimal():
            return Result(frozenset({Kind.NUMBER}), None)
        case dict():
            return Result(frozenset({Kind.RECORD}))
    return Result(frozenset({Kind.ROWS}))


def _either(one: Result, other: Result) -> Result:
    measured = one.length is not None and other.length is not None
    cuts = [cut for cut in (one.cut, other.cut) if cut is not None]
    return Result(
        one.kinds | other.kinds,
        max(one.length or 0, other.length or 0) if measured else None,
        one.literals | other.literals,
        one.open or other.open,
        min(cuts) if cuts else None,
        one.leaks or other.leaks,
    )


def _any(results: Iterable[Result]) -> Result:
    whole = Result()
    for result in results:
        whole = _either(whole, result)
    return whole


def _number(node: Any) -> int | None:
    value = node.get("value") if node["type"] == "literal" else None
    return int(value) if isinstance(value, int | float | Decimal) else None


def _least(one: int | None, other: int | None) -> int | None:
    known = [length for length in (one, other) if length is not None]
    return min(known) if known else None
