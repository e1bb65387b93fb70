"""`sagezoho plan`: what a sync would do, field by field, and its cost, before it does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sagezoho_pipelines.cli import options, output

if TYPE_CHECKING:
    from sagezoho_pipelines.engine.planning.document import Plan
    from sagezoho_pipelines.wiring import Installation

_MOST_SHOWN = 40
_MOST_FIELDS = 12
_STYLES = {"created": output.GOOD, "refused": output.BAD, "conflicted": output.BAD, "retrying": output.WARN}


@click.command()
@click.argument("flows", nargs=-1, metavar="[FLOW]...")
@options.connection
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it, for `apply`.")
@click.option("--summary", is_flag=True, help="Show only the totals and the cost.")
@click.option("--redact", is_flag=True, help="Digests in place of values: such a plan can be mailed, and applied.")
@options.as_json
def plan(
    flows: tuple[str, ...], connection: str | None, out: Path | None, summary: bool, redact: bool, as_json: bool
) -> None:
    """Show what `sync` would do now, field by field, and what it would cost. Writes nothing anywhere.

    The flows run for real, on both vendors' real data, but for their writes. The same input gives the same bytes.
    """
    from sagezoho_pipelines.cli.sheets import require_directory
    from sagezoho_pipelines.cli.sync import enabled_flows, named_flows

    if out is not None:
        require_directory(out)  # before both systems are read
    with options.installation() as installation:
        wanted = named_flows(flows)
        connections, broken = options.able(installation, connection)
        if out is not None and len(connections) > 1:
            raise click.UsageError(f"a plan file is for one connection: add --connection {connections[0]}")
        plans = []
        for name in connections:
            with output.busy(f"planning {name}", shown=not as_json):
                plans.append(_plan(installation, name, wanted or enabled_flows(installation, name), redact=redact))
        if out is not None:
            _write(out, plans[0], installation)
        options.tell_broken(broken)
        if as_json:
            output.emit_json([one.document() for one in plans] if len(plans) > 1 else plans[0].document())
            return
    for one in plans:
        show(one, lines=not summary)
    if out is not None:
        output.say(f"Written to {out}. To do exactly this: sagezoho apply {out}")


def _plan(installation: Installation, connection: str, flows: Sequence[str], *, redact: bool) -> Plan:
    from sagezoho_pipelines.engine.planning.plan import make

    made = make(installation.planning(connection), installation.ledger, flows)
    return made.redacted(installation.seal) if redact else made


def _write(path: Path, plan: Plan, installation: Installation) -> None:
    """Whole or not at all, and for the owner's eyes: it shows what records hold."""
    from sagezoho_pipelines.engine.planning.document import to_text

    drafted = path.with_name(f".{path.name}.draft")
    drafted.touch(mode=0o600)
    drafted.write_text(to_text(plan, installation.seal), encoding="utf-8")
    drafted.replace(path)


def show(plan: Plan, *, lines: bool = True) -> None:
    """Totals for each flow, then what needs attention, what would be made and what would change, then the cost."""
    from sagezoho_pipelines.engine.planning import summary

    counted = summary.by_flow(plan)
    rows = [
        [outcome, *((count, _STYLES.get(outcome, "") if count else output.DIM) for count in counts)]
        for outcome, counts in ((name, [counted[flow][name] for flow in counted]) for name in plan.totals)
    ]
    output.table([plan.connection, *counted], rows, numbers=list(counted))
    written = summary.by_target(plan)
    if written:
        output.say(f"Writes  {written}. A sync counts the source records that these come from")
    if lines:
        _show_lines(plan)
    output.say(f"Cost  {summary.cost(plan)}")
    for note in plan.notes:
        output.say(f"Note: {note}", output.WARN)


def _show_lines(plan: Plan) -> None:
    from sagezoho_pipelines.engine.planning import summary

    lines = list(summary.lines(plan))
    for line in lines[:_MOST_SHOWN]:
        target = f"  ->  {line.target}" if line.target else ""
        output.say(f"{line.what}  {line.source}{target}", _STYLES.get(line.outcome, ""))
        for detail in line.details[:_MOST_FIELDS]:
            output.say(f"    {detail}", output.DIM)
        if len(line.details) > _MOST_FIELDS:
            output.say(f"    … and {len(line.details) - _MOST_FIELDS} more fields", output.DIM)
    if len(lines) > _MOST_SHOWN:
        output.say(f"… and {len(lines) - _MOST_SHOWN} more: --json or --out lists them all")
    if not lines:
        output.say("Nothing would be written.")
