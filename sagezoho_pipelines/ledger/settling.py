"""What commits together when attempts end: changes, links, intents, looks and audit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from sagezoho_pipelines.domain.records import Cause, Link, Look, Outcome, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.ledger import audit, capture, intents, links, queue


def settle(connection: Connection, settlements: Sequence[Settlement], *, at: datetime) -> None:
    settled = queue.settle(connection, settlements, at=at)
    overtaken = []
    links.end(connection, [link for s in settled.held for link in s.ended])
    for source in System:
        found = [link for s in settled.held if s.change.entity.system is source for link in s.links]
        overtaken += [link for link, _ in links.bind(connection, found, source=source, at=at)]
    links.bind_if_absent(connection, [link for s in settled.lost for link in s.links], at=at)
    intents.close(connection, (closed for s in settlements for closed in s.intents), at=at)
    run_id = next((entry.run_id for s in settlements for entry in s.audit), "")
    links.unsettle(connection, [one for s in settled.lost for one in _doubtful(s)])
    twice = [s for s in settled.lost if s.outcome is Outcome.UPDATED]
    twice += [s for s in settled.held if any(link in overtaken for link in s.links)]
    doubts = [Look(s.change.entity, s.change.key, Cause.RETRY, "two deliveries had written it") for s in twice]
    capture.enqueue(connection, [*(look for s in settlements for look in s.looks), *doubts], at=at, run_id=run_id)
    audit.append(connection, (entry for s in settlements for entry in s.audit))


def _doubtful(settlement: Settlement) -> list[tuple[Link, set[str]]]:
    """What an update wrote whose worker had lost the record, by link."""
    if settlement.outcome is not Outcome.UPDATED:
        return []
    sent = {one.target for entry in settlement.audit for one in entry.fields}
    return [(link, sent & set(link.written)) for link in settlement.links]
