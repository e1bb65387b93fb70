"""What the built package holds: every file of ours that is no Python, and nothing of the tests."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "sagezoho_pipelines"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a checkout")
    return [Path(line).relative_to("sagezoho_pipelines") for line in listed.stdout.splitlines()]


def test_every_file_that_is_no_python_is_package_data(project: dict[str, Any]) -> None:
    patterns = project["tool"]["setuptools"]["package-data"]["sagezoho_pipelines"]
    held = {path.relative_to(ROOT / "sagezoho_pipelines") for one in patterns for path in _globbed(one)}
    data = {path for path in _tracked() if path.suffix != ".py"}
    assert data
    assert data - held == set()


def test_every_folder_with_python_is_a_package() -> None:
    """Packages are found by their __init__.py: a folder without one stays out of the wheel."""
    folders = {ROOT / "sagezoho_pipelines" / path.parent for path in _tracked() if path.suffix == ".py"}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_tests_stay_out_and_the_command_is_in(project: dict[str, Any]) -> None:
    found = project["tool"]["setuptools"]["packages"]["find"]
    assert found["exclude"] == ["sagezoho_pipelines_tests*"]
    assert project["project"]["scripts"] == {"sagezoho": "sagezoho_pipelines.cli.main:main"}


def _globbed(pattern: str) -> list[Path]:
    return list((ROOT / "sagezoho_pipelines").glob(pattern))
