"""Records that are gone, and the others that are delivered along with them."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger import inbox
from sagezoho_pipelines_tests.integration.vendor_pairs import (
    account,
    at_desk,
    audited,
    in_sage,
    number_of,
    vendor,
)


def test_where_sage_refuses_to_mark_one_vendor_the_others_go_on(engine: Engine) -> None:
    with at_desk(engine, vendors={"gone_in_zoho_crm": "mark"}) as desk:
        numbers = [number_of(desk, place) for place in range(8)]
        number = next(one for one in numbers if vendor(desk, one)["Status"] == "Active")
        desk.act("zoho_crm", "delete_record", module="Accounts", id=account(desk, number)["id"])
        for one in numbers:
            in_sage(desk, one, City="Elsewhere")
        kept = {"error": {"code": "RecordInUse", "message": {"value": "A vendor that is paid stays active"}}}
        faults = desk.sandbox.sage300.world.faults
        refusing = faults.add("status", status=422, method="PATCH", path=f"APVendors.*{number}", body=kept)
        desk.sync("vendors", "identity")
        assert [(one["key"], one["state"]) for one in desk.open_inbox()] == [(number, "refused")]
        others = set(numbers) - {number}
        assert {account(desk, one)["Billing_City"] for one in others} == {"Elsewhere"}
        assert {(entry.outcome, entry.target_id) for entry in audited(desk, number, "mark")} == {("refused", number)}
        faults.remove(refusing.id)
        [entry] = inbox.entries(desk.engine)
        assert inbox.retry(desk.engine, entry, who="test", at=desk.now(), read_again=True) is not None
        desk.sync("vendors")
        assert vendor(desk, number)["Status"] == "Inactive"
        assert desk.open_inbox() == []


@pytest.mark.parametrize("policy", ["mark", "ignore"])
def test_a_number_that_sage_gave_to_another_firm_is_asked_about(engine: Engine, policy: str) -> None:
    """The account of the firm that is gone, with all that hangs on it, must not become another one's unasked."""
    with at_desk(engine, vendors={"gone_in_sage300": policy}) as desk:
        rows = desk.state("sage300", "APVendors")
        old = next(row for row in rows if not row["BalanceDueInVendorCurrency"])
        number, name = old["VendorNumber"].strip(), account(desk, old["VendorNumber"].strip())["Account_Name"]
        desk.act("sage300", "delete_vendor", vendor=number)
        desk.sync("vendors", "identity", window=Window.sweep())
        new = {"VendorNumber": number, "VendorName": "Quite Another Ltd", "GroupCode": old["GroupCode"]}
        desk.act("sage300", "add_vendor", fields=new)
        desk.sync("vendors", "identity")
        desk.sync("vendors", "identity", window=Window.sweep())
        [entry] = inbox.entries(desk.engine)
        assert entry.error is not None
        assert (entry.key, entry.error["code"]) == (number, "NUMBER_REUSED")
        assert account(desk, number)["Account_Name"] == name
        assert inbox.retry(desk.engine, entry, who="test", at=desk.now(), read_again=True) is not None
        desk.sync("vendors", "identity")
        assert account(desk, number)["Account_Name"] == "Quite Another Ltd", "a person said that it is the same"
        assert desk.open_inbox() == []


def test_a_vendor_that_is_there_again_is_no_question(engine: Engine) -> None:
    with at_desk(engine) as desk:
        old = next(row for row in desk.state("sage300", "APVendors") if not row["BalanceDueInVendorCurrency"])
        number = old["VendorNumber"].strip()
        desk.act("sage300", "delete_vendor", vendor=number)
        desk.sync("vendors", window=Window.sweep())
        again = {"VendorNumber": number, "VendorName": old["VendorName"], "GroupCode": old["GroupCode"]}
        desk.act("sage300", "add_vendor", fields=again)
        desk.sync("vendors", "identity")
        assert desk.open_inbox() == []
        assert account(desk, number)["Sage_Vendor_Status"] == "Active"
