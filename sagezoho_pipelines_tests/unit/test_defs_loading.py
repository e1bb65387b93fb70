"""Loading the code location: no side effects, and one clear message when the configuration is broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from sagezoho_pipelines.definitions import build_defs
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.wiring import Installation

#: Nothing listens on port 1: whoever knocks is refused at once.
NOWHERE = "127.0.0.1:1"

CONFIG = f"""
connections:
  saminc:
    sage300: {{url: "http://{NOWHERE}/Sage300WebApi", company: SAMINC}}
    zoho_crm: {{accounts_url: "http://{NOWHERE}", api_domains: ["http://{NOWHERE}"]}}
"""


def installation(directory: Path, text: str | None) -> Installation:
    path = directory / "sagezoho.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    home = directory / "home"
    return Installation(
        {
            "SAGEZOHO_CONFIG": str(path),
            "SAGEZOHO_HOME": str(home),
            "SAGEZOHO_POSTGRES_URL": f"postgresql://nobody@{NOWHERE}/nothing",
        }
    )


def test_it_loads_while_database_and_vendors_are_down(tmp_path: Path) -> None:
    definitions = build_defs(installation=installation(tmp_path, CONFIG))
    dg.Definitions.validate_loadable(definitions)
    assert definitions.get_repository_def().has_job("saminc__vendors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sagezoho.yaml"]


def test_before_there_is_a_configuration_it_says_how_to_write_one(tmp_path: Path) -> None:
    loaded = run_python(
        "from sagezoho_pipelines.definitions import defs; d = defs(); "
        "print([spec.description for spec in d.resolve_all_asset_specs()])",
        tmp_path,
    )
    assert "sagezoho init" in loaded.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"sagezoho\.yaml: cannot be read .*sagezoho init"):
        build_defs(installation=installation(tmp_path, None))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("    colour: red", r"sagezoho\.yaml:6.*colour.*unknown key"),
        ("    timezone: Mars/Olympus", r"yaml:6: connections\.saminc\.timezone: .*'Mars/Olympus' is no time zone"),
        ('    sweep_cron: "61 * * * *"', r"yaml:6: connections\.saminc\.sweep_cron: .*'61' is no minute of a cron"),
        (
            '    flows: {orders: {cadence: {cron: "a b c d e"}}}',
            r"yaml:6: connections\.saminc\.flows\.orders\.cadence\.cron: .*'a' is no minute of a cron",
        ),
    ],
)
def test_a_broken_configuration_is_one_clear_message(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build_defs(installation=installation(tmp_path, CONFIG + line + "\n"))


BROKEN = """
  elsewhere:
    sage300: {url: "http://127.0.0.1:1/Sage300WebApi", company: SAMLTD}
    mappings: {vendors: {accounts: {Phone: "trim(PhoneNumber"}}}
"""


def test_a_broken_mapping_of_one_connection_leaves_the_others_and_shows_what_to_correct(tmp_path: Path) -> None:
    definitions = build_defs(installation=installation(tmp_path, CONFIG + BROKEN))
    dg.Definitions.validate_loadable(definitions)
    repository = definitions.get_repository_def()
    assert repository.has_job("saminc__vendors")
    assert not repository.has_job("elsewhere__vendors")
    [told] = [spec.description for spec in definitions.resolve_all_asset_specs() if spec.key.path[0] == "elsewhere"]
    assert told is not None
    assert "sagezoho.yaml:9" in told
    sensor = repository.get_sensor_def("elsewhere__configuration")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    with pytest.raises(dg.Failure, match=r"elsewhere is stopped until its mapping is corrected: .*yaml:9.*Phone"):
        sensor(dg.build_sensor_context())


def test_a_mapping_that_breaks_all_connections_is_one_clear_message(tmp_path: Path) -> None:
    everywhere = BROKEN.splitlines()[-1].strip()
    with pytest.raises(ConfigurationError, match=r"yaml:.*Phone"):
        build_defs(installation=installation(tmp_path, CONFIG + everywhere + "\n"))


def test_dagster_itself_can_load_it(tmp_path: Path) -> None:
    (tmp_path / "sagezoho.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    done = run_python(
        "from dagster._cli import main; main()",
        tmp_path,
        "definitions", "validate", "-m", "sagezoho_pipelines.definitions",
        DAGSTER_HOME=str(tmp_path / "home"),
    )  # fmt: skip
    assert "Validation successful" in done.stdout + done.stderr


def run_python(code: str, directory: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Another process, as a newcomer starts it: in that directory, with none of our variables set."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SAGEZOHO_", "DAGSTER_"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=directory,
        env={**inherited, "DAGSTER_DISABLE_TELEMETRY": "1", **env},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    "cron",
    ["*/15 * * * *", "0 9-17/2 * * mon-fri", "5,35 0 1,15 * *", "30 2 31 12 7", "0 0 * jan,JUL sun", "3/20 4 * * *"],
)
def test_a_cron_schedule_that_the_configuration_takes_is_one_for_dagster(tmp_path: Path, cron: str) -> None:
    line = f'    sweep_cron: "{cron}"\n'
    schedules = list(build_defs(installation=installation(tmp_path, CONFIG + line)).schedules or ())
    assert cron in {getattr(schedule, "cron_schedule", None) for schedule in schedules}
