"""The error inbox: what a person does with changes that were refused or are in conflict. Each act is audited.

A retry is a change of its own, which supersedes the entry: what was tried before stays readable.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from sagezoho_pipelines.domain.records import AuditEntry, EntityRef, FieldChange, Look, Override, System
from sagezoho_pipelines.ledger import audit, capture
from sagezoho_pipelines.ledger.reports import ChangeLine
from sagezoho_pipelines.ledger.sqljson import to_json

# Each side by its own index: with the sides in one condition, the whole mapping table is read for every entry.
_TARGETED = """
LEFT JOIN LATERAL (
    SELECT a.flow, a.target_system, a.target_entity, a.target_id FROM sagezoho.audit a
    WHERE a.connection = c.connection AND a.source_id = c.key AND a.source_entity = c.entity
      AND a.source_system = c.system AND a.change_id = c.id
    ORDER BY a.seq DESC LIMIT 1
) AS t ON true
LEFT JOIN LATERAL (
    SELECT l.id, l.zoho_id AS other_id, l.zoho_name AS other_name FROM sagezoho.links l
    WHERE c.system = 'sage300' AND l.connection = c.connection AND l.sage_entity = c.entity AND l.sage_id = c.key
    UNION ALL
    SELECT l.id, l.sage_id, l.sage_name FROM sagezoho.links l
    WHERE c.system = 'zoho_crm' AND l.connection = c.connection AND l.zoho_id = c.key
      AND l.zoho_entity = CASE c.entity WHEN 'deals' THEN 'Deals' WHEN 'deal_accounts' THEN 'Accounts' END
      AND l.sage_entity = CASE c.entity WHEN 'deals' THEN 'orders' ELSE 'customers' END
    ORDER BY id LIMIT 1
) AS o ON true
"""

_ENTRIES = f"""
SELECT c.id, c.connection, c.system, c.entity, c.key, c.name, c.state, c.cause, c.attempts, c.error, c.captured_at,
       c.settled_at, c.run_id, c.override, coalesce(t.flow, '') AS flow, coalesce(t.target_system, '') AS target_system,
       coalesce(t.target_entity, '') AS target_entity, coalesce(o.other_id, t.target_id, '') AS target_id,
       coalesce(o.other_name, '') AS target_name
FROM sagezoho.changes c {_TARGETED}
WHERE c.state IN ('refused', 'conflicted')
"""

_FILTERED = text(f"""{_ENTRIES}
  AND (CAST(:connection AS text) IS NULL OR c.connection = :connection)
  AND (CAST(:entity AS text) IS NULL OR c.entity = :entity)
  AND (CAST(:code AS text) IS NULL OR lower(c.error ->> 'code') = lower(:code))
  AND (CAST(:since AS timestamptz) IS NULL OR c.settled_at >= :since)
  AND (CAST(:flow AS text) IS NULL OR t.flow = :flow)
  AND (CAST(:ids AS text[]) IS NULL OR c.key = ANY (CAST(:ids AS text[])) OR c.id::text = ANY (CAST(:ids AS text[])))
  AND (CAST(:run_ids AS text[]) IS NULL OR c.run_id = ANY (CAST(:run_ids AS text[])))
ORDER BY c.id LIMIT CAST(:limit AS bigint)
""")

# A record of which a newer change is queued already needs no retry: that one is delivered next. The state in the
# condition is the guard against two people who act on the same entry.
_RETRY = text("""
WITH gone AS (
    UPDATE sagezoho.changes c SET state = 'superseded'
    WHERE c.id = :id AND c.state IN ('refused', 'conflicted') RETURNING c.*
), again AS (
    INSERT INTO sagezoho.changes (connection, system, entity, key, name, digest, payload, cause, reason, state,
                                  next_attempt_at, captured_run_id, captured_at, override)
    SELECT connection, system, entity, key, name, digest,
           CASE WHEN CAST(:read_again AS boolean) THEN NULL ELSE payload END, 'retry', :reason, 'queued',
           :at, '', :at, coalesce(CAST(:override AS jsonb), override)
    FROM gone
    ON CONFLICT (connection, system, entity, key) WHERE state = 'queued' DO NOTHING
    RETURNING id
)
SELECT gone.id AS entry, (SELECT id FROM again) AS id FROM gone
""")

_DISMISS = text("""
UPDATE sagezoho.changes SET state = 'dismissed', settled_at = :at
WHERE id = :id AND state IN ('refused', 'conflicted') RETURNING id
""")


@dataclass(frozen=True, slots=True)
class InboxEntry(ChangeLine):
    """One change that a person must look at, and the record on the other side that it was meant for."""

    override: dict[str, Any] | None
    flow: str
    target_system: str
    target_entity: str
    target_id: str
    target_name: str


def entries(
    engine: Engine,
    *,
    connection: str | None = None,
    flow: str | None = None,
    entity: str | None = None,
    code: str | None = None,
    since: datetime | None = None,
    ids: Sequence[str] | None = None,
    run_ids: Collection[str] | None = None,
    limit: int | None = None,
) -> list[InboxEntry]:
    """The inbox, oldest first. `ids` are change ids or record ids, `run_ids` the runs that put the changes there."""
    values = {
        "connection": connection, "flow": flow, "entity": entity, "code": code, "since": since,
        "ids": None if ids is None else list(ids), "run_ids": None if run_ids is None else sorted(run_ids),
        "limit": limit,
    }  # fmt: skip
    with engine.connect() as database:
        return [InboxEntry(**row) for row in database.execute(_FILTERED, values).mappings()]


def retry(
    engine: Engine, entry: InboxEntry, *, who: str, at: datetime, read_again: bool, edit: Override | None = None
) -> int | None:
    """Queue the record again; the id of the new change, or None when the entry is no longer in the inbox or a newer
    version of the record is queued already.

    `read_again` takes the record as it is when it is delivered; else the version that was refused is delivered. An
    edit, this one or an earlier one, applies only while the record is still the version it was made for.
    """
    reason = f"edited by {who}" if edit else f"asked for by {who}"
    override = None if edit is None else to_json({"fields": dict(edit.fields), "who": edit.who, "why": edit.why})
    with engine.begin() as database:
        values = {"id": entry.id, "at": at, "reason": reason, "read_again": read_again, "override": override}
        done = database.execute(_RETRY, values).one_or_none()
        if done is None:
            return None
        capture.announce(database, EntityRef(entry.connection, System(entry.system), entry.entity))
        audit.append(database, [_entry(entry, "edit" if edit else "retry", who, at, done.id, edit)])
        return int(done.id) if done.id is not None else None


def dismiss(engine: Engine, entry: InboxEntry, *, who: str, why: str, at: datetime, looks: Sequence[Look] = ()) -> bool:
    """Take an entry out of the inbox for good; False when it is no longer there. `looks` are queued with that."""
    with engine.begin() as database:
        if database.execute(_DISMISS, {"id": entry.id, "at": at}).one_or_none() is None:
            return False
        capture.enqueue(database, looks, at=at, run_id="")
        audit.append(database, [_entry(entry, "dismiss", who, at, entry.id, None, why)])
        return True


def _entry(
    entry: InboxEntry,
    operation: str,
    who: str,
    at: datetime,
    change_id: int | None,
    edit: Override | None,
    why: str = "",
) -> AuditEntry:
    fields = [
        FieldChange(name, ("inbox edit",), "inbox edit", None, value) for name, value in (edit or _NONE).fields.items()
    ]
    reason = edit.why if edit else why
    return AuditEntry(
        at=at,
        actor=who,
        connection=entry.connection,
        flow=entry.flow,
        direction=f"{entry.system}->{entry.target_system}",
        source_system=entry.system,
        source_entity=entry.entity,
        source_id=entry.key,
        target_system=entry.target_system,
        target_entity=entry.target_entity,
        target_id=entry.target_id,
        operation=operation,
        outcome="dismissed" if operation == "dismiss" else "queued",
        fields=fields,
        answer={"why": reason, "entry": entry.id} if reason else {"entry": entry.id},
        cause="retry",
        change_id=change_id,
    )


_NONE = Override({}, "", "")
