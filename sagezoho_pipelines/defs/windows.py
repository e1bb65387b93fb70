"""From partitions to windows: today's is the incremental poll, past days are a backfill, a tag asks for a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

import dagster as dg

from sagezoho_pipelines.config import Connection
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.domain.records import Cause
from sagezoho_pipelines.engine.windows import Window

#: The first day that can be backfilled.
FIRST_DAY = "2020-01-01"

#: `incremental`, `sweep`, `days` or `queued`; without it the partition decides: today's is a poll.
WINDOW_TAG = "sagezoho/window"
#: Which feed a run polls; a run of the same feed that is still under way makes the next one pointless.
FEED_TAG = "sagezoho/feed"
#: Why an incremental run was launched, e.g. `notification`.
CAUSE_TAG = "sagezoho/cause"


def daily(connection: Connection) -> dg.DailyPartitionsDefinition:
    """Days of change in the connection's time zone, today included."""
    return dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1, timezone=connection.timezone)


def newest(connection: Connection, now: datetime) -> date:
    """The day it is in the connection's time zone: its newest partition.

    Dagster tells the day by the machine's own clock: where that is behind, it knows no partition of the next day yet.
    """
    known = date.fromisoformat(str(daily(connection).get_last_partition_key()))
    return min(now.astimezone(ZoneInfo(connection.timezone)).date(), known)


def windows_of(tags: Mapping[str, str], first: date, last: date, today: date) -> list[Window]:
    """What a run over the days `first` to `last` captures.

    Schedules and sensors name the window in a tag, so that a run which waits past midnight in the queue stays the
    poll it was meant to be. A range that reaches today backfills its days and then polls, so the watermark moves as
    it always does; so does today alone where somebody asked for `days`. `queued` captures nothing: such a run
    delivers what the queue holds.
    Raises ConfigurationError for a tag value that means nothing.
    """
    asked = tags.get(WINDOW_TAG, "")
    if asked == "sweep":
        return [Window.sweep()]
    if asked == "queued":
        return []
    if asked not in ("", "incremental", "days"):
        raise ConfigurationError(f"the tag {WINDOW_TAG} is 'incremental', 'sweep', 'days' or 'queued', not {asked!r}")
    if asked == "incremental" or (first >= today and asked != "days"):
        return [Window.incremental(_cause(tags))]
    days = Window.days(min(first, today), min(last, today))
    return [days, Window.incremental(_cause(tags))] if last >= today else [days]


def _cause(tags: Mapping[str, str]) -> Cause:
    try:
        return Cause(tags.get(CAUSE_TAG, Cause.POLL))
    except ValueError:
        known = ", ".join(Cause)
        raise ConfigurationError(f"the tag {CAUSE_TAG} is one of {known}, not {tags[CAUSE_TAG]!r}") from None
