"""The real command on the real database, against both simulated vendors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dagster import DagsterInstance
from sqlalchemy import URL

from sagezoho_pipelines.cli.main import cli
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.databases import Databases, template
from sagezoho_pipelines_tests.tls import certificates

MASTER_KEY = "5f" * 32
PASSWORD = "correct-horse-battery"


@dataclass
class Workplace:
    """A directory with its own configuration, home and database, and the command in it."""

    path: Path
    env: dict[str, str]
    shown: list[str] = field(default_factory=list)

    def configure(
        self,
        sandbox: Sandbox,
        *,
        sage: str = "",
        zoho: str = "",
        rest: str = "",
        company: str = "",
        first_sync: str = "allow",
    ) -> None:
        """Write sagezoho.yaml for the sandbox; the arguments replace an address or add keys. One attempt a call."""
        self.write(
            "sagezoho.yaml",
            f"""
connections:
  saminc:
    first_sync: {first_sync}
    sage300:
      {{url: "{sage or sandbox.sage300.url}", company: {company or "SAMINC"}, max_attempts: 1, connect_timeout: 2}}
    zoho_crm:
      accounts_url: "{zoho or sandbox.zoho_crm.accounts_url}"
      api_domains: ["{sandbox.zoho_crm.api_domain}"]
      max_attempts: 1
      connect_timeout: 2
{rest}
""",
        )

    def sign_on(self, sandbox: Sandbox, *, username: str = "", password: str = "") -> None:
        """Store the sandbox's credentials, or others in their place."""
        sage, zoho = sandbox.sage300, sandbox.zoho_crm
        user = {"username": username or sage.username, "password": password or sage.password}
        client = {
            "client_id": zoho.client_id,
            "client_secret": zoho.client_secret,
            "refresh_token": zoho.refresh_token,
        }
        for system, secret in (("sage300", user), ("zoho_crm", client)):
            done = self("credentials", "set", "saminc", system, "--stdin", stdin=json.dumps(secret))
            assert done.exit_code == 0, done.output

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def __call__(self, *arguments: str, stdin: str | None = None) -> Result:
        done = CliRunner().invoke(cli, list(arguments), input=stdin, env=self.env)
        self.shown.append(done.output)
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json").stdout)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.running(seed=7, vendors=8, deals=6, trust_ca=(certificates().authority,)) as running:
        yield running


@pytest.fixture(scope="session")
def databases_with_dagster(postgres_server: URL, migrated_template: str, worker_id: str) -> Iterator[Databases]:
    """Those of commands that have run before: Dagster's own tables are there too."""

    def make(url: URL) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SAGEZOHO_POSTGRES_URL", url.render_as_string(hide_password=False))
            DagsterInstance.from_config(str(Path(__file__).parents[2])).dispose()

    base = template(postgres_server, "dagster_template", make, base=migrated_template)
    kept = Databases(postgres_server, f"{worker_id}_dagster", base)
    yield kept
    kept.close()


@pytest.fixture
def postgres_url(databases_with_dagster: Databases) -> Iterator[URL]:
    with databases_with_dagster.one() as url:
        yield url


@pytest.fixture
def workplace(tmp_path: Path, postgres_url: URL) -> Workplace:
    return Workplace(
        tmp_path,
        {
            "SAGEZOHO_CONFIG": str(tmp_path / "sagezoho.yaml"),
            "SAGEZOHO_HOME": str(tmp_path / "home"),
            "SAGEZOHO_POSTGRES_URL": postgres_url.render_as_string(hide_password=False),
            "SAGEZOHO_MASTER_KEY": MASTER_KEY,
            "DAGSTER_HOME": "",
            "DAGSTER_DISABLE_TELEMETRY": "1",
        },
    )


@pytest.fixture
def ready(workplace: Workplace, sandbox: Sandbox) -> Workplace:
    """Configured, signed on, and the custom fields made."""
    workplace.configure(sandbox)
    workplace.sign_on(sandbox)
    assert workplace("setup").exit_code == 0
    return workplace
