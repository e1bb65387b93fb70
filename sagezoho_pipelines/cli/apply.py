"""`sagezoho apply`: does exactly what a plan says, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagezoho_pipelines.cli import options, output
from sagezoho_pipelines.cli.errors import Failed

if TYPE_CHECKING:
    from sagezoho_pipelines.cli.runs import RunReport
    from sagezoho_pipelines.engine.planning.document import Plan
    from sagezoho_pipelines.wiring import Installation

_MOST_SHOWN = 25
_BY = "sagezoho apply"


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.as_json
def apply(file: Path, as_json: bool) -> None:
    """Do exactly what the plan in FILE says, as Dagster runs that the UI shows.

    First it is planned again: when anything has moved since, nothing is written and what moved is said. A write that
    the plan does not hold is never sent. Killed half-way, the same command goes on with the rest.
    """
    from sagezoho_pipelines.cli.processes import interruptible
    from sagezoho_pipelines.cli.sync import dagster_instance
    from sagezoho_pipelines.engine.planning.carrying import undone
    from sagezoho_pipelines.engine.planning.document import from_text

    with interruptible(repeatedly=True), options.installation() as installation:
        plan = from_text(file.read_text(encoding="utf-8"), str(file), installation.seal)
        installation.settings.connection(plan.connection)
        with dagster_instance() as instance:
            number = _begin(installation, plan, as_json=as_json)
            reports = [_run(installation, instance, plan, flow, number, as_json=as_json) for flow in plan.flows]
        now = installation.clock()
        left = undone(installation.ledger, plan, at=now)
        done = not left and all(report.success for report in reports)
        installation.plans.end(number, state="done" if done else "failed", at=now)
    _tell(plan, number, reports, left, done=done, as_json=as_json)


def _begin(installation: Installation, plan: Plan, *, as_json: bool) -> int:
    from sagezoho_pipelines.cli.sync import actor
    from sagezoho_pipelines.engine.planning import carrying
    from sagezoho_pipelines.engine.planning.moved import PlanMoved

    try:
        with output.busy(f"planning {plan.connection} again", shown=not as_json):
            return carrying.begin(
                installation.planning(plan.connection), installation.ledger, installation.plans, plan,
                installation.seal, actor=actor(_BY),
            )  # fmt: skip
    except PlanMoved as moved:
        if as_json:
            output.emit_json({"ok": False, "error": str(moved), "moved": moved.moved})
        else:
            for sentence in moved.moved[:_MOST_SHOWN]:
                output.say(f"  {sentence}", output.WARN)
            if len(moved.moved) > _MOST_SHOWN:
                output.say(f"  … and {len(moved.moved) - _MOST_SHOWN} more: --json lists them all")
        raise


def _run(installation: Installation, instance: Any, plan: Plan, flow: str, number: int, *, as_json: bool) -> RunReport:
    from sagezoho_pipelines.cli import progress
    from sagezoho_pipelines.cli.runs import PLAN_TAG
    from sagezoho_pipelines.cli.sync import run

    with progress.of_run(installation, plan.connection, flow, shown=not as_json) as tick:
        return run(flow, plan.connection, instance, installation, tick=tick, by=_BY, tags={PLAN_TAG: str(number)})


def _tell(
    plan: Plan, number: int, reports: Sequence[RunReport], left: Sequence[str], *, done: bool, as_json: bool
) -> None:
    from sagezoho_pipelines.cli import run_reports

    run_reports.show_errors(reports)
    if as_json:
        output.emit_json({"ok": done, "plan": number, "flows": run_reports.by_flow(reports), "left": list(left)})
    else:
        run_reports.show(reports)
        if done:
            output.say(f"The plan is done: {plan.connection}, plan {number}.", output.GOOD)
        for one in left[:_MOST_SHOWN]:
            output.say(f"  not done yet: {one}", output.WARN)
    if not done:
        raise Failed(
            f"{plan.connection}: the plan is not done: {len(left)} of its records still wait, are held by a process "
            "that was killed, or went another way than planned. Apply it again later: it goes on, or says what has "
            "moved; 'sagezoho explain RECORD' says more."
        )
