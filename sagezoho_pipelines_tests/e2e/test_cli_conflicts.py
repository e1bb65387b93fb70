"""`sagezoho links conflicts`: what gave way, as a clerk reads it and as a script does."""

from __future__ import annotations

from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.e2e.conftest import Workplace
from sagezoho_pipelines_tests.e2e.deeds import act


def test_edits_of_both_sides_are_reported_with_what_gave_way(ready: Workplace, sandbox: Sandbox) -> None:
    assert ready("sync", "vendors").exit_code == 0
    quiet = ready("links", "conflicts")
    assert quiet.exit_code == 0
    assert "have agreed so far" in quiet.output
    pairs = ready.json("links", "list", "--kind", "vendors")["links"]
    both, alone = pairs[0], pairs[1]
    act(sandbox, "sage300", "edit_vendor", vendor=both["sage"]["id"], fields={"VendorName": "Said in Sage"})
    act(sandbox, "zoho_crm", "edit_account", account_id=both["zoho"]["id"], values={"Account_Name": "Said in Zoho"})
    act(sandbox, "zoho_crm", "edit_account", account_id=alone["zoho"]["id"], values={"Billing_City": "Atlantis"})
    assert ready("sync", "vendors", "identity").exit_code == 0
    found = ready.json("links", "conflicts")["conflicts"]
    told = {(one["sage_id"], one["zoho_id"], one["field"], one["what"]): one["decided"] for one in found}
    assert set(told) == {
        (both["sage"]["id"], both["zoho"]["id"], "Account_Name", "conflict"),
        (alone["sage"]["id"], alone["zoho"]["id"], "Billing_City", "put back"),
    }
    conflict = told[both["sage"]["id"], both["zoho"]["id"], "Account_Name", "conflict"]
    assert "“Said in Zoho” in Zoho CRM gave way to “Said in Sage”" in conflict
    assert "put back" in ready("links", "conflicts").output
    assert ready.json("links", "conflicts", "--since", "2999-01-01")["count"] == 0


def test_what_waits_for_a_person_is_reported_too(workplace: Workplace, sandbox: Sandbox) -> None:
    rest = "    flows: {identity: {vendors: {other_side: inbox}}}"
    workplace.configure(sandbox, rest=rest)
    workplace.sign_on(sandbox)
    assert workplace("setup").exit_code == 0
    assert workplace("sync", "vendors").exit_code == 0
    one = workplace.json("links", "list", "--kind", "vendors")["links"][0]
    act(sandbox, "zoho_crm", "edit_account", account_id=one["zoho"]["id"], values={"Billing_City": "Atlantis"})
    assert workplace("sync", "identity").exit_code == 1
    [waiting] = workplace.json("links", "conflicts")["conflicts"]
    assert (waiting["what"], waiting["field"]) == ("undecided", "Billing_City")
    assert "'Atlantis'" in waiting["decided"]
    assert "sagezoho inbox show" in waiting["decided"]


def test_what_differed_when_two_were_linked_is_asked_for(ready: Workplace, sandbox: Sandbox) -> None:
    vendor = next(iter(sandbox.sage300.world.state("APVendors")))["VendorNumber"].strip()
    made = sandbox.zoho_crm.world.actions["add_account"]({"name": "Typed long ago", "values": {}})
    assert ready("links", "add", "vendors", vendor, str(made["id"])).exit_code == 0
    assert ready("sync", "vendors").exit_code == 0
    assert ready.json("links", "conflicts")["count"] == 0
    first = ready.json("links", "conflicts", "--first")["conflicts"]
    names = [one for one in first if one["field"] == "Account_Name"]
    assert [(one["sage_id"], one["what"]) for one in names] == [(vendor, "first contact")]
    assert "“Typed long ago” in Zoho CRM gave way" in names[0]["decided"]
