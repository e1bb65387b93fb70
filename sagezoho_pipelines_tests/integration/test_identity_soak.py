"""Random edits on both sides, in any order and between any syncs: both sides end equal, and then nothing moves."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.engine.pairing.pairs import CUSTOMERS, VENDORS, Kind, pair
from sagezoho_pipelines_tests.bench import Bench, bench

_FLOWS = ("vendors", "customers", "identity")
_ROUNDS = 12
_WORDS = ("Acme", "Harbor", "12 Long Acre", "Zürich", "O'Neil & Sons", "north", "  padded  ")
_VALUES = {
    "Phone": ("555 0101", "555 0102", ""),
    "Fax": ("555 0201", ""),
    "Web": ("https://a.example", "https://b.example", ""),
    "Email": ("one@a.example", "two@b.example", ""),
    "Terms": ("N30", "N60"),
    "Group": ("INV", "WHL"),
}
_SAGE = {
    "vendors": ("VendorName", "PhoneNumber", "City", "AddressLine1", "AddressLine2", "WebSite", "Email", "Terms"),
    "customers": ("CustomerName", "PhoneNumber", "City", "AddressLine1", "FaxNumber", "Email", "Country"),
}
_IN_SAGE = {
    "Account_Name": "CustomerName", "Phone": "PhoneNumber", "Fax": "FaxNumber", "Website": "WebSite",
    "Billing_City": "City", "Billing_Street": "AddressLine1", "Billing_Country": "Country", "Sage_Email": "Email",
}  # fmt: skip
_ZOHO = ("Account_Name", "Phone", "Billing_City", "Billing_Street", "Website", "Sage_Email", "Fax", "Sage_Vendor_Group")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("leader", ["sage300", "zoho_crm", "newest"])
def test_edits_on_both_sides_come_to_rest(engine: Engine, leader: str, seed: int) -> None:
    led = {"authority": leader, "fields": {"Phone": "zoho_crm", "Billing_City": "newest"}}
    flows = {"identity": {"vendors": led, "customers": led}, "orders": {"enabled": False}}
    with bench(engine, vendors=4, deals=2, flows=flows) as desk:
        desk.sync(*_FLOWS)
        chance = random.Random(seed)
        for _ in range(_ROUNDS):
            for _ in range(chance.randint(1, 4)):
                _edit(desk, chance)
            if chance.random() < 0.7:
                desk.sync(chance.choice(_FLOWS))
        _come_to_rest(desk)
        for kind, links in _pairs(desk).items():
            for sage, zoho in links:
                assert _differences(desk, kind, sage, zoho) == []


def _edit(desk: Bench, chance: random.Random) -> None:
    kind, links = chance.choice([one for one in _pairs(desk).items() if one[1]])
    sage, zoho = chance.choice(links)
    if chance.random() < 0.5:
        field = chance.choice(_SAGE[kind.flow])
        value = _value(field, chance)
        act = "edit_vendor" if kind is VENDORS else "edit_customer"
        desk.act("sage300", act, **{kind.sage_entity[:-1]: sage, "fields": {field: value}})
    else:
        field = chance.choice(_ZOHO)
        desk.act("zoho_crm", "edit_account", account_id=zoho, values={field: _value(field, chance)})


def _value(field: str, chance: random.Random) -> str:
    of_kind = next((values for kind, values in _VALUES.items() if kind in field), None)
    return chance.choice(of_kind or (_WORDS if "Name" in field else (*_WORDS, "")))


def _come_to_rest(desk: Bench) -> None:
    """Two polls carry everything. What two people decided differently on one day is settled by one of them first."""
    for _ in range(3):
        desk.sync(*_FLOWS)
        desk.later(minutes=10)
        for entry in desk.open_inbox():
            assert entry["error"]["code"] == "SIDES_DIFFER", entry
            desk.edit_inbox(entry["key"], **_hand(entry))
    desk.sync(*_FLOWS)
    desk.reset_counters()
    tally = desk.sync(*_FLOWS)
    assert desk.writes() == {"sage300": 0, "zoho_crm": 0}
    assert tally.left_over == 0
    assert desk.open_inbox() == []


def _hand(entry: dict[str, Any]) -> dict[str, str]:
    """Words of one's own choice for what is asked, in the fields of the entry's flow."""
    asked = entry["error"]["details"]["fields"]
    assert asked
    return {name if entry["entity"] == "vendors" else _IN_SAGE[name]: _settled(name) for name in asked}


def _settled(name: str) -> str:
    return {"Website": "https://settled.example", "Sage_Email": "settled@a.example"}.get(name, "Settled")


def _pairs(desk: Bench) -> dict[Kind, list[tuple[str, str]]]:
    rows = desk.query(
        "SELECT sage_entity, sage_id, zoho_id FROM sagezoho.links "
        "WHERE zoho_entity = 'Accounts' AND sage_entity IN ('vendors', 'customers') ORDER BY sage_entity, sage_id"
    )
    return {
        kind: [(row["sage_id"], row["zoho_id"]) for row in rows if row["sage_entity"] == kind.sage_entity]
        for kind in (VENDORS, CUSTOMERS)
    }


def _differences(desk: Bench, kind: Kind, number: str, account: str) -> Sequence[str]:
    """Fields in which the two sides differ at rest, as the raw stores hold them."""
    collection = "APVendors" if kind is VENDORS else "ARCustomers"
    sage = next(row for row in desk.state("sage300", collection) if str(row[kind.key]).strip() == number)
    zoho = next(row for row in desk.state("zoho_crm", "Accounts") if str(row["id"]) == account)
    ctx = desk.context()
    said = pair(ctx, kind).to_zoho.apply({**sage, "key": ctx.sage_key(number)})
    fields = pair(ctx, kind).two_way
    return [f"{name}: {said[name]!r} {zoho.get(name)!r}" for name in fields if _plain(said[name]) != _plain(zoho[name])]


def _plain(value: Any) -> str:
    return " ".join(str(value or "").split())
