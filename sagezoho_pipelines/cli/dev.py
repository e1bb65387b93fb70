"""`sagezoho dev`: the Dagster UI, its daemon and the code location, on this machine only."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from sagezoho_pipelines.cli.errors import Failed

HOST = "127.0.0.1"

#: Dagster tells the person at our command to call another one of its own, which reads no workspace file by itself.
_SUPERSEDED = "Function `dev_command` is superseded"


@click.command()
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Of the web page.")
def dev(port: int) -> None:
    """Open the Dagster UI on your configuration, or on the demo's data where there is none.

    The page has no password, so it is served on this machine only. Ctrl-C ends everything that was started.
    """
    from sagezoho_pipelines.cli.output import say

    try:
        code = _serve(port)
    except KeyboardInterrupt:
        say("Stopped.")
        return
    if code:
        raise Failed("dagster dev ended by itself")


def _serve(port: int) -> int:
    """Until it ends, or until we are told to."""
    from sagezoho_pipelines.cli import dagster_home, processes
    from sagezoho_pipelines.cli.output import say
    from sagezoho_pipelines.ledger.postgres import database_url, ensure_database

    with processes.interruptible(), environment() as env:
        ensure_database(database_url(env))  # Dagster would tell of a server that is away by its stack
        home = dagster_home.ensure(env)
        say(f"Dagster UI: http://{HOST}:{port}   (ready in about ten seconds; Ctrl-C ends it)")
        with processes.child(command(port, home), env=env) as process:
            return process.wait()


def command(port: int, home: Path) -> list[str]:
    """Webserver, daemon and code location, from the Dagster home."""
    from sagezoho_pipelines.cli import dagster_home

    workspace = str(home / dagster_home.WORKSPACE)
    python = [sys.executable, "-W", f"ignore:{_SUPERSEDED}"]
    return [*python, "-m", "dagster", "dev", "-h", HOST, "-p", str(port), "-w", workspace]


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """The environment of the configuration there is, which is read to see that it can be; else of the demo's data."""
    from sagezoho_pipelines import config
    from sagezoho_pipelines.cli.output import say

    env = dict(os.environ)
    if config.config_path(env).exists() or env.get("SAGEZOHO_CONFIG"):
        config.load(config.config_path(env))
        say(f"Configuration: {config.config_path(env)}")
        yield env
    else:
        with _demo_data(env) as demos:
            yield env | demos


@contextmanager
def _demo_data(env: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of the demo's installation, while nobody else uses it, and its sandbox where it can be served."""
    from sagezoho_pipelines.cli import demo_home, processes
    from sagezoho_pipelines.cli.output import say
    from sagezoho_pipelines.domain.errors import ConfigurationError
    from sagezoho_pipelines.ledger import embedded

    home = demo_home.place(env)
    if not demo_home.config_file(home).exists():
        raise ConfigurationError(
            "There is no sagezoho.yaml here and no demo data. Run 'sagezoho demo' for a look, or 'sagezoho init' to "
            "write a configuration."
        )
    with processes.sole_user(home, "work"):
        say(f"No sagezoho.yaml here: showing the demo's data in {home}")
        try:
            with demo_home.served_again(home) as told:
                say(f"Simulated Sage 300: {told['sage300']['url']}   Zoho CRM: {told['zoho_crm']['accounts_url']}")
                yield demo_home.environment(home)
        finally:
            embedded.stop(Path(home))
