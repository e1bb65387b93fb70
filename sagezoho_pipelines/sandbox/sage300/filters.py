"""`$filter` expressions: parsed, checked against the record type, and compiled to a function of a row.

Taken: eq ne gt ge lt le of a property and a literal, and, or, parentheses, startswith, endswith, contains, length;
unquoted ISO dates, quoted enumeration members, numbers, true, false, null, texts with `''`. `not`, bare conditions and
other comparisons only where a switch says so. Everything else is InvalidParameters.
Comparisons ignore trailing blanks, as the database does, and are case-sensitive.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sagezoho_pipelines.sandbox.sage300.catalog import EntitySet, is_calculated
from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.filter_words import COMPARE, date_test, instant, tokens
from sagezoho_pipelines.sandbox.sage300.schema import Field, Row
from sagezoho_pipelines.sandbox.sage300.switches import SageSwitches

Evaluate = Callable[[Row], Any]
_MIRRORED = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": operator.contains,
}


@dataclass(frozen=True)
class Filter:
    """A compiled filter. `equal` are (property, value) pairs that every matching row must meet."""

    text: str
    predicate: Callable[[Row], bool]
    equal: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class _Operand:
    """One side of a comparison: a property, a literal, or a function's result (`tested`)."""

    kind: str
    evaluate: Evaluate
    field: Field | None = None
    literal: Any = None
    tested: bool = False


def compile_filter(entity: EntitySet, text: str, switches: SageSwitches) -> Filter:
    """Raises SageError InvalidParameters, with the library's words, for anything it does not take."""
    parser = _Parser(entity, text, switches)
    predicate, equal = parser.whole()
    return Filter(text, predicate, equal)


class _Parser:
    def __init__(self, entity: EntitySet, text: str, switches: SageSwitches) -> None:
        self.entity = entity
        self.text = text
        self.switches = switches
        self.tokens = tokens(text, legacy=switches.legacy_literals)
        self.at = 0
        self.nodes = 0

    def whole(self) -> tuple[Callable[[Row], bool], tuple[tuple[str, Any], ...]]:
        predicate, equal = self._or()
        if self.at < len(self.tokens):
            raise self._syntax()
        return predicate, equal

    def _peek(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            return "end", ""
        return self.tokens[self.at][0], self.tokens[self.at][1]

    def _take(self, mark: str | None = None) -> tuple[str, str]:
        kind, value = self._peek()
        if kind == "end" or (mark is not None and value != mark):
            raise self._syntax()
        self.at += 1
        return kind, value

    def _syntax(self) -> SageError:
        at = self.tokens[min(self.at, len(self.tokens) - 1)][2] if self.tokens else 0
        return SageError("InvalidParameters", f"Syntax error at position {at} in '{self.text}'.")

    def _only_of_the_library(self, what: str) -> None:
        if self.switches.filter_words == "of the pages":
            raise SageError("InvalidParameters", f"{what[0].upper()}{what[1:]} is not supported in '{self.text}'.")

    def _node(self) -> None:
        self.nodes += 1
        limit = self.switches.filter_node_limit
        if self.nodes > limit:
            raise SageError(
                "InvalidParameters",
                f"The URI specified in the query is not valid. The node count limit of '{limit}' has been exceeded. "
                "To increase the limit, set the 'MaxNodeCount' property on EnableQueryAttribute or "
                "ODataValidationSettings.",
            )

    def _or(self) -> tuple[Callable[[Row], bool], tuple[tuple[str, Any], ...]]:
        first, equal = self._and()
        tests = [first]
        while self._peek() == ("name", "or"):
            self._take()
            self._node()
            tests.append(self._and()[0])
        if len(tests) == 1:
            return first, equal
        return (lambda row: any(test(row) for test in tests)), ()

    def _and(self) -> tuple[Callable[[Row], bool], tuple[tuple[str, Any], ...]]:
        first, equal = self._unary()
        tests = [first]
        while self._peek() == ("name", "and"):
            self._take()
            self._node()
            test, more = self._unary()
            tests.append(test)
            equal += more
        if len(tests) == 1:
            return first, equal
        if len(tests) == 2:
            one, two = tests
            return (lambda row: one(row) and two(row)), equal
        return (lambda row: all(test(row) for test in tests)), equal

    def _unary(self) -> tuple[Callable[[Row], bool], tuple[tuple[str, Any], ...]]:
        kind, value = self._peek()
        if (kind, value) == ("name", "not"):
            self._only_of_the_library("the operator 'not'")
            self._take()
            self._node()
            inner = self._negated()
            return (lambda row: not inner(row)), ()
        if value == "(" and kind == "mark":
            self._take()
            inner, equal = self._or()
            self._take(")")
            return inner, equal
        return self._comparison()

    def _negated(self) -> Callable[[Row], bool]:
        """What `not` stands before: it binds closer than a comparison does."""
        if self._peek() in (("mark", "("), ("name", "not")):
            return self._unary()[0]
        operand = self._operand()
        if operand.kind != "boolean":
            raise SageError(
                "InvalidParameters",
                "A unary operator with an incompatible type was detected. "
                f"Found operand type '{operand.kind}' for operator kind 'Not'.",
            )
        return operand.evaluate

    def _comparison(self) -> tuple[Callable[[Row], bool], tuple[tuple[str, Any], ...]]:
        left = self._operand()
        kind, op = self._peek()
        if kind != "name" or op not in COMPARE:
            if left.kind == "boolean":
                if not left.tested:
                    self._only_of_the_library("a condition without a comparison")
                return left.evaluate, ()
            raise (
                self._syntax()
                if kind == "end" or kind != "name"
                else SageError("InvalidParameters", f"Syntax error: the operator '{op}' is not known in '{self.text}'.")
            )
        self._take()
        self._node()
        right = self._operand()
        if (left.field is None) == (right.field is None) and not (left.tested or right.tested):
            self._only_of_the_library("a comparison of anything but a property and a literal")
        if left.field is None and right.field is not None:
            left, right, op = right, left, _MIRRORED[op]
        return self._compare(left, op, right)

    def _operand(self) -> _Operand:
        kind, value = self._take()
        self._node()
        match kind:
            case "text":
                return _literal("text", value[1:-1].replace("''", "'"))
            case "number":
                return _literal("number", Decimal(value))
            case "date":
                return _literal("date", instant(value))
            case "legacy":
                if not self.switches.legacy_literals:
                    raise SageError("InvalidParameters", f"Unrecognized literal {value} in '{self.text}'.")
                return _literal("date", instant(value[9:-1]))
            case "name":
                return self._named(value)
        raise self._syntax()

    def _named(self, name: str) -> _Operand:
        if self._peek() == ("mark", "("):
            return self._function(name)
        if name in ("true", "false"):
            return _literal("boolean", name == "true")
        if name == "null":
            return _literal("null", None)
        return self._property(name)

    def _property(self, name: str) -> _Operand:
        kind = self.entity.type
        if name == "UpdateOperation" and self.switches.filter_on_calculated:
            return _Operand("text", lambda _row: "Unspecified")
        if name == "UpdateOperation":
            raise self._no_column(name)
        field = kind.fields.get(name)
        if field is None:
            raise unknown_property(self.entity, name)
        if field.kind == "C" or (is_calculated(self.entity, name) and not self.switches.filter_on_calculated):
            raise self._no_column(name)
        default = field.default
        shape = {"S": "text", "E": "enum", "D": "date", "B": "boolean"}.get(field.kind, "number")
        if field.kind == "S":
            return _Operand(shape, lambda row: row.get(name, "").rstrip(), field)
        return _Operand(shape, lambda row: row.get(name, default), field)

    @staticmethod
    def _no_column(name: str) -> SageError:
        return SageError("InvalidParameters", f"The property '{name}' cannot be used in the $filter query option.")

    def _function(self, name: str) -> _Operand:
        self._take("(")
        arguments = [self._operand()]
        while self._peek() == ("mark", ","):
            self._take()
            arguments.append(self._operand())
        self._take(")")
        if name == "contains" and not self.switches.contains:
            name = ""
        if name == "substringof" and self.switches.legacy_literals:
            name, arguments = "contains", arguments[::-1]
        if name not in (*_TEXT_TESTS, "length"):
            raise SageError("InvalidParameters", f"An unknown function with name '{name}' was found.")
        if len(arguments) != (1 if name == "length" else 2) or any(a.kind != "text" for a in arguments):
            raise SageError(
                "InvalidParameters", f"No function signature for the function with name '{name}' matches the arguments."
            )
        if arguments[0].field is None or any(one.field for one in arguments[1:]):
            self._only_of_the_library(f"{name}() of anything but a property and a literal")
        first = arguments[0].evaluate
        if name == "length":
            return _Operand("number", lambda row: Decimal(len(first(row))), tested=True)
        test, second = _TEXT_TESTS[name], arguments[1].evaluate
        return _Operand("boolean", lambda row: test(first(row), second(row)), tested=True)

    def _compare(
        self, left: _Operand, op: str, right: _Operand
    ) -> tuple[Callable[[Row], bool], tuple[tuple[str, Any], ...]]:
        self._check_types(left, op, right)
        get, test = left.evaluate, COMPARE[op]
        if right.kind == "null" or left.kind == "null":
            other = right.evaluate
            if op == "eq":
                return (lambda row: get(row) is other(row)), ()
            if op == "ne":
                return (lambda row: get(row) is not other(row)), ()
            return (lambda _row: False), ()
        if left.field is not None and right.kind == "date" and right.field is None:
            return date_test(get, op, right.literal), ()
        if right.field is None and right.literal is not None:
            wanted = right.literal.rstrip() if isinstance(right.literal, str) else right.literal
            pinned = ((left.field.name, wanted),) if op == "eq" and left.field is not None else ()
            return (lambda row: test(get(row), wanted)), pinned
        second = right.evaluate
        return (lambda row: _null_safe(test, op, get(row), second(row))), ()

    def _check_types(self, left: _Operand, op: str, right: _Operand) -> None:
        kinds = {left.kind, right.kind}
        # Members are names: they are equal or not, and have no order.
        orderly = "enum" not in kinds or op in ("eq", "ne")
        if orderly and ("null" in kinds or len(kinds) == 1):
            return
        if orderly and kinds == {"enum", "text"} and left.field is not None and right.field is None:
            if right.literal not in left.field.members:
                raise SageError(
                    "InvalidParameters",
                    f"The string '{right.literal}' is not a valid enumeration type constant of {left.field.name}Enum.",
                )
            return
        raise SageError(
            "InvalidParameters",
            "A binary operator with incompatible types was detected. "
            f"Found operand types '{left.kind}' and '{right.kind}' for operator kind '{op}'.",
        )


def unknown_property(entity: EntitySet, name: str) -> SageError:
    return SageError("InvalidParameters", f"Could not find a property named '{name}' on type '{entity.clr_type}'.")


def _literal(kind: str, value: Any) -> _Operand:
    return _Operand(kind, lambda _row: value, literal=value)


def _null_safe(test: Callable[[Any, Any], bool], op: str, one: Any, two: Any) -> bool:
    if one is None or two is None:
        return (one is two) if op == "eq" else (one is not two) if op == "ne" else False
    return test(one, two)
