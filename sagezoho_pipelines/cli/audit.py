"""`sagezoho audit`: the immutable record of every movement, for auditors and their spreadsheets."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.errors import Failed
from sagezoho_pipelines.domain.errors import SagezohoError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sagezoho_pipelines.ledger.reports import AuditLine

_COLUMNS = (
    "connection", "seq", "at", "actor", "flow", "direction", "source_system", "source_entity", "source_id",
    "target_system", "target_entity", "target_id", "operation", "outcome", "fields", "answer", "cause", "run_id",
    "change_id", "hash",
)  # fmt: skip
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])
#: What a spreadsheet would take for the start of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@click.group()
def audit() -> None:
    """Export the audit, or prove that nobody changed it."""


@audit.command()
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--record", metavar="ID", help="Only lines about this record, of either side.")
@click.option("--run", metavar="RUN_ID", help="Only lines of this run; its first eight signs will do.")
@click.option("--since", type=_MOMENT, metavar="DATE", help="Only lines from this moment on (UTC).")
@options.connection
def export(kind: str, record: str | None, run: str | None, since: datetime | None, connection: str | None) -> None:
    """Write the audit to standard output, one line a movement, whatever its size."""
    from sagezoho_pipelines.ledger.reports import audit_entries

    with options.installation() as installation:
        lines = audit_entries(
            installation.database,
            connection=connection,
            record_id=record,
            run_id=run,
            since=since.replace(tzinfo=UTC) if since else None,
        )
        written = _write(kind, (_facts(line) for line in lines))
    if not written:
        output.warn("The audit has no such line.")


@audit.command()
@click.option("--against", metavar="FILE", type=_FILE, help="See that each line of this earlier export still stands.")
@options.connection
@options.as_json
def verify(against: Path | None, connection: str | None, as_json: bool) -> None:
    """Check the chain of hashes: exit code 1 if a line was changed, added or removed.

    Whoever may write to the database could make the whole chain anew. An export that is kept elsewhere tells that, and
    so do the number and the hash of a last line that somebody has noted.
    """
    from sagezoho_pipelines.ledger.reports import audit_head, audited_connections, verify_chain

    with options.installation() as installation:
        names = audited_connections(installation.database)
        if connection is not None:
            if connection not in names:
                options.chosen(installation.settings, connection)
            names = [name for name in names if name == connection]
        broken = {name: verify_chain(installation.database, name) for name in names}
        heads = {name: audit_head(installation.database, name) for name in names}
        differences = _differences(installation.database, against, connection) if against else []
    whole = not any(broken.values())
    if as_json:
        facts = {
            name: {"broken_at": at, "lines": heads[name][0], "hash": heads[name][1]} for name, at in broken.items()
        }
        output.emit_json({"ok": whole and not differences, "connections": facts, "differences": differences})
    else:
        for name, at in broken.items():
            lines, last = heads[name]
            if at is None:
                output.say(f"{name}: every line is as it was written. {lines} lines, the last is {last}", output.GOOD)
            else:
                output.say(f"{name}: line {at} is not what was written, or was removed.", output.BAD)
        if not broken:
            output.say("There is no audit yet.")
        for told in differences:
            output.say(told, output.BAD)
        if against and not differences:
            output.say(f"All that {against} holds still stands.", output.GOOD)
    if not whole or differences:
        raise Failed("the audit was changed")


def _differences(database: Engine, against: Path, connection: str | None) -> list[str]:
    """Of each connection in an earlier export, the first line that is now another one, or gone."""
    from sagezoho_pipelines.ledger.reports import audit_entries

    found: list[str] = []
    for name, kept in groupby(_kept(against), key=lambda row: str(row.get("connection"))):
        if connection not in (None, name):
            continue
        now = audit_entries(database, connection=name)
        for row in kept:
            seq = str(row.get("seq"))
            line = next((line for line in now if str(line.seq) == seq), None)
            if line is None or row not in (_as_json(_facts(line)), _as_cells(_facts(line))):
                what = "is gone" if line is None else "is another one now"
                found.append(f"{name}: line {seq} of {against} {what}.")
                break
    return found


def _kept(against: Path) -> Iterator[dict[str, Any]]:
    """The lines of an export, in either format."""
    from sagezoho_pipelines.domain import json

    with against.open(encoding="utf-8", newline="") as file:
        first = file.readline()
        file.seek(0)
        if not first.startswith("{"):
            table = csv.DictReader(file)
            if tuple(table.fieldnames or ()) != _COLUMNS:
                raise SagezohoError(
                    f"{against} is no export of the audit. Name a file that 'audit export' has written."
                )
            yield from table
            return
        for number, line in enumerate(file, start=1):
            try:
                yield dict(json.loads(line))
            except ValueError:
                raise SagezohoError(f"{against}:{number} is no line of the audit: the file was changed.") from None


def _facts(line: AuditLine) -> dict[str, Any]:
    """In the order of the columns; `fields` with before, after, sources and expression of each."""
    entry = line.entry
    facts = {name: getattr(entry, name) for name in _COLUMNS if hasattr(entry, name)}
    facts |= {"seq": line.seq, "hash": line.hash, "at": entry.at.astimezone(UTC).isoformat(), "fields": [
        {"target": one.target, "sources": list(one.sources), "expression": one.expression, "before": one.before,
         "after": one.after}
        for one in entry.fields
    ]}  # fmt: skip
    return {name: facts[name] for name in _COLUMNS}


def _write(kind: str, rows: Iterator[Mapping[str, Any]]) -> int:
    """How many lines there were."""
    from sagezoho_pipelines.domain import json

    written = 0
    if kind == "jsonl":
        for row in rows:
            click.echo(json.dumps(row))
            written += 1
        return written
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow(_as_cells(row).values())
        written += 1
    return written


def _as_json(row: Mapping[str, Any]) -> Any:
    """As it is read from a line of JSON."""
    from sagezoho_pipelines.domain import json

    return json.loads(json.dumps(row))


def _as_cells(row: Mapping[str, Any]) -> dict[str, str]:
    from sagezoho_pipelines.domain import json

    cells = {**row, "fields": json.dumps(row["fields"]), "answer": json.dumps(row["answer"])}
    return {name: _cell(cells[name]) for name in _COLUMNS}


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
