"""Where the configuration is, and how it is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from sagezoho_pipelines.config import problems
from sagezoho_pipelines.config.settings import Settings
from sagezoho_pipelines.domain import marked_yaml
from sagezoho_pipelines.domain.errors import ConfigurationError


def config_path(env: Mapping[str, str] = os.environ) -> Path:
    """`SAGEZOHO_CONFIG`, or `sagezoho.yaml` in the working directory."""
    return Path(env.get("SAGEZOHO_CONFIG") or "sagezoho.yaml")


def home(env: Mapping[str, str] = os.environ) -> Path:
    """`SAGEZOHO_HOME`, or `.sagezoho` in the working directory: key file, embedded database."""
    return Path(env.get("SAGEZOHO_HOME") or ".sagezoho")


def load(path: Path) -> Settings:
    """Read the configuration. Raises ConfigurationError when it is missing or does not fit."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror}). Write one with 'sagezoho init', or name it in SAGEZOHO_CONFIG."
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{path}: is not written in UTF-8. Save it as UTF-8 (Notepad: Save as, Encoding), or write it anew with "
            "'sagezoho init'."
        ) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Settings:
    """Read the configuration from text; `name` is used in errors."""
    marked = marked_yaml.load(text, name)
    if not isinstance(marked.data, dict):
        raise ConfigurationError(f"{name}:1: the file must be a mapping with the key 'connections'")
    try:
        return Settings.of(marked)
    except ValidationError as error:
        raise problems.refusal(marked, error) from None
