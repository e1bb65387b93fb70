"""Lint: every field that a mapping reads or writes, checked against what the live systems say of it.

An error is something that refuses records or loses values, a warning something that may, a note only good to know.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sagezoho_pipelines.domain.mapping import FieldRule
from sagezoho_pipelines.domain.metadata import FieldInfo, Fields, Kind, found
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.mapped.blanks import may_give_nothing
from sagezoho_pipelines.engine.mapped.descriptions import Descriptions, describe
from sagezoho_pipelines.engine.mapped.ends import Ends, configured, ends_of
from sagezoho_pipelines.engine.mapped.inference import Result, comparisons, infer, paths
from sagezoho_pipelines.engine.zoho_modules import optional_fields
from sagezoho_pipelines.mappings import custom_fields

_NAMES = {System.SAGE300: "Sage 300", System.ZOHO_CRM: "Zoho CRM"}
#: What a target of each kind takes; a kind that is not listed takes anything.
_TAKES: Final[Mapping[Kind, frozenset[Kind]]] = MappingProxyType(
    {
        Kind.TEXT: frozenset({Kind.TEXT, Kind.DATE, Kind.INSTANT}),
        Kind.CHOICE: frozenset({Kind.TEXT}),
        Kind.NUMBER: frozenset({Kind.NUMBER}),
        Kind.DATE: frozenset({Kind.DATE}),
        Kind.INSTANT: frozenset({Kind.INSTANT}),
        Kind.BOOLEAN: frozenset({Kind.BOOLEAN}),
        Kind.RECORD: frozenset({Kind.RECORD}),
    }
)
_CONVERSIONS = {
    Kind.NUMBER: "decimal(…)",
    Kind.DATE: "date(…)",
    Kind.TEXT: "trim(…)",
    Kind.CHOICE: "trim(…), or lookup(…) in a value map",
    Kind.RECORD: "{id: …}",
}
#: The metadata of Sage does not tell which properties it computes; a payload that holds one is refused.
_COMPUTED_BY_SAGE = ("BalanceDue", "DateOfLast", "NumberOfOpen", "NumberOfPaid", "AmountPastDue", "DateLastMaintained")
_SHOWN = 8


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class LintFinding:
    """`place` is file and line of the rule, `field` the target field it fills."""

    level: Level
    flow: str
    target: str
    field: str
    place: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.flow}.{self.target}.{self.field}: {self.text}. {self.remedy}".rstrip()


def lint(ctx: Context) -> list[LintFinding]:
    """Every finding for the connection's enabled flows, in the order of the mapping files. Raises VendorError."""
    ends = ends_of(ctx)
    descriptions = describe(ctx, (entity for one in ends for entity in one.entities))
    return [finding for one in ends for finding in _Target(ctx, one, descriptions).findings()]


class _Target:
    """One target of one flow."""

    def __init__(self, ctx: Context, ends: Ends, descriptions: Descriptions) -> None:
        self._ctx = ctx
        self._ends = ends
        self._descriptions = descriptions
        self._mapping = ctx.mappings[ends.flow][ends.target]
        self._source: Fields = {} if ends.only_names else descriptions.get(ends.source, {})
        self._into = descriptions.get(ends.into)
        self._config = configured(ctx, ends)

    def findings(self) -> Iterator[LintFinding]:
        if self._into is None:
            yield self._finding(
                Level.NOTE, "*", self._mapping.rules[0].place, f"this Zoho edition offers no {self._ends.into} module"
            )
            return
        for rule in self._mapping.rules:
            yield from self._read(rule)
            target = found(self._into, rule.target)
            if target is None:
                yield self._no_such_target(rule)
            else:
                yield from self._written(rule, target)
        yield from self._unfilled()

    # What a rule reads

    def _read(self, rule: FieldRule) -> Iterator[LintFinding]:
        for path in dict.fromkeys(paths(rule.compiled.parsed)):
            if self._info(path) is None:
                yield self._no_such_source(rule, path)
        for path, text in comparisons(rule.compiled.parsed):
            info = self._info(path)
            if info is not None and info.closed and text not in info.values:
                yield self._finding(
                    Level.ERROR, rule.target, rule.place, f"{path} is compared with {text!r}, which it never is",
                    f"Its values are {_few(info.values)}.",
                )  # fmt: skip

    def _scope(self, path: str) -> FieldInfo | None:
        """What an expression finds at a path: a date of Sage's comes as an instant, until date() makes it one."""
        info = self._info(path)
        if info is not None and info.type == "Edm.DateTimeOffset":
            return FieldInfo(info.name, info.type, Kind.INSTANT)
        return info

    def _info(self, path: str) -> FieldInfo | None:
        first, _, rest = path.partition(".")
        if first == "config":
            return self._config.get(rest)
        named = self._ends.names.get(first)
        if named is None:
            return found(self._source, path)
        if isinstance(named, FieldInfo):
            return named if not rest else None
        fields = self._descriptions.get(named, {}) if not isinstance(named, Mapping) else named
        return found(fields, rest) if rest else FieldInfo(first, "record", Kind.RECORD)

    def _no_such_source(self, rule: FieldRule, path: str) -> LintFinding:
        ends, first = self._ends, path.partition(".")[0]
        named = ends.names.get(first)
        entity = named if named is not None and not isinstance(named, FieldInfo | Mapping) else ends.source
        if entity.system is System.ZOHO_CRM and path.rpartition(".")[2] in optional_fields(entity.name):
            return self._finding(
                Level.NOTE, rule.target, rule.place, f"Zoho CRM's {entity} has no {path}, and the sync does without",
                "'sagezoho setup' creates it where the edition has room.",
            )  # fmt: skip
        known = self._descriptions.get(entity, {}) if not ends.only_names else ends.names
        where = f"{_NAMES[entity.system]}'s {entity}" if not ends.only_names else "what this target is made from"
        return self._finding(
            Level.ERROR, rule.target, rule.place, f"it reads {path}, which {where} does not have",
            f"{_close(path, known)}Correct the name, or drop the field with null.",
        )  # fmt: skip

    # What a rule writes

    def _no_such_target(self, rule: FieldRule) -> LintFinding:
        into = self._ends.into
        text = f"{_NAMES[into.system]}'s {into} has no such field"
        remedy = f"{_close(rule.target, self._into or {})}Correct the name, or drop the field with null."
        if into.system is System.ZOHO_CRM:
            own = {field.api_name for field in custom_fields() if field.module == into.name}
            if rule.target in optional_fields(into.name):
                return self._finding(Level.NOTE, rule.target, rule.place, f"{text}, and the sync does without")
            setup = f"Run 'sagezoho setup --connection {self._ctx.connection}'."
            remedy = setup if rule.target in own else f"{remedy} A custom field is made in Zoho's Setup."
        return self._finding(Level.ERROR, rule.target, rule.place, text, remedy)

    def _written(self, rule: FieldRule, target: FieldInfo) -> Iterator[LintFinding]:
        into = self._ends.into
        computed = into.system is System.SAGE300 and rule.target.startswith(_COMPUTED_BY_SAGE)
        if target.read_only or computed:
            yield self._finding(
                Level.ERROR, rule.target, rule.place, f"{_NAMES[into.system]} computes this field and takes no value",
                "Drop it with null, or fill another field.",
            )  # fmt: skip
            return
        result = infer(rule, self._scope)
        misfit = self._misfit(rule, target, result)
        if misfit is not None:
            yield misfit
            return
        if result.leaks and target.kind is not Kind.BOOLEAN:
            yield self._finding(
                Level.WARNING, rule.target, rule.place, "it gives false where its condition does not hold",
                "Add || `null`, or another value.",
            )  # fmt: skip
        yield from self._length(rule, target, result)
        yield from self._choice(rule, target, result)

    def _misfit(self, rule: FieldRule, target: FieldInfo, result: Result) -> LintFinding | None:
        takes = set(_TAKES.get(target.kind, result.kinds))
        if self._ends.into.system is System.SAGE300 and target.kind is Kind.DATE:
            takes.add(Kind.INSTANT)
        wrong = sorted(result.kinds - takes - {Kind.OTHER})
        if not wrong:
            return None
        conversion = _CONVERSIONS.get(target.kind)
        remedy = f"Use {conversion}, or fill a field that takes it." if conversion else "Fill a field that takes it."
        return self._finding(
            Level.ERROR, rule.target, rule.place,
            f"{rule.expression!r} gives {' or '.join(wrong)}, the field is of type {target.type}", remedy,
        )  # fmt: skip

    def _length(self, rule: FieldRule, target: FieldInfo, result: Result) -> Iterator[LintFinding]:
        if result.cut is not None:
            yield self._finding(
                Level.NOTE, rule.target, rule.place, f"text that is longer than {result.cut} characters is shortened"
            )
        if target.length is None:
            return
        long = sorted(one for one in result.literals if len(one) > (target.length or 0))
        if long:
            yield self._finding(
                Level.ERROR, rule.target, rule.place,
                f"{_few(long)} is longer than the {target.length} characters that the field holds",
                f"Choose a shorter text.{_lines_of(rule, long)}",
            )  # fmt: skip
            return
        if result.length is None or result.length <= target.length:
            return
        yield self._finding(
            Level.WARNING, rule.target, rule.place,
            f"up to {result.length} characters may come, the field holds {target.length}; a longer text is refused",
            f"Declare the cut with shorten(…, `{target.length}`), or leave it refused.",
        )  # fmt: skip

    def _choice(self, rule: FieldRule, target: FieldInfo, result: Result) -> Iterator[LintFinding]:
        if target.kind is not Kind.CHOICE or not target.values:
            return
        foreign = sorted(result.literals - set(target.values))
        if foreign:
            yield self._finding(
                Level.ERROR, rule.target, rule.place, f"{_few(foreign)} is no value of this field",
                f"Its values are {_few(target.values)}.{_lines_of(rule, foreign)}",
            )  # fmt: skip
        elif result.open and target.closed and not result.literals:
            yield self._finding(
                Level.WARNING, rule.target, rule.place, "any text may come, the field takes few",
                f"Use lookup(…) in a value map; its values are {_few(target.values)}.",
            )  # fmt: skip

    def _unfilled(self) -> Iterator[LintFinding]:
        if not self._ends.creates or self._into is None:
            return
        filled = {*(rule.target for rule in self._mapping.rules), *self._ends.filled}
        wanted = {info.name for info in self._into.values() if info.mandatory and not info.read_only}
        for name in sorted({*wanted, *self._ends.needed} - filled):
            yield self._finding(
                Level.ERROR, name, self._mapping.rules[0].place,
                f"{_NAMES[self._ends.into.system]} takes no {self._ends.into} without it, and no rule fills it",
                "Add a rule for it.",
            )  # fmt: skip
        for rule in self._mapping.rules:
            if rule.target in wanted - {*self._ends.filled} and may_give_nothing(rule):
                yield self._finding(
                    Level.WARNING, rule.target, rule.place,
                    f"{_NAMES[self._ends.into.system]} takes no {self._ends.into} without it, and nothing may come",
                    "Give the expression a value to fall back on, or leave such records refused.",
                )  # fmt: skip

    def _finding(self, level: Level, field: str, place: str, text: str, remedy: str = "") -> LintFinding:
        return LintFinding(level, self._ends.flow, self._ends.target, field, place, text, remedy)


def _lines_of(rule: FieldRule, values: Iterable[str]) -> str:
    """Where in a value map the values stand."""
    told = [
        f"{one.where}:{one.lines[source]}"
        for one in rule.value_maps
        for source, target in one.entries.items()
        if target in set(values) and source in one.lines
    ]
    return f" See {', '.join(told[:_SHOWN])}." if told else ""


def _close(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.rpartition(".")[2], list(known), n=2, cutoff=0.75)
    return f"Is it {' or '.join(near)}? " if near else ""


def _few(values: Iterable[str]) -> str:
    listed = list(values)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(repr(value) for value in listed[:_SHOWN]) + more
