"""From a deal closed in Zoho to its order in Sage: how long it takes with a worker, and with Dagster's sensor alone.

Run it with: python -m sagezoho_pipelines_tests.benchmarks.latency --samples 40 --sensor-samples 10

The vendors are the sandbox without latency, the database is the embedded Postgres, and gateway, worker and Dagster are
the real processes; callbacks come by https, some of them twice or late. All polling is off, so that nothing else
delivers a sample. A sample's time begins when a salesman closes the deal, so that Zoho sends its callback, and ends
when Sage holds the order of that deal. Every other deal is of an account that becomes a customer on the way. The runs
counted at the end are in the Dagster instance of the directory told, to be looked at there as long as it is kept with
--keep. Exit code 1: a target was missed, or the samples left no runs in Dagster.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagezoho_pipelines import config
from sagezoho_pipelines.cli import processes
from sagezoho_pipelines.domain.records import EntityRef, System
from sagezoho_pipelines.engine.channels import keep_channel
from sagezoho_pipelines.engine.setup import set_up
from sagezoho_pipelines.ledger import embedded
from sagezoho_pipelines.mappings import custom_fields
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines.wiring import Installation
from sagezoho_pipelines_tests.tls import PUBLIC_URL, certificates, lead_to

CONNECTION = "saminc"
TARGETS = {"worker": {"p50": 0.4, "p95": 1.0}, "sensor": {"p95": 12.0}}
_COMMAND = (sys.executable, "-m", "sagezoho_pipelines.cli.main")
_ADDRESS = {
    "Billing_Street": "14 Dock Street",
    "Billing_City": "Oakland",
    "Billing_State": "CA",
    "Billing_Code": "94607",
    "Billing_Country": "USA",
}
_GIVE_UP_SECONDS = 60.0
#: Polls come once a year and their sensors ask once a day.
_CONFIGURATION = """
connections:
  {connection}:
    first_sync: allow
    sage300: {{url: "{sage[url]}", company: {sage[company]}}}
    zoho_crm: {{accounts_url: "{zoho[accounts_url]}", api_domains: ["{zoho[api_domain]}"]}}
    notifications: {{url: "{url}", cron: "0 0 1 1 *"}}
    sweep_cron: "0 0 1 1 *"
    flows:
      vendors: {{enabled: false}}
      customers: {{cadence: {{cron: "0 0 1 1 *", sensor_seconds: 86400}}}}
      orders: {{cadence: {{cron: "0 0 1 1 *", sensor_seconds: 86400}}}}
      invoices: {{enabled: false}}
gateway: {{port: {port}, tls: {{certificate: "{tls.certificate}", key: "{tls.key}"}}}}
"""


@dataclass(frozen=True)
class Site:
    sandbox: Sandbox
    installation: Installation
    env: dict[str, str]

    def open_deals(self, count: int, *, first: int) -> list[str]:
        """Deals that are not won yet, two of each new account; what Zoho tells of them is delivered already."""
        act = self.sandbox.zoho_crm.world.actions
        deals = []
        account = ""
        for number in range(first, first + count):
            if number % 2 == 0 or not account:
                account = str(act["add_account"]({"name": f"Customer {number}", "values": _ADDRESS})["id"])
            deal = act["add_deal"]({"name": f"Deal {number}", "account_id": account, "amount": "1200.00"})
            deals.append(str(deal["id"]))
        self.sandbox.zoho_crm.world.courier.drain()
        self.await_silence()
        return deals

    def await_silence(self) -> None:
        """Until nothing is queued, and the run that delivered it is over."""
        deals, accounts = (EntityRef(CONNECTION, System.ZOHO_CRM, name) for name in ("deals", "deal_accounts"))
        end = time.monotonic() + _GIVE_UP_SECONDS
        while any(self.installation.ledger.open_changes(entity) for entity in (deals, accounts)):
            if time.monotonic() > end:
                raise SystemExit(f"the queue is not empty after {_GIVE_UP_SECONDS:g} s")
            time.sleep(0.05)

    def await_order(self, deal: str) -> float:
        """The moment Sage holds the order of the deal."""
        end = time.monotonic() + _GIVE_UP_SECONDS
        while time.monotonic() < end:
            if any(str(row["OrderReference"]).strip() == deal for row in self.sandbox.sage300.world.state("OEOrders")):
                return time.monotonic()
            time.sleep(0.004)
        raise SystemExit(f"no order of deal {deal} after {_GIVE_UP_SECONDS:g} s")

    def measure(self, samples: int, *, first: int, pause: float) -> list[float]:
        """Seconds of each sample, one after another at moments of no pattern."""
        phase = random.Random(7)
        taken = []
        for deal in self.open_deals(samples, first=first):
            time.sleep(phase.uniform(0.5, pause))
            began = time.monotonic()
            self.sandbox.zoho_crm.world.actions["close_deal"]({"deal_id": deal})
            taken.append(self.await_order(deal) - began)
            self.await_silence()
        return taken

    def runs(self) -> list[str]:
        """The newest runs that delivered what was queued."""
        answer = subprocess.run(
            [sys.executable, "-c", _LIST_RUNS], env=self.env, capture_output=True, text=True, check=True
        )
        return answer.stdout.split()


_LIST_RUNS = """
import dagster as dg
with dg.DagsterInstance.get() as instance:
    for run in instance.get_runs(dg.RunsFilter(tags={"sagezoho/window": "queued"}), limit=1000):
        print(run.run_id)
"""


@contextmanager
def site(home: Path) -> Iterator[Site]:
    """An installation whose first sync is done: nothing is queued."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SAGEZOHO_", "DAGSTER_"))}
    env = {
        **ours,
        "SAGEZOHO_HOME": str(home),
        "SAGEZOHO_CONFIG": str(home / "sagezoho.yaml"),
        "DAGSTER_HOME": str(home / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    port, tls = _free_port(), certificates()
    with Sandbox.running(seed=1, vendors=5, deals=5, trust_ca=(tls.authority,)) as sandbox:
        lead_to(sandbox.zoho_crm.world, port)
        told = sandbox.connections()
        sage, zoho = told["sage300"], told["zoho_crm"]
        (home / "sagezoho.yaml").write_text(
            _CONFIGURATION.format(sage=sage, zoho=zoho, connection=CONNECTION, port=port, url=PUBLIC_URL, tls=tls),
            encoding="utf-8",
        )
        try:
            with Installation(env, settings=config.load(home / "sagezoho.yaml")) as installation:
                names = {"sage300": ("username", "password")}
                names["zoho_crm"] = ("client_id", "client_secret", "refresh_token")
                for system, secret in names.items():
                    installation.vault.put(CONNECTION, system, {name: told[system][name] for name in secret})
                assert all(report.ok for report in set_up(installation.zoho_crm(CONNECTION), custom_fields()))
                subprocess.run([*_COMMAND, "sync"], env=env, check=False, stdout=subprocess.DEVNULL)
                with _said_first([*_COMMAND, "gateway", "--json"], env):
                    ctx = installation.context(CONNECTION, run_id="", actor="benchmark")
                    keep_channel(ctx, installation.channels)
                    yield Site(sandbox, installation, env)
        finally:
            embedded.stop(home)


@contextmanager
def worker(place: Site) -> Iterator[list[dict[str, Any]]]:
    """A worker that is ready; what it has said is in the list when the block has ended."""
    said: list[dict[str, Any]] = []
    with _said_first([*_COMMAND, "worker", "--json"], place.env) as process:
        assert process.stdout is not None
        yield said
        process.terminate()
        said += [json.loads(line) for line in process.stdout]


@contextmanager
def _said_first(command: Sequence[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ready once it has written its first line."""
    with processes.child(command, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), "it did not start"
        yield process


@contextmanager
def dagster_alone(place: Site, log: Path) -> Iterator[None]:
    """`sagezoho dev`, its daemon at work."""
    command = [*_COMMAND, "dev", "--port", str(_free_port())]
    with log.open("wb") as out, processes.child(command, env=place.env, stdout=out, stderr=out):
        time.sleep(20)
        yield


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, round(share * (len(values) - 1)))]


def figures(path: str, taken: Sequence[float]) -> dict[str, Any]:
    measured = {"n": len(taken), "p50": percentile(taken, 0.5), "p95": percentile(taken, 0.95), "max": max(taken)}
    met = all(measured[name] <= target for name, target in TARGETS[path].items())
    return {**{name: round(value, 3) for name, value in measured.items()}, "target": TARGETS[path], "met": met}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=40, help="with a worker; 0 leaves it out")
    parser.add_argument("--sensor-samples", type=int, default=10, help="with the sensor alone; 0 leaves it out")
    parser.add_argument("--keep", action="store_true", help="keep the directory, to look at the runs")
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="sagezoho-latency-"))
    home.chmod(0o755)  # the embedded server's user has to enter
    measured: dict[str, Any] = {}
    try:
        with site(home) as place:
            if asked.samples:
                with worker(place) as said:
                    taken = place.measure(asked.samples, first=0, pause=1.0)
                told = [line for line in said if line["event"] == "run"]
                measured["worker"] = figures("worker", taken)
                measured["worker"]["runs"] = len(told)
                measured["worker"]["run_p50"] = percentile([line["seconds"] for line in told], 0.5)
            if asked.sensor_samples:
                with dagster_alone(place, home / "dev.log"):
                    measured["sensor"] = figures("sensor", place.measure(asked.sensor_samples, first=5000, pause=5.0))
            runs = place.runs()
            measured |= {"runs_in_dagster": len(runs), "run_ids": runs[:3]}
    finally:
        if asked.keep:
            print(f"kept: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)
    for path in ("worker", "sensor"):
        if path in measured:
            one = measured[path]
            verdict = "met" if one["met"] else "MISSED"
            print(f"{path:7} n {one['n']:3}   p50 {one['p50']:6.3f} s   p95 {one['p95']:6.3f} s   "
                  f"max {one['max']:6.3f} s   target {one['target']} {verdict}")  # fmt: skip
    print(f"{measured['runs_in_dagster']} runs in Dagster, e.g. {', '.join(measured['run_ids'])}")
    print(json.dumps(measured))
    met = all(measured[path]["met"] for path in ("worker", "sensor") if path in measured)
    sys.exit(0 if met and measured["runs_in_dagster"] else 1)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
