"""What planning sees of the queue, and what it notes down: writes that would be sent, and records they would make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sagezoho_pipelines.domain.records import Change


@dataclass(frozen=True, slots=True)
class OpenChange:
    """A change in the queue as it stands. `due`: a worker could claim it now; `queued`: no worker holds it."""

    change: Change
    due: bool
    queued: bool


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One record in one write call, e.g. `zoho_crm upsert Accounts`.

    `key` is what the record goes by: its id, or the business key of a new one. `digest` covers call and record.
    `makes` is the placeholder of the id that the vendor will give, empty where it gives none.
    """

    call: str
    key: str
    digest: str
    makes: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A record that the plan makes: its placeholder, and the side of its link that is known already."""

    placeholder: str
    sage_entity: str
    sage_id: str
    zoho_entity: str
    zoho_id: str


@dataclass(frozen=True, slots=True)
class Pin:
    """A business key chosen by the plan for a source record, e.g. a customer number."""

    target_system: str
    target_entity: str
    business_key: str
    source_entity: str
    source_key: str


class FieldPlan(NamedTuple):
    """A target field: what the target holds now, and what it would hold."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class PlanItem:
    """What one source record would do to one target record, in the words of the audit.

    `source_digest` tells the version of the source, `target_digest` what the target held in the fields concerned.
    `error` is what the vendor, or our own pre-flight, would answer.
    """

    flow: str
    source_system: str
    source_entity: str
    source_id: str
    operation: str
    outcome: str
    source_name: str = ""
    source_digest: str = ""
    target_system: str = ""
    target_entity: str = ""
    target_id: str = ""
    target_digest: str = ""
    fields: Sequence[FieldPlan] = ()
    error: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, ...]:
        """What the item is about, whatever it would do."""
        return (
            self.flow, self.source_system, self.source_entity, self.source_id, self.target_system, self.target_entity,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Applied:
    """A plan that was applied, or begun to be. `document` is the plan without values of records."""

    id: int
    connection: str
    flows: Sequence[str]
    digest: str
    document: Mapping[str, Any]
    actor: str
    state: str
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class Cost:
    """What carrying a plan out takes: calls of both vendors, and Zoho's credits.

    Before its first write everything is planned again: `sage300_looks` are the calls of that, `zoho_crm_looks` its
    credits. Several workers at once may cut batches smaller, and take a few calls more.
    """

    sage300_reads: int = 0
    sage300_writes: int = 0
    zoho_crm_reads: int = 0
    zoho_crm_writes: int = 0
    zoho_crm_credits: int = 0
    sage300_looks: int = 0
    zoho_crm_looks: int = 0
