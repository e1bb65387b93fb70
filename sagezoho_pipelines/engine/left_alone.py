"""Records that a person decided not to bring to the other side: a delivery passes them over, and says so."""

from __future__ import annotations

from collections.abc import Sequence

from sagezoho_pipelines.domain.links import LeftAlone
from sagezoho_pipelines.domain.records import Change, EntityRef, Outcome, System
from sagezoho_pipelines.domain.settlement import Settlement
from sagezoho_pipelines.engine import settling
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.settling import Movement

CODE = "LEFT_ALONE"


def passed_over(
    ctx: Context, source: EntityRef, flow: str, target: tuple[System, str], changes: Sequence[Change]
) -> tuple[list[Change], list[Settlement]]:
    """The changes that are to be delivered, and the settlements of those that are not."""
    left = ctx.ledger.left_alone(source, [change.key for change in changes])
    wanted = [change for change in changes if change.key not in left]
    return wanted, [
        _settlement(ctx, flow, target, change, left[change.key]) for change in changes if change.key in left
    ]


def in_words(one: LeftAlone) -> str:
    if not one.decided:
        return f"waits since {one.at:%Y-%m-%d}: several records on the other side may be it, and nobody has said which"
    return f"left alone since {one.at:%Y-%m-%d} as {one.who} decided{f': {one.why}' if one.why else ''}"


def _settlement(ctx: Context, flow: str, target: tuple[System, str], change: Change, decision: LeftAlone) -> Settlement:
    advice = "link it with 'sagezoho links add', or decide in 'sagezoho match', to bring it over"
    answer = {"code": CODE, "text": in_words(decision), "advice": advice}
    movement = Movement(target[0], target[1], "", "leave alone", Outcome.SKIPPED, answer=answer)
    return settling.settled(ctx, flow, change, Outcome.SKIPPED, movements=[movement])
