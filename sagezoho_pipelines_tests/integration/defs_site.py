"""A whole installation against the sandbox: configuration, vault, database, and a Dagster instance in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from sqlalchemy import URL

from sagezoho_pipelines import config
from sagezoho_pipelines.cli.runs import RunReport, run_flow_job
from sagezoho_pipelines.definitions import build_defs
from sagezoho_pipelines.engine import setup
from sagezoho_pipelines.mappings import custom_fields
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines.wiring import Installation

CONNECTION = "saminc"


@dataclass(frozen=True)
class Site:
    sandbox: Sandbox
    installation: Installation
    instance: dg.DagsterInstance

    def run(self, flow: str, *, days: tuple[date, date] | None = None, actor: str = "") -> RunReport:
        return run_flow_job(
            flow, CONNECTION, instance=self.instance, installation=self.installation, days=days, actor=actor
        )

    def repository(self) -> dg.RepositoryDefinition:
        return build_defs(installation=self.installation).get_repository_def()

    def materialize(self, *keys: str, day: date) -> dg.ExecuteInProcessResult:
        """What the Materialize button does with these assets, e.g. `sage300/vendors`, and one partition."""
        job = build_defs(installation=self.installation).resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[asset(key) for key in keys],
            partition_key=day.isoformat(),
            raise_on_error=False,
        )

    def later(self, **delta: float) -> None:
        """Time passes, for the database and for this machine."""
        there, ahead = self.installation, timedelta(**delta)
        clock, own = there.clock, there.own_clock
        there.clock, there.own_clock = (lambda: clock() + ahead), (lambda: own() + ahead)

    def credentials(self, system: str, **secret: str) -> None:
        self.installation.vault.put(CONNECTION, system, secret)

    def metadata(self, key: str) -> Mapping[str, dg.MetadataValue[Any]]:
        """What the asset's newest materialization shows."""
        event = self.instance.get_latest_materialization_event(asset(key))
        assert event is not None
        assert event.asset_materialization is not None
        return event.asset_materialization.metadata

    def checked(self, key: str, name: str) -> list[bool]:
        """What the asset's check of this name has said, the newest first."""
        history = self.instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(asset(key), name), limit=10
        )
        return [record.status is AssetCheckExecutionRecordStatus.SUCCEEDED for record in history]

    def writes(self) -> int:
        """Write requests that the vendors have received."""
        worlds = (self.sandbox.sage300.world, self.sandbox.zoho_crm.world)
        return sum(int(world.counters.snapshot()["writes"]) for world in worlds)

    def sage(self, action: str, **arguments: Any) -> dict[str, Any]:
        """What somebody does at Sage's screens."""
        return self.sandbox.sage300.world.actions[action](arguments)

    def tags(self, run_id: str) -> Mapping[str, str]:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.tags


def asset(key: str) -> dg.AssetKey:
    return dg.AssetKey([CONNECTION, *key.split("/")])


def today(site: Site) -> date:
    zone = ZoneInfo(site.installation.settings.connection(CONNECTION).timezone)
    return site.installation.clock().astimezone(zone).date()


def _where_it_is_morning() -> str:
    """A time zone in which hours may pass before the day ends."""
    ahead = (18 - datetime.now(UTC).hour) % 24 - 12
    return f"Etc/GMT{-ahead:+d}"


def value(metadata: Mapping[str, dg.MetadataValue[Any]], name: str) -> Any:
    return metadata[name].value


@contextmanager
def opened(database: URL, home: Path, *, rest: str = "", **sandbox: Any) -> Iterator[Site]:
    """A site whose Zoho has our custom fields and whose vault has the credentials; `rest` adds to its connection.

    It is morning there, so that no test sees a day end. In Sage it is the same day.
    """
    with Sandbox.running(**{"vendors": 6, "deals": 6, **sandbox}) as box, dg.DagsterInstance.ephemeral() as instance:
        text = f"""
connections:
  {CONNECTION}:
    first_sync: allow
    timezone: {_where_it_is_morning()}
    sage300: {{url: "{box.sage300.url}", company: {box.sage300.company}, read_timeout: 20, max_attempts: 2}}
    zoho_crm:
      accounts_url: "{box.zoho_crm.accounts_url}"
      api_domains: ["{box.zoho_crm.api_domain}"]
      read_timeout: 20
      max_attempts: 2
{rest}
"""
        env = {
            "SAGEZOHO_POSTGRES_URL": database.render_as_string(hide_password=False),
            "SAGEZOHO_HOME": str(home),
        }
        with Installation(env, settings=config.parse(text, "sagezoho.yaml")) as installation:
            site = Site(box, installation, instance)
            site.sage("set_session_date", date=today(site).isoformat())
            given = box.connections()
            site.credentials("sage300", **_of(given["sage300"], "username", "password"))
            site.credentials("zoho_crm", **_of(given["zoho_crm"], "client_id", "client_secret", "refresh_token"))
            for report in setup.set_up(installation.zoho_crm(CONNECTION), custom_fields()):
                assert report.ok, report
            for world in (box.sage300.world, box.zoho_crm.world):
                world.counters.reset()
            yield site


def _of(given: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: given[name] for name in names}
