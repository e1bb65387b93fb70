"""Mapping: the declarative file that turns a source record into target records, field by field.

A mapping file holds, for each target, the fields it fills and the JMESPath expression of each. The document an
expression sees is the source record itself plus the names declared under `context` (e.g. `config`, `account`).
The source fields of every target field are derived from the expression, for lineage, audit and digests.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from jmespath.exceptions import JMESPathError

from sagezoho_pipelines.domain import functions
from sagezoho_pipelines.domain.digest import digest, equal
from sagezoho_pipelines.domain.errors import MappingFailed
from sagezoho_pipelines.domain.records import FieldChange, Row
from sagezoho_pipelines.domain.value_maps import ValueMap

#: How a rule came to be: as shipped, from a file that replaces the shipped one, or from an override.
SHIPPED, REPLACED, OVERRIDE = "shipped", "replaced", "override"

#: Stands for source and expression of a field that a person set in the inbox.
EDIT = "inbox edit"


@dataclass(frozen=True)
class Line:
    """Line `number` of `text`, an expression that several fields share out.

    `following` gives the line after it; None where the mapping says that what follows may be lost.
    """

    text: str
    number: int
    following: Any


@dataclass(frozen=True)
class FieldRule:
    """One target field: its expression, compiled, the source fields it reads, and when it is written.

    `place` is the file and line it stands in, `layer` what kind of file that is, `value_maps` what its lookups use,
    `evaluate` the compiled expression as a function of the document. `line` is set where it is one of an address.
    """

    target: str
    expression: str
    sources: tuple[str, ...]
    create_only: bool
    compiled: Any
    place: str = field(default="", compare=False)
    layer: str = field(default=SHIPPED, compare=False)
    value_maps: tuple[ValueMap, ...] = ()
    evaluate: Any = field(default=None, compare=False, repr=False)
    line: Line | None = field(default=None, compare=False, repr=False)

    def value(self, document: Mapping[str, Any]) -> Any:
        """The field's value for one record; empty text is no value. Raises MappingFailed."""
        try:
            found = self.evaluate(document)
        except functions.NoEntry as error:
            raise MappingFailed(f"{self.target}: {error}; add it to the map, or give lookup() a default") from None
        except JMESPathError as error:
            raise MappingFailed(f"{self.target}: {self.expression!r} cannot be applied: {error}") from None
        return found if found != "" else None


@dataclass(frozen=True)
class _SetByHand(FieldRule):
    """A field whose value a person gave: it stands where the compiled expression does."""

    def value(self, document: Mapping[str, Any]) -> Any:  # noqa: ARG002
        return self.compiled if self.compiled != "" else None


@dataclass(frozen=True)
class TargetMapping:
    """The rules of one target (e.g. `accounts`), in the order they are sent."""

    name: str
    rules: tuple[FieldRule, ...]

    def apply(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The whole target record; a field without a value is None."""
        return {rule.target: rule.value(document) for rule in self.rules}

    def cut(self, document: Mapping[str, Any]) -> tuple[FieldRule, ...]:
        """The fields that share out an address of the record which has more lines than they; none where all fit."""
        shared: dict[str, list[tuple[int, FieldRule]]] = {}
        for rule in self.rules:
            if rule.line is not None:
                shared.setdefault(rule.line.text, []).append((rule.line.number, rule))
        for lines in shared.values():
            last = max(lines, key=lambda one: one[0])[1].line
            if last is not None and last.following is not None and last.following(document):
                return tuple(rule for _, rule in lines)
        return ()

    def edited(self, values: Row) -> TargetMapping:
        """The same target with some fields set by hand; the trace names the hand instead of source fields.

        Who sets one line of an address has said what becomes of the others.
        """
        said = {rule.line.text for rule in self.rules if rule.line is not None and rule.target in values}
        rules = (
            _SetByHand(rule.target, EDIT, (EDIT,), False, values[rule.target])
            if rule.target in values
            else replace(rule, line=None)
            if rule.line is not None and rule.line.text in said
            else rule
            for rule in self.rules
        )
        return TargetMapping(self.name, tuple(rules))

    def changes(self, before: Row, after: Row, *, creating: bool, unsettled: Collection[str] = ()) -> dict[str, Any]:
        """The fields to send: on a create those with a value, on an update those that differ from `before`.

        Of `unsettled` fields nobody knows what the target holds: an update sends them whatever `before` says.
        """
        if creating:
            return {name: value for name, value in after.items() if value is not None}
        return {
            name: value
            for name, value in self.lasting(after).items()
            if name in unsettled or not equal(before.get(name), value)
        }

    def lasting(self, after: Row) -> dict[str, Any]:
        """The fields that an update may send: those written at creation only are left out."""
        fixed = {rule.target for rule in self.rules if rule.create_only}
        return {name: value for name, value in after.items() if name not in fixed}

    def trace(self, before: Row, sent: Row) -> list[FieldChange]:
        """For each field sent: where its value came from, and what it replaces."""
        return [
            FieldChange(rule.target, rule.sources, rule.expression, before.get(rule.target), sent[rule.target])
            for rule in self.rules
            if rule.target in sent
        ]


@dataclass(frozen=True)
class FlowMapping:
    """One flow's mapping file. `source_fields` are the record's own fields, context names left out."""

    flow: str
    version: int
    context: frozenset[str]
    targets: Mapping[str, TargetMapping]

    def __getitem__(self, target: str) -> TargetMapping:
        return self.targets[target]

    @cached_property
    def fingerprint(self) -> str:
        """Changes when any rule does: shown in the metadata of every delivery."""
        rules = {
            name: {
                rule.target: [rule.expression, rule.create_only, *(one.fingerprint for one in rule.value_maps)]
                for rule in target.rules
            }
            for name, target in self.targets.items()
        }
        return f"v{self.version}-{digest({'rules': rules})[:12]}"

    def source_fields(self, *targets: str) -> tuple[str, ...]:
        """The record's own fields that the named targets (all, when none is named) read, sorted."""
        roots = {
            source.split(".")[0]
            for name in targets or self.targets
            for rule in self.targets[name].rules
            for source in rule.sources
        }
        return tuple(sorted(roots - self.context))

    def lineage(self, target: str) -> dict[str, tuple[str, ...]]:
        """Target field -> the record's own source fields."""
        return {
            rule.target: tuple(source for source in rule.sources if source.split(".")[0] not in self.context)
            for rule in self.targets[target].rules
        }


def sources_of(parsed: Any) -> tuple[str, ...]:
    """The paths that a parsed expression reads from its document, sorted: `account.id`, `VendorName`."""
    return tuple(sorted(set(_sources(parsed))))


def _sources(node: Any) -> list[str]:
    """What stands to the right of a projection or a pipe sees an element, not the document: the left side names it."""
    kind = node["type"]
    children = node.get("children", [])
    if kind == "field":
        return [node["value"]]
    if kind == "literal":
        return []
    if kind == "subexpression":
        left, right = _sources(children[0]), _sources(children[1])
        if children[0]["type"] in {"field", "subexpression"} and children[1]["type"] == "field" and len(left) == 1:
            return [f"{left[0]}.{right[0]}"]
        return left
    if kind in {"projection", "filter_projection", "value_projection", "flatten", "index_expression", "pipe", "slice"}:
        return _sources(children[0]) if children else []
    return [source for child in children for source in _sources(child)]


def as_number(value: Any) -> Decimal:
    """A JSON number, or null, as Decimal."""
    return Decimal(0) if value in (None, "") else Decimal(str(value))
