"""`sagezoho sandbox`: both vendors, simulated, on loopback ports."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

import click

SAGE_PORT, ZOHO_PORT = 8300, 8400


@click.command()
@click.option("--sage-port", default=SAGE_PORT, show_default=True, type=click.IntRange(0, 65535))
@click.option("--zoho-port", default=ZOHO_PORT, show_default=True, type=click.IntRange(0, 65535))
@click.option("--vendors", default=50, show_default=True, type=click.IntRange(0, 1_000_000), help="In Sage 300.")
@click.option("--deals", default=20, show_default=True, type=click.IntRange(0, 1_000_000), help="In Zoho CRM.")
@click.option("--existing-accounts", type=click.IntRange(0, 1_000_000), help="In Zoho CRM (default: by the deals).")
@click.option(
    "--known-vendors",
    default=0,
    show_default=True,
    type=click.IntRange(0, 1_000_000),
    help="Of those, how many really are Sage vendors under slightly different names.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same data.")
@click.option("--latency-ms", default=0, show_default=True, type=click.IntRange(0, 600_000), help="Of every call.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Go on with what this file holds, if it exists, and write it at the end.",
)
@click.option("--switch", "switches", multiple=True, metavar="NAME=VALUE", help="Another reading of an open question.")
@click.option("--list-switches", is_flag=True, help="Show all switches with their defaults, and end.")
@click.option(
    "--trust-ca",
    multiple=True,
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="Zoho's callbacks trust this certificate authority too.",
)
@click.option(
    "--certificates",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Make a throwaway authority and gateway.pem, gateway.key of this machine there, and trust it.",
)
@click.option(
    "--connect-to",
    multiple=True,
    metavar="NAME=HOST:PORT",
    help="Zoho's callbacks to this host name go there, as a router would lead them.",
)
@click.option("--json", "as_json", is_flag=True, help="First line: addresses and credentials as one JSON object.")
@click.option("--while-stdin-is-open", is_flag=True, hidden=True, help="End with the process that started this.")
def sandbox(
    sage_port: int,
    zoho_port: int,
    vendors: int,
    deals: int,
    existing_accounts: int | None,
    known_vendors: int,
    seed: int,
    latency_ms: int,
    state: Path | None,
    switches: tuple[str, ...],
    list_switches: bool,
    trust_ca: tuple[Path, ...],
    certificates: Path | None,
    connect_to: tuple[str, ...],
    as_json: bool,
    while_stdin_is_open: bool,
) -> None:
    """Serve a simulated Sage 300 and a simulated Zoho CRM until SIGTERM or Ctrl-C.

    They are strict: what they accept and refuse follows the vendors' documents. A port of 0 picks a free one.
    Beside the vendors' own APIs each has a control API under /__sandbox__/ for faults, clock and people's actions.

    Zoho tells of changes by https on port 443 only, to whom it can believe: see --certificates and --connect-to.
    """
    from sagezoho_pipelines.cli import sandbox_switches

    if list_switches:
        sandbox_switches.show(as_json=as_json)
        return
    from sagezoho_pipelines.domain.errors import SagezohoError
    from sagezoho_pipelines.sandbox import saving
    from sagezoho_pipelines.sandbox.certificates import make as make_certificates
    from sagezoho_pipelines.sandbox.server import Sandbox

    sage_switches, zoho_switches = sandbox_switches.turned(switches)
    routes = dict(_route(text) for text in connect_to)
    try:
        if certificates is not None:
            trust_ca = (*trust_ca, make_certificates(certificates).authority)
    except OSError as error:
        raise SagezohoError(f"{certificates}: certificates cannot be written there ({error.strerror}).") from None
    try:
        kept = saving.load(state) if state is not None and state.exists() else None
        if kept is not None:
            seed, vendors, deals, existing_accounts, known_vendors = kept["seed"], 1, 0, None, 0
        served = Sandbox(
            seed=seed,
            vendors=vendors,
            deals=deals,
            accounts=existing_accounts,
            known_vendors=known_vendors,
            sage_port=sage_port,
            zoho_port=zoho_port,
            sage_switches=sage_switches,
            zoho_switches=zoho_switches,
            trust_ca=trust_ca,
            connect_to=routes,
        )
    except saving.NotASavedSandbox as error:
        raise SagezohoError(f"{error}. Remove it to begin anew.") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise SagezohoError(
            f"port {sage_port} or {zoho_port} cannot be used: {error.strerror}. "
            "Another sandbox may be running; choose others with --sage-port and --zoho-port (0 picks a free one)."
        ) from None
    sage, zoho = served.sage300.world, served.zoho_crm.world
    if kept is not None:
        saving.restore(kept, sage=sage, zoho=zoho)
    sage.faults.latency = zoho.faults.latency = latency_ms / 1000
    if while_stdin_is_open:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    if not as_json:
        click.echo(_hint(served.connections()))
    served.serve(json_line=as_json)
    if state is not None:
        saving.save(state, seed=seed, sage=sage, zoho=zoho)


def _route(text: str) -> tuple[str, tuple[str, int]]:
    name, equals, address = text.partition("=")
    host, colon, port = address.rpartition(":")
    if not (name and equals and host and colon and port.isdecimal() and int(port) < 65536):
        raise click.UsageError(f"--connect-to {text}: write NAME=HOST:PORT, e.g. localhost=127.0.0.1:8500")
    return name, (host.strip("[]"), int(port))


def _hint(told: dict[str, dict[str, str]]) -> str:
    sage, zoho = told["sage300"], told["zoho_crm"]
    user = json.dumps({name: sage[name] for name in ("username", "password")})
    client = json.dumps({name: zoho[name] for name in ("client_id", "client_secret", "refresh_token")})
    return (
        "Both vendors, simulated. To use sagezoho against them, in another terminal:\n\n"
        f"  sagezoho init --sage-url {sage['url']} --company {sage['company']} \\\n"
        f"    --accounts-url {zoho['accounts_url']} --api-domain {zoho['api_domain']}\n"
        f"  echo '{user}' | sagezoho credentials set {sage['company'].lower()} sage300 --stdin\n"
        f"  echo '{client}' | sagezoho credentials set {sage['company'].lower()} zoho_crm --stdin\n"
        "  sagezoho check; sagezoho setup; sagezoho sync\n\n"
        "Ctrl-C ends them; what they hold is gone then, unless --state FILE keeps it.\n"
    )


def _end_with_stdin() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
