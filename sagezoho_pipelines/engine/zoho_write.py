"""One record on its way to Zoho: what it should be, what is sent of it, and what became of that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.mapping import TargetMapping
from sagezoho_pipelines.domain.records import FieldChange, GivesWay, Link, Outcome, Row, System
from sagezoho_pipelines.domain.zoho import RowResult
from sagezoho_pipelines.engine.settling import Movement


@dataclass(frozen=True, slots=True)
class ZohoWrite:
    """One target record: what it should be, what it was when we last wrote it, and what is sent.

    `result` is Zoho's own answer; a write with nothing to send has none. `also` are further mappings that filled
    fields of the same record, `subforms` those that filled the rows of a subform. `unmodified_since` is the modified
    time of the record that was decided upon: where somebody has edited it since, it is not written. `gives_way` is
    what people typed there and is overridden. `held` is what the record held of it right before, where that was read.
    """

    module: str
    mapping: TargetMapping
    link: Link | None
    after: Row
    sent: Row
    result: RowResult | None = None
    also: Sequence[TargetMapping] = ()
    subforms: Mapping[str, TargetMapping] = field(default_factory=dict)
    unmodified_since: datetime | None = None
    gives_way: Sequence[GivesWay] = ()
    held: Row = field(default_factory=dict)

    @property
    def operation(self) -> str:
        if self.link is None:
            return "create"
        return "update" if self.sent else "noop"

    @property
    def record_id(self) -> str:
        """The Zoho id, empty when the record does not exist (yet)."""
        if self.result is not None and self.result.id:
            return self.result.id
        return self.link.zoho_id if self.link is not None else ""

    @property
    def error(self) -> VendorError | None:
        return self.result.error if self.result is not None else None

    @property
    def outcome(self) -> Outcome:
        if not self.sent:
            return Outcome.NOOP
        if self.result is not None and self.result.created:
            return Outcome.CREATED
        return Outcome.UPDATED

    @property
    def was_found(self) -> bool:
        """Whether the upsert of a new record met one that was there already."""
        return self.result is not None and self.result.error is None and not self.result.created

    def without_value(self) -> dict[str, None]:
        """The fields of a record that was found instead of made which are to hold nothing."""
        return {name: None for name, value in self.mapping.lasting(self.after).items() if value is None}

    def movement(self) -> Movement:
        before = {**(self.link.written if self.link is not None else {}), **self.held}
        return Movement(
            System.ZOHO_CRM,
            self.module,
            self.record_id,
            self.operation,
            self.outcome,
            _Trace(self, before),
            {"id": self.record_id, "code": "SUCCESS"} if self.sent else {},
        )

    def trace(self, before: Row) -> Iterator[FieldChange]:
        """For each field sent: where its value came from, and what it replaces."""
        for mapping in (self.mapping, *self.also):
            yield from mapping.trace(before, self.sent)
        for name, mapping in self.subforms.items():
            if name in self.sent:
                sources = sorted({source for rule in mapping.rules for source in rule.sources})
                expression = "; ".join(f"{rule.target}: {rule.expression}" for rule in mapping.rules)
                yield FieldChange(name, sources, expression, before.get(name), self.sent[name])

    def new_link(self, fresh: Link) -> Link:
        """The link after this write, which made both sides equal: `fresh`, or the known one brought up to date."""
        base = fresh if self.link is None else self.link.wrote(self.sent)
        time = self.result.modified_time if self.result is not None else None
        return replace(
            base,
            zoho_id=self.record_id,
            sage_name=fresh.sage_name,
            zoho_name=fresh.zoho_name,
            source_digest=fresh.source_digest,
            written={**(self.link.written if self.link is not None else {}), **self.after},
            target_time=time or base.target_time,
            seen_equal_at=fresh.seen_equal_at,
        )


@dataclass(frozen=True, slots=True)
class _Trace(Iterable[FieldChange]):
    """Made where it is read, record by record: a batch of traces is thousands of objects."""

    write: ZohoWrite
    before: Row

    def __iter__(self) -> Iterator[FieldChange]:
        return self.write.trace(self.before)
