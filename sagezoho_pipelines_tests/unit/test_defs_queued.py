"""Which runs the queue asks for, and how long a worker's lane rests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from sagezoho_pipelines import config
from sagezoho_pipelines.defs.flow_table import CAPTURES, DELIVERIES
from sagezoho_pipelines.defs.graph import Graph
from sagezoho_pipelines.defs.queued import Drain, drains_of, has_had_its_turn
from sagezoho_pipelines.defs.windows import windows_of
from sagezoho_pipelines.domain.records import Cause, EntityRef, System
from sagezoho_pipelines.engine.run import FLOWS
from sagezoho_pipelines.ledger.due import Due

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TEXT = """
connections:
  saminc:
    sage300: {url: "http://127.0.0.1:8300", company: SAMINC}
    flows: {invoices: {enabled: %s}}
"""


def graph(invoices: str = "true") -> Graph:
    return Graph("saminc", config.parse(TEXT % invoices, "sagezoho.yaml").connection("saminc"))


def due(system: System, entity: str, *causes: Cause, age: float = 0, urgent: bool = True) -> Due:
    return Due(
        EntityRef("saminc", system, entity),
        changes=1,
        since=NOW - timedelta(seconds=age),
        first=1,
        last=1,
        causes=frozenset(causes or {Cause.NOTIFICATION}),
        urgent=urgent,
    )


def only(*waiting: Due) -> Drain:
    [drain] = drains_of(graph(), waiting)
    return drain


def names(drain: Drain) -> list[str]:
    return ["/".join(key.path[1:]) for key in drain.keys]


def test_a_deal_is_delivered_by_the_orders_job_alone_and_nothing_is_captured() -> None:
    drain = only(due(System.ZOHO_CRM, "deals"))
    assert (drain.flow, names(drain)) == ("orders", ["sage300/orders"])
    assert drain.tags["sagezoho/window"] == "queued"
    assert drain.tags["sagezoho/cause"] == "notification"
    today = date(2026, 11, 23)
    assert windows_of(drain.tags, today, today, today) == []


def test_flows_that_feed_one_another_make_one_run() -> None:
    drain = only(due(System.ZOHO_CRM, "deals"), due(System.ZOHO_CRM, "deal_accounts"))
    assert (drain.flow, drain.flows) == ("all", ("customers", "orders"))
    assert names(drain) == ["sage300/customers", "sage300/orders"]


def test_flows_that_have_nothing_to_do_with_one_another_make_two() -> None:
    drains = drains_of(graph(), [due(System.ZOHO_CRM, "deals"), due(System.SAGE300, "vendors")])
    assert [(drain.name, drain.flow) for drain in drains] == [("saminc/sales", "orders"), ("saminc/vendors", "vendors")]


def test_both_records_of_one_delivery_are_written_by_it() -> None:
    assert names(only(due(System.SAGE300, "vendors"))) == ["zoho_crm/accounts", "zoho_crm/contacts"]


def test_a_batch_is_delivered_by_the_node_that_reads_batches() -> None:
    assert names(only(due(System.SAGE300, "ap_batches"))) == ["sage300/ap_batches"]


def test_what_zoho_is_to_be_told_is_told_by_the_delivery_it_tells_of() -> None:
    assert names(only(due(System.ZOHO_CRM, "write_backs"))) == ["sage300/orders"]


def test_changes_of_a_flow_that_is_off_ask_for_no_run() -> None:
    assert drains_of(graph("false"), [due(System.SAGE300, "invoices"), due(System.SAGE300, "ar_batches")]) == []


@pytest.mark.parametrize(
    ("causes", "told"),
    [({Cause.POLL, Cause.NOTIFICATION}, "notification"), ({Cause.RETRY, Cause.POLL}, "poll"), ({Cause.SWEEP}, "sweep")],
)
def test_a_run_is_tagged_with_what_caused_it(causes: set[Cause], told: str) -> None:
    assert only(due(System.ZOHO_CRM, "deals", *causes)).tags["sagezoho/cause"] == told


def test_the_oldest_change_tells_how_long_a_run_has_been_due() -> None:
    drain = only(due(System.ZOHO_CRM, "deals", age=2), due(System.ZOHO_CRM, "deal_accounts", age=7, urgent=False))
    assert drain.since == NOW - timedelta(seconds=7)
    assert drain.urgent


def test_every_entity_that_a_handler_takes_is_known_to_the_graph() -> None:
    """A change that no node takes would wait for ever."""
    declared = {(row.flow, row.handler): row.takes for row in DELIVERIES}
    declared |= {(row.flows[0], row.route): row.name for row in CAPTURES if row.route}
    handlers = {(flow.name, name): type(one) for flow in FLOWS.values() for name, one in flow.handlers.items()}
    assert {handlers[row] for row in declared} == set(handlers.values())
    for system, entity in declared.values():
        assert graph().takers((system, entity)), entity


def record(status: dg.DagsterRunStatus, *, began: float, ended: float | None) -> dg.RunRecord:
    run = dg.DagsterRun(job_name="saminc__orders", run_id="0" * 8, status=status)
    created = NOW + timedelta(seconds=began)
    return dg.RunRecord(
        storage_id=1,
        dagster_run=run,
        create_timestamp=created,
        update_timestamp=created,
        end_time=None if ended is None else NOW.timestamp() + ended,
    )


@pytest.mark.parametrize(
    ("status", "began", "ended", "expected"),
    [
        (dg.DagsterRunStatus.FAILURE, -20, -10, True),  # it would most likely fail again
        (dg.DagsterRunStatus.FAILURE, -120, -60, False),  # time to try again
        (dg.DagsterRunStatus.FAILURE, 7000, 7200, False),  # nobody knows when: by the clock of another machine
        (dg.DagsterRunStatus.SUCCESS, -3, -2, True),  # it began when these were due, and left them
        (dg.DagsterRunStatus.SUCCESS, -9, -8, False),  # they came after it
        (dg.DagsterRunStatus.STARTED, -3, None, False),  # that is for `under_way` to judge
    ],
)
def test_a_run_that_left_its_changes_is_not_repeated_at_once(
    status: dg.DagsterRunStatus, began: float, ended: float | None, expected: bool
) -> None:
    assert has_had_its_turn([record(status, began=began, ended=ended)], NOW - timedelta(seconds=5), now=NOW) is expected


def test_a_first_run_has_no_predecessor() -> None:
    assert not has_had_its_turn([], NOW, now=NOW)
