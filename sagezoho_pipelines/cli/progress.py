"""A progress bar for a run: how much of what waits has been delivered. Nothing where standard error is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sagezoho_pipelines.cli import output

if TYPE_CHECKING:
    from sagezoho_pipelines.wiring import Installation

_EVERY_SECONDS = 1.0


@contextmanager
def of_run(
    installation: Installation, connection: str, flow: str, *, shown: bool = True
) -> Iterator[Callable[[], None]]:
    """Yields what is to be called now and then while the run goes on."""
    if not (shown and sys.stderr.isatty()):
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=output.console(sys.stderr), transient=True) as bar:
        task = bar.add_task(f"{connection} {flow}", total=None)
        waiting = _waiting(installation, connection, flow)
        asked, most = 0.0, 0

        def tick() -> None:
            """What waits only grows while pages are read, then shrinks: the most there was is the whole."""
            nonlocal asked, most
            if time.monotonic() - asked < _EVERY_SECONDS:
                return
            asked, left = time.monotonic(), waiting()
            most = max(most, left)
            bar.update(task, total=most or None, completed=most - left)

        yield tick


def _waiting(installation: Installation, connection: str, flow: str) -> Callable[[], int]:
    from sagezoho_pipelines.engine.run import FLOWS

    ctx = installation.context(connection, run_id="", actor="")
    sources = {handler.source(ctx) for handler in FLOWS[flow].handlers.values()}
    return lambda: sum(installation.ledger.open_changes(source) for source in sources)
