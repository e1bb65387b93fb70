"""The commands as a person and a script use them, on the real database and against both simulated vendors."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import URL, create_engine, text

from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.e2e.conftest import Workplace
from sagezoho_pipelines_tests.e2e.deeds import act, won_deal

FIGURES = {"captured", "unchanged", "created", "updated", "noop", "refused", "conflicted", "retrying"}


def test_check_says_in_json_that_all_is_there(ready: Workplace) -> None:
    report = ready.json("check")

    assert report["ok"]
    names = {finding["name"] for finding in report["connections"]["saminc"]}
    assert {"AP Accounts Payable", "flows.customers.tax_group", "organisation", "Invoices", "scopes"} <= names


def test_setup_creates_each_field_once_and_verifies_it(workplace: Workplace, sandbox: Sandbox) -> None:
    workplace.configure(sandbox)
    workplace.sign_on(sandbox)

    first = workplace.json("setup")["connections"]["saminc"]
    again = workplace.json("setup")["connections"]["saminc"]

    assert {field["state"] for field in first} == {"created"}
    assert {field["state"] for field in again} == {"present"}
    unique = {f.api_name for f in sandbox.zoho_crm.world.org.modules["Accounts"].fields.values() if f.unique}
    assert "Sage_Vendor_Key" in unique


def test_setup_skips_modules_that_the_edition_lacks_and_the_other_flows_go_on(
    workplace: Workplace, sandbox: Sandbox
) -> None:
    act(sandbox, "zoho_crm", "set_edition", edition="standard")
    workplace.configure(sandbox)
    workplace.sign_on(sandbox)

    fields = workplace.json("setup")
    checked = workplace.json("check")
    synced = workplace.json("sync", "vendors", "invoices")

    assert fields["ok"], fields
    skipped = {field["module"] for field in fields["connections"]["saminc"] if field["state"] == "skipped"}
    assert {"Invoices", "Products"} <= skipped
    assert checked["ok"], [finding for finding in checked["connections"]["saminc"] if finding["status"] == "missing"]
    assert synced["flows"]["vendors"]["created"] == 8
    assert "Professional" in synced["flows"]["invoices"]["notes"][0]


def test_setup_names_a_field_whose_label_is_taken(ready: Workplace, sandbox: Sandbox) -> None:
    accounts = sandbox.zoho_crm.world.org.modules["Accounts"].fields
    accounts["Sage_Vendor_Key"].unique = False

    done = ready("setup")

    assert done.exit_code == 1
    assert "not unique" in done.output
    assert "Setup, Modules and Fields" in done.output


def test_sync_reports_every_figure_and_a_second_one_writes_nothing(ready: Workplace) -> None:
    first = ready.json("sync", "vendors")
    second = ready.json("sync", "vendors")

    assert first["ok"]
    vendors = first["flows"]["vendors"]
    assert set(vendors) >= FIGURES | {"calls", "credits", "run_id"}
    assert vendors["created"] == 8
    assert vendors["credits"] > 0
    assert [second["flows"]["vendors"][name] for name in ("created", "updated", "refused", "retrying")] == [0, 0, 0, 0]


def test_a_refused_record_is_shown_with_the_remedy_and_the_exit_code_tells(ready: Workplace, sandbox: Sandbox) -> None:
    _, deal = won_deal(sandbox, amount=None)

    done = ready("sync", "customers", "orders")
    listed = ready.json("sync", "orders", "--from", f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}")

    assert done.exit_code == 1
    assert deal in done.output
    assert "NO_LINES" in done.output
    assert "fill the deal's Amount" in done.output
    assert "All about one of them: sagezoho explain " in done.output
    assert not listed["ok"]
    assert deal in {one["record"] for one in listed["left_behind"]}


def test_explain_tells_the_story_of_an_order_from_deal_to_paid_invoice(ready: Workplace, sandbox: Sandbox) -> None:
    account, deal = won_deal(sandbox)
    ready("sync", "customers", "orders")
    moved = [json.loads(line) for line in ready("audit", "export", "--record", deal).stdout.splitlines()]
    [order] = [line["target_id"] for line in moved if line["operation"] == "create"]
    invoice = act(sandbox, "sage300", "ship_and_invoice_order", order=order)["InvoiceNumber"]
    ready("sync", "invoices")
    act(sandbox, "sage300", "receive_payment", document=invoice)
    assert ready("sync", "invoices").exit_code == 0

    told = ready("explain", order).output
    by_deal = ready.json("explain", deal)

    for words in (deal, order, invoice.strip(), "1200.5", "ExtendedAmount", "Sage_Open_Amount", "nothing to do"):
        assert words in told
    assert [event["at"] for event in by_deal["events"]] == sorted(event["at"] for event in by_deal["events"])
    assert account in ready("explain", account).output


def test_explain_numbers_the_lines_of_an_order_and_leaves_blanks_out(ready: Workplace, sandbox: Sandbox) -> None:
    _, deal = won_deal(sandbox)
    lines = [{"product_code": "A1-105/0", "quantity": 4, "price": 25}, {"product_code": "A1-105/0", "quantity": 2}]
    act(sandbox, "zoho_crm", "add_quote", deal_id=deal, lines=lines, stage="Closed Won")
    ready("sync", "customers", "orders")

    shown = {" ".join(line.split()[:4]) for line in ready("explain", deal).output.splitlines()}

    assert {"QuantityOrdered (line 1) –", "QuantityOrdered (line 2) –"} <= shown
    assert not [line for line in shown if line.startswith(("ShipToAddressLine2", "CustomerNumber (line"))]


def test_explain_of_a_refused_record_says_what_to_do(ready: Workplace, sandbox: Sandbox) -> None:
    _, deal = won_deal(sandbox, amount=None)
    ready("sync", "orders")

    told = " ".join(ready("explain", deal).output.split())

    assert "the deal has no accepted quote, no product lines and no amount" in told
    assert "What is next" in told
    assert "fill the deal's Amount, or accept its quote" in told
    assert f"status on Zoho CRM deal {deal}: nothing to do" in told
    assert " said" not in told, "nobody but us has refused it"
    assert " said" not in ready("inbox", "show", deal).output


def test_explain_finds_a_record_by_its_name_and_by_an_id_in_lower_case(ready: Workplace, sandbox: Sandbox) -> None:
    _, deal = won_deal(sandbox)
    ready("sync", "vendors", "customers", "orders")
    [order] = [one for one in ready.json("links", "list", "--kind", "orders")["links"] if one["zoho"]["id"] == deal]
    [customer] = ready.json("links", "list", "--kind", "customers", "--name", "Larkspur")["links"]

    by_id = ready.json("explain", order["sage"]["id"])

    assert ready.json("explain", order["sage"]["id"].lower()) == by_id | {"id": order["sage"]["id"].lower()}
    assert ready.json("explain", order["zoho"]["name"][1:].upper())["events"] == by_id["events"]
    assert ready.json("explain", customer["zoho"]["name"])["id"] == customer["sage"]["id"]


def test_explain_lists_those_that_bear_the_same_name(ready: Workplace, sandbox: Sandbox) -> None:
    for number in ("HARBOR1", "HARBOR2"):
        act(
            sandbox,
            "sage300",
            "add_vendor",
            fields={"VendorNumber": number, "VendorName": f"Harbor Paper {number[-1]}"},
        )
    ready("sync", "vendors")

    done = ready("explain", "harbor paper")
    told = ready.json("explain", "harbor paper")

    assert done.exit_code == 1
    assert "Sage 300 vendor HARBOR1" in done.output
    assert "Several records bear the name 'harbor paper'" in done.output
    assert [one["record"]["id"] for one in told["named"]] == ["HARBOR1", "HARBOR2"]
    assert ready("explain", "Harbor Paper 2").exit_code == 0


def test_explain_of_an_unknown_record_is_an_error(ready: Workplace) -> None:
    done = ready("explain", "no-such-thing")

    assert done.exit_code == 1
    assert "Nothing is known about 'no-such-thing'" in done.output


def test_the_audit_is_exported_whole_by_record_and_by_run(ready: Workplace) -> None:
    run_id = ready.json("sync", "vendors")["flows"]["vendors"]["run_id"]

    lines = [json.loads(line) for line in ready("audit", "export").stdout.splitlines()]
    of_run = ready("audit", "export", "--run", run_id).stdout.splitlines()
    assert ready("audit", "export", "--run", run_id[:8]).stdout.splitlines() == of_run
    assert ready("audit", "export", "--run", run_id[:7]).stdout == ""
    of_record = ready("audit", "export", "--record", lines[-1]["source_id"]).stdout.splitlines()
    table = list(csv.DictReader(io.StringIO(ready("audit", "export", "--format", "csv").stdout)))

    created = [line for line in lines if line["outcome"] == "created" and line["target_entity"] == "Accounts"]
    assert len(created) == 8
    name = next(field for field in created[0]["fields"] if field["target"] == "Account_Name")
    assert name["sources"] == ["VendorName", "VendorNumber"]
    assert (name["before"], name["expression"]) == (None, "trim(VendorName) || trim(VendorNumber)")
    assert len(of_run) == len(lines) == len(table)
    assert 0 < len(of_record) < len(lines)
    assert ready("audit", "export", "--record", lines[-1]["source_id"].lower()).stdout.splitlines() == of_record
    none = ready("audit", "export", "--since", "2999-01-01")
    assert (none.stdout, none.stderr.strip()) == ("", "The audit has no such line.")


def test_audit_verify_finds_a_line_that_was_changed(ready: Workplace, postgres_url: URL) -> None:
    ready("sync", "vendors")
    assert ready("audit", "verify").exit_code == 0
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE sagezoho.audit DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE sagezoho.audit SET actor = 'nobody' WHERE seq = 3"))
    engine.dispose()

    done = ready("audit", "verify")

    assert done.exit_code == 1
    assert "line 3" in done.output


def test_audit_verify_misses_no_chain_whose_head_is_gone(ready: Workplace, postgres_url: URL) -> None:
    ready("sync", "vendors")
    _tamper(postgres_url, "DELETE FROM sagezoho.audit_heads")

    done = ready("audit", "verify")

    assert done.exit_code == 1
    assert "was removed" in done.output


def test_audit_verify_names_the_connections_where_asked_for_another(ready: Workplace) -> None:
    done = ready("audit", "verify", "--connection", "nobody")

    assert done.exit_code == 1
    assert "nobody" in done.output
    assert "saminc" in done.output


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_an_export_kept_elsewhere_tells_an_audit_that_was_made_anew(
    ready: Workplace, sandbox: Sandbox, postgres_url: URL, kind: str
) -> None:
    ready("sync", "vendors")
    kept = ready.write("kept", ready("audit", "export", "--format", kind).stdout)
    act(sandbox, "sage300", "add_vendor")
    ready("sync", "vendors")
    stands = ready("audit", "verify", "--against", str(kept))

    head = ready.json("audit", "verify")["connections"]["saminc"]
    for statement in (
        "ALTER TABLE sagezoho.audit DISABLE TRIGGER USER",
        "DELETE FROM sagezoho.audit",
        "DELETE FROM sagezoho.audit_heads",
    ):
        _tamper(postgres_url, statement)
    gone = ready("audit", "verify", "--against", str(kept))

    assert (stands.exit_code, gone.exit_code) == (0, 1), stands.output
    assert f"{head['lines']} lines, the last is {head['hash']}" in stands.output
    assert f"saminc: line 1 of {kept} is gone." in gone.output


def test_an_export_that_was_changed_is_told(ready: Workplace) -> None:
    ready("sync", "vendors")
    exported = ready("audit", "export").stdout
    edited = ready.write("edited", exported.replace('"outcome":"created"', '"outcome":"refused"', 1))
    other = ready.write("other", "from,to\nUSA,United States\n")

    assert "is another one now" in ready("audit", "verify", "--against", str(edited)).output
    assert "no export of the audit" in ready("audit", "verify", "--against", str(other)).output


def _tamper(postgres_url: URL, statement: str) -> None:
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_credentials_are_listed_by_name_and_never_shown(ready: Workplace, sandbox: Sandbox) -> None:
    done = ready("credentials", "list")

    assert "sage300" in done.output
    assert "zoho_crm" in done.output
    everything = "".join(ready.shown)
    for secret in (sandbox.zoho_crm.client_secret, sandbox.zoho_crm.refresh_token):
        assert secret not in everything


def test_credentials_that_are_not_there_are_told_so(workplace: Workplace, sandbox: Sandbox) -> None:
    workplace.configure(sandbox)
    assert "No credentials are stored yet" in workplace("credentials", "list").output
    assert workplace.json("credentials", "list") == {"credentials": []}
    workplace.sign_on(sandbox)
    slip = workplace("credentials", "forget", "samin", "sage300", "--all")
    assert slip.exit_code == 1
    assert "No credentials of samin for sage300 are stored, so nothing was erased" in slip.output
    assert workplace("credentials", "forget", "saminc", "sage300").exit_code == 0


def test_rotating_the_master_key_keeps_the_credentials_usable(workplace: Workplace, sandbox: Sandbox) -> None:
    del workplace.env["SAGEZOHO_MASTER_KEY"]
    workplace.configure(sandbox)
    workplace.sign_on(sandbox)

    assert workplace("credentials", "rotate").exit_code == 0
    assert workplace("setup").exit_code == 0


def test_rotating_needs_the_new_key_beside_the_old_one(ready: Workplace) -> None:
    old = ready.env["SAGEZOHO_MASTER_KEY"]
    assert "NEW,OLD" in ready("credentials", "rotate").output

    ready.env["SAGEZOHO_MASTER_KEY"] = f"{'ab' * 32},{old}"
    assert ready("credentials", "rotate").exit_code == 0
    ready.env["SAGEZOHO_MASTER_KEY"] = "ab" * 32
    assert ready("check").exit_code == 0


def test_credentials_that_were_replaced_can_be_erased_and_the_newest_too(
    workplace: Workplace, sandbox: Sandbox
) -> None:
    workplace.configure(sandbox)
    workplace.sign_on(sandbox)
    workplace.sign_on(sandbox)

    assert "Erased 1 stored earlier version(s)" in workplace("credentials", "forget", "saminc", "sage300").output
    assert workplace("setup").exit_code == 0
    assert workplace("credentials", "forget", "saminc", "zoho_crm", "--all").exit_code == 0
    refused = workplace("setup")
    assert refused.exit_code == 1
    assert "sagezoho credentials set saminc zoho_crm" in refused.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sync", "vendor"], "there is no flow 'vendor'; there are vendors, customers, orders, invoices"),
        (["sync", "--sweep", "--from", "2026-01-01"], "--sweep reads everything"),
        (["sync", "--to", "2026-01-01"], "--to needs --from"),
        (["sync", "--from", "2026-02-01", "--to", "2026-01-01"], "--to is before --from"),
        (["credentials", "set", "saminc", "salesforce"], "'sage300', 'zoho_crm'"),
    ],
)
def test_wrong_usage_is_exit_code_2(ready: Workplace, arguments: list[str], words: str) -> None:
    done = ready(*arguments)

    assert done.exit_code == 2
    assert words in done.output


def test_an_unknown_connection_is_named_with_those_there_are(ready: Workplace) -> None:
    for arguments in (["check"], ["setup"], ["sync"]):
        done = ready(*arguments, "--connection", "other")
        assert done.exit_code == 1
        assert "known: saminc" in done.output
