"""`sagezoho links conflicts`: where the two sides of a pair wanted different things, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sagezoho_pipelines.domain.records import AuditEntry
    from sagezoho_pipelines.wiring import Installation

#: How the audit calls what a comparison wrote against somebody's edit, or left as it was.
OPERATIONS = ("conflict", "put back", "edit", "leave")
#: The same for what differed already when two records were linked.
FIRST = "first contact"
#: The codes of a pair in the inbox that waits for a person.
UNDECIDED = ("SIDES_DIFFER", "INACTIVE_IN_SAGE")
_MOST_SHOWN = 50
_STYLES = {"conflict": output.WARN, "leave": output.WARN, "undecided": output.BAD}


@click.command()
@options.connection
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="Only from this day on (UTC).")
@click.option("--first", is_flag=True, help="Also what differed already when two records were linked.")
@options.as_json
def conflicts(connection: str | None, since: datetime | None, first: bool, as_json: bool) -> None:
    """What gave way when both sides, or the side that does not lead, edited a pair; and what waits for a decision.

    `conflict`: both sides edited one field, and the leader's word counted. `put back`: the side that does not lead
    edited it. `leave`: that was left as it is. `edit`: a person set both sides. `undecided`: it waits in the inbox.
    """
    with options.installation() as installation:
        if connection is not None:
            installation.settings.connection(connection)
        day = since.replace(tzinfo=UTC) if since else None
        found = list(rows(installation, connection, day, (*OPERATIONS, FIRST) if first else OPERATIONS))
    if as_json:
        output.emit_json({"count": len(found), "conflicts": found})
        return
    show(found)


def rows(
    installation: Installation, connection: str | None, since: datetime | None, operations: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """One row for each field of each decision, the oldest first; then those that nobody has decided yet."""
    from sagezoho_pipelines.ledger import inbox, reports

    for line in reports.audit_entries(installation.database, connection=connection, since=since, operations=operations):
        entry = line.entry
        for field, sentence in (entry.answer.get("decided") or {}).items():
            yield {
                "at": entry.at.isoformat(), "connection": entry.connection, "flow": entry.flow, **_pair(entry),
                "field": field, "what": entry.operation, "decided": sentence, "outcome": entry.outcome,
                "actor": entry.actor, "run_id": entry.run_id,
            }  # fmt: skip
    for change in inbox.entries(installation.database, connection=connection):
        error = change.error or {}
        if error.get("code") not in UNDECIDED:
            continue
        sides = {"sage_id": change.key, "zoho_id": ""} if change.system == "sage300" else {
            "sage_id": "", "zoho_id": change.key,
        }  # fmt: skip
        for field, (sage, zoho) in (error.get("details") or {}).get("fields", {}).items():
            told = f"Sage 300 has {sage!r}, Zoho CRM has {zoho!r}: sagezoho inbox show {change.id}"
            yield {
                "at": (change.settled_at or change.captured_at).isoformat(), "connection": change.connection,
                "flow": change.entity, **sides, "field": field, "what": "undecided", "decided": told,
                "outcome": change.state, "actor": "", "run_id": change.run_id,
            }  # fmt: skip


def show(found: list[dict[str, Any]]) -> None:
    if not found:
        output.say("Both sides of every pair have agreed so far.")
        return
    shown = [
        (
            one["at"][:16].replace("T", " "),
            one["sage_id"],
            one["zoho_id"],
            one["field"],
            (one["what"], _STYLES.get(one["what"], "")),
            one["decided"],
        )
        for one in found[-_MOST_SHOWN:]
    ]
    if output.is_narrow():
        for when, sage, zoho, field, (what, style), decided in shown:
            output.say(f"{when}  {sage} = {zoho}  {field}  {what}", style)
            output.say(f"  {decided}")
    else:
        output.table(["when", "Sage 300", "Zoho CRM", "field", "", "what was decided"], shown)
    if len(found) > _MOST_SHOWN:
        output.say(f"{len(found) - _MOST_SHOWN} earlier ones are not shown: --json lists them all, --since chooses")


def _pair(entry: AuditEntry) -> dict[str, str]:
    sides = {entry.source_system: entry.source_id, entry.target_system: entry.target_id}
    return {"sage_id": sides.get("sage300", ""), "zoho_id": sides.get("zoho_crm", "")}
