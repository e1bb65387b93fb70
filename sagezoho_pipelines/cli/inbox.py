"""`sagezoho inbox`: what did not reach the other side and waits for a person, and what that person does about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.records import gathered, moment, record, said

if TYPE_CHECKING:
    from sagezoho_pipelines.domain.mapping import FlowMapping
    from sagezoho_pipelines.ledger.inbox import InboxEntry
    from sagezoho_pipelines.wiring import Installation

Command = TypeVar("Command", bound=Callable[..., Any])
_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
_MOST_SHOWN = 50


def _filters(command: Command) -> Command:
    for option in reversed(
        (
            options.connection,
            click.option("--flow", metavar="FLOW", help="Only this flow, e.g. orders."),
            click.option("--entity", metavar="E", help="Only these source records, e.g. deals."),
            click.option("--code", metavar="CODE", help="Only what was refused with this code."),
            click.option("--since", type=_DAY, metavar="TIME", help="Only what came in since then (UTC)."),
        )
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@_filters
@options.as_json
@click.pass_context
def inbox(ctx: click.Context, /, as_json: bool, **filters: Any) -> None:
    """What waits for a person: refused by the other side, or in conflict with it.

    An entry leaves by itself as soon as a newer version of its record is delivered: most are mended where the record
    comes from. IDs are an entry's number or the record's own id.
    """
    if ctx.invoked_subcommand is None:
        _list(as_json, filters)


@inbox.command("list")
@_filters
@options.as_json
def listed(as_json: bool, **filters: Any) -> None:
    """List the entries, oldest first (the default)."""
    _list(as_json, filters)


@inbox.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@options.connection
@options.as_json
def show(ids: tuple[str, ...], connection: str | None, as_json: bool) -> None:
    """Show entries in full: the words of the other side, our advice, the record on both sides, what may be edited."""
    with options.installation() as installation:
        found = _named(installation, ids, connection)
        fields = {entry.id: _editable(installation, entry) for entry in found}
    if as_json:
        output.emit_json({"entries": [{**_facts(entry), "editable": fields[entry.id]} for entry in found]})
        return
    for entry in found:
        _say(entry)
        if fields[entry.id]:
            output.say(f"  may be set by 'inbox edit': {', '.join(fields[entry.id])}", output.DIM)


@inbox.command()
@click.argument("ids", nargs=-1, metavar="ID...")
@click.option("--all", "everything", is_flag=True, help="All entries that the filters let through.")
@_filters
@options.as_json
def retry(ids: tuple[str, ...], everything: bool, as_json: bool, **filters: Any) -> None:
    """Queue entries again: the record is read anew, and delivered by the next sync or the running worker."""
    from sagezoho_pipelines.engine.inbox import read_again
    from sagezoho_pipelines.ledger import inbox as ledger

    if bool(ids) == everything:
        raise click.UsageError("name the entries to retry, or give --all")
    with options.installation() as installation:
        found = _entries(installation, filters) if everything else _named(installation, ids, filters["connection"])
        done = [
            (
                entry,
                ledger.retry(
                    installation.database,
                    entry,
                    who=options.who(),
                    at=installation.clock(),
                    read_again=read_again(entry.system, entry.entity),
                ),
            )
            for entry in found
        ]
    _told(as_json, [(entry, _queued(change)) for entry, change in done])


@inbox.command()
@click.argument("ids", nargs=1, metavar="ID")
@click.option(
    "--set",
    "assigned",
    multiple=True,
    required=True,
    metavar="FIELD=VALUE",
    help="A field of the target record and its text; FIELD:=VALUE for a number, true, false or null.",
)
@click.option("--why", required=True, metavar="TEXT", help="Kept in the audit.")
@options.connection
@options.as_json
def edit(ids: str, assigned: tuple[str, ...], why: str, connection: str | None, as_json: bool) -> None:
    """Set fields of the target record for this one change, and queue it again.

    The values win over the mapping, through all retries, until a newer version of the record is captured: then the
    edit is dropped. What should last is corrected in the source record or in the mapping.
    """
    from sagezoho_pipelines.domain.records import Override
    from sagezoho_pipelines.engine.inbox import read_again, require_editable
    from sagezoho_pipelines.ledger import inbox as ledger

    fields = dict(_assignment(one) for one in assigned)
    with options.installation() as installation:
        entry, *others = _named(installation, (ids,), connection)
        if others:
            raise click.UsageError(f"{ids} is ambiguous: give the number of one entry")
        require_editable(installation.mappings_of(entry.connection), entry.system, entry.entity, fields)
        kept = (entry.override or {}).get("fields") or {}
        change = ledger.retry(
            installation.database,
            entry,
            who=options.who(),
            at=installation.clock(),
            read_again=read_again(entry.system, entry.entity),
            edit=Override({**kept, **fields}, options.who(), why),
        )
    lost = "a newer version of the record is queued already: the edit was dropped"
    told = lost if change is None else "queued again with the edit, which a newer version of the record will drop"
    _told(as_json, [(entry, told)])


@inbox.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--why", required=True, metavar="TEXT", help="Kept in the audit.")
@options.connection
@options.as_json
def dismiss(ids: tuple[str, ...], why: str, connection: str | None, as_json: bool) -> None:
    """Take entries out of the inbox without delivering them. A newer version of the record is delivered as ever."""
    from sagezoho_pipelines.engine.inbox import after_dismissal
    from sagezoho_pipelines.ledger import inbox as ledger

    with options.installation() as installation:
        found = _named(installation, ids, connection)
        done = []
        for entry in found:
            settings = installation.settings.connections.get(entry.connection)
            looks = after_dismissal(settings, entry.connection, entry.system, entry.entity, entry.key)
            gone = ledger.dismiss(
                installation.database, entry, who=options.who(), why=why, at=installation.clock(), looks=looks
            )
            done.append((entry, gone))
    _told(as_json, [(entry, "dismissed" if gone else "was no longer in the inbox") for entry, gone in done])


def _list(as_json: bool, filters: Mapping[str, Any]) -> None:
    with options.installation() as installation:
        found = _entries(installation, filters)
        now = installation.clock()
        paused = [str(rest) for rest in installation.ledger.pauses(filters["connection"]) if rest.until > now]
        holds = installation.ledger.holds(filters["connection"])
    held = list(dict.fromkeys(map(str, holds)))
    if as_json:
        output.emit_json(
            {"count": len(found), "paused": paused, "held": held, "entries": [_facts(entry) for entry in found]}
        )
        return
    for rest in [*paused, *gathered(held, holds)]:
        output.say(rest, output.WARN)
    if not found and any(filters.values()):
        output.say("Nothing in the inbox is like that.")
        return
    if not found:
        output.say("The inbox is empty.", output.GOOD)
        return
    for entry in found[:_MOST_SHOWN]:
        _say(entry)
    if len(found) > _MOST_SHOWN:
        output.say(f"… and {len(found) - _MOST_SHOWN} more: --json lists them all, filters choose")
    output.say()
    output.say(f"{len(found)} in the inbox. Mend the record where it comes from, or: sagezoho inbox retry|edit|dismiss")


def _entries(installation: Installation, filters: Mapping[str, Any]) -> list[InboxEntry]:
    """What the filters let through. A flow or connection that there is none of is refused: a slip of the pen would read
    as an empty inbox."""
    from sagezoho_pipelines.cli.sync import named_flows
    from sagezoho_pipelines.ledger import inbox as ledger

    if filters["flow"]:
        named_flows((filters["flow"],))
    since: datetime | None = filters["since"]
    chosen = {**filters, "since": since.replace(tzinfo=UTC) if since else None}
    found = ledger.entries(installation.database, **chosen)
    if filters["connection"] and not found:  # what a connection left that is no longer configured is listed
        installation.settings.connection(filters["connection"])
    return found


def _named(installation: Installation, ids: Sequence[str], connection: str | None) -> list[InboxEntry]:
    """The entries of these ids. Raises SagezohoError naming an id that none has: nothing is done by halves."""
    from sagezoho_pipelines.domain.errors import SagezohoError
    from sagezoho_pipelines.ledger import inbox as ledger

    found = ledger.entries(installation.database, connection=connection, ids=ids)
    known = {name for entry in found for name in (str(entry.id), entry.key)}
    missing = [one for one in ids if one not in known]
    if missing:
        raise SagezohoError(f"{missing[0]!r} is not in the inbox; 'sagezoho inbox' lists what is. Nothing was done.")
    return found


def _say(entry: InboxEntry) -> None:
    error = entry.error or {}
    who = record(entry.system, entry.entity, entry.key)
    output.say(f"{entry.id}  {entry.state}  {who}  {entry.name}".rstrip(), output.BAD)
    if entry.target_entity:
        other = record(entry.target_system, entry.target_entity, entry.target_id)
        output.say(f"  on the other side: {other}  {entry.target_name}".rstrip())
    field = f" ({error['field']})" if error.get("field") else ""
    output.say(f"  {said(error)}{error.get('code', '')}{field}: {error.get('text', '')}")
    if error.get("advice"):
        output.say(f"  what to do: {error['advice']}")
    when = moment(entry.settled_at) if entry.settled_at else "–"
    output.say(f"  {when}, attempt {entry.attempts}, {entry.connection}", output.DIM)
    if entry.override:
        fields = ", ".join(f"{name} = {value}" for name, value in (entry.override.get("fields") or {}).items())
        output.say(f"  edited by {entry.override.get('who')}: {fields} ({entry.override.get('why')})", output.WARN)


def _told(as_json: bool, done: Sequence[tuple[InboxEntry, str]]) -> None:
    if as_json:
        output.emit_json({"done": [{"entry": e.id, "record": e.key, "result": result} for e, result in done]})
        return
    for entry, result in done:
        output.say(f"{entry.id}  {record(entry.system, entry.entity, entry.key)}: {result}")


def _queued(change: int | None) -> str:
    return "a newer version of it is queued already" if change is None else f"queued again as {change}"


def _facts(entry: InboxEntry) -> dict[str, Any]:
    error = entry.error or {}
    return {
        "id": entry.id, "connection": entry.connection, "flow": entry.flow, "state": entry.state,
        "source": {"system": entry.system, "entity": entry.entity, "id": entry.key, "name": entry.name},
        "target": {"system": entry.target_system, "entity": entry.target_entity, "id": entry.target_id,
                   "name": entry.target_name},
        "code": error.get("code", ""), "field": error.get("field", ""), "text": error.get("text", ""),
        "advice": error.get("advice", ""), "attempts": entry.attempts, "cause": entry.cause,
        "captured_at": entry.captured_at.isoformat(),
        "at": entry.settled_at.isoformat() if entry.settled_at else None,
        "run_id": entry.run_id, "edit": entry.override,
    }  # fmt: skip


def _assignment(text: str) -> tuple[str, Any]:
    """`Field=text`, or `Field:=number|true|false|null`."""
    from sagezoho_pipelines.domain import json

    name, mark, value = text.partition("=")
    if not mark or not name.strip(":").strip():
        raise click.UsageError(f"--set {text}: write FIELD=VALUE")
    if not name.endswith(":"):
        return name.strip(), value
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value
    if isinstance(parsed, str | dict | list):
        raise click.UsageError(f"--set {text}: after := stands a number, true, false or null")
    return name[:-1].strip(), parsed


def _editable(installation: Installation, entry: InboxEntry) -> list[str]:
    """The fields that may be set for an entry; none where its connection is not configured, or broken."""
    from sagezoho_pipelines.engine.inbox import editable

    if entry.connection not in installation.settings.connections or entry.connection in installation.broken:
        return []
    return editable(installation.mappings_of(entry.connection), entry.system, entry.entity)


def _mappings(installation: Installation, entry: InboxEntry) -> Mapping[str, FlowMapping]:
    return installation.mappings_of(entry.connection)
