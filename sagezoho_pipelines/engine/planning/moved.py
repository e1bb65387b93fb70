"""Whether a plan still says what a sync would do, and if not, what has moved: item by item."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sagezoho_pipelines.domain.digest import canonical_json
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.domain.planned import Applied, PlanItem
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.planning.approval import names_of
from sagezoho_pipelines.engine.planning.document import Plan, Seal
from sagezoho_pipelines.engine.planning.plan import configuration, make
from sagezoho_pipelines.engine.ports import ReadableLedger

_SIDES = {"sage300": "Sage 300", "zoho_crm": "Zoho CRM"}
_DOES = {
    "created": "be created", "updated": "be updated", "noop": "need nothing", "skipped": "be passed over",
    "refused": "be refused", "conflicted": "be a conflict", "retrying": "wait",
}  # fmt: skip


class PlanMoved(SagezohoError):
    """A plan cannot be carried out: what it was made from has changed. `moved` has a sentence for each difference."""

    def __init__(self, connection: str, moved: Sequence[str]) -> None:
        self.moved = list(moved)
        more = f", and {len(moved) - 1} more" if len(moved) > 1 else ""
        super().__init__(
            f"{connection}: nothing was written. Since the plan was made, something has moved: {moved[0]}{more}. "
            "Make a new plan, look at it, and apply that one."
        )


def require_unmoved(ctx: Context, ledger: ReadableLedger, plan: Plan, seal: Seal, earlier: Applied | None) -> None:
    """Plan again and compare. Raises PlanMoved, or SagezohoError for a plan that was applied already.

    A plan that was begun before and did not come to its end goes on when what is left of it is part of it.
    """
    if earlier is not None and earlier.state == "done":
        raise SagezohoError(
            f"{plan.connection}: this plan was applied already, on {earlier.begun_at:%Y-%m-%d %H:%M} UTC by "
            f"{earlier.actor}. Make a new one with 'sagezoho plan'."
        )
    expected = plan.redacted(seal)
    changed = list(_settings(ctx, expected))
    if changed:
        raise PlanMoved(plan.connection, changed)
    if earlier is None:
        fresh = make(ctx, ledger, plan.flows)
        if fresh.digest(seal) != plan.digest(seal):
            moved = list(differences(expected, fresh.redacted(seal))) or ["the numbers that are given out"]
            raise PlanMoved(plan.connection, moved)
        return
    pinned = replace(ctx, pins=plan.pinned)
    fresh = make(pinned, ledger, plan.flows, names=names_of(plan, ledger))
    left = list(_beyond(expected, fresh, seal))
    if left:
        raise PlanMoved(plan.connection, left)


def differences(expected: Plan, fresh: Plan) -> Iterator[str]:
    """What differs between two redacted plans, a sentence an item."""
    before, now = _by_place(expected.items), _by_place(fresh.items)
    for place in [*before, *(place for place in now if place not in before)]:
        old, new = before.get(place, []), now.get(place, [])
        if [_said(item) for item in old] == [_said(item) for item in new]:
            continue
        if not old or not new:
            item = (old or new)[0]
            does = _DOES.get(item.outcome, item.outcome)
            yield f"{_named(item)} would {'no longer' if old else 'now'} {does}"
            continue
        pairs = [pair for pair in zip(old, new, strict=False) if _said(pair[0]) != _said(pair[1])]
        yield _moved(*(pairs[0] if pairs else (old[-1], new[-1])))


def _settings(ctx: Context, plan: Plan) -> Iterator[str]:
    if configuration(ctx, plan.flows) != plan.configuration:
        yield "the connection's settings in sagezoho.yaml"
    for flow, fingerprint in plan.mappings.items():
        if ctx.mappings[flow].fingerprint != fingerprint:
            yield f"the mapping of the {flow} flow"


def _beyond(expected: Plan, fresh: Plan, seal: Seal) -> Iterator[str]:
    """Writes of the fresh plan that the expected one does not hold."""
    held = Counter((one.call, one.digest) for one in expected.writes)
    for write in fresh.writes:
        if (write.call, seal.of(write.digest, 32)) not in held:
            yield f"{write.call} {write.key} is not what the plan says, or not in it"


def _by_place(items: Sequence[PlanItem]) -> Mapping[tuple[str, ...], list[PlanItem]]:
    found: dict[tuple[str, ...], list[PlanItem]] = defaultdict(list)
    for item in items:
        found[item.place].append(item)
    return found


def _said(item: PlanItem) -> str:
    return canonical_json(
        [
            item.operation, item.outcome, item.target_id, item.source_digest, item.target_digest, item.source_name,
            [list(one) for one in item.fields], dict(item.error),
        ]
    )  # fmt: skip


def _moved(old: PlanItem, new: PlanItem) -> str:
    if old.source_digest != new.source_digest:
        return f"{_named(new)} has changed in {_SIDES[new.source_system]}"
    held, written = ({one.name: one for one in item.fields} for item in (old, new))
    names = [name for name, one in written.items() if name in held and one.old != held[name].old]
    if names:
        where = f"{_SIDES[new.target_system]} {new.target_entity} {new.target_id}"
        return f"{_named(new)}: {where} holds something else now{_in(names)}"
    if old.outcome != new.outcome or old.operation != new.operation:
        return f"{_named(new)} would now {_DOES.get(new.outcome, new.outcome)} ({new.operation})"
    if old.target_id != new.target_id:
        return f"{_named(new)} would now go to {new.target_entity} {new.target_id}"
    names = [name for name, one in written.items() if name not in held or one.new != held[name].new]
    return f"{_named(new)} would now write something else{_in(names)}"


def _in(names: Sequence[str]) -> str:
    return f" in {', '.join(names)}" if names else ""


def _named(item: PlanItem) -> str:
    target = f" -> {item.target_entity}" if item.target_entity else ""
    return f"{item.flow}: {item.source_entity} {item.source_id}{target}"
