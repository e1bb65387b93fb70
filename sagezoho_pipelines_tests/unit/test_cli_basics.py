"""What the command does without database and vendors: start, write a configuration, read credentials, tell errors."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sagezoho_pipelines import config
from sagezoho_pipelines.cli import errors, output
from sagezoho_pipelines.cli.credentials import checked
from sagezoho_pipelines.cli.init import REGIONS
from sagezoho_pipelines.cli.main import COMMANDS, cli
from sagezoho_pipelines.domain.errors import ConfigurationError, VendorError, Verdict
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.zoho_crm.datacenters import DATA_CENTRES

ROOT = Path(__file__).parents[2]


def init(path: Path, *arguments: str) -> tuple[int, str]:
    env = {"SAGEZOHO_CONFIG": str(path / "sagezoho.yaml"), "SAGEZOHO_HOME": str(path / "home")}
    done = CliRunner().invoke(cli, ["init", *arguments], env=env)
    return done.exit_code, done.output


def test_every_command_has_help() -> None:
    for name in COMMANDS:
        done = CliRunner().invoke(cli, [name, "--help"])
        assert done.exit_code == 0, done.output
        assert "Usage:" in done.output


def test_the_command_starts_without_heavy_imports() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from sagezoho_pipelines.cli.main import cli; "
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0; "
        "print(sorted({'dagster', 'pandas', 'sqlalchemy', 'requests', 'rich'} & set(sys.modules)))"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_init_writes_a_configuration_that_loads(tmp_path: Path) -> None:
    code, told = init(
        tmp_path, "--sage-url", "http://erp/Sage300WebApi", "--company", "samltd", "--region", "eu",
        "--api-domain", "https://www.zohoapis.eu",
    )  # fmt: skip

    assert code == 0, told
    settings = config.load(tmp_path / "sagezoho.yaml")
    connection = settings.connections["samltd"]
    assert (connection.sage300.url, connection.sage300.company) == ("http://erp/Sage300WebApi", "SAMLTD")
    assert connection.zoho_crm.accounts_url == "https://accounts.zoho.eu"
    assert (tmp_path / "home").is_dir()


def test_init_shows_the_true_defaults(tmp_path: Path) -> None:
    """Every key that the template shows commented out is read, uncommented, as the default that it is."""
    assert init(tmp_path, "--sage-url", "http://erp/x", "--company", "SAMINC")[0] == 0
    path = tmp_path / "sagezoho.yaml"
    plain = config.load(path)
    lines = path.read_text().splitlines()
    uncommented = "\n".join(line.replace("# ", "", 1) if ":" in line and line.strip().startswith("# ") else line
                            for line in lines[3:])  # fmt: skip

    assert config.parse(uncommented, "uncommented").model_dump() == plain.model_dump()


def test_init_leaves_an_existing_file_alone(tmp_path: Path) -> None:
    (tmp_path / "sagezoho.yaml").write_text("mine")

    code, told = init(tmp_path, "--sage-url", "http://erp/x", "--company", "SAMINC")

    assert code == 2
    assert "--force" in told
    assert (tmp_path / "sagezoho.yaml").read_text() == "mine"
    assert init(tmp_path, "--sage-url", "http://erp/x", "--company", "SAMINC", "--force")[0] == 0


def test_init_refuses_an_address_that_is_none_and_writes_nothing(tmp_path: Path) -> None:
    code, told = init(tmp_path, "--sage-url", "erp server", "--company", "SAMINC")

    assert code == 1
    assert "sage300.url" in told
    assert not (tmp_path / "sagezoho.yaml").exists()


def test_init_without_a_terminal_names_the_missing_option(tmp_path: Path) -> None:
    code, told = init(tmp_path, "--company", "SAMINC")

    assert code == 2
    assert "--sage-url" in told


def test_init_knows_every_region_of_zoho() -> None:
    assert {f"https://{centre.accounts}" for centre in DATA_CENTRES} == set(REGIONS.values())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "not one JSON object"),
        ({"username": "u"}, "missing key 'password'"),
        ({"username": "u", "password": "s3cret", "pin": "1"}, "unknown key 'pin'"),
        ({"username": "u", "password": ""}, "'password' must be a text"),
        ({"username": "u", "password": 12345}, "'password' must be a text"),
    ],
)
def test_credentials_name_what_is_wrong_and_show_no_value(given: object, words: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        checked("sage300", given)

    assert words in caught.value.message
    assert "s3cret" not in caught.value.message
    assert "12345" not in caught.value.message


def test_credentials_are_taken_as_given() -> None:
    assert checked("sage300", {"username": "u", "password": " spaces count "})["password"] == " spaces count "


def test_the_addresses_that_stand_beside_the_sandboxs_credentials_are_left_out() -> None:
    told = {"url": "http://127.0.0.1:8300", "company": "SAMINC", "username": "u", "password": "p"}
    assert checked("sage300", told) == {"username": "u", "password": "p"}


def test_a_vendors_error_is_told_in_its_words_with_our_advice() -> None:
    error = VendorError(
        system=System.SAGE300, code="FieldInvalid", text="Terms do not exist.", verdict=Verdict.REFUSE, field="Terms",
        advice="Correct the data.",
    )  # fmt: skip

    told = errors.sentence(error)

    assert told == "Sage 300 answered FieldInvalid, field Terms: Terms do not exist.\n  Correct the data."


def exit_of(error: BaseException, capsys: pytest.CaptureFixture[str], *, debug: bool = False) -> tuple[object, str]:
    with pytest.raises(SystemExit) as caught, errors.explained(debug=debug):
        raise error
    return caught.value.code, capsys.readouterr().err


def test_what_a_person_can_mend_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(ConfigurationError("x.yaml:3: unknown key"), capsys) == (1, "Error: x.yaml:3: unknown key\n")


def test_a_fault_of_ours_is_exit_code_3_and_hints_at_debug(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = exit_of(ValueError("first line\nwith=secret values"), capsys)

    assert code == 3
    assert "ValueError: first line" in told
    assert "--debug" in told
    assert "secret" not in told
    assert "Traceback" in exit_of(ValueError("x"), capsys, debug=True)[1]


def test_several_errors_at_once_are_all_told(capsys: pytest.CaptureFixture[str]) -> None:
    both = ExceptionGroup("workers", [ConfigurationError("one"), ConfigurationError("two"), ConfigurationError("one")])

    assert exit_of(both, capsys) == (1, "Error: one\ntwo\n")


def test_an_unreadable_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = exit_of(PermissionError(13, "Permission denied", "/etc/sagezoho"), capsys)

    assert code == 1
    assert "/etc/sagezoho: Permission denied" in told


def test_an_interruption_is_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(KeyboardInterrupt(), capsys)[0] == 130


def test_vendors_texts_neither_colour_nor_move_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["name"], [["[red]\x1b[31mAcme[/red]"]])

    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "[red]" in told


def test_json_keeps_every_digit(capsys: pytest.CaptureFixture[str]) -> None:
    from decimal import Decimal

    output.emit_json({"total": Decimal("12345678901234567.890")})

    assert capsys.readouterr().out == '{"total":12345678901234567.890}\n'
    assert json.loads('{"a": 1}') == {"a": 1}


def test_the_shipped_dagster_instance_is_that_of_the_checkout() -> None:
    shipped = ROOT / "sagezoho_pipelines" / "cli" / "shipped.dagster.yaml"

    assert shipped.read_bytes() == (ROOT / "dagster.yaml").read_bytes()


def test_what_the_command_reads_is_packaged() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]

    assert "**/*.yaml" in package["sagezoho_pipelines"]


INTERRUPTED_IN_AN_EXEC = """
import sys
import click
from sagezoho_pipelines.cli.main import main

def come():
    raise KeyboardInterrupt

def work():
    try:
        exec("come()", {"come": come})
    except KeyboardInterrupt:
        print("handled")
        sys.exit(130)

main(click.Command("work", callback=work))
"""


def test_an_interrupt_in_the_making_of_a_class_ends_with_our_own_code_too(tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text(INTERRUPTED_IN_AN_EXEC)
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (130, "handled\n")
