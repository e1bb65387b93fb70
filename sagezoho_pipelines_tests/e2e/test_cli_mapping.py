"""`sagezoho mapping` as a person and a script use it."""

from __future__ import annotations

from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.e2e.conftest import Workplace

OVERRIDE = """
value_maps: {terms: terms.csv}
mappings:
  vendors:
    accounts:
      Sage_Vendor_Terms: "lookup('terms', Terms, Terms)"
      Fax:
"""


def _place(workplace: Workplace, text: str) -> str:
    """File and line of a text in the configuration."""
    path = workplace.path / "sagezoho.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    return f"{path}:{next(number for number, line in enumerate(lines, 1) if text in line)}"


def test_show_says_of_every_field_what_it_is_made_from_and_who_says_so(ready: Workplace, sandbox: Sandbox) -> None:
    ready.write("terms.csv", "from,to\nN30,Net 30\n")
    ready.configure(sandbox, rest=OVERRIDE)
    fields = {
        (one["flow"], one["target"], one["field"]): one
        for one in ready.json("mapping", "show")["connections"]["saminc"]["fields"]
    }
    terms = fields["vendors", "accounts", "Sage_Vendor_Terms"]
    assert (terms["sources"], terms["write"], terms["origin"]) == (["Terms"], "always", "override")
    assert terms["place"] == _place(ready, "Sage_Vendor_Terms")
    assert terms["value_maps"] == [str(ready.path / "terms.csv")]
    assert fields["vendors", "accounts", "Description"]["write"] == "once"
    assert fields["orders", "orders", "OrderReference"]["origin"] == "shipped"
    assert ("vendors", "accounts", "Fax") not in fields
    shown = ready("mapping", "show", "vendors").output
    assert "lookup('terms', Terms, Terms)" in shown
    assert "OrderReference" not in shown


def test_show_of_an_unknown_flow_is_wrong_usage(ready: Workplace) -> None:
    done = ready("mapping", "show", "vendor")
    assert done.exit_code == 2
    assert "known: vendors, customers" in done.output


def test_lint_warns_with_exit_code_0_and_fails_with_1(ready: Workplace, sandbox: Sandbox) -> None:
    sound = ready("mapping", "lint")
    assert sound.exit_code == 0
    assert "0 errors" in sound.output
    assert "warnings" in sound.output
    ready.configure(sandbox, rest="mappings: {vendors: {accounts: {Phone: trim(PhoneNumbr)}}}")
    done = ready("mapping", "lint")
    assert done.exit_code == 1
    assert f"{_place(ready, 'PhoneNumbr')}: vendors.accounts.Phone: it reads PhoneNumbr" in done.output
    assert "Is it PhoneNumber?" in done.output
    listed = ready.json("mapping", "lint")
    assert (listed["ok"], listed["counts"]["error"]) == (False, 1)
    [told] = [one for one in ready.json("check")["connections"]["saminc"] if one["area"] == "Mapping"]
    assert (told["name"], told["status"]) == ("vendors", "missing")
    assert "it reads PhoneNumbr" in told["detail"]
    assert "mapping lint" in told["remedy"]


def test_a_record_is_tried_and_one_that_cannot_be_mapped_fails(ready: Workplace, sandbox: Sandbox) -> None:
    vendor = next(iter(sandbox.sage300.world.state("APVendors")))
    number = str(vendor["VendorNumber"]).strip()
    done = ready("mapping", "test", number)
    assert done.exit_code == 0
    assert "vendors.accounts (nothing yet: it would be created)" in done.output
    [accounts, _] = ready.json("mapping", "test", number)["connections"]["saminc"][:2]
    [name] = [one for one in accounts["fields"] if one["field"] == "Account_Name"]
    assert name["result"] == str(vendor["VendorName"]).strip()
    assert set(name["sources"]) == {"VendorName", "VendorNumber"}
    ready.write("terms.csv", "from,to\nNONE,None\n")
    ready.configure(sandbox, rest=OVERRIDE.replace(", Terms)", ")"))
    assert ready("mapping", "test", number).exit_code == 1
    missing = ready("mapping", "test", "NONESUCH")
    assert missing.exit_code == 1
    assert "Sage 300 has no vendor, customer, order or invoice NONESUCH" in missing.output


def test_drift_is_told_with_exit_code_1_until_it_is_accepted(ready: Workplace, sandbox: Sandbox) -> None:
    first = ready("mapping", "drift")
    assert first.exit_code == 0
    assert "seen for the first time" in first.output
    sandbox.zoho_crm.world.actions["drop_field"]({"module": "Accounts", "field": "Sage_Vendor_Group"})
    done = ready("mapping", "drift")
    assert done.exit_code == 1
    assert "Zoho CRM: Accounts.Sage_Vendor_Group vanished. It concerns" in done.output
    listed = ready.json("mapping", "drift")
    assert (listed["ok"], listed["connections"]["saminc"]["found"][0]["severity"]) == (False, "error")
    assert ready("mapping", "drift", "--accept").exit_code == 0
    assert "nothing has changed" in ready("mapping", "drift").output


ELSEWHERE = """
  elsewhere:
    sage300: {url: "http://127.0.0.1:1/Sage300WebApi", company: SAMLTD}
    mappings: {vendors: {accounts: {Phone: "trim(PhoneNumber"}}}
"""


def test_a_broken_mapping_stops_its_connection_alone_and_every_command_says_so(
    ready: Workplace, sandbox: Sandbox
) -> None:
    ready.configure(sandbox, rest=ELSEWHERE)
    told = f"elsewhere is stopped until its mapping is corrected: {_place(ready, 'PhoneNumber')}"
    done = ready("sync", "vendors")
    assert done.exit_code == 1
    assert told in done.stderr
    assert len(ready.json("links", "list", "--kind", "vendors")["links"]) == 8
    again = ready.json("sync", "vendors")
    assert not again["ok"]
    assert again["flows"]["vendors"]["success"]
    assert _place(ready, "PhoneNumber") in again["broken"]["elsewhere"]
    named = ready("sync", "vendors", "--connection", "elsewhere")
    assert named.exit_code == 1
    assert _place(ready, "PhoneNumber") in named.stderr
    report = ready.json("check")["connections"]
    [finding] = report["elsewhere"]
    assert (finding["name"], finding["status"]) == ("mapping", "missing")
    assert _place(ready, "PhoneNumber") in finding["detail"]
    assert all(one["status"] != "missing" for one in report["saminc"])
