"""`sagezoho backfill`: read certain days again, and deliver what they hold again, as one Dagster run a flow."""

from __future__ import annotations

from datetime import datetime

import click

from sagezoho_pipelines.cli import options
from sagezoho_pipelines.cli.sync import DAY, sync


@click.command()
@click.argument("flows", nargs=-1, metavar="[FLOW]...")
@click.option("--from", "start", type=DAY, metavar="DATE", required=True, help="The first day.")
@click.option("--to", "end", type=DAY, metavar="DATE", help="The last day, read as well (default: today).")
@options.connection
@options.as_json
@click.pass_context
def backfill(
    ctx: click.Context,
    flows: tuple[str, ...],
    start: datetime,
    end: datetime | None,
    connection: str | None,
    as_json: bool,
) -> None:
    """Read again what changed on certain days, and deliver it again: nothing is created twice.

    The same as 'sagezoho sync --from DATE --to DATE', and as a backfill of these days in the Dagster UI. Where the next
    poll begins stays as it is.
    """
    ctx.invoke(sync, flows=flows, connection=connection, sweep=False, start=start, end=end, as_json=as_json)
