"""YAML that remembers where each key stands, so that an error can name file, line and key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from sagezoho_pipelines.domain.errors import ConfigurationError

Path = tuple[str | int, ...]

_PLAIN: tuple[tuple[str, str, str], ...] = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN\0"),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("tag:yaml.org,2002:merge", r"<<", "<"),
)


class _Loader(yaml.SafeLoader):
    """What stands unquoted is what it looks like: a day is no timestamp, code 01 no octal number, and NO and ON (a
    country, a province) are no booleans.
    """


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _PLAIN:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), ["" if c == "\0" else c for c in _first])


@dataclass(frozen=True, slots=True)
class MarkedYaml:
    """Plain data plus the line (from 1) of every key and list item, by path."""

    name: str
    data: Any
    lines: Mapping[Path, int]

    def where(self, path: Path) -> str:
        """`file:line: key` for an error message; the nearest known ancestor stands in for a missing key."""
        dotted = ".".join(str(part) for part in path)
        return f"{self.place(path)}: {dotted}".rstrip(": ")

    def place(self, path: Path) -> str:
        """`file:line` of a key, or of its nearest known ancestor."""
        known = (path[:end] for end in range(len(path), -1, -1) if path[:end] in self.lines)
        found = next(known, None)
        return self.name if found is None else f"{self.name}:{self.lines[found]}"


def load(text: str, name: str) -> MarkedYaml:
    """Parse one document. Raises ConfigurationError for bad YAML and for a key given twice."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{name}:{line}: not valid YAML: {error.problem}") from None
    lines: dict[Path, int] = {(): 1}
    if node is None:
        return MarkedYaml(name, {}, lines)
    loader = _Loader("")
    _mark(node, (), lines, name)
    return MarkedYaml(name, loader.construct_document(node), lines)


def _mark(node: yaml.Node, path: Path, lines: dict[Path, int], name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            child = (*path, str(key.value))
            if child in lines:
                line = key.start_mark.line + 1
                raise ConfigurationError(
                    f"{name}:{line}: the key {key.value!r} is given twice (first in line {lines[child]})"
                )
            lines[child] = key.start_mark.line + 1
            _mark(value, child, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*path, index)] = value.start_mark.line + 1
            _mark(value, (*path, index), lines, name)
