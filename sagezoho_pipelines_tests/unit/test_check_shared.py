"""Where two connections read one Zoho organisation, the check says that both would order its deals."""

from __future__ import annotations

from typing import Any

import pytest

from sagezoho_pipelines.cli.check_shared import shared
from sagezoho_pipelines.config import Settings
from sagezoho_pipelines.engine.check import Finding, Status


def _settings(**orders: dict[str, Any]) -> Settings:
    vendors = {
        "sage300": {"url": "http://127.0.0.1:1/Sage300WebApi", "company": "SAMINC"},
        "zoho_crm": {"accounts_url": "http://127.0.0.1:2"},
    }
    connections = {name: {**vendors, "flows": {"orders": given}} for name, given in orders.items()}
    return Settings.model_validate({"connections": connections})


def _report(**organisations: str) -> dict[str, list[Finding]]:
    return {name: [Finding("Zoho CRM", "organisation", Status.OK, told)] for name, told in organisations.items()}


def test_two_connections_that_would_order_the_same_deals_are_named() -> None:
    [(connection, finding)] = shared(_report(one="A (7)", two="A (7)"), _settings(one={}, two={}))
    assert (connection, finding.status) == ("two", Status.MISSING)
    assert "one and two read the same organisation" in finding.detail


@pytest.mark.parametrize(
    ("organisations", "one", "two"),
    [
        ({"one": "A (7)", "two": "A (8)"}, {}, {}),
        ({"one": "A (7)", "two": "A (7)"}, {"stages": ["Won US"]}, {"stages": ["Won Canada"]}),
        ({"one": "A (7)", "two": "A (7)"}, {}, {"enabled": False}),
    ],
)
def test_connections_that_share_no_deals_are_fine(
    organisations: dict[str, str], one: dict[str, Any], two: dict[str, Any]
) -> None:
    assert list(shared(_report(**organisations), _settings(one=one, two=two))) == []
