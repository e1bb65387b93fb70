"""Records that are gone, and the others that are delivered along with them."""

from __future__ import annotations

from sqlalchemy import Engine

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
