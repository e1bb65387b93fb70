"""When sensors and schedules launch a run, and when they leave it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import URL

from sagezoho_pipelines.config import Alerts
from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.ledger.pressure import SharedPressure
from sagezoho_pipelines.wiring import Installation
from sagezoho_pipelines_tests.integration.defs_site import CONNECTION, Site, asset, opened, today


@pytest.fixture
def site(postgres_url: URL, tmp_path: Path) -> Iterator[Site]:
    with opened(postgres_url, tmp_path) as made:
        yield made


class Sensor:
    """A sensor's ticks, its cursor kept between them as the daemon does; what it asks for is run at once."""

    def __init__(self, site: Site, feed: str) -> None:
        self.site = site
        self.name = f"{CONNECTION}__{feed}_news"
        self.repository = site.repository()
        self.cursor: str | None = None
        self.skipped = ""

    def tick(self) -> list[dg.RunRequest]:
        sensor = self.repository.get_sensor_def(self.name)
        with dg.build_sensor_context(
            instance=self.site.instance,
            cursor=self.cursor,
            repository_def=self.repository,
            sensor_name=self.name,
            resources={"sagezoho": self.repository.get_top_level_resources()["sagezoho"]},
        ) as context:
            data = sensor.evaluate_tick(context)
        self.cursor = data.cursor
        self.skipped = data.skip_message or ""
        return list(data.run_requests or ())

    def obey(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """As the daemon does: of the job, the assets asked for, and their checks unless some are named."""
        checks = request.asset_check_keys
        job = self.repository.get_job(self.repository.get_sensor_def(self.name).job_name).get_subset(
            asset_selection=frozenset(request.asset_selection or ()),
            asset_check_selection=None if checks is None else frozenset(checks),
        )
        result = job.execute_in_process(
            instance=self.site.instance, partition_key=request.partition_key, tags=dict(request.tags)
        )
        assert result.success
        return result

    def settle(self) -> None:
        """Until it has seen what there is."""
        for _ in range(3):
            for request in self.tick():
                self.obey(request)


def test_news_are_polled_once_and_not_all_day_long(site: Site) -> None:
    sensor = Sensor(site, "vendors")
    [first] = sensor.tick()
    assert first.partition_key == today(site).isoformat()
    assert set(first.asset_selection or ()) == {
        asset("sage300/vendors"),
        asset("zoho_crm/accounts"),
        asset("zoho_crm/contacts"),
    }
    sensor.obey(first)
    sensor.settle()
    vendor = str(next(iter(site.sandbox.sage300.world.state("APVendors")))["VendorNumber"]).strip()
    site.sage("edit_vendor", vendor=vendor, fields={"VendorName": "First new name"})
    [request] = sensor.tick()
    sensor.obey(request)
    sensor.settle()
    # Sage's dates still say that something changed today; the sensor knows what.
    assert sensor.tick() == []
    assert sensor.skipped == "nothing new in vendors since its last poll"
    site.sage("edit_vendor", vendor=vendor, fields={"VendorName": "Second new name, same day"})
    [again] = sensor.tick()
    assert again.run_key not in (None, request.run_key)


@pytest.mark.parametrize("feed", ["vendors", "ap_batches", "deals", "deal_accounts"])
def test_a_poll_checks_what_it_delivered_and_not_the_whole_ledger(site: Site, feed: str) -> None:
    sensor = Sensor(site, feed)
    [request] = sensor.tick()
    checked = {one.check_name for one in sensor.obey(request).get_asset_check_evaluations()}
    assert checked == {"everything_arrived"}


def test_deals_that_do_not_change_launch_nothing(site: Site) -> None:
    sensor = Sensor(site, "deals")
    sensor.settle()
    assert sensor.tick() == []
    assert sensor.skipped.startswith("nothing new in deals")


def test_a_question_costs_a_call_or_two(site: Site) -> None:
    sensor = Sensor(site, "vendors")
    sensor.settle()
    before = site.sandbox.sage300.world.counters.snapshot()["total"]
    sensor.tick()
    # The second asks whether the short page was the last one.
    assert site.sandbox.sage300.world.counters.snapshot()["total"] <= before + 2


def test_no_second_run_while_one_of_the_same_feed_is_under_way(site: Site) -> None:
    sensor = Sensor(site, "vendors")
    _under_way(site, "vendors")
    assert sensor.tick() == []
    assert sensor.skipped == "a poll of vendors is under way"
    assert sensor.cursor is None
    assert len(Sensor(site, "ap_batches").tick()) == 1


@pytest.mark.parametrize(("feed", "system"), [("vendors", System.SAGE300), ("deals", System.ZOHO_CRM)])
def test_a_sensor_does_not_wait_where_a_vendor_has_pushed_back(site: Site, feed: str, system: System) -> None:
    shared = SharedPressure(lambda: site.installation.database, CONNECTION, system, clock=time.monotonic)
    shared.note(50)
    sensor = Sensor(site, feed)
    assert sensor.tick() == []
    assert sensor.skipped.startswith(f"{system} pushed back")


def test_a_vendor_that_is_away_is_asked_again_later(site: Site) -> None:
    sensor = Sensor(site, "vendors")
    sensor.settle()
    site.sandbox.stop()
    assert sensor.tick() == []
    assert sensor.skipped.startswith("could not ask: sage300")


def test_a_wrong_password_fails_the_tick_with_its_message(site: Site) -> None:
    sensor = Sensor(site, "vendors")
    sensor.settle()
    site.credentials("sage300", username="WEBAPI", password="not-the-password")
    with pytest.raises(VendorError, match=r"sage300 .*sagezoho credentials set") as caught:
        sensor.tick()
    assert "not-the-password" not in str(caught.value)


def test_a_refused_sign_in_is_tried_once_and_not_by_every_sensor_each_minute(site: Site) -> None:
    sensor = Sensor(site, "vendors")
    sensor.settle()
    site.credentials("sage300", username="WEBAPI", password="not-the-password")
    with pytest.raises(VendorError, match="Unauthorized"):
        sensor.tick()
    asked = site.sandbox.sage300.world.counters.snapshot()["total"]
    for feed in ("vendors", "invoices", "customer_records"):
        again = Sensor(site, feed)
        assert again.tick() == []
        assert again.skipped.startswith("saminc is paused until ")
    assert site.sandbox.sage300.world.counters.snapshot()["total"] == asked


def test_a_refused_sign_in_that_a_sensor_meets_is_told_of_once(site: Site, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    append = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10))"
    hook = Alerts(command=(sys.executable, "-c", append, str(heard)), timeout=100)
    settings = site.installation.settings.model_copy(update={"alerts": hook})
    site.credentials("sage300", username="WEBAPI", password="not-the-password")
    with Installation(site.installation.env, settings=settings) as installation:
        alerted = replace(site, installation=installation)
        with pytest.raises(VendorError, match="Unauthorized"):
            Sensor(alerted, "vendors").tick()
        assert Sensor(alerted, "invoices").tick() == []
    [told] = map(json.loads, heard.read_text().splitlines())
    assert (told["event"], told["run_id"]) == ("paused", "")
    assert "not-the-password" not in heard.read_text()


def test_a_schedule_polls_its_feed_into_todays_partition(site: Site) -> None:
    repository = site.repository()
    schedule = repository.get_schedule_def("saminc__ap_batches")
    with dg.instance_for_test() as instance:  # a schedule opens its instance anew: one in memory cannot be
        there = replace(site, instance=instance)
        data = schedule.evaluate_tick(_schedule_context(there, repository))
        [request] = data.run_requests or ()
        assert request.partition_key == today(site).isoformat()
        assert request.tags["sagezoho/window"] == "incremental"
        assert asset("sage300/vendors") not in (request.asset_selection or ())
        assert {key.name for key in request.asset_check_keys or ()} == {"everything_arrived"}
        _under_way(there, "ap_batches")
        data = schedule.evaluate_tick(_schedule_context(there, repository))
        assert not data.run_requests
        assert data.skip_message == "the last poll of ap_batches is still under way"


def test_the_nightly_sweep_reads_everything(site: Site) -> None:
    repository = site.repository()
    data = repository.get_schedule_def("saminc__sweep").evaluate_tick(_schedule_context(site, repository))
    [request] = data.run_requests or ()
    assert request.tags["sagezoho/window"] == "sweep"


def test_a_run_whose_process_was_killed_does_not_hold_polling_up_for_ever(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path) as site:
        _under_way(site, "vendors")
        site.later(hours=3)
        assert len(Sensor(site, "vendors").tick()) == 1


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_run_is_under_way_though_the_database_has_another_time_than_this_machine(site: Site, hours: int) -> None:
    _under_way(site, "vendors")
    clock = site.installation.clock
    site.installation.clock = lambda: clock() + timedelta(hours=hours)
    assert Sensor(site, "vendors").tick() == []


def _under_way(site: Site, feed: str) -> None:
    create_run_for_test(
        site.instance,
        job_name="saminc__vendors",
        status=dg.DagsterRunStatus.STARTED,
        tags={"sagezoho/feed": feed},
    )


def _schedule_context(site: Site, repository: dg.RepositoryDefinition) -> dg.ScheduleEvaluationContext:
    return dg.build_schedule_context(
        instance=site.instance,
        scheduled_execution_time=site.installation.clock(),
        repository_def=repository,
        resources={"sagezoho": repository.get_top_level_resources()["sagezoho"]},
    )
