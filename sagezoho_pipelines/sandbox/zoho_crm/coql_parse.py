"""The COQL grammar: a select statement becomes a Query, or a SYNTAX_ERROR says where it stops making sense."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn

from sagezoho_pipelines.sandbox.zoho_crm.errors import ApiError

TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|''|\\.)*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])"
    r"|(?P<name>[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)|(?P<sign><=|>=|!=|<>|[=<>(),*]))"
)
AGGREGATES = frozenset({"count", "sum", "avg", "min", "max"})
CLAUSES = frozenset({"select", "from", "where", "group", "order", "limit", "offset", "and", "or", "as", "asc", "desc"})


@dataclass(frozen=True)
class Quoted:
    """A literal in quotes, whose meaning depends on the column it meets."""

    text: str


Literal = Quoted | Decimal


@dataclass(frozen=True)
class Condition:
    """`column operator values`: one value, two for between, none for is null, many for in."""

    column: str
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Pair:
    """Two criteria joined by `and` or `or`."""

    joint: str
    left: Criteria
    right: Criteria


Criteria = Condition | Pair


@dataclass(frozen=True)
class Column:
    """One selected column, perhaps under an aggregate, and the key it has in the answer."""

    name: str
    key: str
    aggregate: str | None = None


@dataclass(frozen=True)
class Query:
    columns: tuple[Column, ...]
    module: str
    where: Criteria
    group_by: tuple[str, ...]
    order_by: tuple[tuple[str, bool], ...]
    """Column and whether it descends."""
    limit: int
    offset: int


def syntax_error(message: str, **details: Any) -> ApiError:
    return ApiError(400, "SYNTAX_ERROR", message, details)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "name" else self.text if self.kind == "sign" else ""


@lru_cache(maxsize=512)
def parse(text: str) -> Query:
    """The query in `text`; ApiError SYNTAX_ERROR, DUPLICATE_ALIAS, INVALID_ALIAS or LIMIT_EXCEEDED."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[_Token] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            found = TOKEN.match(text, at)
            if found is None:
                near = text[at : at + 10].strip()
                raise syntax_error("error occured while parsing the query", near=near, line=1, column=at + 1)
            kind = found.lastgroup or ""
            self.tokens.append(_Token(kind, found.group(kind), found.start(kind)))
            at = found.end()
        self.tokens.append(_Token("end", "", end))
        self.at = 0
        self.criteria = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def refusal(self) -> ApiError:
        token = self.token
        return syntax_error("error occured while parsing the query", near=token.text, line=1, column=token.at + 1)

    def fail(self) -> NoReturn:
        raise self.refusal()

    def take(self, *words: str) -> bool:
        if self.token.word in words and self.token.word:
            self.at += 1
            return True
        return False

    def need(self, word: str) -> None:
        if not self.take(word):
            self.fail()

    def clause(self, word: str) -> None:
        if not self.take(word):
            raise syntax_error("missing clause", clause=word)

    def name(self) -> str:
        token = self.token
        if token.kind != "name" or token.word in CLAUSES:
            self.fail()
        self.at += 1
        return token.text

    def whole(self) -> int:
        token = self.token
        if token.kind != "number" or not token.text.isdigit():
            self.fail()
        self.at += 1
        return int(token.text)

    def query(self) -> Query:
        if not self.take("select"):
            raise syntax_error("query other than select is not supported", clause="select")
        columns = self.columns()
        self.clause("from")
        module = self.name()
        self.clause("where")
        where = self.joined()
        group_by = self.grouping()
        order_by = self.ordering()
        limit, offset = self.limits()
        if self.token.kind != "end":
            self.fail()
        return Query(tuple(columns), module, where, group_by, order_by, limit, offset)

    def columns(self) -> list[Column]:
        found = [self.column()]
        while self.take(","):
            found.append(self.column())
        if len({one.key for one in found}) < len(set(found)):
            raise ApiError(400, "DUPLICATE_ALIAS", "same alias cannot refer to more than one column", {})
        return found

    def column(self) -> Column:
        name = self.name()
        aggregate = None
        key = name
        if name.lower() in AGGREGATES and self.take("("):
            aggregate = name.lower()
            name = "id" if self.take("*") else self.name()
            self.need(")")
            key = f"{aggregate}({name})"
        aliased = self.take("as")
        token = self.token
        if token.kind == "string":
            self.at += 1
            if token.text == "''":
                raise ApiError(400, "INVALID_ALIAS", "alias cannot be empty", {})
            key = token.text[1:-1]
        elif aliased:
            key = self.name()
        return Column(name, key, aggregate)

    def joined(self) -> Criteria:
        """At most one `and` or `or` on a level: more conditions must be nested in pairs."""
        left = self.criterion()
        joint = self.token.word
        if not self.take("and", "or"):
            return left
        right = self.criterion()
        if self.token.word in ("and", "or"):
            self.fail()
        return Pair(joint, left, right)

    def criterion(self) -> Criteria:
        if self.take("("):
            inner = self.joined()
            self.need(")")
            return inner
        self.criteria += 1
        column = self.name()
        if self.take("is"):
            negated = self.take("not")
            self.need("null")
            return Condition(column, "is not null" if negated else "is null", ())
        if self.take("between"):
            low = self.literal()
            self.need("and")
            return Condition(column, "between", (low, self.literal()))
        negated = self.take("not")
        if self.take("in"):
            return Condition(column, "not in" if negated else "in", self.literals())
        if self.take("like"):
            return Condition(column, "not like" if negated else "like", (self.literal(),))
        operator = self.token.word
        if negated or not self.take("=", "!=", "<>", "<", "<=", ">", ">="):
            raise syntax_error("invalid operator found", operator=self.token.text)
        return Condition(column, "!=" if operator == "<>" else operator, (self.literal(),))

    def literals(self) -> tuple[Literal, ...]:
        self.need("(")
        found = [self.literal()]
        while self.take(","):
            found.append(self.literal())
        self.need(")")
        return tuple(found)

    def literal(self) -> Literal:
        token = self.token
        if token.kind == "string":
            self.at += 1
            return Quoted(re.sub(r"''|\\(.)", lambda found: found.group(1) or "'", token.text[1:-1]))
        if token.kind == "number":
            self.at += 1
            return Decimal(token.text)
        raise self.refusal()

    def grouping(self) -> tuple[str, ...]:
        if not self.take("group"):
            return ()
        self.need("by")
        names = [self.name()]
        while self.take(","):
            names.append(self.name())
        return tuple(names)

    def ordering(self) -> tuple[tuple[str, bool], ...]:
        if not self.take("order"):
            return ()
        self.need("by")
        found: list[tuple[str, bool]] = []
        while True:
            name = self.name()
            descends = self.take("desc")
            if not descends:
                self.take("asc")
            found.append((name, descends))
            if not self.take(","):
                return tuple(found)

    def limits(self) -> tuple[int, int]:
        """`limit n`, `limit n offset m` or `limit m, n` with the offset first."""
        if not self.take("limit"):
            return 200, 0
        first = self.whole()
        if self.take(","):
            return self.whole(), first
        if self.take("offset"):
            return first, self.whole()
        return first, 0
