"""sagezoho.yaml: everything has a default but the addresses, and every mistake is named by file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagezoho_pipelines import config
from sagezoho_pipelines.domain.errors import ConfigurationError

_FILE = """\
connections:
  saminc:
    sage300: {url: "http://127.0.0.1:8300/Sage300WebApi", company: saminc, page_size: 100, concurrency: 2}
    zoho_crm: {accounts_url: "http://127.0.0.1:8400", api_domains: ["http://127.0.0.1:8400"], concurrency: 10}
"""


def test_the_shortest_file_is_enough() -> None:
    connection = config.parse(_FILE, "sagezoho.yaml").connection("saminc")
    assert connection.sage300.company == "SAMINC"
    assert connection.flows.orders.lines == ("quote", "subform", "amount")
    assert connection.zoho_crm.api_domains == ("http://127.0.0.1:8400",)


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("    flow: {}\n", "sagezoho.yaml:5: connections.saminc.flow: unknown key; known here: sage300, zoho_crm"),
        (
            "    flows:\n      orders: {stage: [Won]}\n",
            "sagezoho.yaml:6: connections.saminc.flows.orders.stage: unknown key; known here: enabled, stages",
        ),
        ("    flows: {customers: {currency: Dollar}}\n", "connections.saminc.flows.customers.currency: "),
        (
            "    flows: {customers: {number: {prefix: SAGEZOHO, digits: 6}}}\n",
            "prefix and digits together may not pass the 12 characters",
        ),
        (
            "    flows: {customers: {number: {prefix: SAGEZOHO, digits: 1, start: 10000}}}\n",
            "prefix and digits together may not pass the 12 characters",
        ),
        ("    flows: {vendors: {vendors: {cron: hourly}}}\n", "a cron schedule has five fields"),
        ("    sweep_cron: 99 2 * * *\n", "'99' is no minute"),
        ("    sweep_cron: '*/0 2 * * *'\n", "'*/0' is no minute"),
        ("    sweep_cron: 0 2 * * funday\n", "'funday' is no day of week"),
        ("    sweep_cron: 0 9-5 * * *\n", "'9-5' is no hour"),
        ("    timezone: Mars/Phobos\n", "'Mars/Phobos' is no time zone"),
        ("    flows: {orders: {start: 2026-13-45}}\n", "is no date"),
        ("    flows: {orders: {lines: []}}\n", "flows.orders.lines: Tuple should have at least 1 item"),
        ("    retries: {max_attempts: 0}\n", "connections.saminc.retries.max_attempts: Input should be greater"),
        ("  Not-A-Name: {sage300: {url: 'http://x/y', company: A}}\n", "sagezoho.yaml:5: connections.Not-A-Name"),
        ("    sage300: {}\n", "sagezoho.yaml:5: the key 'sage300' is given twice (first in line 3)"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_key(addition: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        config.parse(_FILE + addition, "sagezoho.yaml")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (
            "http://127.0.0.1:8300/",
            "erp.example.com/",
            "'erp.example.com/Sage300WebApi' is no address; write",
        ),
        ("company: saminc", "company: Sample Inc", "sage300.company: 'SAMPLE INC' is no company of Sage 300; write"),
    ],
)
def test_what_has_a_form_of_its_own_is_told_in_words(right: str, wrong: str, message: str) -> None:
    assert right in _FILE
    with pytest.raises(ConfigurationError) as raised:
        config.parse(_FILE.replace(right, wrong), "sagezoho.yaml")
    assert message in str(raised.value)
    assert "pattern" not in str(raised.value)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        config.parse(_FILE.replace("page_size: 100", "page_size: 0, pages: 1"), "sagezoho.yaml")
    assert len(str(raised.value).splitlines()) == 2


def test_a_missing_address_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"sagezoho.yaml:3: connections.saminc.sage300.url: is missing"):
        config.parse("connections:\n  saminc:\n    sage300: {company: A}\n", "sagezoho.yaml")


def test_a_missing_file_tells_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="sagezoho init"):
        config.load(tmp_path / "sagezoho.yaml")


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_a_file_in_another_encoding_says_how_to_save_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "sagezoho.yaml"
    path.write_text(f"# Müller\n{_FILE}", encoding=encoding)
    with pytest.raises(ConfigurationError, match="is not written in UTF-8"):
        config.load(path)


def test_a_connection_named_otherwise_than_it_may_is_told_how() -> None:
    with pytest.raises(
        ConfigurationError, match=r"sagezoho.yaml:\d+: connections.Sam-Inc: .*lower-case letters, digits"
    ):
        config.parse(_FILE.replace("saminc", "Sam-Inc"), "sagezoho.yaml")


def test_an_unknown_connection_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="known: saminc"):
        config.parse(_FILE, "sagezoho.yaml").connection("other")


def test_paths_come_from_the_environment() -> None:
    assert config.config_path({"SAGEZOHO_CONFIG": "/etc/s.yaml"}) == Path("/etc/s.yaml")
    assert config.config_path({}) == Path("sagezoho.yaml")
    assert config.home({}) == Path(".sagezoho")


def test_unquoted_codes_and_days_are_the_text_they_look_like() -> None:
    text = (
        "connections:\n  saminc:\n    sage300: {url: http://erp/Sage300WebApi, company: 111079}\n"
        "    flows:\n      customers: {tax_group: ON, terms: 030, enabled: yes}\n"
        "      orders: {start: 2026-01-05, location: 01, enabled: off}\n"
    )
    connection = config.parse(text, "sagezoho.yaml").connections["saminc"]
    flows = connection.flows
    assert (connection.sage300.company, flows.customers.tax_group, flows.customers.terms) == ("111079", "ON", "030")
    assert (flows.orders.start, flows.orders.location) == ("2026-01-05", "01")
    assert (flows.customers.enabled, flows.orders.enabled) == (True, False)
