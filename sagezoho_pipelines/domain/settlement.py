"""What the engine and the ledger hand each other: pages captured, attempts settled, creates announced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sagezoho_pipelines.domain.records import AuditEntry, Change, ChangeState, Link, Look, Outcome


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What one captured page meant: `changed` became change rows, `unchanged` were known already."""

    captured: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of one attempt at one change: everything in it is committed together.

    `state` QUEUED with `retry_at` means the change waits for another attempt. `looks` are follow-up changes.
    `error` is the vendor's answer as shown in the inbox. `ended` are links that no longer hold: they are removed before
    `links` are made. `forgotten`: the version is not one to know, so that the record is news when it is captured next,
    though nothing in it has changed.
    """

    change: Change
    state: ChangeState
    outcome: Outcome
    links: Sequence[Link] = ()
    audit: Sequence[AuditEntry] = ()
    looks: Sequence[Look] = ()
    intents: Sequence[tuple[int, str, str]] = ()  # (intent id, state settled|refused, target id)
    error: Mapping[str, Any] = field(default_factory=dict)
    retry_at: datetime | None = None
    ended: Sequence[Link] = ()
    forgotten: bool = False


@dataclass(frozen=True, slots=True)
class Intent:
    """The durable row written before a create is sent. `fresh` is False when an earlier attempt left it open.

    `payload_digest` is that of the payload sent last, or about to be sent: where the target turns out to exist, it
    tells whether it was made from what the source says now. `names` are all the names it may have been made under.
    """

    id: int
    business_key: str
    attempt: int
    fresh: bool
    payload_digest: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IntentRequest:
    target_system: str
    target_entity: str
    business_key: str
    source_entity: str
    source_key: str
    payload_digest: str
    name: str = ""
