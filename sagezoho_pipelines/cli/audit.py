"""`sagezoho audit`: the immutable record of every movement, for auditors and their spreadsheets."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.errors import Failed

if TYPE_CHECKING:
    from sagezoho_pipelines.ledger.reports import AuditLine

_COLUMNS = (
    "connection", "seq", "at", "actor", "flow", "direction", "source_system", "source_entity", "source_id",
    "target_system", "target_entity", "target_id", "operation", "outcome", "fields", "answer", "cause", "run_id",
    "change_id", "hash",
)  # fmt: skip
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
@options.connection
@options.as_json
def verify(connection: str | None, as_json: bool) -> None:
    """Check the chain of hashes: exit code 1 if a line was changed, added or removed."""
    from sagezoho_pipelines.ledger.reports import audited_connections, verify_chain

    with options.installation() as installation:
        names = [connection] if connection else audited_connections(installation.database)
        broken = {name: verify_chain(installation.database, name) for name in names}
    whole = not any(broken.values())
    if as_json:
        output.emit_json({"ok": whole, "connections": {name: {"broken_at": at} for name, at in broken.items()}})
    else:
        for name, at in broken.items():
            if at is None:
                output.say(f"{name}: every line is as it was written.", output.GOOD)
            else:
                output.say(f"{name}: line {at} is not what was written, or was removed.", output.BAD)
        if not broken:
            output.say("There is no audit yet.")
    if not whole:
        raise Failed("the audit was changed")


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
        cells = {**row, "fields": json.dumps(row["fields"]), "answer": json.dumps(row["answer"])}
        writer.writerow([_cell(cells[name]) for name in _COLUMNS])
        written += 1
    return written


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
