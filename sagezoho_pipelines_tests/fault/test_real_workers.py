"""`sagezoho worker` as real processes: two of them and a sensor race for the same changes; Postgres is restarted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from sagezoho_pipelines.definitions import build_defs
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.domain.records import Cause, EntityRef, Look, System
from sagezoho_pipelines.ledger import embedded
from sagezoho_pipelines.ledger.migrations import migrate
from sagezoho_pipelines.ledger.postgres import DRIVER, engine_for
from sagezoho_pipelines.ledger.vault import Vault
from sagezoho_pipelines.wiring import Installation
from sagezoho_pipelines_tests.bench import CONNECTION
from sagezoho_pipelines_tests.fault.scene import MASTER_KEY, THOROUGH, Scene, scene
from sagezoho_pipelines_tests.waiting import eventually

DEALS = EntityRef(CONNECTION, System.ZOHO_CRM, "deals")


@pytest.fixture
def home() -> Iterator[Path]:
    """The home of an installation with a Postgres of its own, that may be stopped."""
    made = Path(tempfile.mkdtemp(prefix="sagezoho-workers-"))
    made.chmod(0o755)  # the server must not be root, and must get in
    yield made
    embedded.stop(made)
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.timeout(400)
def test_two_workers_and_a_sensor_race_and_outlive_a_restart_of_postgres(home: Path, receipts: Path) -> None:
    url = embedded.start(home).set(drivername=DRIVER)
    engine = engine_for(url)
    migrate(engine)
    with scene(engine, seed=31, vendors=3) as day:
        env = _installed(day, home, url.render_as_string(hide_password=False))
        workers = [_worker(env, home) for _ in range(2)]
        try:
            assert all(_ready(worker) for worker in workers)
            with _sensor(env):
                for _ in range(3 if THOROUGH else 1):
                    _told(day, [day.deal() for _ in range(3)])
                    day.injected += 1
                    assert eventually(lambda: _ordered(day))
            day.close("two workers and a sensor", receipts)

            day.injected = 0
            day.desk.sandbox.sage300.world.faults.latency = 0.05
            for _ in range(2 if THOROUGH else 1):
                before = len(_orders(day))
                _told(day, [day.deal() for _ in range(8)])
                assert eventually(lambda before=before: len(_orders(day)) >= before + 2)
                assert embedded.stop(home)
                embedded.start(home)
                engine.dispose()
                day.injected += 1
                assert eventually(lambda: _ordered(day)), (home / "worker.log").read_text()[-4000:]
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(60) == 0
            day.close("Postgres restarted under the workers", receipts)
        finally:
            for worker in workers:
                if worker.poll() is None:
                    worker.kill()
                    worker.wait(10)
                assert worker.stdout is not None
                worker.stdout.close()
            engine.dispose()


def _installed(day: Scene, home: Path, database: str) -> dict[str, str]:
    """A configuration in which nobody waits for another one, and both vendors' credentials in the vault."""
    sage, zoho = day.desk.settings.sage300, day.desk.settings.zoho_crm
    config = home / "sagezoho.yaml"
    config.write_text(f"""
worker_patience_seconds: 0
connections:
  {CONNECTION}:
    sage300: {{url: "{sage.url}", company: {sage.company}, read_timeout: 5}}
    zoho_crm: {{accounts_url: "{zoho.accounts_url}", api_domains: ["{zoho.accounts_url}"], read_timeout: 5}}
    first_sync: allow
    lease_seconds: 5
    retries: {{base_seconds: 1}}
""")
    vault = Vault(day.desk.engine, {"SAGEZOHO_MASTER_KEY": MASTER_KEY})
    vault.put(CONNECTION, "sage300", dict(day.post.sage))
    vault.put(CONNECTION, "zoho_crm", dict(day.post.zoho))
    return {
        "SAGEZOHO_CONFIG": str(config),
        "SAGEZOHO_HOME": str(home),
        "SAGEZOHO_POSTGRES_URL": database,
        "SAGEZOHO_MASTER_KEY": MASTER_KEY,
        "DAGSTER_HOME": "",
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }


def _worker(env: dict[str, str], home: Path) -> subprocess.Popen[str]:
    with (home / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "sagezoho_pipelines.cli.main", "worker", "--json"], env={**os.environ, **env},
            cwd=home, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip


def _ready(worker: subprocess.Popen[str]) -> bool:
    assert worker.stdout is not None
    return bool(json.loads(worker.stdout.readline())["event"] == "ready")


def _told(day: Scene, deals: list[str]) -> None:
    looks = [Look(DEALS, deal, Cause.NOTIFICATION, "callback") for deal in deals]
    day.desk.ledger.enqueue(looks, at=datetime.now(UTC))  # the workers' clock: the desk's is ahead


def _orders(day: Scene) -> list[str]:
    deals = {str(row["id"]) for row in day.desk.state("zoho_crm", "Deals")}
    references = [str(row["OrderReference"]).strip() for row in day.desk.state("sage300", "OEOrders")]
    return [reference for reference in references if reference in deals]


def _ordered(day: Scene) -> bool:
    """Every deal has its order, and nobody holds anything."""
    if len(set(_orders(day))) < len(day.desk.state("zoho_crm", "Deals")):
        return False
    return day.desk.query("SELECT 1 FROM sagezoho.changes WHERE state IN ('queued', 'claimed')") == []


@contextmanager
def _sensor(env: dict[str, str]) -> Iterator[None]:
    """The sensor of queued changes, asked without rest; what it asks for is run at once, in this process.

    Its Dagster instance knows nothing of the workers' runs, so that it leaves them nothing.
    """
    done = threading.Event()
    with Installation(env) as installation, dg.DagsterInstance.ephemeral() as instance:
        repository = build_defs(installation=installation).get_repository_def()
        sensor = repository.get_sensor_def(f"{CONNECTION}__queued")

        def tick() -> None:
            with dg.build_sensor_context(
                instance=instance, repository_def=repository, sensor_name=sensor.name,
                resources={"sagezoho": repository.get_top_level_resources()["sagezoho"]},
            ) as context:  # fmt: skip
                requests = sensor.evaluate_tick(context).run_requests or ()
            for request in requests:
                repository.get_job(str(request.job_name)).execute_in_process(
                    instance=instance, partition_key=request.partition_key, tags=dict(request.tags),
                    asset_selection=list(request.asset_selection or ()), raise_on_error=False,
                )  # fmt: skip

        def work() -> None:
            while not done.wait(0.05):
                with suppress(SagezohoError):
                    tick()

        racing = threading.Thread(target=work)
        racing.start()
        try:
            yield
        finally:
            done.set()
            racing.join(60)
