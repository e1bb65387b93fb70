"""A link in words, in JSON and as the line of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sagezoho_pipelines.cli import output
from sagezoho_pipelines.cli.records import moment, record
from sagezoho_pipelines.domain.links import kind_of

if TYPE_CHECKING:
    from sagezoho_pipelines.ledger.link_table import LinkEntry


COLUMNS = (
    "connection", "kind", "sage_id", "sage_name", "zoho_id", "zoho_name", "authority", "exceptions", "made_by",
    "linked_at", "seen_equal_at",
)  # fmt: skip


def say(entry: LinkEntry) -> None:
    link = entry.link
    output.say(f"{entry.id}  {pair(entry)}", output.STRONG)
    output.say(f"  {link.connection}, {kind_of(link).name}; {link.made_by}; linked {moment(entry.linked_at)}")
    output.say(f"  {link.authority} leads" + "".join(f"; {side} leads {f}" for f, side in link.exceptions.items()))
    equal = f"seen equal {moment(link.seen_equal_at)}" if link.seen_equal_at else "not seen equal yet"
    output.say(f"  {equal}", output.WARN if entry.unequal else output.GOOD)
    if link.agreed:
        rows = [(name, *(both if isinstance(both, list) else (both, both))) for name, both in link.agreed.items()]
        output.table(["field", "in Sage 300", "in Zoho CRM"], rows)


def say_briefly(entry: LinkEntry) -> None:
    """Where a table would break the ids over two lines."""
    output.say(f"{entry.id}  {pair(entry)}")
    equal = ("; not equal", output.WARN) if entry.unequal else ("", output.DIM)
    output.say(f"  {kind_of(entry.link).name}; {leads(entry)} leads; {entry.link.made_by}{equal[0]}", equal[1])


def pair(entry: LinkEntry) -> str:
    link = entry.link
    sage = f"{record('sage300', link.sage_entity, link.sage_id)} ({link.sage_name})"
    return f"{sage} = {record('zoho_crm', link.zoho_entity, link.zoho_id)} ({link.zoho_name})"


def leads(entry: LinkEntry) -> str:
    others = len(entry.link.exceptions)
    return f"{entry.link.authority}{f' (+{others})' if others else ''}"


def facts(entry: LinkEntry) -> dict[str, Any]:
    link = entry.link
    return {
        "id": entry.id, "connection": link.connection, "kind": kind_of(link).name,
        "sage": {"entity": link.sage_entity, "id": link.sage_id, "name": link.sage_name},
        "zoho": {"entity": link.zoho_entity, "id": link.zoho_id, "name": link.zoho_name},
        "authority": str(link.authority), "exceptions": dict(link.exceptions), "made_by": link.made_by,
        "linked_at": entry.linked_at.isoformat(), "updated_at": entry.updated_at.isoformat(),
        "seen_equal_at": link.seen_equal_at.isoformat() if link.seen_equal_at else None, "unequal": entry.unequal,
    }  # fmt: skip


def row(entry: LinkEntry) -> dict[str, str]:
    link = entry.link
    return {
        "connection": link.connection, "kind": kind_of(link).name, "sage_id": link.sage_id,
        "sage_name": link.sage_name, "zoho_id": link.zoho_id, "zoho_name": link.zoho_name,
        "authority": str(link.authority),
        "exceptions": "; ".join(f"{name}={side}" for name, side in sorted(link.exceptions.items())),
        "made_by": link.made_by, "linked_at": entry.linked_at.isoformat(),
        "seen_equal_at": link.seen_equal_at.isoformat() if link.seen_equal_at else "",
    }  # fmt: skip
