"""What a person or a script sees: tables, JSON and progress. Vendors' texts are shown as text, never as markup."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

#: Where standard output is no terminal: wide enough that no id is broken over two lines.
_FILE_WIDTH = 180
_ROOM_FOR_IDS = 120
#: A record's name must not move the cursor or colour the terminal of whoever reads it.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

GOOD, BAD, WARN, DIM, STRONG = "green", "bold red", "yellow", "dim", "bold"


def console(stream: IO[str] | None = None) -> Console:
    """Writes to standard output as it is now, so that a redirected or captured one is honoured."""
    from rich.console import Console

    file = stream or sys.stdout
    width = None if file.isatty() else _FILE_WIDTH
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def is_narrow() -> bool:
    """Whether a table with record ids of both sides would break them."""
    return console().width < _ROOM_FOR_IDS


def plain(value: Any) -> str:
    """A value as text without control signs."""
    return "" if value is None else _CONTROL.sub(" ", str(value))


def say(text: str = "", style: str = "") -> None:
    """One line of prose; long ones are wrapped by the terminal, so that they can be copied whole."""
    from rich.text import Text

    console().print(Text(_clean_lines(text), style=style), soft_wrap=True)


def warn(text: str) -> None:
    click.echo(_clean_lines(text), err=True)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", numbers: Sequence[str] = ()
) -> None:
    """A table without side lines. A cell may be `(text, style)`; columns named in `numbers` align to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", title_style=STRONG, pad_edge=False)
    for column in columns:
        shown.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        cells = [cell if isinstance(cell, tuple) else (cell, "") for cell in row]
        shown.add_row(*(Text(plain(text), style=style) for text, style in cells))
    console().print(shown)


def emit_json(value: Any) -> None:
    """One JSON document on standard output, exact to the digit."""
    from sagezoho_pipelines.domain import json

    click.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None))


@contextmanager
def busy(text: str, *, shown: bool = True) -> Iterator[None]:
    """A spinner on standard error while something takes its time; nothing where that is no terminal."""
    if not (shown and sys.stderr.isatty()):
        yield
        return
    with console(sys.stderr).status(plain(text)):
        yield


def _clean_lines(text: str) -> str:
    return "\n".join(plain(line) for line in text.split("\n"))
