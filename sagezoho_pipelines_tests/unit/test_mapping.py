"""A mapping file turns a source record into target records, tells where each value came from, and fails at load."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

from sagezoho_pipelines.config import FLOWS
from sagezoho_pipelines.domain import functions
from sagezoho_pipelines.domain.errors import ConfigurationError, MappingFailed
from sagezoho_pipelines.domain.functions import wrap_address
from sagezoho_pipelines.domain.mapping import FlowMapping, TargetMapping
from sagezoho_pipelines.domain.mapping_files import parse
from sagezoho_pipelines.mappings import custom_fields, default_mapping

_FILE = """\
flow: vendors
version: 3
context: [config, account]
targets:
  accounts:
    Account_Name: trim(VendorName) || VendorNumber
    Street: join_lines([AddressLine1, AddressLine2])
    Parent: "{id: account.id}"
    Status: (OnHold == 'OnHold' && 'On hold') || Status
    Number: {value: VendorNumber, write: once}
    First_Line: Lines[0].Text
"""


def _mapping() -> FlowMapping:
    return parse(_FILE, "vendors.yaml")


def test_the_source_fields_of_each_target_field_are_derived_from_its_expression() -> None:
    assert _mapping().lineage("accounts") == {
        "Account_Name": ("VendorName", "VendorNumber"),
        "Street": ("AddressLine1", "AddressLine2"),
        "Parent": (),
        "Status": ("OnHold", "Status"),
        "Number": ("VendorNumber",),
        "First_Line": ("Lines",),
    }


def test_context_names_are_not_read_from_the_source() -> None:
    assert "account" not in _mapping().source_fields()


def test_empty_text_is_no_value() -> None:
    row = {"VendorName": "  ", "VendorNumber": "1200", "AddressLine1": "", "AddressLine2": " 5 Elm ", "account": {}}
    applied = _mapping()["accounts"].apply(row)
    assert applied["Account_Name"] == "1200"
    assert applied["Street"] == "5 Elm"
    assert applied["First_Line"] is None


def test_an_update_sends_only_what_differs_and_never_what_is_written_once() -> None:
    target = _mapping()["accounts"]
    before = {"Account_Name": "Old", "Street": "A", "Status": "Active", "Number": "1"}
    after = {"Account_Name": "New", "Street": "A", "Status": "Active", "Number": "2"}
    assert target.changes(before, after, creating=False) == {"Account_Name": "New"}


def test_an_update_clears_what_the_source_no_longer_has() -> None:
    target = _mapping()["accounts"]
    assert target.changes({"Street": "A"}, {"Street": None}, creating=False) == {"Street": None}


def test_a_create_leaves_out_what_has_no_value() -> None:
    assert _mapping()["accounts"].changes({}, {"Account_Name": "A", "Street": None}, creating=True) == {
        "Account_Name": "A"
    }


def test_numbers_that_differ_only_in_zeros_are_not_a_change() -> None:
    target = _mapping()["accounts"]
    assert target.changes({"Street": Decimal("1.50")}, {"Street": Decimal("1.5")}, creating=False) == {}


def test_a_trace_names_source_expression_and_both_values() -> None:
    traced = _mapping()["accounts"].trace({"Account_Name": "Old"}, {"Account_Name": "New"})
    assert [(item.target, item.sources, item.before, item.after) for item in traced] == [
        ("Account_Name", ("VendorName", "VendorNumber"), "Old", "New")
    ]
    assert traced[0].expression == "trim(VendorName) || VendorNumber"


def test_the_fingerprint_moves_with_the_rules() -> None:
    changed = parse(_FILE.replace("AddressLine2", "AddressLine3"), "vendors.yaml")
    assert changed.fingerprint != _mapping().fingerprint
    assert parse(_FILE, "elsewhere.yaml").fingerprint == _mapping().fingerprint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "trim(VendorName) || VendorNumber",
            "trim(VendorName ||",
            "vendors.yaml:6: targets.accounts.Account_Name: the",
        ),
        ("trim(VendorName)", "trimm(VendorName)", "calls trimm(), which does not exist"),
        ("write: once", "write: never", "vendors.yaml:10: targets.accounts.Number: 'write' is once or always"),
        ("write: once", "on_change: x", "unknown key 'on_change'"),
        ("version: 3", "versions: 3", "vendors.yaml:2: versions: unknown key"),
        ("flow: vendors", "", "the key 'flow' is missing"),
        ("Lines[0].Text", "[1, 2]", "First_Line: the value must be a JMESPath expression, as text"),
        ("    Street: join_lines([AddressLine1, AddressLine2])", "    Account_Name: City", "is given twice"),
    ],
)
def test_a_broken_file_is_refused_with_file_line_and_key(old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse(_FILE.replace(old, new), "vendors.yaml")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("Cher", None, "Cher"), ("Ann Lee", "Ann", "Lee"), ("Ann Mary  Lee", "Ann Mary", "Lee"), ("", None, None)],
)
def test_a_person_of_one_word_has_a_last_name_only(name: str, first: str | None, last: str | None) -> None:
    contact = default_mapping("vendors")["contacts"].apply({"ContactName": name})
    assert (contact["First_Name"], contact["Last_Name"]) == (first, last)


@pytest.mark.parametrize(
    ("held", "other", "email"),
    [
        ("ann@b.example; bob@b.example", "", "ann@b.example"),
        ("", " office@b.example,ann@b.example", "office@b.example"),
        ("Ann Lee <ann@b.example>", "", "ann@b.example"),
        ("by post", "office@b.example", "by post"),
        ("", "", None),
    ],
)
def test_of_several_addresses_a_contact_has_the_first(held: str, other: str, email: str | None) -> None:
    contact = default_mapping("vendors")["contacts"].apply({"ContactsEmail": held, "Email": other})
    assert contact["Email"] == email


@given(st.text(max_size=300), st.integers(5, 60))
def test_a_wrapped_address_loses_nothing_but_blanks(text: str, length: int) -> None:
    lines = wrap_address(text, length)
    assert all(0 < len(line) <= length for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (None, ()),
        ("1 Pier\nGate 2", ()),
        ("1 Pier\nGate 2\nHall 3", ("Line1", "Line2")),
        ("a" * 21, ("Line1", "Line2")),
    ],
)
def test_an_address_of_more_lines_than_its_fields_is_told_unless_a_rule_or_a_person_says_that_it_is_cut(
    text: str | None, cut: tuple[str, ...]
) -> None:
    def mapping(last: str) -> TargetMapping:
        rules = f"{{Line1: 'address_line(Street, `1`, `10`)', Line2: '{last}'}}"
        return parse(f"flow: x\nversion: 1\ntargets:\n  t: {rules}\n", "x.yaml")["t"]

    shared = mapping("address_line(Street, `2`, `10`)")
    assert tuple(rule.target for rule in shared.cut({"Street": text})) == cut
    assert shared.edited({"Line2": "Gate 2"}).cut({"Street": text}) == ()
    assert mapping("shorten(address_line(Street, `2`, `10`), `10`)").cut({"Street": text}) == ()


@pytest.mark.parametrize("flow", FLOWS)
def test_every_custom_field_a_default_mapping_writes_is_one_that_setup_creates(flow: str) -> None:
    modules = {
        "accounts": "Accounts", "contacts": "Contacts", "products": "Products",
        "invoices": "Invoices", "ar_invoices": "Invoices", "payments": "Invoices",
    }  # fmt: skip
    created = {(field.module, field.api_name) for field in custom_fields()}
    mapping = default_mapping(flow)
    written = {
        (modules[name], rule.target)
        for name, target in mapping.targets.items()
        if name in modules
        for rule in target.rules
        if rule.target.startswith("Sage_")
    }
    assert written <= created


def test_setup_labels_keep_to_zohos_limit() -> None:
    assert all(len(field.label) <= 25 for field in custom_fields())


@given(st.data())
@pytest.mark.parametrize("target", ["accounts", "contacts"])
def test_the_vendors_mapping_is_total_over_text_and_numbers(target: str, data: Any) -> None:
    mapping = default_mapping("vendors")
    scalars = st.none() | st.text(max_size=80) | st.decimals(allow_nan=False, allow_infinity=False, places=2)
    row = {name: data.draw(scalars) for name in mapping.source_fields()}
    applied = mapping[target].apply({**row, "key": "SAMINC/1", "account": {"id": "1"}})
    assert set(applied) == {rule.target for rule in mapping[target].rules}


_VALUES = st.one_of(
    st.none(), st.booleans(), st.text(max_size=4), st.decimals(allow_nan=False), st.lists(st.text(), max_size=2)
)
_FIELDS = [field for flow in FLOWS for field in default_mapping(flow).source_fields()]


@given(st.dictionaries(st.sampled_from(_FIELDS), _VALUES))
def test_a_shipped_expression_gives_what_jmespath_itself_gives(document: dict[str, object]) -> None:
    interpreter = TreeInterpreter(jmespath.Options(custom_functions=functions.MappingFunctions()))
    for flow in FLOWS:
        for target in default_mapping(flow).targets.values():
            for rule in target.rules:
                try:
                    expected = interpreter.visit(jmespath.compile(rule.expression).parsed, document)
                except JMESPathError:
                    with pytest.raises(MappingFailed):
                        rule.value(document)
                else:
                    assert rule.value(document) == (expected if expected != "" else None)
