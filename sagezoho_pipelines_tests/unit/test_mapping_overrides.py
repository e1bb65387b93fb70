"""Overrides change, add and drop fields of the shipped mappings, for all connections or for one, and fail at load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sagezoho_pipelines import config, mappings
from sagezoho_pipelines.domain.errors import ConfigurationError, MappingFailed
from sagezoho_pipelines.domain.mapping import OVERRIDE, REPLACED, SHIPPED, FlowMapping
from sagezoho_pipelines.mappings import default_mapping
from sagezoho_pipelines.mappings.loading import load_mappings

_CONNECTIONS = """
connections:
  saminc:
    sage300: {url: "https://erp.example.com/Sage300WebApi", company: SAMINC}
"""
_SECOND = """
  samltd:
    sage300: {url: "https://erp.example.com/Sage300WebApi", company: SAMLTD}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "mine" / "saminc").mkdir(parents=True)
    (tmp_path / "maps").mkdir()
    return tmp_path


def _loaded(home: Path, *, rest: str = "", of_saminc: str = "", connection: str = "saminc") -> dict[str, FlowMapping]:
    settings = config.parse(f"{_CONNECTIONS}{of_saminc}{_SECOND}{rest}", str(home / "sagezoho.yaml"))
    return dict(load_mappings(settings, connection, home))


def _accounts(mappings: dict[str, FlowMapping]) -> dict[str, Any]:
    return {rule.target: rule for rule in mappings["vendors"]["accounts"].rules}


def _refusal(home: Path, **given: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        _loaded(home, **given)
    return str(raised.value)


def test_without_overrides_every_flow_has_its_shipped_mapping(home: Path) -> None:
    assert _loaded(home) == {flow: default_mapping(flow) for flow in config.FLOWS}


def test_an_override_changes_adds_and_drops_fields_and_keeps_the_order_of_the_others(home: Path) -> None:
    rest = """
mappings:
  vendors:
    accounts:
      Phone: trim(ContactsPhone)
      Fax:
      My_Field: {value: trim(ShortName), write: once}
"""
    rules = _accounts(_loaded(home, rest=rest))
    shipped = [rule.target for rule in default_mapping("vendors")["accounts"].rules]
    assert list(rules) == [name for name in shipped if name != "Fax"] + ["My_Field"]
    assert rules["Phone"].expression == "trim(ContactsPhone)"
    assert rules["My_Field"].create_only
    assert (rules["Phone"].layer, rules["Website"].layer) == (OVERRIDE, SHIPPED)
    assert rules["Phone"].place == f"{home}/sagezoho.yaml:12"
    assert rules["Website"].place.startswith("mappings/vendors.yaml:")


def test_a_change_of_the_write_rule_alone_keeps_the_expression(home: Path) -> None:
    rule = _accounts(_loaded(home, rest="mappings: {vendors: {accounts: {Phone: {write: once}}}}"))["Phone"]
    assert (rule.expression, rule.create_only, rule.layer) == ("trim(PhoneNumber)", True, OVERRIDE)


def test_each_connection_has_its_own_differences_which_win_over_those_of_all(home: Path) -> None:
    given = {
        "of_saminc": "    mappings: {vendors: {accounts: {Phone: trim(ContactsPhone), Fax: null}}}",
        "rest": "mappings: {vendors: {accounts: {Phone: trim(FaxNumber)}}}",
    }
    here, there = _accounts(_loaded(home, **given)), _accounts(_loaded(home, **given, connection="samltd"))
    assert (here["Phone"].expression, there["Phone"].expression) == ("trim(ContactsPhone)", "trim(FaxNumber)")
    assert "Fax" in there
    assert "Fax" not in here


def test_files_of_the_mapping_directory_are_laid_over_in_their_order(home: Path) -> None:
    mine = home / "mine"
    (mine / "vendors.override.yaml").write_text("targets: {accounts: {Phone: a, Fax: b, Website: c, Billing_City: d}}")
    (mine / "saminc" / "vendors.override.yaml").write_text(
        "targets:\n  accounts:\n    Website: cc\n    Billing_City: dd"
    )
    given = {
        "of_saminc": "    mappings: {vendors: {accounts: {Billing_City: ddd}}}",
        "rest": "mappings: {directory: mine, vendors: {accounts: {Fax: bb}}}",
    }
    rules = _accounts(_loaded(home, **given))
    assert [rules[name].expression for name in ("Phone", "Fax", "Website", "Billing_City")] == ["a", "bb", "cc", "ddd"]
    assert rules["Website"].place == f"{mine}/saminc/vendors.override.yaml:3"


def test_a_whole_file_of_a_connection_goes_before_that_of_all(home: Path) -> None:
    shipped = (Path(mappings.__file__).parent / "vendors.yaml").read_text(encoding="utf-8")
    (home / "mine" / "vendors.yaml").write_text(shipped.replace("version: 1", "version: 5"))
    (home / "mine" / "saminc" / "vendors.yaml").write_text(shipped.replace("version: 1", "version: 6"))
    here = _loaded(home, rest="mappings: mine")["vendors"]
    assert (here.version, here["accounts"].rules[0].layer) == (6, REPLACED)
    assert _loaded(home, rest="mappings: mine", connection="samltd")["vendors"].version == 5


def test_the_fingerprint_covers_overrides_and_the_value_maps_in_use(home: Path) -> None:
    terms = home / "maps" / "terms.csv"
    rest = "value_maps: {terms: maps/terms.csv}\nmappings: {vendors: {accounts: {Sage_Vendor_Terms: EXPRESSION}}}"
    seen = {default_mapping("vendors").fingerprint}
    for expression, content in (
        ("trim(ShortName)", "from,to\nN30,Net 30\n"),
        ("\"lookup('terms', Terms)\"", "from,to\nN30,Net 30\n"),
        ("\"lookup('terms', Terms)\"", "from,to\nN30,Thirty days\n"),
    ):
        terms.write_text(content)
        seen.add(_loaded(home, rest=rest.replace("EXPRESSION", expression))["vendors"].fingerprint)
    assert len(seen) == 4


def test_a_lookup_gives_the_maps_value_a_declared_default_or_a_refusal(home: Path) -> None:
    (home / "maps" / "terms.csv").write_text("from;to\r\nN30;Net 30\r\n", encoding="utf-8-sig")
    rest = """
value_maps: {terms: maps/terms.csv}
mappings:
  vendors:
    accounts:
      Sage_Vendor_Terms: "lookup('terms', Terms)"
      Description: "lookup('terms', Terms, 'unknown')"
"""
    rules = _accounts(_loaded(home, rest=rest))
    strict, lenient = rules["Sage_Vendor_Terms"], rules["Description"]
    assert (strict.value({"Terms": "N30 "}), lenient.value({"Terms": "N30"})) == ("Net 30", "Net 30")
    assert (strict.value({"Terms": " "}), lenient.value({"Terms": None})) == (None, None)
    assert lenient.value({"Terms": "X"}) == "unknown"
    with pytest.raises(MappingFailed, match=r"value map 'terms' \(.*terms\.csv\) has no entry for 'X'"):
        strict.value({"Terms": "X"})
    assert strict.sources == ("Terms",)


def test_a_connections_value_map_goes_before_that_of_all(home: Path) -> None:
    (home / "maps" / "a.csv").write_text("from,to\nX,all\n")
    (home / "maps" / "b.csv").write_text("from,to\nX,mine\n")
    given = {
        "of_saminc": "    value_maps: {terms: maps/b.csv}",
        "rest": "value_maps: {terms: maps/a.csv}\nmappings: {vendors: {accounts: {Phone: \"lookup('terms', Terms)\"}}}",
    }
    row = {"Terms": "X"}
    assert _accounts(_loaded(home, **given))["Phone"].value(row) == "mine"
    assert _accounts(_loaded(home, **given, connection="samltd"))["Phone"].value(row) == "all"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("from,to\nA,1\nB,2\nA,3\n", "terms.csv:4: 'A' is there twice (first in line 2)"),
        ("code,name\nA,1\n", "terms.csv:1: the first line must be the header 'from,to'"),
        ("", "terms.csv:1: the first line must be the header"),
        ("from,to\nA,1,2\n", "terms.csv:2: two columns are expected, from and to, not 3"),
        ("from,to\n,1\n", "terms.csv:2: the column 'from' is empty"),
        ('from,to\nA,"1\n', "terms.csv:2: not valid CSV"),
        (b"from,to\nA,\xe9\n", "terms.csv:2: is not UTF-8 text"),
    ],
)
def test_a_value_map_that_cannot_be_used_is_named_by_file_and_line(
    home: Path, content: str | bytes, message: str
) -> None:
    (home / "maps" / "terms.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in _refusal(home, rest="value_maps: {terms: maps/terms.csv}")


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("mappings: {vendor: {}}", "sagezoho.yaml:8: mappings.vendor: unknown key; known here: vendors,"),
        ("mappings: {vendors: {account: {A: b}}}", "mappings.vendors.account: the vendors mapping has no such target"),
        ("mappings: {vendors: {accounts: {Phon: null}}}", "mappings.vendors.accounts.Phon: there is no such field"),
        ("mappings: {vendors: {accounts: {Phone: trim(}}}", "mappings.vendors.accounts.Phone: the expression 'trim('"),
        ("mappings: {vendors: {accounts: {Phone: {value: a, when: b}}}}", "Phone: unknown key 'when'"),
        ("mappings: {vendors: {accounts: {New: {write: once}}}}", "New: the value must be a JMESPath expression"),
        (
            "mappings: {vendors: {accounts: {Sage_Vendor_Key: null}}}",
            "sagezoho.yaml:8: mappings.vendors.accounts.Sage_Vendor_Key: the sync needs this field",
        ),
        (
            "mappings: {orders: {orders: {OrderReference: Deal_Name}}}",
            "sagezoho.yaml:8: mappings.orders.orders.OrderReference: the sync finds its records by this field",
        ),
        ("mappings: {customers: {customers: {CustomerNumber: null}}}", "CustomerNumber: the sync needs this field"),
        ("mappings: {vendors: {accounts: {Phone: \"lookup('t', Terms)\"}}}", "Phone: there is no value map 't'"),
        ('mappings: {vendors: {accounts: {Phone: "lookup(Name, Terms)"}}}', "must say lookup('MAP', VALUE)"),
        ("value_maps: {terms: maps/none.csv}", "sagezoho.yaml:8: value_maps.terms: "),
        ("mappings: nowhere", "there is no directory"),
    ],
)
def test_an_override_that_cannot_be_used_is_refused_with_file_line_and_key(home: Path, rest: str, message: str) -> None:
    assert message in _refusal(home, rest=rest)


def test_a_broken_override_file_is_refused_with_its_own_line(home: Path) -> None:
    (home / "mine" / "vendors.override.yaml").write_text("targets:\n  accounts:\n    Phone: trimm(PhoneNumber)\n")
    message = _refusal(home, rest="mappings: mine")
    assert f"{home}/mine/vendors.override.yaml:3: targets.accounts.Phone: the expression" in message
