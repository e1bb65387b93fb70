"""The demo's own installation: beside the user's, never in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sagezoho_pipelines import config
from sagezoho_pipelines.ledger import embedded

if TYPE_CHECKING:
    from sagezoho_pipelines.wiring import Installation

CONNECTION = "demo"
_OURS = ("SAGEZOHO_POSTGRES_URL", "SAGEZOHO_MASTER_KEY", "SAGEZOHO_CONFIG", "SAGEZOHO_HOME", "DAGSTER_HOME")
_STATE = "sandbox.state"


def place(env: Mapping[str, str] = os.environ) -> Path:
    """`SAGEZOHO_HOME/demo`."""
    return config.home(env).expanduser().absolute() / "demo"


def config_file(home: Path) -> Path:
    return home / "sagezoho.yaml"


def environment(home: Path) -> dict[str, str]:
    """What makes every part of sagezoho work on the demo's data. Empty values count as not set."""
    return {
        **dict.fromkeys(_OURS, ""),
        "SAGEZOHO_HOME": str(home),
        "SAGEZOHO_CONFIG": str(config_file(home)),
        "DAGSTER_HOME": str(home / "dagster"),
    }


def fresh(home: Path) -> None:
    """An empty home: what an earlier demo left is gone, its database with it."""
    home.mkdir(parents=True, exist_ok=True)
    embedded.stop(home)
    for path in home.iterdir():
        if path.name == ".in-use":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def applied(home: Path) -> Iterator[None]:
    """The demo's environment in this process, put back at the end."""
    wanted = environment(home)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def served_again(home: Path) -> Iterator[Mapping[str, Mapping[str, str]]]:
    """The demo's two vendors as it left them, under the addresses it gave them. Raises SagezohoError if taken."""
    from sagezoho_pipelines.cli import processes

    settings = config.load(config_file(home)).connections[CONNECTION]
    sage, zoho = urlsplit(settings.sage300.url), urlsplit(settings.zoho_crm.accounts_url)
    ports = ("--sage-port", str(sage.port), "--zoho-port", str(zoho.port))
    with processes.served_sandbox(home / "sandbox.log", "--state", str(home / _STATE), *ports) as told:
        yield told


@contextmanager
def served(home: Path, *arguments: str) -> Iterator[Mapping[str, Mapping[str, str]]]:
    """Both vendors in a process of their own, on free ports."""
    from sagezoho_pipelines.cli import processes

    ports = ("--sage-port", "0", "--zoho-port", "0")
    state = ("--state", str(home / _STATE))
    with processes.served_sandbox(home / "sandbox.log", *state, *ports, *arguments) as told:
        yield told


def configure(home: Path, told: Mapping[str, Mapping[str, str]]) -> None:
    from sagezoho_pipelines.cli import init

    sage, zoho = told["sage300"], told["zoho_crm"]
    text = init.render(
        sage_url=sage["url"], company=sage["company"], accounts_url=zoho["accounts_url"],
        api_domains=(zoho["api_domain"],), name=CONNECTION, first_sync="allow",
    )  # fmt: skip
    init.write(config_file(home), text, replace=True)


def store_credentials(installation: Installation, told: Mapping[str, Mapping[str, str]]) -> None:
    from sagezoho_pipelines.cli.credentials import NAMES

    for system, names in NAMES.items():
        installation.vault.put(CONNECTION, system, {name: told[system][name] for name in names})
