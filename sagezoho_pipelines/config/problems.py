"""What does not fit, in words: file, line and key, what is wrong there, and what may stand there."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from sagezoho_pipelines.config.connections import Connection
from sagezoho_pipelines.config.settings import Settings
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.marked_yaml import MarkedYaml


def refusal(marked: MarkedYaml, error: ValidationError) -> ConfigurationError:
    """Everything in the file that does not fit, one line each."""
    return ConfigurationError("\n".join(_sentence(marked, problem) for problem in error.errors()))


def _sentence(marked: MarkedYaml, problem: Any) -> str:
    path = tuple(part for part in problem["loc"] if part != "[key]")
    where = marked.where(path)
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key{_suggestion(path)}"
    if problem["type"] == "missing":
        return f"{where}: is missing"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"


def _suggestion(path: tuple[str | int, ...]) -> str:
    """`; known here: …` for the model that the path ends in."""
    model: Any = Settings
    steps = list(path[:-1])
    if steps[:1] == ["connections"] and len(steps) > 1:
        model, steps = Connection, steps[2:]
    for part in steps:
        field = model.model_fields.get(str(part)) if _is_model(model) else None
        model = field.annotation if field is not None else None
    return f"; known here: {', '.join(model.model_fields)}" if _is_model(model) else ""


def _is_model(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)
