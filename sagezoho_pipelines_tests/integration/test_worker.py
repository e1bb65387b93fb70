"""The resident worker: what is queued becomes an order at once, as a Dagster run, once, whatever ends or meets it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import URL, text

from sagezoho_pipelines.cli.runs import RunReport
from sagezoho_pipelines.cli.worker import Worker
from sagezoho_pipelines.domain.records import Cause, EntityRef, Look, System
from sagezoho_pipelines.ledger.due import Listener, attended, due_changes
from sagezoho_pipelines.ledger.postgres import engine_for
from sagezoho_pipelines_tests import slowly
from sagezoho_pipelines_tests.integration.defs_site import CONNECTION, Site, asset, opened
from sagezoho_pipelines_tests.waiting import eventually

DEALS = EntityRef(CONNECTION, System.ZOHO_CRM, "deals")
ACCOUNTS = EntityRef(CONNECTION, System.ZOHO_CRM, "deal_accounts")


@pytest.fixture
def site(postgres_url: URL, tmp_path: Path) -> Iterator[Site]:
    with opened(postgres_url, tmp_path, deals=0, accounts=2) as made:
        yield made


@dataclass
class Told:
    """What a worker told of its runs."""

    reports: list[RunReport] = field(default_factory=list)

    def __call__(self, report: RunReport, _seconds: float) -> None:
        self.reports.append(report)


@contextmanager
def working(site: Site, database: URL) -> Iterator[Told]:
    """A worker in a thread of this process, stopped at the end."""
    told = Told()
    listener = Listener(database)
    resident = Worker(site.installation, site.instance, listener, told=told)
    resident.warm_up()
    thread = threading.Thread(target=resident.work)
    thread.start()
    try:
        yield told
    finally:
        resident.stop()
        thread.join(100)
        listener.close()
        site.installation.draining.clear()
    assert not thread.is_alive()


def closed_deal(site: Site, name: str = "Reception refit") -> str:
    act = site.sandbox.zoho_crm.world.actions
    address = {
        "Billing_Street": "14 Dock Street", "Billing_City": "Oakland", "Billing_State": "CA",
        "Billing_Code": "94607", "Billing_Country": "USA",
    }  # fmt: skip
    account = str(act["add_account"]({"name": f"Account of {name}", "values": address})["id"])
    deal = act["add_deal"]({"name": name, "account_id": account, "amount": "1200.00", "stage": "Closed Won"})
    return str(deal["id"])


def notified(site: Site, *deals: str, cause: Cause = Cause.NOTIFICATION, ago: float = 0) -> None:
    looks = [Look(DEALS, deal, cause, "Deals.edit") for deal in deals]
    site.installation.ledger.enqueue(looks, at=site.installation.clock() - timedelta(seconds=ago))


def orders(site: Site) -> list[str]:
    """The deals that Sage has orders of, one entry an order."""
    found = (str(row["OrderReference"]).strip() for row in site.sandbox.sage300.world.state("OEOrders"))
    return sorted(reference for reference in found if reference)


def held(site: Site) -> int:
    return counted(site, "SELECT count(*) FROM sagezoho.changes WHERE state = 'claimed'")


def counted(site: Site, sql: str) -> int:
    with site.installation.database.connect() as connection:
        return int(connection.execute(text(sql)).scalar_one())


def test_a_notified_deal_is_an_order_at_once_by_a_run_that_captures_nothing(site: Site, postgres_url: URL) -> None:
    deal = closed_deal(site)
    with working(site, postgres_url) as told:
        notified(site, deal)
        assert eventually(lambda: told.reports)
    assert orders(site) == [deal]
    [report] = told.reports
    assert (report.flow, report.success, report.figures["created"]) == ("orders", True, 1)
    tags = site.tags(report.run_id)
    assert tags["sagezoho/cause"] == "notification"
    assert tags["sagezoho/actor"].startswith("sagezoho worker on ")
    assert site.instance.get_latest_materialization_event(asset("sage300/orders")) is not None
    assert site.instance.get_latest_materialization_event(asset("zoho_crm/deals")) is None
    assert site.checked("sage300/orders", "everything_arrived")
    assert not site.checked("sage300/orders", "both_sides_equal")  # it reads linked orders one by one, at night


def test_what_was_queued_before_the_worker_came_is_delivered_together(site: Site, postgres_url: URL) -> None:
    deals = sorted(closed_deal(site, f"Deal {number}") for number in range(7))
    notified(site, *deals)
    with working(site, postgres_url) as told:
        assert eventually(lambda: len(orders(site)) == 7)
    assert orders(site) == deals
    assert len(told.reports) <= 2


def test_two_workers_take_each_deal_once_and_make_no_empty_runs(site: Site, postgres_url: URL) -> None:
    with working(site, postgres_url) as one, working(site, postgres_url) as other:
        deals = []
        for number in range(12):
            deals.append(closed_deal(site, f"Deal {number}"))
            notified(site, deals[-1], deals[-1])
            time.sleep(0.02 * (number % 4))
        assert eventually(lambda: len(orders(site)) == 12)
        assert eventually(lambda: not due_changes(site.installation.database, at=site.installation.clock()))
    assert orders(site) == sorted(deals)
    reports = [*one.reports, *other.reports]
    assert all(report.success for report in reports)
    assert sum(report.figures["created"] for report in reports) == 12


def test_a_stop_in_the_middle_finishes_what_is_held_and_leaves_the_rest_queued(site: Site, postgres_url: URL) -> None:
    deals = [closed_deal(site, f"Deal {number}") for number in range(40)]
    slowly.orders_after(site.sandbox.sage300.world, 3)
    with working(site, postgres_url) as told:
        notified(site, *deals)
        assert eventually(lambda: len(orders(site)) >= 3)
    assert held(site) == 0
    [report] = told.reports
    assert report.success
    made = orders(site)
    assert 3 <= len(made) < 40
    assert counted(site, "SELECT count(*) FROM sagezoho.changes WHERE state = 'delivered' AND entity = 'deals'") == len(
        made
    )
    site.sandbox.sage300.world.faults.clear()
    with working(site, postgres_url):
        # A deal whose customer was still on its way when the stop came is tried again after the first back-off.
        assert eventually(lambda: len(orders(site)) == 40)
    assert orders(site) == sorted(deals)


def test_what_a_dead_worker_held_is_delivered_once_its_lease_is_over(site: Site, postgres_url: URL) -> None:
    deal = closed_deal(site)
    notified(site, deal)
    ledger = site.installation.ledger
    held = ledger.claim(DEALS, worker="dead", limit=5, lease_seconds=600, at=site.installation.clock(), run_id="gone")
    with working(site, postgres_url) as told:
        time.sleep(0.5)
        assert told.reports == []
        ledger.extend(held, lease_seconds=1, at=site.installation.clock())
        assert eventually(lambda: orders(site) == [deal])
    assert orders(site) == [deal]


def test_a_lost_connection_is_opened_again_and_nothing_is_missed(site: Site, postgres_url: URL) -> None:
    admin = engine_for(postgres_url.set(database="postgres"))
    with working(site, postgres_url):
        for number in range(3):
            with admin.begin() as connection:
                cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                connection.execute(text(cut), {"name": postgres_url.database})
            deal = closed_deal(site, f"Deal {number}")
            notified(site, deal)
            assert eventually(lambda wanted=deal: wanted in orders(site))
            assert eventually(lambda: held(site) == 0)
    admin.dispose()
    assert len(orders(site)) == 3


def test_what_a_poll_has_just_captured_is_left_to_the_run_that_polls(site: Site, postgres_url: URL) -> None:
    deal = closed_deal(site)
    run = create_run_for_test(
        site.instance,
        job_name="saminc__orders",
        status=dg.DagsterRunStatus.STARTED,
        tags={"sagezoho/connection": CONNECTION},
    )
    with working(site, postgres_url) as told:
        notified(site, deal, cause=Cause.POLL, ago=60)
        time.sleep(1.5)
        assert told.reports == []
        site.instance.report_run_failed(run)
        assert eventually(lambda: orders(site) == [deal])


def test_a_lane_whose_runs_fail_is_tried_less_and_less_often(site: Site, postgres_url: URL) -> None:
    site.credentials("sage300", username="WEBAPI", password="wrong")
    deal = closed_deal(site)
    with working(site, postgres_url) as told:
        notified(site, deal)
        assert eventually(lambda: told.reports)
        time.sleep(3)
    assert 1 <= len(told.reports) <= 4
    assert not any(report.success for report in told.reports)


def test_a_waiting_worker_is_known_to_the_sensor(site: Site, postgres_url: URL) -> None:
    assert not attended(site.installation.database)
    with working(site, postgres_url):
        assert eventually(lambda: attended(site.installation.database))
    assert eventually(lambda: not attended(site.installation.database))


def told_zoho(site: Site, deal: str) -> Any:
    """What the deal shows of its order."""
    return next(row for row in site.sandbox.zoho_crm.world.state("Deals") if row["id"] == deal).get("Sage_Sync_Status")


def not_told(site: Site, postgres_url: URL) -> str:
    """A deal whose order is made, and of which Zoho would not hear; the next attempt is due."""
    deal = closed_deal(site)
    rule = site.sandbox.zoho_crm.world.faults.add("status", method="PUT", path="/Deals", status=503)
    with working(site, postgres_url):
        notified(site, deal)
        waiting = "SELECT count(*) FROM sagezoho.changes WHERE entity = 'write_backs' AND key LIKE 'deals/%' "
        assert eventually(lambda: counted(site, waiting + "AND state = 'queued' AND attempts > 0"))
    assert orders(site) == [deal]
    assert told_zoho(site, deal) is None
    site.sandbox.zoho_crm.world.faults.remove(rule.id)
    site.later(minutes=5)
    return deal


def test_what_zoho_could_not_be_told_is_told_by_the_worker_later(site: Site, postgres_url: URL) -> None:
    deal = not_told(site, postgres_url)
    with working(site, postgres_url):
        assert eventually(lambda: told_zoho(site, deal) == "In Sage 300")
    assert orders(site) == [deal]


class Queue:
    """The queued sensor's ticks."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.repository = site.repository()
        self.skipped = ""

    def tick(self) -> list[dg.RunRequest]:
        name = f"{CONNECTION}__queued"
        with dg.build_sensor_context(
            instance=self.site.instance,
            repository_def=self.repository,
            sensor_name=name,
            resources={"sagezoho": self.repository.get_top_level_resources()["sagezoho"]},
        ) as context:
            data = self.repository.get_sensor_def(name).evaluate_tick(context)
        self.skipped = data.skip_message or ""
        return list(data.run_requests or ())

    def obey(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        assert request.job_name is not None
        return self.repository.get_job(request.job_name).execute_in_process(
            instance=self.site.instance,
            partition_key=request.partition_key,
            asset_selection=list(request.asset_selection or ()),
            tags=dict(request.tags),
            raise_on_error=False,
        )


def test_without_a_worker_the_sensor_asks_at_once_and_its_run_makes_the_order(site: Site) -> None:
    queue = Queue(site)
    assert queue.tick() == []
    assert queue.skipped == "nothing is due"
    deal = closed_deal(site)
    notified(site, deal)
    [request] = queue.tick()
    assert (request.job_name, request.asset_selection) == ("saminc__orders", [asset("sage300/orders")])
    [again] = queue.tick()
    assert again.run_key != request.run_key
    assert queue.obey(request).success
    assert orders(site) == [deal]
    assert queue.tick() == []


def test_without_a_worker_the_sensor_has_zoho_told_later(site: Site, postgres_url: URL) -> None:
    deal = not_told(site, postgres_url)
    queue = Queue(site)
    [request] = queue.tick()
    assert (request.job_name, request.asset_selection) == ("saminc__orders", [asset("sage300/orders")])
    assert queue.obey(request).success
    assert told_zoho(site, deal) == "In Sage 300"


def test_beside_a_worker_the_sensor_waits_before_it_takes_anything(site: Site, postgres_url: URL) -> None:
    queue = Queue(site)
    listener = Listener(postgres_url)
    listener.wait(0)  # a worker that hears and does nothing
    now = site.installation.clock()
    site.installation.clock = lambda: now
    notified(site, "1", ago=3)
    assert queue.tick() == []
    assert queue.skipped == "saminc/sales: a worker has a moment to take it"
    notified(site, "2", ago=6)
    assert len(queue.tick()) == 1
    listener.close()


@pytest.mark.parametrize("hours", [0, 3])
def test_the_sensor_starts_nothing_while_a_run_of_the_job_is_under_way(site: Site, hours: int) -> None:
    """Also where the database has another time than this machine, whose time is the runs'."""
    clock = site.installation.clock
    site.installation.clock = lambda: clock() + timedelta(hours=hours)
    queue = Queue(site)
    notified(site, "1")
    tags = {"sagezoho/connection": CONNECTION}
    run = create_run_for_test(site.instance, job_name="saminc__orders", status=dg.DagsterRunStatus.STARTING, tags=tags)
    assert queue.tick() == []
    assert queue.skipped == "saminc/sales: a run of its job is under way"
    site.instance.report_run_failed(run)
    create_run_for_test(site.instance, job_name="saminc__vendors", status=dg.DagsterRunStatus.STARTED, tags=tags)
    assert len(queue.tick()) == 1


def test_the_sensor_does_not_repeat_a_failing_run_at_once(site: Site) -> None:
    queue = Queue(site)
    site.credentials("sage300", username="WEBAPI", password="wrong")
    notified(site, closed_deal(site))
    [request] = queue.tick()
    assert not queue.obey(request).success
    time.sleep(1.2)
    assert queue.tick() == []
    site.later(hours=3)
    assert len(queue.tick()) == 1
