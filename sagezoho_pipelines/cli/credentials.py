"""`sagezoho credentials`: what signs us on to both systems, kept encrypted in the vault."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from sagezoho_pipelines.cli import options, output

#: System -> its secrets; the hidden ones are not shown while they are typed.
NAMES: Mapping[str, tuple[str, ...]] = {
    "sage300": ("username", "password"),
    "zoho_crm": ("client_id", "client_secret", "refresh_token"),
}
_SHOWN = frozenset({"username", "client_id"})
#: Stand beside the credentials in what `sagezoho sandbox --json` prints; they belong into sagezoho.yaml.
_ADDRESSES = ("url", "company", "accounts_url", "api_domain")


@click.group()
def credentials() -> None:
    """Store, list, re-seal and erase the credentials of a connection."""


@credentials.command("set")
@click.argument("connection")
@click.argument("system", type=click.Choice(list(NAMES)))
@click.option("--stdin", "from_stdin", is_flag=True, help="Read one JSON object from standard input.")
def set_(connection: str, system: str, from_stdin: bool) -> None:
    """Store the credentials of one system, encrypted.

    \b
    sage300:  username, password          (a user of its own with the right 'Sage 300 Web API'; not ADMIN)
    zoho_crm: client_id, client_secret, refresh_token   (of a Self Client in the Zoho API console)

    They take effect at once, in running processes too.
    """
    from sagezoho_pipelines.domain.records import System

    with options.installation() as installation:
        installation.settings.connection(connection)
        secret = _read(system) if from_stdin else _ask(system)
        installation.vault.put(connection, system, secret)
        installation.ledger.lift(connection, System(system))
    output.say(f"Stored the credentials of {connection} for {system}. See whether they work: sagezoho check")


@credentials.command("list")
@options.as_json
def list_(as_json: bool) -> None:
    """Which credentials are stored, and since when. The secrets themselves are never shown."""
    with options.installation() as installation:
        newest = {(one.connection, one.system): one for one in installation.vault.versions()}
    if as_json:
        facts = [
            {"connection": one.connection, "system": one.system, "version": one.version,
             "stored": one.created_at.isoformat()}
            for one in newest.values()
        ]  # fmt: skip
        output.emit_json({"credentials": facts})
        return
    if not newest:
        output.say("No credentials are stored yet: sagezoho credentials set CONNECTION sage300|zoho_crm")
        return
    rows = [(one.connection, one.system, one.version, f"{one.created_at:%Y-%m-%d %H:%M %Z}") for one in newest.values()]
    output.table(["connection", "system", "version", "stored"], rows, numbers=["version"])


@credentials.command()
@click.argument("connection")
@click.argument("system", type=click.Choice(list(NAMES)))
@click.option("--all", "every", is_flag=True, help="The newest too: the connection signs in there no more.")
def forget(connection: str, system: str, every: bool) -> None:
    """Erase credentials that were replaced, or with --all those of a connection that is given up.

    The two versions before the newest are kept until then, sealed like it.
    """
    from sagezoho_pipelines.domain.errors import CredentialsMissing

    with options.installation() as installation:
        vault = installation.vault
        if (connection, system) not in {(one.connection, one.system) for one in vault.versions()}:
            raise CredentialsMissing(
                f"No credentials of {connection} for {system} are stored, so nothing was erased. 'sagezoho credentials "
                "list' shows what is."
            )
        count = vault.delete(connection, system) if every else vault.forget_old(connection, system)
    what = "version(s)" if every else "earlier version(s)"
    output.say(f"Erased {count} stored {what} of the credentials of {connection} for {system}.")


@credentials.command()
def rotate() -> None:
    """Seal everything with a new master key.

    Where the key is in a file, a new one is made and put before the old one, which still opens what a running process
    holds. Where it comes by SAGEZOHO_MASTER_KEY, set that to NEW,OLD first, and to NEW when this is done.
    """
    from sagezoho_pipelines.domain.errors import VaultError
    from sagezoho_pipelines.ledger.masterkeys import VARIABLE, add_key

    with options.installation() as installation:
        if not installation.env.get(VARIABLE):
            add_key(installation.home)
        elif len(installation.env[VARIABLE].replace(",", " ").split()) < 2:
            raise VaultError(f"{VARIABLE} holds one key only. Set it to NEW,OLD and run this again.")
        count = installation.vault.rewrap()
        where = installation.vault.keys.source
    output.say(f"{count} stored version(s) were sealed anew with the current master key from {where}.")


def _read(system: str) -> dict[str, str]:
    from sagezoho_pipelines.domain import json

    try:
        given = json.loads(sys.stdin.read())
    except ValueError:
        # The parser's own message would quote what it read.
        raise click.UsageError("standard input is not one JSON object") from None
    return checked(system, given)


def checked(system: str, given: Any) -> dict[str, str]:
    """The credentials as the vault takes them. Raises UsageError that names keys, never values."""
    names = NAMES[system]
    wanted = f"{system} takes {', '.join(names)}"
    if not isinstance(given, dict):
        raise click.UsageError(f"standard input is not one JSON object; {wanted}")
    unknown = sorted(set(given) - set(names) - set(_ADDRESSES))
    if unknown:
        raise click.UsageError(f"unknown key {', '.join(map(repr, unknown))}; {wanted}")
    missing = [name for name in names if name not in given]
    if missing:
        raise click.UsageError(f"missing key {', '.join(map(repr, missing))}; {wanted}")
    for name in names:
        if not isinstance(given[name], str) or not given[name].strip():
            raise click.UsageError(f"{name!r} must be a text that is not empty")
    return {name: given[name] for name in names}


def _ask(system: str) -> dict[str, str]:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; give the credentials as JSON with --stdin")
    asked = {name: click.prompt(name, hide_input=name not in _SHOWN, err=True) for name in NAMES[system]}
    return checked(system, asked)
