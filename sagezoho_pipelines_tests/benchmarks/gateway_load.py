"""How fast the gateway acknowledges callbacks that keep coming, and whether each acknowledged one is in the ledger.

Run it: python -m sagezoho_pipelines_tests.benchmarks.gateway_load --per-second 200 --seconds 10

The gateway is the command in a process of its own, on an embedded Postgres that writes to disk; the callbacks come from
a second process, each on a connection of its own: by http, as from a reverse proxy on the same machine, or with --tls
by https, which costs both processes a handshake for each. They leave at fixed moments, whether or not earlier ones have
been answered, and the time of each is taken from that moment: a gateway that stalls is not spared. Exit code 1: one was
lost or not acknowledged, or the median is above the target.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.certificates import Certificates

_CONNECTION, _CHANNEL_ID, _TOKEN = "saminc", 1105420521999070702, "b" * 48
_FIRST_ID = 675_000_000_000_000_000
_ANSWER_SECONDS = 30
#: What the gateway promises at 200 callbacks a second.
MEDIAN_MS = 20.0

_CONFIG = """
connections:
  saminc:
    first_sync: allow
    sage300: {url: "http://127.0.0.1:9/Sage300WebApi", company: SAMINC}
    notifications: {url: "https://gateway.example"}
"""


def measure(per_second: int, seconds: float, *, tls: bool = False) -> dict[str, Any]:
    """Figures of one run; times in milliseconds."""
    from sqlalchemy import text

    from sagezoho_pipelines.domain.channels import Channel, ChannelState
    from sagezoho_pipelines.ledger import embedded
    from sagezoho_pipelines.sandbox.certificates import make
    from sagezoho_pipelines.wiring import Installation

    with tempfile.TemporaryDirectory(prefix="sagezoho-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        (home / "sagezoho.yaml").write_text(_CONFIG)
        env = {**os.environ, "SAGEZOHO_HOME": str(home), "SAGEZOHO_CONFIG": str(home / "sagezoho.yaml")}
        env.pop("SAGEZOHO_POSTGRES_URL", None)
        try:
            with Installation(env) as installation:
                until = datetime.now(UTC) + timedelta(days=1)
                channel = Channel(_CONNECTION, _CHANNEL_ID, "", ("Deals.edit",), _TOKEN, expires_at=until)
                installation.channels.save(replace(channel, state=ChannelState.ALIVE))
                made = make(home / "tls") if tls else None
                with gateway(env, made) as url:
                    sent = sender(url, per_second, seconds, made)
                with installation.database.connect() as database:
                    rows = database.execute(text("SELECT key FROM sagezoho.changes WHERE cause = 'notification'"))
                    stored = set(rows.scalars())
        finally:
            embedded.stop(home)
    acknowledged = {key for key, status, _ in sent if status == 200}
    times = sorted(taken for _, status, taken in sent if status == 200)
    return {
        "scheme": "https" if tls else "http",
        "per_second": per_second,
        "callbacks": len(sent),
        "acknowledged": len(acknowledged),
        "not_acknowledged": len(sent) - len(acknowledged),
        "lost": len(acknowledged - stored),
        "median_ms": round(median(times), 2) if times else None,
        "p95_ms": round(times[int(len(times) * 0.95)], 2) if times else None,
        "max_ms": round(times[-1], 2) if times else None,
    }


@contextmanager
def gateway(env: dict[str, str], tls: Certificates | None) -> Iterator[str]:
    """The gateway's address; the process is asked to end with the block, and has to end well."""
    command = [sys.executable, "-m", "sagezoho_pipelines.cli.main", "gateway", "--port", "0", "--json"]
    if tls is not None:
        command += ["--tls-cert", str(tls.certificate), "--tls-key", str(tls.key)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        if process.wait(40) != 0:
            print(f"the gateway ended with {process.returncode}", file=sys.stderr)


def sender(url: str, per_second: int, seconds: float, tls: Certificates | None) -> list[tuple[str, int, float]]:
    """What the second process saw of each callback: its record's id, the status, and the milliseconds it took."""
    command = [sys.executable, "-m", __spec__.name, "--to", url, "--per-second", str(per_second)]
    if tls is not None:
        command += ["--trust", str(tls.authority)]
    done = subprocess.run([*command, "--seconds", str(seconds)], check=True, stdout=subprocess.PIPE, text=True)
    return [(key, status, taken) for key, status, taken in json.loads(done.stdout)]


async def send_all(url: str, trust: str | None, per_second: int, seconds: float) -> list[tuple[str, int, float]]:
    tls = ssl.create_default_context(cafile=trust) if trust else None
    start = time.perf_counter() + 0.2
    count = int(per_second * seconds)
    return await asyncio.gather(*(_send(url, tls, str(_FIRST_ID + n), start + n / per_second) for n in range(count)))


async def _send(url: str, tls: ssl.SSLContext | None, key: str, due: float) -> tuple[str, int, float]:
    host = urlsplit(url)
    body = json.dumps(
        {
            "server_time": 1750102639787, "query_params": {}, "module": "Deals", "ids": [key], "affected_fields": [],
            "resource_uri": "https://www.zohoapis.com/crm/v2/Deals", "operation": "insert",
            "channel_id": str(_CHANNEL_ID), "token": _TOKEN,
        }
    ).encode()  # fmt: skip
    head = (
        f"POST /notifications/{_CONNECTION} HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    await asyncio.sleep(max(0.0, due - time.perf_counter()))
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(host.hostname, host.port, ssl=tls)
            writer.write(head.encode() + body)
            line = await reader.readline()
            taken = (time.perf_counter() - due) * 1000
            writer.close()
    except (OSError, TimeoutError):
        return key, 0, (time.perf_counter() - due) * 1000
    return key, int(line.split()[1]) if line else 0, taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-second", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--tls", action="store_true", help="by https, to a certificate of the gateway's own")
    parser.add_argument("--to", help=argparse.SUPPRESS)
    parser.add_argument("--trust", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.to:
        print(json.dumps(asyncio.run(send_all(given.to, given.trust, given.per_second, given.seconds))))
        return
    figures = measure(given.per_second, given.seconds, tls=given.tls)
    met = figures["median_ms"] is not None and figures["median_ms"] < MEDIAN_MS
    print(
        f"{figures['callbacks']} callbacks by {figures['scheme']} at {figures['per_second']} a second: "
        f"median {figures['median_ms']} ms, p95 {figures['p95_ms']} ms, "
        f"{figures['not_acknowledged']} not acknowledged, {figures['lost']} lost; "
        f"target: median under {MEDIAN_MS:g} ms, none lost: {'met' if met and not figures['lost'] else 'MISSED'}"
    )
    print(json.dumps(figures))
    sys.exit(0 if met and figures["lost"] == figures["not_acknowledged"] == 0 else 1)


if __name__ == "__main__":
    main()
