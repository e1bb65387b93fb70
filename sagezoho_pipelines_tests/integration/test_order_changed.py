"""A deal that changes after its order: what differs is told in words of the trade, and the order stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import inbox, new_account, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


def _ordered(desk: Bench) -> tuple[str, str]:
    """A deal with its order, and the order's number."""
    deal = won_deal(desk, new_account(desk), closing_date="2026-03-09", values={"Customer_PO_Number": "PO-9"})
    assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
    [order] = orders(desk)
    return deal, str(order["OrderNumber"])


def _told(desk: Bench, deal: str, **values: Any) -> str:
    """What a person is told once the deal holds these values; nothing is posted for them, and the deal says it too."""
    before = orders(desk)
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values=values)
    assert desk.sync("customers", "orders").count(Outcome.CONFLICTED) == 1
    [entry] = inbox(desk)
    assert (entry["key"], entry["error"]["code"]) == (deal, "ORDER_EXISTS")
    assert orders(desk) == before
    [row] = [one for one in desk.state("zoho_crm", "Deals") if str(one["id"]) == deal]
    assert row["Sage_Sync_Status"] == "In conflict"
    assert row["Sage_Sync_Message"].startswith(entry["error"]["text"])
    assert row["Sage_Sync_Message"].endswith("dismiss this")
    return str(entry["error"]["text"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"Amount": 99}, "the lines (1250.00, now 99.00) would differ"),
        ({"Customer_PO_Number": None}, "the purchase order number (PO-9, now none) would differ"),
        ({"Closing_Date": "2026-03-10"}, "the date (2026-03-09, now 2026-03-10) would differ"),
        ({"Deal_Name": "Refit of the quay"}, "the lines, the description would differ"),
        ({"Account_Name": None}, "the customer (Z000001, now none), the ship-to address would differ"),
        ({"Amount": None}, "the deal has no accepted quote, no product lines and no amount"),
        ({"Amount": -5}, "the deal's Amount is -5: an order takes no money back"),
    ],
)
def test_what_differs_is_told_in_words(desk: Bench, values: dict[str, Any], words: str) -> None:
    deal, number = _ordered(desk)
    assert _told(desk, deal, **values) == f"the deal changed after it became order {number}: {words}"


def test_a_deal_that_is_given_to_another_account_names_both_customers_and_ends_when_it_is_given_back(
    desk: Bench,
) -> None:
    deal, number = _ordered(desk)
    [row] = [one for one in desk.state("zoho_crm", "Deals") if str(one["id"]) == deal]
    other = new_account(desk, "Other Ltd", Billing_City="Halifax")
    told = _told(desk, deal, Account_Name={"id": other})
    assert told == (
        f"the deal changed after it became order {number}: the customer (Z000001, now Z000002), "
        "the ship-to address would differ"
    )
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Account_Name": {"id": row["Account_Name"]["id"]}})
    assert desk.sync("customers", "orders").left_over == 0
    assert inbox(desk) == []
    assert len(orders(desk)) == 1
