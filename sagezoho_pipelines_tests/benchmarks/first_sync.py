"""A first sync of N vendors into an empty Zoho, against what its calls alone take at the allowed concurrency.

Run it with `make bench`, or: python -m sagezoho_pipelines_tests.benchmarks.first_sync --vendors 10000 --latency-ms 50

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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from sagezoho_pipelines.sage300.client import Sage300Client
from sagezoho_pipelines.zoho_crm.client import ZohoCrmClient

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


def sync_child(vendors: int, latency_ms: int, home: Path, record: Path | None) -> dict[str, Any]:
    """Run one first and one second sync in a process of its own; its figures."""
    command = [sys.executable, "-m", __spec__.name, "--child", str(home), "--vendors", str(vendors)]
    command += ["--latency-ms", str(latency_ms), *(["--record", str(record)] if record else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_child(vendors: int, latency_ms: int, home: Path, record: Path | None) -> None:
    """The measured process: the engine as the command runs it, without Dagster around it."""
    from sagezoho_pipelines.config import Settings
    from sagezoho_pipelines.engine.run import run_flow
    from sagezoho_pipelines.engine.setup import set_up
    from sagezoho_pipelines.engine.windows import Window
    from sagezoho_pipelines.ledger import embedded
    from sagezoho_pipelines.mappings import custom_fields
    from sagezoho_pipelines.wiring import Installation

    with sandbox(vendors, latency_ms) as address:
        sage, zoho = address["sage300"], address["zoho_crm"]
        settings = Settings.model_validate(
            {
                "connections": {
                    "saminc": {
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
            log = _Recorder(record) if record else None
            first_context = installation.context("saminc", run_id="first", actor="benchmark")
            if log:
                first_context = log.around(installation, first_context)
            start = time.perf_counter()
            first = run_flow(first_context, "vendors", Window.incremental())
            first_seconds = time.perf_counter() - start
            if log:
                log.save()
            second_context = installation.context("saminc", run_id="second", actor="benchmark")
            start = time.perf_counter()
            second = run_flow(second_context, "vendors", Window.sweep())
            second_seconds = time.perf_counter() - start
            calls = {
                "sage300": first_context.sage.usage.calls,
                "zoho_crm": first_context.zoho.usage.calls,
                "second_writes": second_context.sage.usage.writes + second_context.zoho.usage.writes,
            }
    embedded.stop(home)
    print(
        json.dumps(
            {
                "vendors": vendors,
                "first_seconds": round(first_seconds, 3),
                "second_seconds": round(second_seconds, 3),
                "first": first.figures(),
                "second": second.figures(),
                "calls": calls,
                "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            }
        )
    )


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
    given = parser.parse_args()
    if given.child:
        run_child(given.vendors, given.latency_ms, given.child, given.record)
        return
    rounds = []
    for number in range(given.rounds):
        with _home() as home:
            record = home / "requests.json"
            # The recorder costs memory and a little time: the sync that is timed runs without it.
            sync_child(given.vendors, given.latency_ms, home / "recorded", record)
            synced = sync_child(given.vendors, given.latency_ms, home / "timed", None)
            alone = calls_alone(given.vendors, given.latency_ms, record)
        ratio = synced["first_seconds"] / alone
        rounds.append({**synced, "calls_alone_seconds": round(alone, 3), "ratio": round(ratio, 2)})
        print(
            f"round {number + 1}: first sync {synced['first_seconds']:.2f} s, calls alone {alone:.2f} s, "
            f"ratio {ratio:.2f}; second sync (full sweep) {synced['second_seconds']:.2f} s "
            f"with {synced['calls']['second_writes']} writes",
            flush=True,
        )
    with _home() as home:
        small = sync_child(given.vendors // 4, 0, home / "small", None)
    memory = median(one["peak_mib"] for one in rounds) / small["peak_mib"]
    summary = {
        "vendors": given.vendors,
        "latency_ms": given.latency_ms,
        "ratio_median": round(median(one["ratio"] for one in rounds), 2),
        "second_sync_seconds_median": round(median(one["second_seconds"] for one in rounds), 2),
        "second_sync_writes": max(one["calls"]["second_writes"] for one in rounds),
        "peak_mib": [small["peak_mib"], median(one["peak_mib"] for one in rounds)],
        "memory_ratio_for_four_times_the_records": round(memory, 2),
        "cores": os.cpu_count(),
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
