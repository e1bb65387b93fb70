"""Where Dagster's instance lives, so that `sync`, `dev` and a bare `dagster` command share runs and materializations.

A DAGSTER_HOME that is set stays. Otherwise it is `SAGEZOHO_HOME/dagster`, made from the shipped files when it is not
there yet; files a person has changed are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from importlib import resources
from pathlib import Path

from sagezoho_pipelines import config

INSTANCE, WORKSPACE = "dagster.yaml", "workspace.yaml"


def ensure(env: MutableMapping[str, str]) -> Path:
    """The directory, complete; `env` is given DAGSTER_HOME, and telemetry is off for whoever reads it."""
    env.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    given = env.get("DAGSTER_HOME", "").strip()
    home = Path(given) if given else config.home(env).expanduser().absolute() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    for name in (INSTANCE, WORKSPACE):
        _copy(name, home / name)
    env["DAGSTER_HOME"] = str(home)
    return home


def addresses(env: Mapping[str, str], name: str) -> Path:
    return Path(env["DAGSTER_HOME"]) / name


def _copy(name: str, path: Path) -> None:
    if not path.exists():
        shipped = resources.files("sagezoho_pipelines.cli").joinpath(f"shipped.{name}")
        path.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
