"""Callbacks of the simulated CRM, which really arrive: what is in them, how often, and to whom they go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sagezoho_pipelines.sandbox.zoho_crm.internet import Internet, Unreachable
from sagezoho_pipelines_tests.tls import lead_to

from .subscriber import PATIENCE, Subscriber, heard, notifying, subscribing, watch
from .zoho_service import Service, serving


@pytest.fixture
def hook() -> Iterator[Subscriber]:
    with subscribing() as subscriber:
        yield subscriber


@pytest.fixture
def zoho(hook: Subscriber) -> Iterator[Service]:
    with notifying(hook) as service:
        yield service


def test_own_writes_arrive_with_token_ids_and_fields(zoho: Service, hook: Subscriber) -> None:
    watch(zoho, hook, return_affected_field_values=True)
    answer = zoho.insert("Deals", *[{"Deal_Name": name, "Stage": "Qualification"} for name in "AB"], trigger=[])
    ids = [row["details"]["id"] for row in answer.json()["data"]]
    (made,) = heard(zoho, hook)
    assert (made["operation"], made["ids"], made["affected_fields"]) == ("insert", ids, [])
    assert "affected_values" not in made
    assert (made["channel_id"], made["token"], made["module"]) == ("-42", "t", "Deals")
    assert made["query_params"] == {"tenant": "7"}
    assert made["resource_uri"] == f"{zoho.base}/crm/v2/Deals"
    assert isinstance(made["server_time"], int)
    zoho.update("Deals", {"id": ids[0], "Amount": 12.5})
    (changed,) = heard(zoho, hook)
    assert changed["operation"] == "update"
    assert "Amount" in changed["affected_fields"][0][ids[0]]
    assert changed["affected_values"][0]["values"]["Amount"] == 12.5
    zoho.call("DELETE", "Deals", params={"ids": ids[0]})
    (gone,) = heard(zoho, hook)
    assert gone["affected_values"][0]["values"]["Record_Status__s"] == 0
    assert "id" in gone["affected_values"][0]["values"]["Modified_By"]


def test_trigger_mutes_only_where_switched_so(zoho: Service, hook: Subscriber) -> None:
    watch(zoho, hook)
    zoho.world.switches.empty_trigger_mutes_notifications = True
    zoho.insert("Deals", {"Deal_Name": "Q", "Stage": "S"}, trigger=[])
    assert heard(zoho, hook) == []


def test_a_child_tells_its_parents_channel_unless_asked_not_to(zoho: Service, hook: Subscriber) -> None:
    account = zoho.insert_id("Accounts", Account_Name="Parent")
    watch(zoho, hook, events=["Accounts.edit"])
    zoho.insert_id("Contacts", Last_Name="Child", Account_Name={"id": account})
    (told,) = heard(zoho, hook)
    assert (told["module"], told["ids"], told["operation"]) == ("Accounts", [account], "update")
    watch(zoho, hook, "PUT", events=["Accounts.edit"], notify_on_related_action=False)
    zoho.insert_id("Contacts", Last_Name="Child", Account_Name={"id": account})
    assert heard(zoho, hook) == []


def test_a_condition_narrows_edits_to_its_fields(zoho: Service, hook: Subscriber) -> None:
    selection = {"field": {"api_name": "Stage"}}
    condition = [{"type": "field_selection", "module": {"api_name": "Deals"}, "field_selection": selection}]
    watch(zoho, hook, notification_condition=condition)
    deal = zoho.insert_id("Deals", Deal_Name="D", Stage="Qualification")
    assert [one["operation"] for one in heard(zoho, hook)] == ["insert"]
    zoho.update("Deals", {"id": deal, "Amount": 1})
    assert heard(zoho, hook) == []
    zoho.update("Deals", {"id": deal, "Stage": "Closed Won"})
    assert len(heard(zoho, hook)) == 1


@pytest.mark.parametrize("url", ["https://hooks.example.com/in", "http://192.0.2.7/in", "https://[2001:db8::7]/in"])
def test_nothing_but_this_machine_is_ever_called(url: str) -> None:
    with pytest.raises(Unreachable, match="is not on this machine"):
        Internet().call("GET", url, seconds=0.2)


def test_callbacks_go_only_to_whom_can_be_believed(zoho: Service, hook: Subscriber) -> None:
    zoho.world.switches.notify_url_probed = False
    zoho.world.courier.internet.routes["other.example"] = ("127.0.0.1", hook.port)
    watch(zoho, hook, notify_url="https://other.example/")
    zoho.insert_id("Deals", Deal_Name="D", Stage="Qualification")
    assert heard(zoho, hook) == []
    assert zoho.world.courier.failed == 1


def test_nothing_arrives_after_expiry(zoho: Service, hook: Subscriber) -> None:
    watch(zoho, hook)
    zoho.world.clock.advance(timedelta(hours=1, seconds=1))
    zoho.world.actions["add_deal"]({"name": "Late"})
    assert heard(zoho, hook) == []
    assert zoho.world.channels.listed(None, None) == []


def test_delivery_can_double_drop_retry_and_reorder(zoho: Service, hook: Subscriber) -> None:
    watch(zoho, hook)
    switches, add = zoho.world.switches, zoho.world.actions["add_deal"]
    switches.callback_duplicate_rate = 1.0
    add({"name": "Twice"})
    assert len(heard(zoho, hook)) == 2
    switches.callback_duplicate_rate, switches.callback_drop_rate = 0.0, 1.0
    add({"name": "Never"})
    assert heard(zoho, hook) == []
    switches.callback_drop_rate, hook.status = 0.0, 500
    add({"name": "Refused"})
    assert len(heard(zoho, hook)) == 1
    switches.callback_retries = 2
    add({"name": "Insisted"})
    assert len(heard(zoho, hook)) == 3
    hook.status, switches.callback_retries = 200, 0
    # One is held back until the next one comes, and no longer than a moment: both are there before their turn.
    hook.free.clear()
    before = add({"name": "Before"})["id"]
    switches.callback_reorder_rate = 1.0
    ids = [add({"name": name})["id"] for name in ("First", "Second")]
    hook.free.set()
    assert [one["ids"][0] for one in heard(zoho, hook)] == [before, *ids[::-1]]
    add({"name": "Alone"})
    assert len(heard(zoho, hook)) == 1


def test_some_callbacks_come_twice_and_some_late_of_themselves(hook: Subscriber) -> None:
    """The same seed gives the same order of things, whether the changes follow slowly or in a burst."""
    told = []
    for pause in (True, False):
        with serving(deals=10, seed=5) as zoho:
            lead_to(zoho.world, hook.port)
            watch(zoho, hook)
            zoho.world.switches.callback_reorder_rate *= not pause
            zoho.world.switches.callback_timeout_seconds = PATIENCE
            bodies: list[dict[str, Any]] = []
            ids = []
            for number in range(60):
                ids.append(zoho.world.actions["add_deal"]({"name": f"Deal {number}"})["id"])
                bodies += heard(zoho, hook) if pause else []
            bodies += heard(zoho, hook)
            arrived = [ids.index(one["ids"][0]) for one in bodies]
            assert set(arrived) == set(range(60))
            told.append(arrived)
    slowly, burst = told
    assert 60 < len(slowly) == len(burst) < 75
    assert slowly == sorted(slowly)
    assert burst != sorted(burst)
    assert sorted(burst) == slowly


def test_an_answer_that_takes_too_long_is_none(zoho: Service, hook: Subscriber) -> None:
    watch(zoho, hook)
    zoho.world.switches.callback_timeout_seconds, hook.seconds = 0.2, 1.0
    zoho.insert_id("Deals", Deal_Name="D", Stage="Qualification")
    heard(zoho, hook)
    assert (zoho.world.courier.delivered, zoho.world.courier.failed) == (0, 1)


@pytest.mark.parametrize(("most", "kept"), [(3, False), (0, True)])
def test_a_channel_whose_subscriber_keeps_failing_is_forgotten_unless_switched_so(
    zoho: Service, hook: Subscriber, most: int, kept: bool
) -> None:
    zoho.world.switches.channel_ends_after_failures = most
    watch(zoho, hook)
    add = zoho.world.actions["add_deal"]
    for status in (500, 500, 200, 500, 500):
        hook.status = status
        add({"name": f"Answered {status}"})
        assert len(heard(zoho, hook)) == 1
    assert zoho.get("actions/watch").status_code == 200, "one answer is enough to be believed again"
    hook.status = 500
    add({"name": "Third in a row"})
    assert len(heard(zoho, hook)) == 1
    assert (zoho.get("actions/watch").status_code == 200) is kept
    add({"name": "Afterwards"})
    assert len(heard(zoho, hook)) == kept
    assert (watch(zoho, hook, "PATCH").status_code == 200) is kept


def test_rows_of_one_write_come_together_or_one_by_one(zoho: Service, hook: Subscriber) -> None:
    watch(zoho, hook)
    rows = [{"Deal_Name": name, "Stage": "Qualification"} for name in "ABC"]
    zoho.insert("Deals", *rows)
    assert [len(one["ids"]) for one in heard(zoho, hook)] == [3]
    zoho.world.switches.callback_merges_rows = False
    zoho.insert("Deals", *rows)
    assert [len(one["ids"]) for one in heard(zoho, hook)] == [1, 1, 1]
