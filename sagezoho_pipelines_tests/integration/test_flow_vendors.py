"""Vendors: every Sage vendor is one Zoho account, kept so by what really changed, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.errors import ConfigurationError, VendorError
from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.engine.capture import capture
from sagezoho_pipelines.engine.flows import batches, vendors
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger import reports
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.bench import Bench, bench, settings_for


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=230, deals=4) as made:
        yield made


def _accounts(desk: Bench) -> dict[str, dict[str, object]]:
    rows = desk.state("zoho_crm", "Accounts")
    return {str(row["Sage_Vendor_Number"]): row for row in rows if row.get("Sage_Vendor_Number")}


def _sage(desk: Bench) -> dict[str, dict[str, object]]:
    return {str(row["VendorNumber"]).strip(): row for row in desk.state("sage300", "APVendors")}


def test_every_vendor_becomes_one_account_with_its_own_values(desk: Bench) -> None:
    tally = desk.sync("vendors")
    sage, zoho = _sage(desk), _accounts(desk)
    assert tally.count(Outcome.CREATED) == len(sage) == len(zoho)
    assert tally.left_over == 0
    for number, vendor in sage.items():
        account = zoho[number]
        assert account["Account_Name"] == str(vendor["VendorName"]).strip()
        assert account["Account_Type"] == "Vendor"
        assert account["Sage_Vendor_Key"] == f"SAMINC/{number}"
        assert account["Billing_City"] == (str(vendor["City"]).strip() or None)


def test_a_contact_is_made_where_sage_names_one(desk: Bench) -> None:
    desk.sync("vendors")
    named = {
        f"SAMINC/{number}"
        for number, vendor in _sage(desk).items()
        if any(str(vendor[field]).strip() for field in ("ContactName", "ContactsEmail", "Email"))
    }
    contacts = {
        str(row["Sage_Contact_Key"]): row for row in desk.state("zoho_crm", "Contacts") if row.get("Sage_Contact_Key")
    }
    assert set(contacts) == named
    accounts = {str(row["id"]): row for row in desk.state("zoho_crm", "Accounts")}
    for key, contact in contacts.items():
        assert accounts[str(contact["Account_Name"]["id"])]["Sage_Vendor_Key"] == key


def test_a_second_sync_writes_nothing_and_reads_the_overlap_only(desk: Bench) -> None:
    desk.sync("vendors")
    desk.reset_counters()
    again = desk.sync("vendors")
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
    assert again.captured < 230
    assert again.unchanged == again.captured


def test_an_edit_sends_the_changed_field_only_and_is_audited(desk: Bench) -> None:
    desk.sync("vendors")
    number = sorted(_sage(desk))[7]
    old = _accounts(desk)[number]["Account_Name"]
    desk.act("sage300", "edit_vendor", vendor=number, fields={"VendorName": "Renamed & Sons"})
    assert desk.sync("vendors").count(Outcome.UPDATED) == 1
    assert _accounts(desk)[number]["Account_Name"] == "Renamed & Sons"
    lines = [line.entry for line in reports.audit_entries(desk.engine, record_id=number)]
    [entry] = [line for line in lines if line.operation == "update"]
    assert (entry.target_entity, entry.outcome, entry.source_id) == ("Accounts", "updated", number)
    assert [(field.target, field.before, field.after) for field in entry.fields] == [
        ("Account_Name", old, "Renamed & Sons")
    ]
    assert list(entry.fields[0].sources) == ["VendorName", "VendorNumber"]
    assert entry.fields[0].expression == "trim(VendorName) || trim(VendorNumber)"


def test_a_back_dated_edit_is_found_by_the_sweep(desk: Bench) -> None:
    desk.sync("vendors")
    number = sorted(_sage(desk))[3]
    back = desk.now().date() - timedelta(days=400)
    desk.act("sage300", "set_session_date", date=back.isoformat())
    desk.act("sage300", "edit_vendor", vendor=number, fields={"City": "Backdated"})
    desk.sync("vendors")
    assert _accounts(desk)[number]["Billing_City"] != "Backdated"
    desk.sync("vendors", window=Window.sweep())
    assert _accounts(desk)[number]["Billing_City"] == "Backdated"


def test_a_deleted_vendor_is_marked_and_its_account_stays(desk: Bench) -> None:
    desk.sync("vendors")
    number = next(
        key for key, row in sorted(_sage(desk).items(), reverse=True) if not row["BalanceDueInVendorCurrency"]
    )
    desk.act("sage300", "delete_vendor", vendor=number)
    desk.sync("vendors", window=Window.sweep())
    assert _accounts(desk)[number]["Sage_Vendor_Status"] == "Deleted in Sage"
    desk.reset_counters()
    desk.sync("vendors", window=Window.sweep())
    assert desk.writes()["zoho_crm"] == 0


def test_inactive_and_held_vendors_are_marked(desk: Bench) -> None:
    desk.sync("vendors")
    shown = {number: row["Sage_Vendor_Status"] for number, row in _accounts(desk).items()}
    for number, vendor in _sage(desk).items():
        inactive, held = vendor["Status"] == "Inactive", vendor["OnHold"] == "OnHold"
        assert shown[number] == ("Inactive" if inactive else "On hold" if held else "Active")
    assert {"Inactive", "On hold", "Active"} == set(shown.values())


def test_a_posted_payables_batch_refreshes_the_vendors_activity(desk: Bench) -> None:
    desk.sync("vendors")
    number = next(key for key, row in sorted(_sage(desk).items()) if row["Status"] == "Active")
    before = _accounts(desk)[number]["Sage_Open_Invoices"] or 0
    batch = desk.act("sage300", "add_ap_batch", vendor=number, amount="125.50", document="BILL-77")
    desk.sync("vendors")
    assert (_accounts(desk)[number]["Sage_Open_Invoices"] or 0) == before
    desk.act("sage300", "post_ap_batch", batch=batch["BatchNumber"])
    desk.sync("vendors")
    account, vendor = _accounts(desk)[number], _sage(desk)[number]
    assert account["Sage_Open_Invoices"] == before + 1
    assert account["Sage_Open_Balance"] == vendor["BalanceDueInVendorCurrency"]
    assert account["Sage_Last_Invoice_Date"] is not None


def test_payables_batches_are_read_again_as_far_back_as_their_vendors(engine: Engine) -> None:
    flows = {"vendors": {"overlap_days": 9}, "invoices": {"overlap_days": 1}}
    with bench(engine, vendors=1, deals=0, flows=flows) as desk:
        ctx = desk.context()
        assert batches.ap_feed.overlap_days(ctx) == vendors.feed.overlap_days(ctx) == 9
        assert batches.ar_feed.overlap_days(ctx) == 1


def test_a_refused_row_does_not_hold_back_the_others(desk: Bench) -> None:
    number = sorted(_sage(desk))[0]
    desk.act(
        "sage300", "edit_vendor", vendor=number, fields={"ContactName": "Ann Lee", "ContactsEmail": "not an address"}
    )
    tally = desk.sync("vendors")
    assert tally.count(Outcome.REFUSED) == 1
    assert len(_accounts(desk)) == 230
    [row] = desk.query("SELECT key, error FROM sagezoho.changes WHERE state = 'refused'")
    assert row["key"] == number
    assert row["error"]["code"] == "INVALID_DATA"
    assert row["error"]["field"] == "Email"
    desk.act("sage300", "edit_vendor", vendor=number, fields={"ContactsEmail": "ann@example.com"})
    assert desk.sync("vendors").left_over == 0
    assert desk.query("SELECT key FROM sagezoho.changes WHERE state = 'refused'") == []


def test_a_lost_answer_is_not_a_second_account(desk: Bench) -> None:
    desk.sandbox.zoho_crm.world.faults.add("reset_after", method="POST", path="Accounts/upsert", times=2)
    tally = desk.sync("vendors")
    assert tally.left_over == 0
    rows = [row for row in desk.state("zoho_crm", "Accounts") if row.get("Sage_Vendor_Key")]
    assert len(rows) == 230


def test_the_watermark_does_not_pass_a_crawl_that_broke(desk: Bench) -> None:
    broken = desk.sandbox.sage300.world.faults.add("status", status=500, path=r"APVendors.*skip=(9|1\d\d)")
    with pytest.raises(VendorError):
        capture(desk.context(), vendors.feed, Window.incremental())
    assert desk.ledger.watermark(desk.context().sage_entity("vendors")) is None
    desk.sandbox.sage300.world.faults.remove(broken.id)
    assert desk.sync("vendors").left_over == 0
    assert len(_accounts(desk)) == 230


def test_an_account_deleted_in_zoho_is_a_conflict_and_not_made_again(desk: Bench) -> None:
    desk.sync("vendors")
    number = sorted(_sage(desk))[5]
    desk.act("zoho_crm", "delete_record", module="Accounts", id=_accounts(desk)[number]["id"])
    desk.act("sage300", "edit_vendor", vendor=number, fields={"City": "Elsewhere"})
    assert desk.sync("vendors").count(Outcome.CONFLICTED) == 1
    assert number not in _accounts(desk)


def test_a_backfill_of_days_delivers_those_days_again_without_touching_the_watermark(desk: Bench) -> None:
    desk.sync("vendors")
    entity = desk.context().sage_entity("vendors")
    mark = desk.ledger.watermark(entity)
    first = desk.now().date() - timedelta(days=3650)
    tally = desk.sync("vendors", window=Window.days(first, desk.now().date()))
    assert tally.count(Outcome.NOOP) >= 200
    assert tally.count(Outcome.CREATED) == 0
    assert desk.ledger.watermark(entity) == mark


def test_without_its_custom_fields_nothing_is_written(engine: Engine) -> None:
    with Sandbox.running(vendors=5, deals=1) as sandbox:
        desk = Bench(sandbox, engine, settings_for(sandbox))
        with pytest.raises(ConfigurationError, match=r"no field Sage_.*Run 'sagezoho setup"):
            run_flow(desk.context(), "vendors", Window.incremental())
        assert desk.writes()["zoho_crm"] == 0
