"""Days played at random on both sides, in any settings of who leads: each sync does what the plan before it said."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.test_plan import _done, _given_since, _ids, _said

_DAYS = 4
_LEADERS = ("sage300", "zoho_crm", "newest")
_OTHER_SIDE = ("put_back", "leave", "inbox")
_GONE = ("mark", "ignore", "inbox")
_NAMES = ("Acme", "ACME LTD", "  padded  ", "y" * 90)
_ZOHO: Mapping[str, tuple[Any, ...]] = {
    "Account_Name": _NAMES, "Phone": ("604-555-0101", ""), "Website": ("www.a.example", ""), "Fax": ("1 2 3 4 5 6 7",),
    "Billing_Street": ("1 Quay", "a\nb\nc\nd\ne", ""), "Billing_City": ("OAKLAND", "", "l" * 31),
    "Account_Type": ("Customer",), "Sage_Vendor_Key": (None,), "Sage_Vendor_Status": (None,),
    "Sage_Customer_Terms": (None, "X"),
}  # fmt: skip
_SAGE: Mapping[str, tuple[str, ...]] = {
    "PhoneNumber": ("6045550102", ""), "City": ("Oakland", ""), "WebSite": ("www.b.example", "not a site"),
    "Status": ("Inactive", "Active"), "AddressLine1": ("2 Row", ""), "Email": ("a@a.example", "bad at"),
}  # fmt: skip
_ACTS = ("zoho", "zoho", "sage", "both", "vendor", "bill", "deal", "ship", "delete", "merge", "renumber")


@pytest.mark.parametrize("seed", [5, 6])
def test_each_sync_does_what_its_plan_said(engine: Engine, seed: int) -> None:
    """What is told of refusals is in the vendors' words where a sync meets them, so it is left out."""
    chance = random.Random(seed)
    pairs = {
        kind: {
            "authority": chance.choice(_LEADERS), "fields": {"Phone": chance.choice(_LEADERS)},
            "other_side": chance.choice(_OTHER_SIDE), "gone_in_sage300": chance.choice(_GONE),
            "gone_in_zoho_crm": chance.choice(_GONE), "inactive_in_sage300": chance.choice(_GONE),
        }
        for kind in ("vendors", "customers")
    }  # fmt: skip
    with bench(engine, seed=seed, vendors=6, deals=4, flows={"identity": pairs}) as desk:
        desk.one_at_a_time()
        desk.sync()
        for _ in range(_DAYS):
            for _ in range(chance.randint(2, 6)):
                with suppress(ValueError, IndexError):  # what the systems themselves do not let people do
                    _act(desk, chance)
            plan, known = desk.plan(), _ids(desk)
            [before] = desk.query("SELECT coalesce(max(seq), 0) AS seq FROM sagezoho.audit")
            desk.sync()
            done = _done(desk, _given_since(desk, known), after=before["seq"])
            assert _counted(_said(plan)) == _counted(done)


def _act(desk: Bench, chance: random.Random) -> None:
    links = desk.query(
        "SELECT sage_entity, sage_id, zoho_id FROM sagezoho.links WHERE zoho_entity = 'Accounts' ORDER BY 1, 2"
    )
    link, other = chance.choice(links), chance.choice(links)
    zoho, sage = chance.choice(sorted(_ZOHO)), chance.choice(sorted(_SAGE))
    kind, act = link["sage_entity"][:-1], chance.choice(_ACTS)
    if act in ("zoho", "both"):
        values = {zoho: chance.choice(_ZOHO[zoho])}
        desk.act("zoho_crm", "edit_record", module="Accounts", id=link["zoho_id"], values=values)
    if act in ("sage", "both"):
        desk.act("sage300", f"edit_{kind}", **{kind: link["sage_id"], "fields": {sage: chance.choice(_SAGE[sage])}})
    elif act == "vendor":
        desk.act("sage300", "add_vendor", fields={"VendorName": chance.choice(_NAMES)[:60], "ContactName": "Jo"})
    elif act == "bill":
        vendor = chance.choice([one for one in links if one["sage_entity"] == "vendors"])["sage_id"]
        batch = desk.act("sage300", "add_ap_batch", vendor=vendor, amount="12.5")
        desk.act("sage300", "post_ap_batch", batch=batch["BatchNumber"])
    elif act == "deal":
        desk.win_deal(chance.choice(_NAMES), Billing_City=chance.choice(("Reno", "l" * 31)))
    elif act == "ship":
        orders = desk.query("SELECT sage_id FROM sagezoho.links WHERE sage_entity = 'orders' ORDER BY 1")
        desk.act("sage300", "ship_and_invoice_order", order=chance.choice(orders)["sage_id"])
    elif act == "delete":
        desk.act("zoho_crm", "delete_record", module="Accounts", id=link["zoho_id"])
    elif act == "merge" and link["zoho_id"] != other["zoho_id"]:
        desk.act("zoho_crm", "merge_accounts", master_id=link["zoho_id"], duplicate_ids=[other["zoho_id"]])
    elif act == "renumber":
        desk.act("sage300", f"renumber_{kind}", **{kind: link["sage_id"], "number": f"R{link['sage_id'][-6:]}"})


def _counted(lines: list[Any]) -> Counter[str]:
    return Counter(str(line) for line in lines if not ("write back" in line and "Refused" in str(line)))
