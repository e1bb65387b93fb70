"""JMESPath expressions as closures: a first sync evaluates hundreds of thousands, most of them `trim(Field)`.

What mappings are mostly made of is turned into a closure once. Everything else goes to jmespath's own interpreter,
which decides what an expression means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jmespath
from jmespath.visitor import TreeInterpreter

from sagezoho_pipelines.domain.functions import MappingFunctions

Evaluate = Callable[[Any], Any]


def evaluator(parsed: Any, functions: MappingFunctions) -> Evaluate:
    """What a parsed expression gives for a document. The closure raises JMESPathError as the interpreter does."""
    return _Maker(functions).make(parsed)


class _Maker:
    def __init__(self, functions: MappingFunctions) -> None:
        self._functions = functions
        self._interpreter = TreeInterpreter(jmespath.Options(custom_functions=functions))

    def make(self, node: Any) -> Evaluate:
        make = getattr(self, f"_{node['type']}", None)
        if make is not None:
            made: Evaluate = make(node)
            return made
        interpreter = self._interpreter
        return lambda document: interpreter.visit(node, document)

    def _field(self, node: Any) -> Evaluate:
        name = node["value"]

        def field(document: Any) -> Any:
            try:
                return document.get(name)
            except AttributeError:
                return None

        return field

    def _literal(self, node: Any) -> Evaluate:
        value = node["value"]
        return lambda _document: value

    def _function_expression(self, node: Any) -> Evaluate:
        functions, name = self._functions, node["value"]
        arguments = [self.make(child) for child in node["children"]]
        known = functions.FUNCTION_TABLE.get(name, {})
        if known.get("signature") == ({"types": []},) and len(arguments) == 1:  # any one value: nothing to check
            function, argument = known["function"], arguments[0]
            return lambda document: function(functions, argument(document))
        return lambda document: functions.call_function(name, [argument(document) for argument in arguments])

    def _or_expression(self, node: Any) -> Evaluate:
        one, other = map(self.make, node["children"])

        def either(document: Any) -> Any:
            found = one(document)
            return other(document) if _is_false(found) else found

        return either

    def _and_expression(self, node: Any) -> Evaluate:
        one, other = map(self.make, node["children"])

        def both(document: Any) -> Any:
            found = one(document)
            return found if _is_false(found) else other(document)

        return both

    def _multi_select_list(self, node: Any) -> Evaluate:
        items = [self.make(child) for child in node["children"]]
        return lambda document: None if document is None else [item(document) for item in items]


def _is_false(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {})
