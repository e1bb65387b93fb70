"""What people do at the simulated CRM's screens, and the control API beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .subscriber import Subscriber, heard, notifying, subscribing, watch
from .zoho_service import Service


@pytest.fixture
def hook() -> Iterator[Subscriber]:
    with subscribing() as subscriber:
        yield subscriber


@pytest.fixture
def zoho(hook: Subscriber) -> Iterator[Service]:
    with notifying(hook) as service:
        yield service


def test_people_change_records_under_their_own_name(zoho: Service, hook: Subscriber) -> None:
    act = zoho.world.actions
    account = act["add_account"]({"name": "People Ltd", "values": {"Phone": "+1 604 555 0000"}})["id"]
    deal = act["add_deal"]({"name": "Big one", "account_id": account, "amount": 99.5})["id"]
    watch(zoho, hook, return_affected_field_values=True)
    act["close_deal"]({"deal_id": deal})
    (told,) = heard(zoho, hook)
    assert told["affected_values"][0]["values"]["Stage"] == "Closed Won"
    lines = [{"product_code": "A1-110/2", "quantity": 3, "price": 80.25}]
    quote = act["add_quote"]({"deal_id": deal, "lines": lines})["id"]
    act["accept_quote"]({"quote_id": quote})
    record = zoho.record("Quotes", quote)
    assert (record["Quote_Stage"], record["Grand_Total"]) == ("Closed Won", 240.75)
    assert record["Account_Name"]["id"] == account
    assert act["edit_record"]({"module": "Deals", "id": deal, "values": {"Amount": 1.25}})["id"] == deal
    with pytest.raises(ValueError, match="MANDATORY_NOT_FOUND"):
        act["edit_account"]({"account_id": account, "values": {"Account_Name": None}})
    with pytest.raises(ValueError, match="no product"):
        act["add_quote"]({"deal_id": deal, "lines": [{"product_code": "nope"}]})
    act["delete_record"]({"module": "Deals", "id": deal})
    assert zoho.get(f"Deals/{deal}").status_code == 204


def test_a_merge_moves_children_and_leaves_no_trace(zoho: Service) -> None:
    act = zoho.world.actions
    master, loser = (act["add_account"]({"name": name})["id"] for name in ("Master", "Loser"))
    act["edit_account"]({"account_id": loser, "values": {"Fax": "123"}})
    deal = act["add_deal"]({"name": "Moves", "account_id": loser})["id"]
    act["merge_accounts"]({"master_id": master, "duplicate_ids": [loser]})
    assert zoho.record("Deals", deal)["Account_Name"]["id"] == master
    assert zoho.record("Accounts", master)["Fax"] == "123"
    assert zoho.get(f"Accounts/{loser}").status_code == 204
    assert zoho.get("Accounts/deleted").status_code == 204


def test_actions_and_faults_are_reachable_over_the_control_api(zoho: Service) -> None:
    control = f"{zoho.base}/__sandbox__"
    made = zoho.session.post(f"{control}/act/add_deal", json={"name": "By wire", "amount": 10.1}, timeout=60)
    assert zoho.record("Deals", made.json()["id"])["Amount"] == 10.1
    zoho.session.post(f"{control}/faults", json={"action": "status", "status": 500, "times": 1}, timeout=60)
    assert zoho.get("org").json()["code"] == "INTERNAL_ERROR"
    zoho.session.post(f"{control}/faults", json={"action": "token_revoked", "times": 1}, timeout=60)
    assert zoho.get("org").json()["code"] == "INVALID_TOKEN"
    zoho.sign_in()
    zoho.session.delete(f"{control}/counters", timeout=60)
    zoho.coql("select id from Deals where id is not null")
    zoho.insert("Accounts", {"Account_Name": "A"})
    counted = zoho.session.get(f"{control}/counters", timeout=60).json()
    assert (counted["total"], counted["writes"]) == (2, 1)
