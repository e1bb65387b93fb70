"""Carrying a plan out: both vendors' clients, wrapped so that a write which the plan does not hold is never sent."""

# What no flow calls is refused, whatever it is given.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from sagezoho_pipelines.domain.criteria import Criteria
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.metadata import FieldInfo
from sagezoho_pipelines.domain.planned import PlannedWrite
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.planning import writes
from sagezoho_pipelines.engine.planning.document import Plan, Seal
from sagezoho_pipelines.engine.ports import Ledger, RowResult, Sage300, Watch, Watched, ZohoCrm, ZohoPage

NOT_IN_PLAN = "NOT_IN_PLAN"
#: So many links are asked for at once.
_LINKS = 1000


def bound(ctx: Context, plan: Plan, seal: Seal) -> Context:
    """The context in which exactly this plan is carried out. The plan is redacted: values are told by their digests."""
    approval = Approval(plan, seal, names_of(plan, ctx.ledger))
    return replace(
        ctx,
        sage=ApprovedSage(ctx.sage, approval),
        zoho=ApprovedZoho(ctx.zoho, approval),
        pins=plan.pinned,
        approved=True,
    )


def names_of(plan: Plan, ledger: Ledger) -> writes.Names:
    """The plan's placeholders, and the ids of those of its records that are there by now, as the links tell."""
    ids: dict[str, str] = {}
    kinds = sorted({(one.sage_entity, one.zoho_entity) for one in plan.made})
    for sage_entity, zoho_entity in kinds:
        mine = [one for one in plan.made if (one.sage_entity, one.zoho_entity) == (sage_entity, zoho_entity)]
        for some in (mine[at : at + _LINKS] for at in range(0, len(mine), _LINKS)):
            keys = [one.sage_id for one in some if one.sage_id]
            by_sage = ledger.links_by_sage(plan.connection, sage_entity, zoho_entity, keys) if keys else {}
            keys = [one.zoho_id for one in some if one.zoho_id]
            by_zoho = ledger.links_by_zoho(plan.connection, zoho_entity, sage_entity, keys) if keys else {}
            ids |= {by_sage[one.sage_id].zoho_id: one.placeholder for one in some if one.sage_id in by_sage}
            ids |= {by_zoho[one.zoho_id].sage_id: one.placeholder for one in some if one.zoho_id in by_zoho}
    return writes.Names((one.makes for one in plan.writes), ids)


class Approval:
    """The writes that were agreed to, and the names of the records they make."""

    def __init__(self, plan: Plan, seal: Seal, names: writes.Names) -> None:
        self._allowed = {(one.call, one.digest) for one in plan.writes}
        self._seal = seal
        self.names = names

    def allows(self, write: PlannedWrite) -> bool:
        return (write.call, self._seal.of(write.digest, 32)) in self._allowed


def refusal(system: System, write: PlannedWrite) -> VendorError:
    """The change stays queued: a later sync, or the next plan, takes it."""
    return VendorError(
        system=system,
        code=NOT_IN_PLAN,
        text=f"not sent: the plan holds no such write ({write.call} {write.key})",
        verdict=Verdict.RETRY,
        advice="the record has changed since the plan was made; it stays queued for the next plan or sync",
    )


class ApprovedSage:
    """Implements `Sage300`."""

    def __init__(self, real: Sage300, approval: Approval) -> None:
        self._real = real
        self._approval = approval
        self.usage: Usage = real.usage

    def pages(
        self, entity_set: str, *, select: Sequence[str], where: Criteria = (), page_size: int | None = None
    ) -> Iterator[Sequence[Row]]:
        return self._real.pages(entity_set, select=select, where=where, page_size=page_size)

    def find(self, entity_set: str, *, where: Criteria, select: Sequence[str], limit: int | None = None) -> list[Row]:
        found = self._real.find(entity_set, where=where, select=select, limit=limit)
        for row in found:
            self._approval.names.saw_in_sage(entity_set, row)
        return found

    def get(self, entity_set: str, key: str | int, *, select: Sequence[str] = ()) -> Row | None:
        return self._real.get(entity_set, key, select=select)

    def exists(self, entity_set: str, *, where: Criteria) -> bool:
        return self._real.exists(entity_set, where=where)

    def described(self, entity_sets: Sequence[str]) -> dict[str, dict[str, FieldInfo]]:
        return self._real.described(entity_sets)

    def create(self, entity_set: str, body: Row) -> Row:
        self._require(writes.sage_create(entity_set, self._approval.names.named(body)))
        made = self._real.create(entity_set, body)
        self._approval.names.saw_in_sage(entity_set, {**body, **made})
        return made

    def patch(self, entity_set: str, key: str | int, body: Row) -> None:
        self._require(writes.sage_patch(entity_set, key, self._approval.names.named(body)))
        self._real.patch(entity_set, key, body)

    def _require(self, write: PlannedWrite) -> None:
        if not self._approval.allows(write):
            raise refusal(System.SAGE300, write)


class ApprovedZoho:
    """Implements `ZohoCrm`. Of a write's rows those that the plan holds are sent; the others wait."""

    def __init__(self, real: ZohoCrm, approval: Approval) -> None:
        self._real = real
        self._approval = approval
        self.usage: Usage = real.usage

    def changed_since(
        self,
        module: str,
        *,
        fields: Sequence[str],
        since: datetime,
        where: Criteria = (),
        until: datetime | None = None,
    ) -> Iterator[ZohoPage]:
        return self._real.changed_since(module, fields=fields, since=since, where=where, until=until)

    def find(self, module: str, *, where: Criteria, fields: Sequence[str], limit: int | None = None) -> list[Row]:
        found = self._real.find(module, where=where, fields=fields, limit=limit)
        for row in found:  # a record read back by its Sage key is the planned one
            self._approval.names.saw_in_zoho(module, row)
        return found

    def get(self, module: str, record_id: str) -> Row | None:
        return self._real.get(module, record_id)

    def get_many(self, module: str, ids: Sequence[str], *, fields: Sequence[str]) -> list[Row]:
        return self._real.get_many(module, ids, fields=fields)

    def deleted_since(self, module: str, since: datetime) -> Iterator[Row]:
        return self._real.deleted_since(module, since)

    def insert(self, module: str, rows: Sequence[Row], *, trigger: Sequence[str] = ()) -> list[RowResult]:
        planned = [writes.zoho_insert(module, self._approval.names.named(row)) for row in rows]
        return self._send(rows, planned, lambda chosen: self._real.insert(module, chosen, trigger=trigger))

    def update(
        self,
        module: str,
        rows: Sequence[Row],
        *,
        trigger: Sequence[str] = (),
        unmodified_since: datetime | None = None,
    ) -> list[RowResult]:
        planned = [writes.zoho_update(module, self._approval.names.named(row)) for row in rows]
        return self._send(
            rows,
            planned,
            lambda chosen: self._real.update(module, chosen, trigger=trigger, unmodified_since=unmodified_since),
        )

    def upsert(
        self, module: str, rows: Sequence[Row], *, duplicate_check: Sequence[str], trigger: Sequence[str] = ()
    ) -> list[RowResult]:
        planned = [writes.zoho_upsert(module, self._approval.names.named(row), duplicate_check) for row in rows]
        return self._send(
            rows,
            planned,
            lambda chosen: self._real.upsert(module, chosen, duplicate_check=duplicate_check, trigger=trigger),
        )

    def write_cost(self, rows: int) -> tuple[int, int]:
        return self._real.write_cost(rows)

    def modules(self) -> list[Row]:
        return self._real.modules()

    def fields(self, module: str) -> list[Row]:
        return self._real.fields(module)

    def org(self) -> Row:
        return self._real.org()

    def current_user(self) -> Row:
        return self._real.current_user()

    def server_time(self) -> datetime:
        return self._real.server_time()

    def create_fields(self, module: str, fields: Sequence[Row]) -> list[RowResult]:
        raise refusal(System.ZOHO_CRM, PlannedWrite(f"zoho_crm create_fields {module}", "", ""))

    def enable_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        raise refusal(System.ZOHO_CRM, PlannedWrite("zoho_crm enable_channels", "", ""))

    def replace_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        raise refusal(System.ZOHO_CRM, PlannedWrite("zoho_crm replace_channels", "", ""))

    def renew_channels(self, wanted: Sequence[Watch]) -> list[RowResult]:
        raise refusal(System.ZOHO_CRM, PlannedWrite("zoho_crm renew_channels", "", ""))

    def channel(self, channel_id: int) -> list[Watched]:
        return self._real.channel(channel_id)

    def disable_channel(self, channel_id: int) -> None:
        raise refusal(System.ZOHO_CRM, PlannedWrite("zoho_crm disable_channel", str(channel_id), ""))

    def _send(
        self,
        rows: Sequence[Row],
        planned: Sequence[PlannedWrite],
        send: Callable[[Sequence[Row]], list[RowResult]],
    ) -> list[RowResult]:
        results = [RowResult(error=refusal(System.ZOHO_CRM, write)) for write in planned]
        chosen = [
            index
            for index, write in enumerate(planned)
            if self._approval.allows(write) or self._approval.names.completes(rows[index])
        ]
        answers = send([rows[index] for index in chosen]) if chosen else []
        for index, answer in zip(chosen, answers, strict=True):
            results[index] = answer
            if answer.error is None and planned[index].makes:
                self._approval.names.became(planned[index].makes, answer.id)
        return results
