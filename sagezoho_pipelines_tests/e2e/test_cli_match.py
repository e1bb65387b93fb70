"""`sagezoho match`, from the question to the reviewed file and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.e2e.conftest import Workplace


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.running(seed=4, vendors=30, deals=0, accounts=40, known_vendors=20) as running:
        yield running


def _truth(sandbox: Sandbox) -> dict[str, str]:
    return {row["vendor"]: row["account"] for row in sandbox.zoho_crm.world.state("known_vendors")}


def _frame(path: Path) -> pd.DataFrame:
    read = pd.read_excel if path.suffix == ".xlsx" else pd.read_csv
    frame: pd.DataFrame = read(path, dtype=str, keep_default_na=False)
    return frame


def _save(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    else:
        frame.to_csv(path, index=False, encoding="utf-8")


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_match_review_import_and_sync(ready: Workplace, sandbox: Sandbox, ending: str) -> None:
    truth, path = _truth(sandbox), ready.path / f"review.{ending}"
    told = ready("match", "vendors", "--out", str(path))
    assert told.exit_code == 0, told.output
    assert "only in Sage 300" in told.output
    frame = _frame(path)
    assert set(frame["status"]) <= {"matched", "ambiguous", "only in Sage 300", "only in Zoho CRM"}
    for at, row in frame.iterrows():
        known = truth.get(row["sage_id"])
        if row["status"] == "only in Sage 300" and known:  # what the match could not see, and a person does
            frame.loc[at, ["decision", "zoho_id"]] = ["link", known]
        if row["status"] == "ambiguous":
            frame.loc[at, "decision"] = "create" if known is None else "link" if known == row["zoho_id"] else ""
    _save(frame, path)
    dry = ready("match", "--import", str(path))
    assert dry.exit_code == 0, dry.output
    assert "20 to link" in dry.output
    assert ready.json("links", "list")["count"] == 0
    done = ready("match", "--import", str(path), "--apply")
    assert done.exit_code == 0, done.output
    linked = ready.json("links", "list", "--kind", "vendors")["links"]
    assert {one["sage"]["id"]: one["zoho"]["id"] for one in linked} == truth
    assert ready("sync", "vendors").exit_code == 0
    accounts = list(sandbox.zoho_crm.world.state("Accounts"))
    assert len(accounts) == 40 + 30 - 20
    assert ready.json("match", "vendors")["flows"]["vendors"]["linked"] == 30


def test_json_tells_figures_and_evidence(ready: Workplace) -> None:
    told = ready.json("match")
    assert set(told["flows"]) == {"vendors", "customers"}
    vendors = told["flows"]["vendors"]
    assert vendors["matched"] + vendors["ambiguous"] + vendors["only_sage300"] == 30
    matched = [row for row in vendors["rows"] if row["status"] == "matched"]
    assert all(row["rule"] and "name (" in row["evidence"] for row in matched)


def _bad(workplace: Workplace, rows: list[dict[str, str]]) -> dict[int, str]:
    path = workplace.path / "decided.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    done = workplace("match", "--import", str(path), "--apply", "--json")
    assert done.exit_code == 1
    told: Any = json.loads(done.stdout)
    assert not told["applied"]
    return {one["line"]: one["reason"] for one in told["bad"]}


def test_every_bad_line_is_named_and_then_nothing_is_done(ready: Workplace, sandbox: Sandbox) -> None:
    (first, account), (second, _), *_ = sorted(_truth(sandbox).items())
    good = {"kind": "vendors", "decision": "link", "sage_id": first, "zoho_id": account}
    bad = _bad(
        ready,
        [
            good,
            {**good, "sage_id": second, "decision": "merge"},
            {**good, "kind": "planets"},
            {**good, "sage_id": second},
            {**good, "sage_id": second, "zoho_id": "4.376E+18"},
        ],
    )
    assert set(bad) >= {3, 4, 6}
    assert "merge" in bad[3]
    assert "planets" in bad[4]
    assert ready.json("links", "list")["count"] == 0


def test_only_what_was_decided_so_is_created(ready: Workplace, sandbox: Sandbox) -> None:
    """A decision that a person took out waits, whatever the match had said, and also in a file of few columns."""
    path, accounts = ready.path / "review.csv", len(list(sandbox.zoho_crm.world.state("Accounts")))
    ready("match", "vendors", "--out", str(path))
    frame = _frame(path)
    frame["decision"] = ""
    _save(frame[["kind", "decision", "sage_id", "zoho_id"]], path)
    told = ready("match", "--import", str(path), "--apply")
    assert "30 undecided: they wait until somebody decides" in told.output
    assert ready("sync", "vendors").exit_code == 0
    assert len(list(sandbox.zoho_crm.world.state("Accounts"))) == accounts


def test_what_nobody_has_decided_is_told_with_its_remedy(ready: Workplace) -> None:
    path = ready.path / "review.csv"
    ready("match", "vendors", "--out", str(path))
    frame = _frame(path)
    frame["decision"] = ["", *frame["decision"][1:]]
    _save(frame, path)
    waits = frame["sage_id"][0]
    assert ready("match", "--import", str(path), "--apply").exit_code == 0
    ready("sync", "vendors")

    told = ready("explain", waits).output.rpartition("What is next")[2]
    assert "nobody has said which" in told
    assert "decide in 'sagezoho match'" in told
    assert "nothing to do" not in told
    told = ready("reconcile", "vendors").output
    assert f"vendor {waits}: several accounts may be it, and nobody has said which" in told
    assert "sagezoho match vendors" in told
    [listed] = ready.json("reconcile", "vendors")["connections"]["saminc"]
    assert waits in listed["undecided"]
    assert set(listed["undecided"]) <= set(listed["without"])
    assert ("--sweep" in told) == (set(listed["undecided"]) < set(listed["without"]))


def test_a_vendor_that_was_renamed_since_the_review_is_not_linked_unseen(ready: Workplace, sandbox: Sandbox) -> None:
    path = ready.path / "review.csv"
    ready("match", "vendors", "--out", str(path))
    [first, *_] = _frame(path).query("status == 'matched'")["sage_id"]
    edit = {"vendor": first, "fields": {"VendorName": "Somebody Else"}}
    sandbox.sage300.world.actions["edit_vendor"](edit)
    told = ready("match", "--import", str(path), "--apply")
    assert told.exit_code == 1
    assert f"Sage vendors {first} is called 'Somebody Else', and " in told.output
    assert ready.json("links", "list")["count"] == 0


def test_wrong_usage_is_told(ready: Workplace) -> None:
    assert ready("match", "--apply").exit_code == 2
    assert ready("match", "orders").exit_code == 2
    assert ready("match", "--out", str(ready.path / "review.txt")).exit_code == 1
    nowhere = ready("match", "--out", str(ready.path / "nowhere" / "review.csv"))
    assert nowhere.exit_code == 1
    assert "there is no directory" in nowhere.output
