"""Lint and trial of mappings against both simulated vendors: every fault named with file, line, field and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines import config
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.domain.mapping import FlowMapping
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.mapped.lint import Level, LintFinding, lint
from sagezoho_pipelines.engine.mapped.trial import Trial, try_record
from sagezoho_pipelines.mappings.loading import load_mappings
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench

_CONNECTION = f"""
connections:
  {CONNECTION}:
    first_sync: allow
    sage300: {{url: "https://erp.example.com/Sage300WebApi", company: SAMINC}}
"""


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=6, deals=0) as made:
        yield made


def _context(desk: Bench, home: Path, **overrides: str) -> Context:
    """A context with overrides of one target each: `vendors__accounts="Phone: null"`."""
    lines = ["mappings:"]
    for name, fields in overrides.items():
        flow, _, target = name.partition("__")
        lines += [f"  {flow}:", f"    {target}:", *(f"      {line}" for line in fields.splitlines())]
    text = _CONNECTION + "value_maps: {terms: terms.csv}\n" + ("\n".join(lines) if overrides else "")
    if not (home / "terms.csv").exists():
        (home / "terms.csv").write_text("from,to\nN30,Net 30\nCOD,Cash\n")
    settings = config.parse(text, str(home / "sagezoho.yaml"))
    mappings: Mapping[str, FlowMapping] = load_mappings(settings, CONNECTION, home)
    return replace(desk.context(), mappings=mappings)


def _errors(desk: Bench, home: Path, **overrides: str) -> list[LintFinding]:
    return [one for one in lint(_context(desk, home, **overrides)) if one.level is Level.ERROR]


def test_the_shipped_mappings_fit_both_systems(desk: Bench, tmp_path: Path) -> None:
    assert _errors(desk, tmp_path) == []


@pytest.mark.parametrize(
    ("target", "field", "text", "remedy"),
    [
        (
            "vendors__accounts",
            "Phone: trim(PhoneNumbr)",
            "it reads PhoneNumbr, which Sage 300's AP/APVendors does",
            "Is it PhoneNumber?",
        ),
        ("vendors__accounts", "Phoen: trim(PhoneNumber)", "Zoho CRM's Accounts has no such field", "Is it Phone?"),
        (
            "customers__customers",
            "Citty: trim(Billing_City)",
            "Sage 300's AR/ARCustomers has no such field",
            "Is it City",
        ),
        (
            "vendors__accounts",
            "Employees: trim(ShortName)",
            "gives text, the field is of type integer",
            "Use decimal(…)",
        ),
        ("vendors__accounts", "Phone: decimal(CreditLimit)", "gives number, the field is of type phone", "Use trim(…)"),
        ("vendors__accounts", "Sage_Last_Invoice_Date: DateOfLastInvoice", "gives instant", "Use date(…)"),
        ("vendors__contacts", "Account_Name: account.id", "gives text, the field is of type lookup", "Use {id: …}"),
        ("vendors__accounts", "Created_Time: StartDate", "computes this field and takes no value", "Drop it with null"),
        (
            "customers__customers",
            "BalanceDueInCustomerCurrency: Annual_Revenue",
            "Sage 300 computes this field",
            "Drop it",
        ),
        (
            "vendors__accounts",
            "Industry: \"'Steel'\"",
            "'Steel' is no value of this field",
            "Its values are 'Communications'",
        ),
        (
            "customers__customers",
            "AccountType: \"'Open'\"",
            "'Open' is no value of this field",
            "'OpenItem', 'BalanceForward'",
        ),
        ("vendors__accounts", "Rating: \"lookup('terms', Terms)\"", "'Cash', 'Net 30' is no value", "terms.csv:2"),
        (
            "vendors__accounts",
            "Sage_Vendor_Status: (OnHold == 'Hold' && 'On hold') || 'Active'",
            "OnHold is compared with 'Hold', which it never is",
            "Its values are 'NotOnHold', 'OnHold'",
        ),
        ("customers__customers", "Terms: \"'NET30DAYS'\"", "'NET30DAYS' is longer than the 6 characters", "shorter"),
        (
            "customers__customers",
            "CurrencyCode: \"lookup('terms', Sage_Customer_Currency)\"",
            "'Cash', 'Net 30' is longer than the 3 characters that the field holds",
            "terms.csv:2",
        ),
        ("orders__order_lines", "Comments: line.coment", "it reads line.coment", "Correct the name"),
        ("vendors__accounts", "Phone: account.id", "it reads account.id", ""),
        ("vendors__accounts", "Phone: config.group", "it reads config.group", ""),
    ],
)
def test_a_field_that_does_not_fit_is_an_error_with_its_remedy(
    desk: Bench, tmp_path: Path, target: str, field: str, text: str, remedy: str
) -> None:
    name = field.partition(":")[0]
    found = [one for one in _errors(desk, tmp_path, **{target: field}) if one.field == name]
    assert [one for one in found if text in one.text and remedy in one.remedy], found
    first_override = len(_CONNECTION.splitlines()) + 5
    assert found[0].place == f"{tmp_path}/sagezoho.yaml:{first_override}"
    assert (found[0].flow, found[0].target) == tuple(target.split("__"))


def test_a_mandatory_field_that_nothing_fills_is_an_error(desk: Bench, tmp_path: Path) -> None:
    desk.act("zoho_crm", "change_field", module="Accounts", field="Industry", mandatory=True)
    [found] = _errors(desk, tmp_path)
    assert (found.flow, found.target, found.field) == ("vendors", "accounts", "Industry")
    assert "no rule fills it" in found.text
    assert _errors(desk, tmp_path, vendors__accounts="Industry: \"'Manufacturing'\"") == []


def test_a_mandatory_field_that_may_come_to_nothing_is_a_warning(desk: Bench, tmp_path: Path) -> None:
    def warned(**overrides: str) -> list[str]:
        findings = lint(_context(desk, tmp_path, **overrides))
        return [f"{one.target}.{one.field}" for one in findings if "nothing may come" in one.text]

    assert warned() == []
    desk.act("zoho_crm", "change_field", module="Accounts", field="Phone", mandatory=True)
    assert warned() == ["accounts.Phone"]
    assert warned(vendors__accounts="Phone: \"trim(PhoneNumber) || 'unknown'\"") == []


def test_text_that_may_not_fit_is_a_warning_until_the_cut_is_declared(desk: Bench, tmp_path: Path) -> None:
    def told(expression: str) -> list[tuple[Level, str]]:
        context = _context(desk, tmp_path, customers__customers=f'City: "{expression}"')
        return [(one.level, one.text) for one in lint(context) if (one.flow, one.field) == ("customers", "City")]

    [(level, text)] = told("trim(Billing_City)")
    assert level is Level.WARNING
    assert "up to 100 characters may come, the field holds 30" in text
    [(level, text)] = told("shorten(Billing_City, `30`)")
    assert (level, text) == (Level.NOTE, "text that is longer than 30 characters is shortened")


def test_a_condition_that_may_give_false_is_a_warning(desk: Bench, tmp_path: Path) -> None:
    context = _context(desk, tmp_path, vendors__accounts="Sage_Vendor_Status: OnHold == 'OnHold' && 'On hold'")
    [found] = [one for one in lint(context) if one.field == "Sage_Vendor_Status"]
    assert found.level is Level.WARNING
    assert "gives false" in found.text


def test_what_a_release_or_an_edition_lacks_is_found(desk: Bench, tmp_path: Path) -> None:
    desk.sandbox.sage300.world.switches.hidden = ("APVendors.WebSite", "ARCustomers.WebSite")
    found = {(one.flow, one.field) for one in _errors(desk, tmp_path)}
    assert {("vendors", "Website"), ("customers", "WebSite")} <= found
    assert {field for _, field in found} == {"Website", "WebSite"}
    desk.sandbox.sage300.world.switches.hidden = ()
    desk.act("zoho_crm", "set_edition", edition="standard")
    assert _errors(desk, tmp_path) == []


def test_a_custom_field_that_setup_makes_is_named_with_setup(desk: Bench, tmp_path: Path) -> None:
    desk.act("zoho_crm", "drop_field", module="Accounts", field="Sage_Vendor_Group")
    desk.act("zoho_crm", "drop_field", module="Accounts", field="Sage_Customer_Group")
    [found] = _errors(desk, tmp_path)
    assert found.field == "Sage_Vendor_Group"
    assert found.remedy == f"Run 'sagezoho setup --connection {CONNECTION}'."


def _field(trials: list[Trial], target: str, field: str) -> tuple[Any, Any, Any]:
    [trial] = [one for one in trials if one.target == target]
    [tried] = [one for one in trial.fields if one.field == field]
    return tried.sources, tried.result, tried.now


def test_a_vendor_is_tried_and_compared_with_what_its_account_holds(desk: Bench, tmp_path: Path) -> None:
    desk.sync("vendors")
    number = str(desk.state("sage300", "APVendors")[1]["VendorNumber"]).strip()
    desk.act("sage300", "edit_vendor", vendor=number, fields={"PhoneNumber": " 555-0100 ", "Terms": "COD"})
    context = _context(desk, tmp_path, vendors__accounts="Sage_Vendor_Terms: \"lookup('terms', Terms)\"")
    trials = try_record(context, number)
    assert _field(trials, "accounts", "Sage_Vendor_Terms")[:2] == ({"Terms": "COD"}, "Cash")
    sources, result, now = _field(trials, "accounts", "Phone")
    assert (sources, result) == ({"PhoneNumber": " 555-0100"}, "555-0100")
    assert now != result
    desk.sync("vendors")
    assert _field(try_record(desk.context(), number), "accounts", "Phone")[2] == "555-0100"


def test_a_field_that_cannot_be_mapped_says_why(desk: Bench, tmp_path: Path) -> None:
    number = str(desk.state("sage300", "APVendors")[1]["VendorNumber"]).strip()
    desk.act("sage300", "edit_vendor", vendor=number, fields={"ShortName": "ODD"})
    context = _context(desk, tmp_path, vendors__accounts="Sage_Vendor_Terms: \"lookup('terms', ShortName)\"")
    [accounts, *_] = try_record(context, number)
    [failed] = [one for one in accounts.fields if one.error]
    assert (failed.field, failed.result, accounts.into) == ("Sage_Vendor_Terms", None, "")
    assert "'terms'" in failed.error
    assert "has no entry for 'ODD'" in failed.error


def test_an_account_a_deal_and_an_invoice_are_tried_by_any_of_their_ids(desk: Bench) -> None:
    values = {"Billing_Street": "1 Main St", "Billing_City": "Reno", "Billing_State": "NV"}
    account = desk.act("zoho_crm", "add_account", name="Larkspur Ltd", values=values)["id"]
    deal = desk.act("zoho_crm", "add_deal", name="Refit", account_id=account, amount="10", stage="Closed Won")["id"]
    before = try_record(desk.context(), deal)
    assert [(one.target, one.into) for one in before] == [("orders", ""), ("order_lines", "")]
    assert _field(before, "order_lines", "ExtendedAmount")[1] == 10
    desk.sync("customers", "orders")
    link = desk.ledger.links_by_zoho(CONNECTION, "Deals", "orders", [deal])[deal]
    assert _field(try_record(desk.context(), account), "customers", "City") == (
        {"Billing_City": "Reno"},
        "Reno",
        "Reno",
    )
    assert _field(try_record(desk.context(), link.sage_id), "orders", "OrderReference")[1:] == (deal, deal)
    invoice = desk.act("sage300", "ship_and_invoice_order", order=link.sage_id)["InvoiceNumber"]
    desk.sync("invoices")
    tried = try_record(desk.context(), invoice)
    assert [one.target for one in tried] == ["invoices", "payments", "invoice_lines"]
    sources, result, now = _field(tried, "invoices", "Sage_Total")
    assert (list(sources), result) == (["InvoiceTotalWithTax"], now)


def test_a_record_that_nobody_knows_is_an_error(desk: Bench) -> None:
    with pytest.raises(SagezohoError, match="Sage 300 has no vendor, customer, order or invoice NONESUCH"):
        try_record(desk.context(), "NONESUCH")
    with pytest.raises(SagezohoError, match="Zoho CRM has no account, deal, contact or invoice"):
        try_record(desk.context(), "4000000000000000001")
