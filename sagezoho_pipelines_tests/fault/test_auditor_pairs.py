"""The auditor finds out what pairs must not hold, overridden words that nobody tells of, and empty questions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines_tests.fault.auditor import judge
from sagezoho_pipelines_tests.fault.evidence import Verdict, tables_of
from sagezoho_pipelines_tests.fault.scene import Scene, scene


@pytest.fixture
def day(engine: Engine) -> Iterator[Scene]:
    with scene(engine, seed=9, vendors=3) as made:
        made.deal()
        made.desk.sync()
        yield made


def _pair(day: Scene) -> Any:
    return day.desk.query("SELECT * FROM sagezoho.links WHERE sage_entity = 'vendors' AND zoho_entity = 'Accounts'")[0]


def _overwrite(day: Scene, pair: Any, **values: str) -> None:
    """What a faulty engine would write: nobody typed it here."""
    day.desk.act("zoho_crm", "edit_account", account_id=pair["zoho_id"], values=values)


def _said(verdict: Verdict, kind: str) -> list[str]:
    return [finding.text for finding in verdict.findings if finding.kind == kind]


def test_sides_that_differ_are_found_out(day: Scene) -> None:
    day.edit_record("vendors", _pair(day)["sage_id"], FaxNumber="Hers")
    assert "Fax is 'Hers' in Sage, '' in Zoho" in " ".join(_said(day.audit(), "wrong")).replace("None", "''")


def test_a_word_of_the_side_that_does_not_lead_is_found_out_where_it_wins(day: Scene) -> None:
    pair = _pair(day)
    day.edit_account(pair["zoho_id"], Phone="His")
    day.desk.act("sage300", "edit_vendor", vendor=pair["sage_id"], fields={"PhoneNumber": "His"})
    [told] = _said(day.audit(), "wrong")
    assert told.startswith("Phone came to be 'His'")


def test_an_overridden_word_that_no_audit_line_tells_of_is_found_out(day: Scene) -> None:
    pair = _pair(day)
    phone = next(row for row in day.desk.state("zoho_crm", "Accounts") if str(row["id"]) == pair["zoho_id"])["Phone"]
    day.edit_account(pair["zoho_id"], Phone="His")
    _overwrite(day, pair, Phone=phone or "")
    [told] = _said(day.audit(), "unexplained")
    assert told == "Phone was 'His', and no audit line says what became of it"


@pytest.mark.parametrize("code", ["ORDER_EXISTS", "SIDES_DIFFER"])
def test_a_question_about_nothing_is_found_out(day: Scene, code: str) -> None:
    assert day.audit().clean, str(day.audit())
    tables = {name: [dict(row) for row in rows] for name, rows in tables_of(day.desk.engine).items()}
    entity = {"ORDER_EXISTS": "deals", "SIDES_DIFFER": "vendors"}[code]
    asked = [row for row in tables["changes"] if row["entity"] == entity][-1]
    asked.update(state="conflicted", error={"code": code})
    [told] = _said(judge(day.desk.state, tables, day.journal), "unexplained")
    assert told.startswith(f"{code} waits in the inbox, and ")


def test_a_question_about_an_order_that_differs_is_justified(day: Scene) -> None:
    day.edit_deal()
    day.desk.sync()
    assert [entry["code"] for entry in day.inbox()] == ["ORDER_EXISTS"]
    assert day.audit().clean, str(day.audit())
