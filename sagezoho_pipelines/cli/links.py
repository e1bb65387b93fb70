"""`sagezoho links`: the mapping table, which Sage record and which Zoho record are the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import link_choice, link_words, options, output
from sagezoho_pipelines.cli.errors import Failed
from sagezoho_pipelines.cli.link_conflicts import conflicts
from sagezoho_pipelines.domain.links import KINDS, kind_of, source_of
from sagezoho_pipelines.domain.records import Authority

if TYPE_CHECKING:
    from sagezoho_pipelines.engine.context import Context
    from sagezoho_pipelines.engine.linking.asking import Checked
    from sagezoho_pipelines.ledger.link_table import LinkEntry

_MOST_SHOWN = 50
_why = click.option("--why", default="", metavar="TEXT", help="Kept in the audit.")


@click.group()
def links() -> None:
    """The mapping table: which Sage record and which Zoho record are the same thing, and which side leads.

    Kinds: vendors and customers (Zoho accounts), contacts (of vendors), items (products), orders (deals), invoices.
    LINK is a link's number (12, or link-12 where a record has that number too), or the id of either record. Every
    change is audited.
    """


@links.command("list")
@link_choice.filters
@options.as_json
def listed(as_json: bool, **filters: Any) -> None:
    """List links, sorted by connection, kind and Sage id."""
    with options.installation() as installation:
        found = link_choice.entries(installation, filters)
    if as_json:
        output.emit_json({"count": len(found), "links": [link_words.facts(entry) for entry in found]})
        return
    if not found:
        output.say("No link is like that." if any(filters.values()) else "Nothing is linked yet.")
        return
    if output.is_narrow():
        for entry in found[:_MOST_SHOWN]:
            link_words.say_briefly(entry)
    else:
        _table(found[:_MOST_SHOWN])
    if len(found) > _MOST_SHOWN:
        output.say(f"… and {len(found) - _MOST_SHOWN} more: filters choose, --json lists them all, or 'links export'")


def _table(found: Sequence[LinkEntry]) -> None:
    rows = [
        (
            entry.id,
            kind_of(entry.link).name,
            entry.link.sage_id,
            entry.link.sage_name,
            entry.link.zoho_id,
            entry.link.zoho_name,
            link_words.leads(entry),
            entry.link.made_by,
            ("no", output.WARN) if entry.unequal else "yes",
        )
        for entry in found
    ]
    output.table(["#", "kind", "Sage 300", "name", "Zoho CRM", "name", "leads", "made by", "equal"], rows)


@links.command()
@click.argument("ids", nargs=-1, required=True, metavar="LINK...")
@options.connection
@options.as_json
def show(ids: tuple[str, ...], connection: str | None, as_json: bool) -> None:
    """Show links in full: who leads each field, and what both sides last agreed on."""
    with options.installation() as installation:
        found = [entry for one in ids for entry in link_choice.named(installation, one, connection)]
    if as_json:
        output.emit_json({"links": [{**link_words.facts(entry), "agreed": dict(entry.link.agreed)} for entry in found]})
        return
    for entry in found:
        link_words.say(entry)


@links.command()
@click.argument("kind", type=link_choice.KIND)
@click.argument("sage_id", metavar="SAGE_ID")
@click.argument("zoho_id", metavar="ZOHO_ID")
@click.option("--authority", type=link_choice.AUTHORITY, help="Which side leads (default: as the flow has it).")
@_why
@options.connection
@options.as_json
def add(
    kind: str, sage_id: str, zoho_id: str, authority: str | None, why: str, connection: str | None, as_json: bool
) -> None:
    """Say that a Sage record and a Zoho record are the same thing: the next sync updates, and creates nothing.

    SAGE_ID is the number as Sage shows it (of contacts: the vendor's), ZOHO_ID the number at the end of the record's
    address in Zoho. Both are looked up; neither may be linked already.
    """
    from sagezoho_pipelines.domain.errors import SagezohoError
    from sagezoho_pipelines.engine.linking import asking, edits

    with options.installation() as installation:
        ctx = options.context(installation, connection)
        leads = Authority(authority) if authority else None
        asked = asking.Asked(KINDS[kind], sage_id, zoho_id, authority=leads)
        checked = asking.check(ctx, [asked])
        if checked.problems:
            raise SagezohoError(f"{ctx.connection}: {checked.problems[0]}. Nothing was done.")
        if checked.lead:
            raise SagezohoError(f"{asked} are linked already; who leads is changed with 'links set-authority'.")
        edits.carry_out(ctx, checked, who=options.who(), why=why)
        [entry] = [
            one
            for one in link_choice.named(installation, sage_id.strip().upper(), ctx.connection)
            if kind_of(one.link) is KINDS[kind]
        ]
    known = bool(checked.unchanged)
    if as_json:
        output.emit_json({"added": not known, "link": link_words.facts(entry)})
    elif known:
        output.say(f"{link_words.pair(entry)} were linked already.")
    else:
        output.say(f"Linked {link_words.pair(entry)} (link {entry.id}).", output.GOOD)
        output.say("The next sync brings them into step.")


@links.command()
@click.argument("ids", nargs=-1, required=True, metavar="LINK...")
@click.option("--leave-alone", is_flag=True, help="And do not create the record on the other side again.")
@_why
@options.connection
@options.as_json
def remove(ids: tuple[str, ...], leave_alone: bool, why: str, connection: str | None, as_json: bool) -> None:
    """Unlink. No record is deleted, on either side; the Zoho record is relieved of the Sage key.

    A record that is not linked any more is created on the other side when it next changes, unless it is linked with
    another one, or left alone.
    """
    from sagezoho_pipelines.engine.linking import edits

    with options.installation() as installation:
        found = [link_choice.one(installation, one, connection) for one in ids]
        chosen = list({entry.id: entry for entry in found}.values())
        for name in sorted({entry.link.connection for entry in chosen}):
            mine = [entry.link for entry in chosen if entry.link.connection == name]
            ctx = options.context(installation, name)
            edits.remove(ctx, mine, who=options.who(), why=why, leave_alone=leave_alone)
    if as_json:
        output.emit_json({"removed": [link_words.facts(entry) for entry in chosen], "left_alone": leave_alone})
        return
    for entry in chosen:
        output.say(
            f"Unlinked {link_words.pair(entry)}.{' It is left alone from now on.' if leave_alone else ''}", output.GOOD
        )
    if not leave_alone and any(source_of(entry.link) for entry in chosen):
        output.say("What is not linked otherwise is made on the other side again when it next changes.", output.WARN)


@links.command("set-authority")
@click.argument("one", metavar="LINK")
@click.argument("authority", type=link_choice.AUTHORITY)
@click.option("--field", metavar="F", help="Only this Zoho field, e.g. Phone; the rest stays as it is.")
@_why
@options.connection
@options.as_json
def set_authority(one: str, authority: str, field: str | None, why: str, connection: str | None, as_json: bool) -> None:
    """Say which side leads a link, or one field of it. `newest`: the side that was edited last.

    A field that is led like its link is no exception any more.
    """
    from sagezoho_pipelines.engine.linking import edits

    with options.installation() as installation:
        entry = link_choice.one(installation, one, connection, two_way=True)
        ctx = options.context(installation, entry.link.connection)
        link_choice.require_field(ctx, entry, field)
        leads = Authority(authority)
        wanted = edits.set_authority(ctx, entry.link, leads, field=field, who=options.who(), why=why)
        [entry] = link_choice.named(installation, str(entry.id), entry.link.connection)
    if as_json:
        output.emit_json({"link": link_words.facts(entry)})
    else:
        exceptions = ", ".join(f"{name}: {side}" for name, side in wanted.exceptions.items())
        output.say(
            f"{link_words.pair(entry)}: {wanted.authority} leads{f', except {exceptions}' if exceptions else ''}."
        )


@links.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@link_choice.filters
@options.as_json
def export(file: Path, as_json: bool, **filters: Any) -> None:
    """Write links to a .csv or .xlsx file, which 'links import' reads again."""
    from sagezoho_pipelines.cli import sheets

    with options.installation() as installation:
        rows = [link_words.row(entry) for entry in link_choice.entries(installation, filters)]
    count = sheets.write(file, link_words.COLUMNS, rows)
    if as_json:
        output.emit_json({"file": str(file), "count": count})
    else:
        output.say(f"Wrote {count} links to {file}.")


@links.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--apply", is_flag=True, help="Do it; without this, only say what would be done.")
@_why
@options.connection
@options.as_json
def import_(file: Path, apply: bool, why: str, connection: str | None, as_json: bool) -> None:
    """Link the pairs of a .csv or .xlsx file: all of them, or none.

    Needed columns: kind, sage_id, zoho_id. Read where they are there: connection, authority, exceptions (e.g.
    `Phone=zoho_crm; Website=newest`). A pair that is linked already is no error: it gets the authority of its line.
    """
    from sagezoho_pipelines.cli import link_files
    from sagezoho_pipelines.engine.linking import asking, edits

    with options.installation() as installation:
        plan, bad = link_files.read(installation, file, connection)
        if len(plan) > 1:
            raise click.UsageError(f"the file is about {', '.join(sorted(plan))}: choose one with --connection")
        checked: dict[str, Checked] = {}
        contexts: dict[str, Context] = {}
        for name, asked in plan.items():
            contexts[name] = options.context(installation, name)
            with output.busy(f"Looking up {len(asked)} pairs of {name} …", shown=not as_json):
                checked[name] = asking.check(contexts[name], asked)
            bad += [(one.asked.place, one.reason) for one in checked[name].problems]
        if apply and not bad:
            for name, done in checked.items():
                edits.carry_out(contexts[name], done, who=options.who(), why=why or f"imported from {file.name}")
    link_files.tell(checked, bad, applied=apply and not bad, as_json=as_json)
    if bad:
        raise Failed(f"{len(bad)} bad lines")


links.add_command(conflicts)
