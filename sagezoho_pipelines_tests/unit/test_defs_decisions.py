"""What a run captures, by its partition and tags; and what an error becomes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from sqlalchemy.exc import ProgrammingError

from sagezoho_pipelines.config import Connection, Sage300Settings
from sagezoho_pipelines.defs.problems import ATTENDED_TAG, RETRIES, told_clearly
from sagezoho_pipelines.defs.windows import daily, newest, windows_of
from sagezoho_pipelines.defs.workbench import actor_of
from sagezoho_pipelines.domain.errors import ConfigurationError, CredentialsMissing, VendorError, Verdict
from sagezoho_pipelines.domain.records import Cause, System
from sagezoho_pipelines.engine.windows import Window

TODAY = date(2026, 11, 23)
YESTERDAY = date(2026, 11, 22)


def test_the_newest_day_is_one_that_dagster_knows_also_where_this_machine_is_behind_the_database() -> None:
    sage = Sage300Settings(url="http://127.0.0.1:8300", company="SAMINC")
    connection = Connection(sage300=sage, timezone="Pacific/Kiritimati")
    assert newest(connection, datetime(2026, 3, 31, 12, tzinfo=UTC)) == date(2026, 4, 1)
    before = daily(connection).get_last_partition_key()
    found = newest(connection, datetime.now(UTC) + timedelta(days=30)).isoformat()
    assert found in (before, daily(connection).get_last_partition_key())  # midnight may be between them


def test_todays_partition_is_the_incremental_poll() -> None:
    assert windows_of({}, TODAY, TODAY, TODAY) == [Window.incremental()]


def test_past_days_are_captured_and_delivered_again() -> None:
    first, last = date(2026, 10, 1), date(2026, 10, 31)
    assert windows_of({}, first, last, TODAY) == [Window.days(first, last)]


def test_a_range_that_reaches_today_does_its_days_and_then_polls() -> None:
    first = date(2026, 11, 1)
    assert windows_of({}, first, TODAY, TODAY) == [Window.days(first, TODAY), Window.incremental()]


def test_today_is_captured_again_where_somebody_asked_for_its_days() -> None:
    assert windows_of({"sagezoho/window": "days"}, TODAY, TODAY, TODAY) == [
        Window.days(TODAY, TODAY),
        Window.incremental(),
    ]


def test_a_poll_that_waited_past_midnight_stays_a_poll() -> None:
    tags = {"sagezoho/window": "incremental"}
    assert windows_of(tags, YESTERDAY, YESTERDAY, TODAY) == [Window.incremental()]


def test_the_sweep_tag_reads_everything_whatever_the_day() -> None:
    assert windows_of({"sagezoho/window": "sweep"}, YESTERDAY, YESTERDAY, TODAY) == [Window.sweep()]


def test_the_cause_of_a_poll_is_told_by_its_tag() -> None:
    tags = {"sagezoho/cause": "notification"}
    assert windows_of(tags, TODAY, TODAY, TODAY) == [Window.incremental(Cause.NOTIFICATION)]


@pytest.mark.parametrize("tags", [{"sagezoho/window": "everything"}, {"sagezoho/cause": "boredom"}])
def test_a_tag_that_means_nothing_is_refused_by_name(tags: dict[str, str]) -> None:
    [(name, value)] = tags.items()
    with pytest.raises(ConfigurationError, match=f"{name}.*{value}"):
        windows_of(tags, TODAY, TODAY, TODAY)


def vendor_error(verdict: Verdict) -> VendorError:
    return VendorError(system=System.SAGE300, code="Busy", text="the server is busy.", verdict=verdict)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (vendor_error(Verdict.RETRY), True),
        (vendor_error(Verdict.FATAL), False),
        (CredentialsMissing("saminc: there are no credentials for Sage 300"), False),
        (ConfigurationError("sagezoho.yaml:3: unknown key"), False),
    ],
)
def test_an_error_of_ours_leaves_a_step_as_its_one_message(error: Exception, again: bool) -> None:
    with pytest.raises(dg.Failure) as caught, told_clearly({}):
        raise error
    assert caught.value.description == str(error)
    assert caught.value.allow_retries is again
    assert caught.value.__suppress_context__
    assert caught.value.metadata["error_type"] == dg.MetadataValue.text(type(error).__name__)


def test_nobody_who_waits_is_kept_waiting_by_retries() -> None:
    with pytest.raises(dg.Failure) as caught, told_clearly({ATTENDED_TAG: "true"}):
        raise vendor_error(Verdict.RETRY)
    assert not caught.value.allow_retries


def test_the_last_time_a_step_is_tried_its_own_message_stays() -> None:
    told = []
    for attempt in range(RETRIES.max_retries + 1):
        with pytest.raises(dg.Failure) as caught, told_clearly({}, attempt=attempt):
            raise vendor_error(Verdict.RETRY)
        told.append(caught.value.allow_retries)
    assert told == [True, True, False]


def test_whoever_waits_is_told_of_a_bug_without_the_values_it_met() -> None:
    met = ProgrammingError("SELECT :name", {"name": "Hidden & Sons"}, Exception("no such table\nLINE 1: SELECT"))
    with pytest.raises(dg.Failure) as caught, told_clearly({ATTENDED_TAG: "true"}):
        raise met
    told = caught.value.description or ""
    assert told.startswith("this should not happen: ProgrammingError: ")
    assert "no such table" in told
    assert "Hidden" not in told
    assert "LINE" not in told
    assert caught.value.__cause__ is met


def test_a_bug_keeps_its_stack() -> None:
    with pytest.raises(ZeroDivisionError), told_clearly({}):
        _ = 1 / 0


@pytest.mark.parametrize(
    ("tags", "actor"),
    [
        ({"sagezoho/actor": "anna"}, "anna"),
        ({"dagster/schedule_name": "saminc__vendors"}, "saminc__vendors"),
        ({"dagster/sensor_name": "saminc__vendors_news"}, "saminc__vendors_news"),
        ({"dagster/backfill": "abcdef"}, "backfill"),
        ({}, "dagster"),
    ],
)
def test_the_audit_names_who_asked(tags: dict[str, str], actor: str) -> None:
    assert actor_of(tags) == actor
