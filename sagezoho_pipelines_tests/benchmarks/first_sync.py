"""A first sync of N vendors into an empty Zoho, against what its calls alone take at the allowed concurrency.

Run it with `make bench`, or: python -m sagezoho_pipelines_tests.benchmarks.first_sync --vendors 10000 --latency-ms 50

Two things are measured: the engine by itself, and the Dagster job that `sagezoho sync vendors` runs, from its start
to its end, with its steps, events and materializations (the command's own start, imports and all, is not in it).

Each measurement has a sandbox, a database and a process of its own. The calls alone are the same requests, recorded
from the sync and sent again to a fresh sandbox by bare threads that do nothing with the answers: Sage's with two in
flight, Zoho's with ten. Whatever the machine's speed, the ratio says what the engine costs on top. Peak memory is taken
at two sizes: the difference is what memory depends on the number of records.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from sagezoho_pipelines.sage300.client import Sage300Client
from sagezoho_pipelines.zoho_crm.client import ZohoCrmClient

if TYPE_CHECKING:
    from sagezoho_pipelines.wiring import Installation

_SAGE_IN_FLIGHT, _ZOHO_IN_FLIGHT = 2, 10


@contextmanager
def sandbox(vendors: int, latency_ms: int) -> Iterator[dict[str, Any]]:
    """A sandbox process with its addresses; it ends with the block."""
    command = [sys.executable, "-m", "sagezoho_pipelines.cli.main", "sandbox", "--json", "--sage-port", "0"]
    command += ["--zoho-port", "0", "--vendors", str(vendors), "--deals", "1", "--latency-ms", str(latency_ms)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(20)


def sync_child(
    vendors: int, latency_ms: int, home: Path, record: Path | None = None, *, job: bool = False
) -> dict[str, Any]:
    """Run one first and one second sync in a process of its own; its figures."""
    command = [sys.executable, "-m", __spec__.name, "--child", str(home), "--vendors", str(vendors)]
    command += ["--latency-ms", str(latency_ms), *(["--record", str(record)] if record else [])]
    command += ["--job"] if job else []
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_child(vendors: int, latency_ms: int, home: Path, record: Path | None, *, job: bool) -> None:
    """The measured process."""
    from sagezoho_pipelines.config import Settings
    from sagezoho_pipelines.engine.setup import set_up
    from sagezoho_pipelines.ledger import embedded
    from sagezoho_pipelines.mappings import custom_fields
    from sagezoho_pipelines.wiring import Installation

    os.environ["SAGEZOHO_HOME"] = str(home)
    with sandbox(vendors, latency_ms) as address:
        sage, zoho = address["sage300"], address["zoho_crm"]
        settings = Settings.model_validate(
            {
                "connections": {
                    "saminc": {
                        "first_sync": "allow",
                        "sage300": {"url": sage["url"], "company": sage["company"]},
                        "zoho_crm": {"accounts_url": zoho["accounts_url"], "api_domains": [zoho["api_domain"]]},
                    }
                }
            }
        )
        with Installation({"SAGEZOHO_HOME": str(home)}, settings=settings) as installation:
            installation.vault.put("saminc", "sage300", {name: sage[name] for name in ("username", "password")})
            keys = ("client_id", "client_secret", "refresh_token")
            installation.vault.put("saminc", "zoho_crm", {name: zoho[name] for name in keys})
            reports = list(set_up(installation.zoho_crm("saminc"), custom_fields()))
            assert all(report.ok for report in reports)
            figures = _job(installation) if job else _engine(installation, record)
    embedded.stop(home)
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    print(json.dumps({"vendors": vendors, **figures, "peak_mib": peak}))


def _engine(installation: Installation, record: Path | None) -> dict[str, Any]:
    """The flow without Dagster around it, and a full sweep after it."""
    from sagezoho_pipelines.engine.run import run_flow
    from sagezoho_pipelines.engine.windows import Window

    log = _Recorder(record) if record else None
    first_context = installation.context("saminc", run_id="first", actor="benchmark")
    if log:
        first_context = log.around(installation, first_context)
    with _timed() as first_took:
        first = run_flow(first_context, "vendors", Window.incremental())
    if log:
        log.save()
    second_context = installation.context("saminc", run_id="second", actor="benchmark")
    with _timed() as second_took:
        second = run_flow(second_context, "vendors", Window.sweep())
    writes = second_context.sage.usage.writes + second_context.zoho.usage.writes
    return {**_told(first.figures(), first_took, second.figures(), second_took), "second_writes": writes}


def _job(installation: Installation) -> dict[str, Any]:
    """The job of `sagezoho sync vendors`, and then that of `sagezoho sync vendors --sweep`."""
    from sagezoho_pipelines.cli.runs import run_flow_job
    from sagezoho_pipelines.cli.sync import dagster_instance

    with dagster_instance() as instance:
        with _timed() as first_took:
            first = run_flow_job("vendors", "saminc", instance=instance, installation=installation)
        with _timed() as second_took:
            second = run_flow_job("vendors", "saminc", instance=instance, installation=installation, sweep=True)
    assert first.success, first.error
    assert second.success, second.error
    writes = second.figures["created"] + second.figures["updated"]
    return {**_told(first.figures, first_took, second.figures, second_took), "second_writes": writes}


@contextmanager
def _timed() -> Iterator[dict[str, float]]:
    """Seconds by the clock, and of this process's own work."""
    took: dict[str, float] = {}
    start, worked = time.perf_counter(), time.process_time()
    yield took
    took["seconds"] = round(time.perf_counter() - start, 3)
    took["cpu_seconds"] = round(time.process_time() - worked, 3)


def _told(
    first: Mapping[str, int],
    first_took: Mapping[str, float],
    second: Mapping[str, int],
    second_took: Mapping[str, float],
) -> dict[str, Any]:
    return {
        "first": dict(first),
        "first_seconds": first_took["seconds"],
        "first_cpu_seconds": first_took["cpu_seconds"],
        "second": dict(second),
        "second_seconds": second_took["seconds"],
    }


class _Recorder(HTTPAdapter):
    """A transport that keeps method, path and body of what is sent, without the address and the token."""

    def __init__(self, path: Path) -> None:
        super().__init__(pool_maxsize=_ZOHO_IN_FLIGHT)
        self.path = path
        self.requests: list[tuple[str, str, str, str | None]] = []

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        path = request.path_url
        system = "sage300" if "Sage300WebApi" in path else "zoho_crm"
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        self.requests.append((system, request.method or "", path, body))
        return super().send(request, **options)

    def around(self, installation: Any, context: Any) -> Any:
        """The context with clients that speak through this transport."""
        settings = context.settings
        sage = Sage300Client(
            base_url=settings.sage300.url,
            company=settings.sage300.company,
            credentials=lambda: installation.vault.get("saminc", "sage300"),
            transport=self,
        )
        session = requests.Session()
        session.mount("http://", self)
        plain = installation.zoho_crm("saminc")
        zoho = ZohoCrmClient(connection="saminc", token_source=plain.token_source, session=session)
        return replace(context, sage=sage, zoho=zoho)

    def save(self) -> None:
        self.path.write_text(json.dumps(self.requests))


def calls_alone(vendors: int, latency_ms: int, record: Path) -> float:
    """Seconds that the recorded requests take by themselves, Sage's first, then Zoho's, as the sync needs them."""
    recorded = json.loads(record.read_text())
    with sandbox(vendors, latency_ms) as address:
        sage, zoho = address["sage300"], address["zoho_crm"]
        token = requests.post(
            f"{zoho['accounts_url']}/oauth/v2/token",
            data={
                "grant_type": "refresh_token",
                **{n: zoho[n] for n in ("client_id", "client_secret", "refresh_token")},
            },
            timeout=30,
        ).json()["access_token"]
        _make_fields(zoho["api_domain"], token)
        sage_root = sage["url"].removesuffix("/Sage300WebApi")
        start = time.perf_counter()
        for system, root, in_flight in (
            ("sage300", sage_root, _SAGE_IN_FLIGHT),
            ("zoho_crm", zoho["api_domain"], _ZOHO_IN_FLIGHT),
        ):
            session = requests.Session()
            session.mount("http://", HTTPAdapter(pool_maxsize=in_flight))
            session.headers["Content-Type"] = "application/json"
            if system == "sage300":
                session.auth = (sage["username"], sage["password"])
            else:
                session.headers["Authorization"] = f"Zoho-oauthtoken {token}"

            def send(request: tuple[str, str, str, str | None], session: Any = session, root: str = root) -> None:
                session.request(request[1], root + request[2], data=request[3], timeout=60).close()

            with ThreadPoolExecutor(in_flight) as pool:
                list(pool.map(send, [request for request in recorded if request[0] == system]))
        return time.perf_counter() - start


def _make_fields(api_domain: str, token: str) -> None:
    """The custom fields, so that the recorded rows are stored and not turned away."""
    from sagezoho_pipelines.mappings import custom_fields

    headers = {"Authorization": f"Zoho-oauthtoken {token}"}
    for one in custom_fields():
        field: dict[str, Any] = {"field_label": one.label, "data_type": one.type}
        field |= {"length": one.length} if one.length else {}
        field |= {"unique": {"case_sensitive": False}} if one.unique else {}
        url = f"{api_domain}/crm/v8/settings/fields?module={one.module}"
        requests.post(url, json={"fields": [field]}, headers=headers, timeout=30).raise_for_status()


@contextmanager
def _home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="sagezoho-bench-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vendors", type=int, default=10_000)
    parser.add_argument("--latency-ms", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--job", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        run_child(given.vendors, given.latency_ms, given.child, given.record, job=given.job)
        return
    rounds = []
    for number in range(given.rounds):
        with _home() as home:
            record = home / "requests.json"
            # The recorder costs memory and a little time: the syncs that are timed run without it.
            sync_child(given.vendors, given.latency_ms, home / "recorded", record)
            engine = sync_child(given.vendors, given.latency_ms, home / "engine")
            job = sync_child(given.vendors, given.latency_ms, home / "job", job=True)
            alone = calls_alone(given.vendors, given.latency_ms, record)
        rounds.append({"alone": alone, "engine": engine, "job": job})
        print(f"round {number + 1}: calls alone {alone:.2f} s", flush=True)
        for name, one in (("engine", engine), ("the command's job", job)):
            print(
                f"  {name}: {one['first_seconds']:.2f} s, ratio {one['first_seconds'] / alone:.2f} (its own processor "
                f"time {one['first_cpu_seconds']:.2f} s); full sweep after it {one['second_seconds']:.2f} s with "
                f"{one['second_writes']} writes; peak {one['peak_mib']:.0f} MiB",
                flush=True,
            )
    with _home() as home:
        small = sync_child(given.vendors // 4, 0, home / "small")
    print(json.dumps(_summary(given, rounds, small)))


def _summary(
    given: argparse.Namespace, rounds: Sequence[Mapping[str, Any]], small: Mapping[str, Any]
) -> dict[str, Any]:
    summary: dict[str, Any] = {"vendors": given.vendors, "latency_ms": given.latency_ms, "cores": os.cpu_count()}
    for name in ("engine", "job"):
        summary[name] = {
            "ratio_median": round(median(one[name]["first_seconds"] / one["alone"] for one in rounds), 2),
            "cpu_seconds_median": median(one[name]["first_cpu_seconds"] for one in rounds),
            "second_sync_seconds_median": median(one[name]["second_seconds"] for one in rounds),
            "second_sync_writes": max(one[name]["second_writes"] for one in rounds),
        }
    peak = median(one["engine"]["peak_mib"] for one in rounds)
    summary["peak_mib"] = [small["peak_mib"], peak]
    summary["memory_ratio_for_four_times_the_records"] = round(peak / small["peak_mib"], 2)
    return summary


if __name__ == "__main__":
    main()
