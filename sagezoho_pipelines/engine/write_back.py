"""Telling sales people what became of their deals and accounts, in fields of the Zoho records themselves.

A delivery leaves a look at its record under `write_backs`, in the transaction that settles it; the looks are delivered
afterwards, in hundreds and without automations. They are changes of their own: whatever becomes of them, the order is
settled. What is written depends on the ledger alone, and nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sagezoho_pipelines.config import Connection
from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.records import (
    Cause,
    Change,
    ChangeState,
    EntityRef,
    FieldChange,
    Link,
    Look,
    Outcome,
    Row,
    System,
)
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.domain.widths import cut
from sagezoho_pipelines.domain.write_backs import Standing, Told
from sagezoho_pipelines.domain.zoho import RowResult
from sagezoho_pipelines.engine import settling, zoho_modules, zoho_target
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.settling import Movement

ENTITY = "write_backs"
STATUS, MESSAGE = "Sage_Sync_Status", "Sage_Sync_Message"
_LONGEST = 255
_WORDS = {ChangeState.REFUSED: "Refused", ChangeState.CONFLICTED: "In conflict"}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an entity's news is written: the module, the field for the Sage number, and what it is linked to."""

    module: str
    number: str
    linked: str


_PLACES: Mapping[str, _Place] = {
    "deals": _Place("Deals", "Sage_Order_Number", "orders"),
    "deal_accounts": _Place("Accounts", "Sage_Customer_Number", "customers"),
}


def announced(ctx: Context, source: EntityRef, settlements: Sequence[Settlement]) -> list[Settlement]:
    """The settlements with a look at each record whose standing they change.

    What is passed over has none, and is told so where it was told something else.
    """
    if not concerns(source):
        return list(settlements)
    passed = [one.change.key for one in settlements if one.outcome is Outcome.SKIPPED]
    told = ctx.ledger.told(ctx.connection, _PLACES[source.entity].module, passed) if passed else {}
    changed = [
        one.state in (ChangeState.DELIVERED, *_WORDS) and (one.outcome is not Outcome.SKIPPED or one.change.key in told)
        for one in settlements
    ]
    return [
        replace(one, looks=[*one.looks, *looks(ctx.settings, source, one.change.key, str(one.outcome))])
        if news
        else one
        for one, news in zip(settlements, changed, strict=True)
    ]


def looks(settings: Connection, source: EntityRef, key: str, why: str) -> list[Look]:
    """The look that has a record told anew how it stands; none where nothing is written back."""
    if not settings.flows.orders.write_back or not concerns(source):
        return []
    entity = EntityRef(source.connection, System.ZOHO_CRM, ENTITY)
    return [Look(entity, f"{source.entity}/{key}", Cause.POLL, why)]


def concerns(source: EntityRef) -> bool:
    """Whether what becomes of these records is written back to them."""
    return source.system is System.ZOHO_CRM and source.entity in _PLACES


def echoes(
    ctx: Context,
    changes: Sequence[Change],
    records: Mapping[str, Row],
    digested: Sequence[str],
    *,
    moved: Callable[[str, Standing], bool] = lambda _key, _standing: False,
) -> dict[int, Settlement]:
    """Notifications of what we wrote ourselves to records that are in the inbox, or were dismissed from it, as they
    still are: to try these again would never end, and bring back what a person dismissed.

    `records` were read with their Modified_Time. `moved` tells of a record what is in no digest.
    """
    told_of = [change for change in changes if change.cause is Cause.NOTIFICATION and change.key in records]
    keys = [change.key for change in told_of]
    standing = ctx.ledger.standing(changes[0].entity, keys, or_dismissed=True) if keys else {}
    if not standing:
        return {}
    told = ctx.ledger.told(ctx.connection, _PLACES[changes[0].entity.entity].module, sorted(standing))
    found = {}
    for change in told_of:
        entry, last = standing.get(change.key), told.get(change.key)
        modified = records[change.key].get("Modified_Time")
        if entry is None or last is None or not modified or moved(change.key, entry):
            continue
        seen = settling.resolved(change, records[change.key], digested)
        if entry.digest == seen.digest and last.modified_time == datetime.fromisoformat(modified):
            found[change.id] = echoed(change)
    return found


def echoed(change: Change) -> Settlement:
    """Nothing to do, and the inbox keeps what it has of the record."""
    return Settlement(change=change, state=ChangeState.SUPERSEDED, outcome=Outcome.NOOP)


class WriteBackHandler:
    """Up to a hundred records of a module in one update."""

    flow = "orders"
    target = (System.ZOHO_CRM, "Deals")
    batch = 100

    def source(self, ctx: Context) -> EntityRef:
        return ctx.zoho_entity(ENTITY)

    def workers(self, _ctx: Context) -> int:
        return 1

    def prepare(self, ctx: Context) -> None:
        """Nothing to ask: fields that this organisation does without are left out."""

    def deliver(self, ctx: Context, changes: Sequence[Change]) -> Sequence[Settlement]:
        settlements: list[Settlement] = []
        for entity, place in _PLACES.items():
            mine = {change.key.partition("/")[2]: change for change in changes if change.key.startswith(f"{entity}/")}
            if mine:
                settlements += self._module(ctx, entity, place, mine)
        return settlements

    def _module(self, ctx: Context, entity: str, place: _Place, mine: Mapping[str, Change]) -> list[Settlement]:
        ids = sorted(mine)
        inbox = ctx.ledger.standing(ctx.zoho_entity(entity), ids)
        links = ctx.ledger.links_by_zoho(ctx.connection, place.module, place.linked, ids)
        told = ctx.ledger.told(ctx.connection, place.module, ids)
        known = zoho_modules.known_fields(ctx, place.module)
        news = {one: _news(place, links.get(one), inbox.get(one), known, was_told=one in told) for one in ids}
        due = [one for one in ids if news[one] and (one not in told or told[one].digest != digest(news[one]))]
        results: dict[str, RowResult] = {}
        if due:
            rows = [{"id": one, **news[one]} for one in due]
            # Until Zoho has answered, nobody knows which of the two words its record carries.
            ctx.ledger.tell(ctx.connection, place.module, [Told(one, "", None) for one in due])
            results = dict(zip(due, ctx.zoho.update(place.module, rows, trigger=()), strict=True))
            written = [
                Told(one, digest(news[one]), result.modified_time)
                for one, result in results.items()
                if result.error is None
            ]
            if written:
                ctx.ledger.tell(ctx.connection, place.module, written)
        return [self._settlement(ctx, place, mine[one], one, news[one], results.get(one)) for one in ids]

    def _settlement(
        self, ctx: Context, place: _Place, change: Change, record_id: str, news: Row, result: RowResult | None
    ) -> Settlement:
        if result is None:
            return settling.settled(ctx, self.flow, change, Outcome.NOOP)
        fields = [FieldChange(name, (), "write back", None, value) for name, value in news.items()]
        answer = {"id": record_id, "code": "SUCCESS"}
        movement = Movement(System.ZOHO_CRM, place.module, record_id, "write back", Outcome.UPDATED, fields, answer)
        if result.error is not None:
            if zoho_target.is_gone(result.error):
                return settling.settled(ctx, self.flow, change, Outcome.SKIPPED)
            target = (System.ZOHO_CRM, place.module)
            return settling.failed(ctx, self.flow, change, result.error, target=target, attempt=movement)
        return settling.settled(ctx, self.flow, change, Outcome.UPDATED, movements=[movement])


def _news(
    place: _Place, link: Link | None, standing: Standing | None, known: set[str], *, was_told: bool
) -> dict[str, str | None]:
    """The fields to write, of those that the organisation has; none for a record of which there is nothing to tell.

    What was told of a record is taken back where it holds no longer.
    """
    if link is None and standing is None:
        return {name: None for name in (STATUS, MESSAGE) if name in known and was_told}
    error = standing.error if standing is not None else {}
    message = ". ".join(filter(None, (_one_line(error.get("text")), _begun(_one_line(error.get("advice"))))))
    status = _WORDS[ChangeState(standing.state)] if standing is not None else "In Sage 300"
    number = {place.number: link.sage_id} if link is not None else {}
    news: dict[str, str | None] = {**number, STATUS: status, MESSAGE: cut(message, _LONGEST) or None}
    return {name: value for name, value in news.items() if name in known}


def _one_line(text: object) -> str:
    """Without its full stop. Sage joins its messages by line breaks, and Zoho's field has one line."""
    return " ".join(str(text or "").split()).rstrip(".")


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
