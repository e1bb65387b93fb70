"""When the alert hook is called, and that its own troubles stay notes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from sagezoho_pipelines.config import Alerts
from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.engine import alerts
from sagezoho_pipelines.engine.tally import Sample, Tally


def _tally(refused: int, created: int) -> Tally:
    tally = Tally()
    tally.outcomes.update({Outcome.REFUSED: refused, Outcome.CREATED: created})
    tally.samples.append(Sample("deals 7", "", "Refit", "refused", "Order date is locked."))
    return tally


@pytest.mark.parametrize(
    ("refused", "created", "due"), [(0, 9, False), (1, 1, False), (2, 2, True), (2, 9, False), (4, 4, True)]
)
def test_both_thresholds_count(refused: int, created: int, due: bool) -> None:
    settings = Alerts(command=("true",), min_refused=2, failure_rate=0.5)
    assert alerts.is_due(settings, _tally(refused, created)) is due


def test_without_a_hook_nothing_is_due() -> None:
    assert not alerts.is_due(Alerts(), _tally(9, 0))


def test_a_command_gets_the_summary_on_its_standard_input(tmp_path: Path) -> None:
    heard = tmp_path / "heard.json"
    program = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
    settings = Alerts(command=(sys.executable, "-c", program, str(heard)), timeout=100)
    assert alerts.send(settings, alerts.summary("saminc", "orders", "run-1", _tally(1, 3))) is None
    told = json.loads(heard.read_text())
    assert (told["connection"], told["flow"], told["run_id"], told["failure_rate"]) == (
        "saminc",
        "orders",
        "run-1",
        0.25,
    )
    assert told["records"] == [
        {"source": "deals 7", "name": "Refit", "outcome": "refused", "note": "Order date is locked."}
    ]


def test_a_command_is_not_told_what_opens_the_vault_and_the_ledger(tmp_path: Path) -> None:
    heard = tmp_path / "heard.json"
    program = "import json, os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(json.dumps(dict(os.environ)))"
    settings = Alerts(command=(sys.executable, "-c", program, str(heard)), timeout=100)
    ours = {**os.environ, "SAGEZOHO_MASTER_KEY": "k", "SAGEZOHO_POSTGRES_URL": "postgresql://u:p@db/x", "PAGER": "less"}
    assert alerts.send(settings, {}, env=ours) is None
    told = json.loads(heard.read_text())
    assert told["PAGER"] == "less"
    assert not {"SAGEZOHO_MASTER_KEY", "SAGEZOHO_POSTGRES_URL"} & set(told)


@pytest.mark.parametrize(
    ("program", "words"),
    [("raise SystemExit(3)", "exit code 3"), ("import time; time.sleep(9)", "did not end within 0.5 s")],
)
def test_a_command_that_fails_is_a_note(program: str, words: str) -> None:
    settings = Alerts(command=(sys.executable, "-c", program), timeout=0.5 if "sleep" in program else 100)
    assert words in (alerts.send(settings, {}) or "")


def test_a_webhook_that_is_away_is_a_note_without_its_address() -> None:
    note = alerts.send(Alerts(webhook_url="http://127.0.0.1:9/hooks/s3cret"), {})
    assert note is not None
    assert "could not be called" in note
    assert "s3cret" not in note


def test_a_command_that_does_not_exist_is_a_note() -> None:
    assert "could not be called" in (alerts.send(Alerts(command=("/nonexistent/alarm",)), {}) or "")
