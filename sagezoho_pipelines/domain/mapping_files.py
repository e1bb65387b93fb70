"""Mapping files, and the overrides laid over them: read, compiled, and refused with file, line and key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from sagezoho_pipelines.domain import expressions, functions, marked_yaml
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.exact_numbers import exact
from sagezoho_pipelines.domain.mapping import (
    OVERRIDE,
    SHIPPED,
    FieldRule,
    FlowMapping,
    Line,
    TargetMapping,
    sources_of,
)
from sagezoho_pipelines.domain.marked_yaml import MarkedYaml
from sagezoho_pipelines.domain.value_maps import ValueMap

_FIELD_KEYS = {"value", "write"}


def parse(
    text: str, name: str, *, value_maps: Mapping[str, ValueMap] | None = None, layer: str = SHIPPED
) -> FlowMapping:
    """Read and compile a mapping file. Raises ConfigurationError naming file, line and key."""
    marked = marked_yaml.load(text, name)
    data = _data(marked, ("flow", "version", "context", "targets"))
    for key in ("flow", "version", "targets"):
        if key not in data:
            raise ConfigurationError(f"{name}:1: the key {key!r} is missing")
    compiler = _Compiler(value_maps or {}, layer)
    targets: dict[str, TargetMapping] = {}
    for target, rules in data["targets"].items():
        if not isinstance(rules, dict) or not rules:
            raise ConfigurationError(f"{marked.where(('targets', target))}: a target lists its fields")
        compiled = tuple(
            compiler.rule(field, spec, _Place(marked, ("targets", target, field))) for field, spec in rules.items()
        )
        targets[target] = TargetMapping(target, compiled)
    return FlowMapping(str(data["flow"]), int(data["version"]), frozenset(data.get("context") or ()), targets)


@dataclass(frozen=True)
class Override:
    """Changes to a flow's mapping that one file holds: below `path`, each target's fields. None drops a field."""

    targets: Mapping[str, Mapping[str, Any]]
    marked: MarkedYaml
    path: marked_yaml.Path = ()

    def place(self, *keys: str) -> _Place:
        return _Place(self.marked, (*self.path, *keys))


def parse_override(text: str, name: str) -> Override:
    """Read a file whose `targets` are laid over a mapping. Raises ConfigurationError naming file, line and key."""
    marked = marked_yaml.load(text, name)
    data = _data(marked, ("flow", "targets"))
    targets = data.get("targets") or {}
    if not isinstance(targets, dict):
        raise ConfigurationError(f"{marked.where(('targets',))}: lists targets, and below each its fields")
    return Override(targets, marked, ("targets",))


def overridden(mapping: FlowMapping, override: Override, value_maps: Mapping[str, ValueMap]) -> FlowMapping:
    """The mapping with an override laid over it: fields changed in place, added at the end, or dropped.

    Raises ConfigurationError naming file, line and key.
    """
    compiler = _Compiler(value_maps, OVERRIDE)
    targets = dict(mapping.targets)
    for name, fields in override.targets.items():
        where = override.place(name)
        if name not in targets:
            known = ", ".join(targets)
            raise ConfigurationError(f"{where}: the {mapping.flow} mapping has no such target; known: {known}")
        if not isinstance(fields, Mapping):
            raise ConfigurationError(f"{where}: a target lists its fields")
        rules = {rule.target: rule for rule in targets[name].rules}
        for field_name, spec in fields.items():
            place = override.place(name, field_name)
            held = rules.get(field_name)
            if spec is not None:
                rules[field_name] = compiler.rule(field_name, spec, place, held)
            elif held is None:
                raise ConfigurationError(f"{place}: there is no such field to drop in {mapping.flow}.{name}")
            else:
                del rules[field_name]
        if not rules:
            raise ConfigurationError(f"{where}: no field is left in {mapping.flow}.{name}")
        targets[name] = TargetMapping(name, tuple(rules.values()))
    return replace(mapping, targets=targets)


@dataclass(frozen=True)
class _Place:
    """A key of a file: as text it is `file:line: key`."""

    marked: MarkedYaml
    path: marked_yaml.Path

    def __str__(self) -> str:
        return self.marked.where(self.path)

    @property
    def line(self) -> str:
        return self.marked.place(self.path)


def _data(marked: MarkedYaml, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(marked.data, dict):
        raise ConfigurationError(f"{marked.name}:1: a mapping file is a mapping with the keys {', '.join(known)}")
    for key in marked.data:
        if key not in known:
            raise ConfigurationError(f"{marked.where((str(key),))}: unknown key; use {', '.join(known)}")
    return marked.data


class _Compiler:
    """Turns what a file says of a field into a rule; expressions may look up in `value_maps`."""

    def __init__(self, value_maps: Mapping[str, ValueMap], layer: str) -> None:
        self._value_maps = value_maps
        self._layer = layer
        self._functions = functions.MappingFunctions(value_maps)

    def rule(self, field: str, spec: Any, place: _Place, held: FieldRule | None = None) -> FieldRule:
        """`held` is the rule that is changed: what the file does not say stays as it was."""
        create_only = False
        if isinstance(spec, Mapping):
            unknown = {str(key) for key in spec} - _FIELD_KEYS
            if unknown:
                raise ConfigurationError(f"{place}: unknown key {sorted(unknown)[0]!r}; use value and write")
            if spec.get("write", "always") not in {"once", "always"}:
                raise ConfigurationError(f"{place}: 'write' is once or always, not {spec['write']!r}")
            create_only = spec.get("write") == "once"
            if held is not None and "value" not in spec:
                return replace(held, create_only=create_only, place=place.line, layer=self._layer)
            spec = spec.get("value")
        if not isinstance(spec, str) or not spec.strip():
            raise ConfigurationError(f"{place}: the value must be a JMESPath expression, as text")
        compiled = self._compiled(spec, place)
        return FieldRule(
            field,
            spec,
            sources_of(compiled.parsed),
            create_only,
            compiled,
            place.line,
            self._layer,
            self._maps_of(spec, compiled.parsed, place),
            expressions.evaluator(compiled.parsed, self._functions),
            self._line_of(compiled.parsed),
        )

    def _line_of(self, parsed: Any) -> Line | None:
        """Where the expression is one line of an address. Who wraps it in shorten() says that what follows may go."""
        declared = parsed.get("value") == "shorten"
        call = parsed["children"][0] if declared and parsed["children"] else parsed
        if call.get("value") != "address_line" or [one["type"] for one in call["children"][1:]] != ["literal"] * 2:
            return None
        text, number, length = call["children"]
        after = {**call, "children": [text, {**number, "value": number["value"] + 1}, length]}
        following = None if declared else expressions.evaluator(after, self._functions)
        return Line(repr((text, length)), int(number["value"]), following)

    def _compiled(self, expression: str, place: _Place) -> Any:
        try:
            compiled = exact(jmespath.compile(expression))
        except JMESPathError as error:
            problem = str(error).splitlines()[0].rstrip(":")
            raise ConfigurationError(f"{place}: the expression {expression!r} cannot be read: {problem}") from None
        for called in sorted({node["value"] for node in _calls(compiled.parsed)}):
            if called not in functions.names():
                raise ConfigurationError(
                    f"{place}: the expression {expression!r} calls {called}(), which does not exist; "
                    f"known: {', '.join(sorted(functions.names()))}"
                )
        return compiled

    def _maps_of(self, expression: str, parsed: Any, place: _Place) -> tuple[ValueMap, ...]:
        """The value maps it looks up in. A name that is not written out, or not declared, is refused here."""
        found: dict[str, ValueMap] = {}
        for node in _calls(parsed):
            if node["value"] != "lookup":
                continue
            name = (
                node["children"][0]["value"] if node["children"] and node["children"][0]["type"] == "literal" else None
            )
            if not isinstance(name, str) or not 2 <= len(node["children"]) <= 3:
                raise ConfigurationError(
                    f"{place}: the expression {expression!r} must say lookup('MAP', VALUE) "
                    "or lookup('MAP', VALUE, DEFAULT)"
                )
            if name not in self._value_maps:
                known = ", ".join(sorted(self._value_maps)) or "none"
                raise ConfigurationError(
                    f"{place}: there is no value map {name!r} (declared under value_maps: {known})"
                )
            found[name] = self._value_maps[name]
        return tuple(found.values())


def _calls(node: Any) -> Iterable[Any]:
    if node["type"] == "function_expression":
        yield node
    for child in node.get("children", ()):
        yield from _calls(child)
