"""`sagezoho reconcile`: whether everything that was written is still on the other side, record by record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.errors import Failed

if TYPE_CHECKING:
    from sagezoho_pipelines.wiring import Installation

_MOST_SHOWN = 25


@dataclass(frozen=True, slots=True)
class Compared:
    """One flow's links, all looked up; `astray` says of source and target what is wrong, `without` who has none.

    Those of them are `undecided` that wait for somebody to say which account is theirs.
    """

    flow: str
    links: int
    astray: Mapping[str, str]
    without: Sequence[str] = ()
    undecided: Sequence[str] = ()

    @property
    def sound(self) -> bool:
        return not self.astray and not self.without


@click.command()
@click.argument("flows", nargs=-1, metavar="[FLOW]...")
@options.connection
@options.as_json
def reconcile(flows: tuple[str, ...], connection: str | None, as_json: bool) -> None:
    """Look up every record that was ever written, and every vendor: is it there, is it ours. Writes nothing.

    Flows: vendors, customers, orders, invoices (default: all of them). A sample is looked at every night by itself.
    Exit code 1 if anything is missing.
    """
    from sagezoho_pipelines.engine.both_sides import PAIRS

    unknown = sorted(set(flows) - set(PAIRS))
    if unknown:
        raise click.UsageError(f"there is no flow {unknown[0]!r} to reconcile; there are {', '.join(PAIRS)}")
    found: dict[str, list[Compared]] = {}
    with options.installation() as installation:
        connections, broken = options.able(installation, connection)
        for name in connections:
            enabled = installation.settings.connection(name).flows
            wanted = [flow for flow in PAIRS if flow in flows or (not flows and getattr(enabled, flow).enabled)]
            with output.busy(f"Looking up the records of {name} …", shown=not as_json):
                found[name] = [_compared(installation, name, flow) for flow in wanted]
    sound = not broken and all(one.sound for mine in found.values() for one in mine)
    options.tell_broken(broken)
    if as_json:
        listed = {name: [{**asdict(one), "ok": one.sound} for one in mine] for name, mine in found.items()}
        output.emit_json({"ok": sound, "connections": listed})
    else:
        for name, mine in found.items():
            _show(name, mine)
    if not sound:
        raise Failed("the two sides are not equal")


def _compared(installation: Installation, connection: str, flow: str) -> Compared:
    from sagezoho_pipelines.engine import both_sides
    from sagezoho_pipelines.ledger import reports

    pair, ctx = both_sides.PAIRS[flow], installation.context(connection, run_id="", actor="sagezoho reconcile")
    counted = 0
    astray: dict[str, str] = {}
    for page in reports.link_pages(
        installation.database, connection=connection, sage_entity=pair.sage_entity, zoho_entity=pair.zoho_entity
    ):
        counted += len(page)
        astray |= both_sides.astray(ctx, pair, page)
    without = both_sides.unlinked_vendors(ctx)[1] if flow == "vendors" else {}
    return Compared(flow, counted, astray, list(without), [number for number, waits in without.items() if waits])


def _show(connection: str, compared: Sequence[Compared]) -> None:
    rows = [
        (
            ("ok", output.GOOD) if one.sound else ("LOOK", output.BAD),
            one.flow,
            one.links,
            (len(one.astray), output.BAD if one.astray else output.DIM),
            (len(one.without), output.BAD if one.without else output.DIM) if one.flow == "vendors" else "",
        )
        for one in compared
    ]
    columns = ["", "flow", "linked", "astray", "without account"]
    output.table(columns, rows, title=f"Connection {connection}", numbers=columns[2:])
    wrong = [f"{name}: {why}" for one in compared for name, why in sorted(one.astray.items())]
    wrong += [f"vendor {number}: {_why_none(one, number)}" for one in compared for number in one.without]
    for line in wrong[:_MOST_SHOWN]:
        output.say(f"  {line}", output.BAD)
    if len(wrong) > _MOST_SHOWN:
        output.say(f"  … and {len(wrong) - _MOST_SHOWN} more: --json lists them all")
    if any(one.astray for one in compared):
        output.say(
            "What became of one of them: sagezoho explain ID. 'sagezoho sync --sweep' follows what was deleted, merged "
            "or renumbered; 'sagezoho links remove ID' ends a link to nothing."
        )
    if any(len(one.without) > len(one.undecided) for one in compared):
        output.say("'sagezoho sync --sweep vendors' brings vendors over; 'sagezoho inbox' tells which were refused.")
    if any(one.undecided for one in compared):
        output.say("'sagezoho match vendors --out FILE' asks which account is whose; 'sagezoho links add' says it.")


def _why_none(compared: Compared, number: str) -> str:
    undecided = number in compared.undecided
    return "several accounts may be it, and nobody has said which" if undecided else "has no account in Zoho CRM"
