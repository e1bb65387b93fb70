"""`sagezoho match`: before the first write, which records of both sides are the same firm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.errors import Failed

if TYPE_CHECKING:
    from sagezoho_pipelines.engine.context import Context
    from sagezoho_pipelines.engine.matching.deciding import CheckedDecisions
    from sagezoho_pipelines.engine.matching.match import Flow, MatchReport

_MOST_SHOWN = 20
_WORDS = {
    "matched": "matched", "ambiguous": "ambiguous: a person decides", "only_sage300": "only in Sage 300",
    "only_zoho_crm": "only in Zoho CRM", "linked": "linked already", "left_alone": "left alone",
}  # fmt: skip


@click.command()
@click.argument("flows", nargs=-1, type=click.Choice(["vendors", "customers"]), metavar="[vendors|customers]...")
@options.connection
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it for review, as .csv or .xlsx.",
)
@click.option(
    "--import",
    "reviewed",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take the decisions of a reviewed file …",
)
@click.option("--apply", is_flag=True, help="… and carry them out; without this, only say what they come to.")
@click.option("--why", default="", metavar="TEXT", help="Kept in the audit.")
@options.as_json
def match(
    flows: tuple[str, ...],
    connection: str | None,
    out: Path | None,
    reviewed: Path | None,
    apply: bool,
    why: str,
    as_json: bool,
) -> None:
    """Pair the records that both systems have already, so that the first sync links them instead of creating them.

    Reads all Sage vendors (and customers) and all Zoho accounts, and pairs them by rules in order: external id, tax
    number, e-mail domain and name, name and city, phone. Nothing is written but FILE. In its column 'decision' stands
    link, create or skip; empty lines of ambiguous records leave them alone until somebody decides.
    """
    if apply and reviewed is None:
        raise click.UsageError("--apply needs --import FILE: the decisions that are to be carried out")
    if reviewed is not None and (out is not None or flows):
        raise click.UsageError("--import takes everything from its file: name no flow and no --out")
    with options.installation() as installation:
        ctx = options.context(installation, connection)
        if reviewed is not None:
            _decided(ctx, reviewed, apply=apply, why=why, as_json=as_json)
        else:
            _found(ctx, flows, out, as_json=as_json)


def _found(ctx: Context, flows: Sequence[str], out: Path | None, *, as_json: bool) -> None:
    from sagezoho_pipelines.cli import match_files, sheets
    from sagezoho_pipelines.engine.matching import match as matching

    if out is not None:
        sheets.require_place(out)  # before minutes of reading
    chosen = [flow for flow in matching.FLOWS if flow in flows or not flows]
    reports = []
    for flow in chosen:
        with output.busy(f"Reading {flow} and accounts of {ctx.connection} …", shown=not as_json):
            reports.append(matching.run(ctx, flow))
    if out is not None:
        sheets.write(out, match_files.COLUMNS, (row for report in reports for row in match_files.rows(report)))
    if as_json:
        output.emit_json({"connection": ctx.connection, "file": str(out or ""), **_facts(reports)})
        return
    for report in reports:
        _show(report)
    if out is not None:
        output.say(f"Wrote {out}. Review its column 'decision', then: sagezoho match --import {out} --apply")
    else:
        output.say("Write it for review: sagezoho match --out review.xlsx")


def _show(report: MatchReport) -> None:
    figures = report.figures()
    told = [(_WORDS[name], (count, _style(name, count))) for name, count in figures.items()]
    output.table([report.flow, ""], told, title=f"{report.connection}: {report.flow}", numbers=[""])
    for question in report.matching.ambiguous[:_MOST_SHOWN]:
        output.say(f"  {question.left}  {report.sage[question.left].name}: {question.why}", output.WARN)
        for pair in question.candidates:
            name = report.zoho[pair.right].name
            output.say(f"      {pair.right}  {name}  ({pair.score}; {'; '.join(map(str, pair.evidence))})", output.DIM)
    if len(report.matching.ambiguous) > _MOST_SHOWN:
        output.say(f"  … and {len(report.matching.ambiguous) - _MOST_SHOWN} more: --out writes them all")


def _decided(ctx: Context, path: Path, *, apply: bool, why: str, as_json: bool) -> None:
    from sagezoho_pipelines.cli import match_files
    from sagezoho_pipelines.engine.matching import deciding

    decisions, bad = match_files.read(path)
    reason = why or f"decided in {path.name}"
    checked: dict[Flow, CheckedDecisions] = {}
    for flow, mine in decisions.items():
        with output.busy(f"Looking up {len(mine)} decisions about {flow} …", shown=not as_json):
            checked[flow] = deciding.check(ctx, flow, mine, who=options.who(), why=reason)
        bad += checked[flow].problems
    if apply and not bad:
        deciding.apply(ctx, list(checked.values()), who=options.who(), why=reason)
    _tell(checked, bad, applied=apply and not bad, as_json=as_json)
    if bad:
        raise Failed(f"{len(bad)} bad lines")


def _tell(
    checked: Mapping[Flow, CheckedDecisions], bad: Sequence[tuple[str, str]], *, applied: bool, as_json: bool
) -> None:
    bad = sorted(bad, key=lambda one: (int(one[0].removeprefix("line ") or 0), one[1]))
    figures = {flow: _comes_to(one) for flow, one in checked.items()}
    if as_json:
        listed = [{"line": int(place.removeprefix("line ") or 0), "reason": reason} for place, reason in bad]
        output.emit_json({"ok": not bad, "applied": applied, "flows": figures, "bad": listed})
        return
    for place, reason in bad:
        output.say(f"{place}: {reason}", output.BAD)
    for flow, one in figures.items():
        told = f"{one['link']} to link, {one['create']} to create at the next sync, {one['skip']} to leave alone"
        output.say(f"{flow}: {told}, {one['linked']} linked already")
        if one["contacts"]:
            output.say(f"  {one['contacts']} of their contacts have the vendor's e-mail address and are linked too")
        if one["undecided"]:
            output.say(f"  {one['undecided']} undecided: they wait until somebody decides", output.WARN)
    if bad:
        output.say(f"{len(bad)} bad lines. Nothing was done: an import is whole or not at all.", output.BAD)
    elif applied:
        output.say("Done. The next sync links and updates; it creates only what was decided so.", output.GOOD)
    else:
        output.say("Nothing was done yet: --apply does it.")


def _comes_to(one: CheckedDecisions) -> dict[str, int]:
    undecided = sum(not left.decided for left in one.leave)
    contacts = sum(link.zoho_entity == "Contacts" for link in one.links.add)
    return {
        "link": len(one.links.add) - contacts,
        "contacts": contacts,
        "create": one.created,
        "skip": len(one.leave) - undecided,
        "undecided": one.undecided,
        "linked": len(one.links.unchanged) + len(one.links.lead),
    }


def _facts(reports: Sequence[MatchReport]) -> dict[str, Any]:
    from sagezoho_pipelines.cli import match_files

    return {"flows": {one.flow: {**one.figures(), "rows": list(match_files.rows(one))} for one in reports}}


def _style(name: str, count: int) -> str:
    if name == "ambiguous" and count:
        return output.WARN
    return output.GOOD if name in ("matched", "linked") else ""
