"""`sagezoho up`: everything an installation runs, under one supervisor."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

_ASK_AGAIN_SECONDS = 2.0


@click.command()
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Of the Dagster UI.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(0, 64), help="How many on this machine.")
def up(port: int, workers: int) -> None:
    """Run gateway, workers, the Dagster UI and its daemon together, and start again what dies.

    The gateway is left out where no connection names an address for Zoho's notifications. Works on your
    configuration, or on the demo's data where there is none. Ctrl-C or SIGTERM ends it all: what is under way is
    settled first, and nothing is left running.
    """
    from sagezoho_pipelines import config
    from sagezoho_pipelines.cli import dagster_home, dev, processes
    from sagezoho_pipelines.cli.output import say
    from sagezoho_pipelines.cli.supervisor import Child, Supervisor

    try:
        with processes.interruptible(), dev.environment() as env, _database(env):
            home = dagster_home.ensure(env)
            ours = (sys.executable, "-m", "sagezoho_pipelines.cli.main")
            children = [Child(f"Worker {number}", [*ours, "worker"]) for number in range(1, workers + 1)]
            children.append(Child("Dagster", dev.command(port, home)))
            connections = config.load(config.config_path(env)).connections.values()
            if any(connection.notifications.active for connection in connections):
                children.append(Child("Gateway", [*ours, "gateway"]))
            say(f"Dagster UI: http://{dev.HOST}:{port}   (ready in about ten seconds; Ctrl-C ends everything)")
            Supervisor(children, env=env, told=say).run()
    except KeyboardInterrupt:
        pass
    say("Stopped.")


@contextmanager
def _database(env: Mapping[str, str]) -> Iterator[None]:
    """The embedded server, where no other is named: up before the children race for it, and down again if it was.

    Another one is waited for: after a power cut the machines of a site come back in any order.
    """
    from sagezoho_pipelines.ledger import embedded

    if env.get("SAGEZOHO_POSTGRES_URL", "").strip():
        _wait_for_database(env)
        yield
        return
    home = embedded.home(env)
    found = embedded.is_running(home)
    embedded.start(home)
    try:
        yield
    finally:
        if not found:
            embedded.stop(home)


def _wait_for_database(env: Mapping[str, str]) -> None:
    from sagezoho_pipelines.cli import output
    from sagezoho_pipelines.domain.errors import LedgerUnavailable
    from sagezoho_pipelines.ledger.postgres import database_url, ensure_database

    url, told = database_url(env), ""
    while True:
        try:
            ensure_database(url)
        except LedgerUnavailable as error:
            if str(error) != told:
                told = str(error)
                output.warn(f"{told} Nothing is started before it answers.")
            time.sleep(_ASK_AGAIN_SECONDS)
        else:
            if told:
                output.say("Postgres is there.")
            return
