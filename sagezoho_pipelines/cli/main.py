"""The `sagezoho` command: its sub-commands by name, each loaded when it is called: the command starts at once."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import sys
from typing import Any, NoReturn

import click

from sagezoho_pipelines.cli import errors

#: Name -> where its click command is. In the order that `--help` lists them: the way a newcomer walks.
COMMANDS: dict[str, str] = {
    "demo": "sagezoho_pipelines.cli.demo:demo",
    "init": "sagezoho_pipelines.cli.init:init",
    "credentials": "sagezoho_pipelines.cli.credentials:credentials",
    "check": "sagezoho_pipelines.cli.check:check",
    "setup": "sagezoho_pipelines.cli.setup:setup",
    "plan": "sagezoho_pipelines.cli.plan:plan",
    "apply": "sagezoho_pipelines.cli.apply:apply",
    "sync": "sagezoho_pipelines.cli.sync:sync",
    "backfill": "sagezoho_pipelines.cli.backfill:backfill",
    "match": "sagezoho_pipelines.cli.match:match",
    "links": "sagezoho_pipelines.cli.links:links",
    "mapping": "sagezoho_pipelines.cli.mapping:mapping",
    "inbox": "sagezoho_pipelines.cli.inbox:inbox",
    "explain": "sagezoho_pipelines.cli.explain:explain",
    "reconcile": "sagezoho_pipelines.cli.reconcile:reconcile",
    "audit": "sagezoho_pipelines.cli.audit:audit",
    "up": "sagezoho_pipelines.cli.up:up",
    "worker": "sagezoho_pipelines.cli.worker:worker",
    "gateway": "sagezoho_pipelines.cli.gateway:gateway",
    "dev": "sagezoho_pipelines.cli.dev:dev",
    "sandbox": "sagezoho_pipelines.cli.sandbox:sandbox",
}


class Sagezoho(click.Group):
    """Loads a sub-command when it is asked for, and turns every error into one message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        where = COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, name = where.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        with errors.explained(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


@click.group(cls=Sagezoho, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--debug", is_flag=True, help="Show the log, and the traceback of an unexpected error.")
@click.version_option(package_name="sagezoho", message="%(prog)s %(version)s")
def cli(debug: bool) -> None:
    """Sage 300 and Zoho CRM, kept in step.

    \b
    First look, no accounts needed:   sagezoho demo
    With real systems:                sagezoho init, credentials set, check, setup, plan, apply, up

    \b
    Environment: SAGEZOHO_CONFIG (sagezoho.yaml), SAGEZOHO_HOME (.sagezoho), SAGEZOHO_POSTGRES_URL,
    SAGEZOHO_MASTER_KEY, NO_COLOR.
    Exit code: 0 done; 1 something a person must mend; 2 wrong usage; 3 a fault of ours; 130 interrupted.
    """
    errors.set_up_logging(debug=debug)


def main(command: click.Command = cli) -> None:
    """The entry point. An interrupt that comes outside a command's own care ends with the same code."""
    try:
        command.main(prog_name="sagezoho")
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as end:
        if end.code != errors.INTERRUPTED:
            raise
        _interrupted()


def _interrupted() -> NoReturn:
    """End with our own code: run with -m, Python remembers an interrupt that met it in an exec, as dataclasses are made
    with, and would end by the signal instead, however well it was handled."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it may have gone first
            stream.flush()
    os._exit(errors.INTERRUPTED)


if __name__ == "__main__":
    main()
