"""Options that several commands share, and opening the installation they work on."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sagezoho_pipelines.config import Settings
    from sagezoho_pipelines.engine.context import Context
    from sagezoho_pipelines.wiring import Installation

Command = TypeVar("Command", bound=Callable[..., Any])


def as_json(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")(command)


def connection(command: Command) -> Command:
    return click.option("--connection", "-c", metavar="C", help="Only this connection (default: all of them).")(command)


@contextmanager
def installation(*, anywhere: bool = False) -> Iterator[Installation]:
    """The installation that the environment names, closed at the end.

    Raises ConfigurationError where there is none, unless `anywhere`: in a wrong directory a new and empty database
    would answer that nothing waits for anybody.
    """
    from sagezoho_pipelines.wiring import Installation

    with Installation() as opened:
        if not anywhere and not opened.is_begun:
            _ = opened.settings
        yield opened


def chosen(settings: Settings, name: str | None) -> list[str]:
    """The connections a command is about. Raises ConfigurationError for an unknown or a missing one."""
    from sagezoho_pipelines.domain.errors import ConfigurationError

    if name is not None:
        settings.connection(name)
        return [name]
    if not settings.connections:
        raise ConfigurationError("the configuration has no connection: add one under 'connections'")
    return sorted(settings.connections)


def able(installation: Installation, name: str | None) -> tuple[list[str], Mapping[str, Exception]]:
    """The connections a command works on, and those beside them that a broken mapping stops.

    Raises what stops the one that was named, or all of them.
    """
    names = chosen(installation.settings, name)
    if name is not None:
        installation.mappings_of(name)
    broken = {one: error for one, error in installation.broken.items() if one in names}
    return [one for one in names if one not in broken], broken


def tell_broken(broken: Mapping[str, Exception]) -> None:
    """What stops a connection, on standard error."""
    from sagezoho_pipelines.cli import output

    for name, error in broken.items():
        output.warn(f"Error: {name} is stopped until its mapping is corrected: {error}")


def context(installation: Installation, name: str | None) -> Context:
    """What a command works with that is about one connection: the only one, or the one that was named."""
    names = chosen(installation.settings, name)
    if len(names) > 1:
        raise click.UsageError(f"name one of the connections {', '.join(names)} with --connection")
    return installation.context(names[0], run_id="", actor=who())


def who() -> str:
    """The person at the keyboard, as the audit names them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "sagezoho"
