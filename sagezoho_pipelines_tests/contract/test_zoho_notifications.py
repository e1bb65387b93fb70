"""Notification channels of the simulated CRM, what people do at its screens, and callbacks that really arrive."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sagezoho_pipelines.sandbox.zoho_crm.internet import Internet, Unreachable
from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches
from sagezoho_pipelines_tests.tls import PUBLIC_NAME, PUBLIC_URL, lead_to, shown

from .zoho_service import Service, serving


class Subscriber:
    """An HTTPS endpoint that keeps what it is sent, and answers `status` after `seconds`."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        self.probe_status = 200
        self.seconds = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(outer.probe_status)
                self.end_headers()

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.bodies.append(json.loads(self.rfile.read(length)))
                time.sleep(outer.seconds)
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = shown().wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.url = f"{PUBLIC_URL}/hook?tenant=7"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook() -> Iterator[Subscriber]:
    subscriber = Subscriber()
    yield subscriber
    subscriber.server.shutdown()
    subscriber.server.server_close()


@pytest.fixture
def zoho(hook: Subscriber) -> Iterator[Service]:
    """Callbacks come once and in order: most tests here are of what is in them."""
    once = ZohoSwitches(callback_duplicate_rate=0.0, callback_reorder_rate=0.0)
    with serving(deals=10, switches=once) as service:
        lead_to(service.world, hook.port)
        yield service


def _watch(zoho: Service, hook: Subscriber, method: str = "POST", **more: Any) -> Any:
    one = {"channel_id": "-42", "events": ["Deals.all"], "notify_url": hook.url, "token": "t", **more}
    one = {name: value for name, value in one.items() if value is not ...}
    return zoho.call(method, "actions/watch", json={"watch": [one]})


def _heard(zoho: Service, hook: Subscriber) -> list[dict[str, Any]]:
    assert zoho.world.courier.drain()
    heard, hook.bodies = hook.bodies, []
    return heard


def _expiry(answer: Any) -> datetime:
    return datetime.fromisoformat(answer.json()["watch"][0]["details"]["events"][0]["channel_expiry"])


def _in(**time: float) -> str:
    return (datetime.now(UTC) + timedelta(**time)).isoformat(timespec="seconds")


_STAGE, _AMOUNT = {"field": {"api_name": "Stage"}}, {"field": {"api_name": "Amount"}}


def _selecting(selection: Any, module: Any = None) -> dict[str, Any]:
    one = {"type": "field_selection", "module": module or {"api_name": "Deals"}, "field_selection": selection}
    return {"notification_condition": [one]}


def _nested(fields: int) -> Any:
    """So many fields, joined in pairs."""
    node: Any = _STAGE
    for number in range(1, fields):
        node = {"group_operator": "or", "group": [node, {"field": {"api_name": f"Field_{number}"}}]}
    return node


def test_subscribing_answers_one_event_per_module(zoho: Service, hook: Subscriber) -> None:
    answer = _watch(zoho, hook, events=["Deals.all", "Accounts.edit", "Accounts.create"])
    assert answer.status_code == 201
    events = answer.json()["watch"][0]["details"]["events"]
    assert [one["resource_name"] for one in events] == ["Deals", "Accounts"]
    assert events[0]["resource_uri"] == f"{zoho.base}/crm/v2/Deals"
    assert events[0]["channel_id"] == "-42"
    listed = zoho.get("actions/watch", channel_id="-42").json()["watch"]
    assert listed[0]["events"] == ["Deals.edit", "Deals.create", "Deals.delete"]
    assert listed[1]["events"] == ["Accounts.edit", "Accounts.create"]
    assert listed[0]["notify_on_related_action"] is True


def test_a_channel_lives_an_hour_and_a_week_at_most(zoho: Service, hook: Subscriber) -> None:
    now = datetime.now(UTC)
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    assert abs(_expiry(_watch(zoho, hook)) - now - hour) < minute
    assert abs(_expiry(_watch(zoho, hook, channel_expiry=_in(days=6))) - now - timedelta(days=6)) < minute
    assert abs(_expiry(_watch(zoho, hook, channel_expiry=_in(days=8))) - now - hour) < minute
    renewed = _watch(zoho, hook, "PATCH", channel_expiry=_in(days=3), events=..., notify_url=..., token=...)
    assert renewed.status_code == 200
    assert abs(_expiry(renewed) - now - timedelta(days=3)) < minute
    assert zoho.get("actions/watch").json()["watch"][0]["token"] == "t"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"channel_id": ...}, "MANDATORY_NOT_FOUND"),
        ({"events": ...}, "MANDATORY_NOT_FOUND"),
        ({"notify_url": ...}, "MANDATORY_NOT_FOUND"),
        ({"token": "x" * 51}, "INVALID_DATA"),
        ({"channel_id": "abc"}, "INVALID_DATA"),
        ({"events": ["Deals.explode"]}, "INVALID_DATA"),
        ({"notify_url": "ftp://x"}, "INVALID_DATA"),
        ({"channel_expiry": "tomorrow"}, "INVALID_DATA"),
        ({"notify_on_related_action": "no"}, "INVALID_DATA"),
        ({"events": ["Nothing.all"]}, "INVALID_MODULE"),
        ({"notification_condition": [{"field_selection": {}}]}, "DEPENDENT_FIELD_MISSING"),
        ({"notification_condition": [{"type": "field_selection"}]}, "EXPECTED_FIELD_MISSING"),
        (_selecting({}), "EXPECTED_FIELD_MISSING"),
        (_selecting({"group_operator": "nor", "group": [_STAGE, _AMOUNT]}), "INVALID_DATA"),
        (_selecting({"group_operator": "or", "group": [_STAGE, _AMOUNT, _STAGE]}), "INVALID_DATA"),
        (_selecting(_nested(11)), "INVALID_DATA"),
        (_selecting(_STAGE, module={"api_name": "Nothing"}), "INVALID_MODULE"),
    ],
)
def test_bad_subscriptions_are_refused(zoho: Service, hook: Subscriber, change: dict[str, Any], code: str) -> None:
    answer = _watch(zoho, hook, **change)
    assert (answer.status_code, answer.json()["watch"][0]["code"]) == (400, code)


def test_unknown_channels_are_not_subscribed(zoho: Service, hook: Subscriber) -> None:
    for answer in (_watch(zoho, hook, "PUT"), zoho.call("DELETE", "actions/watch", params={"channel_ids": "5"})):
        assert (answer.status_code, answer.json()["watch"][0]["code"]) == (400, "NOT_SUBSCRIBED")
    assert zoho.call("DELETE", "actions/watch").json()["code"] == "REQUIRED_PARAM_MISSING"
    assert zoho.get("actions/watch").status_code == 204


def test_events_can_be_dropped_and_channels_ended(zoho: Service, hook: Subscriber) -> None:
    _watch(zoho, hook, events=["Deals.all", "Accounts.all"])
    dropped = _watch(zoho, hook, "PATCH", events=["Deals.delete", "Accounts.all"], _delete_events=True)
    assert dropped.json()["watch"][0]["message"] == "Successfully removed the subscribe details"
    listed = zoho.get("actions/watch").json()["watch"]
    assert [one["events"] for one in listed] == [["Deals.edit", "Deals.create"]]
    ended = zoho.call("DELETE", "actions/watch", params={"channel_ids": "-42"}).json()["watch"]
    assert [one["message"] for one in ended] == ["Successfully un-subscribed from actions-watch"]
    zoho.insert_id("Deals", Deal_Name="D", Stage="Qualification")
    assert _heard(zoho, hook) == []


def test_own_writes_arrive_with_token_ids_and_fields(zoho: Service, hook: Subscriber) -> None:
    _watch(zoho, hook, return_affected_field_values=True)
    answer = zoho.insert("Deals", *[{"Deal_Name": name, "Stage": "Qualification"} for name in "AB"], trigger=[])
    ids = [row["details"]["id"] for row in answer.json()["data"]]
    (made,) = _heard(zoho, hook)
    assert (made["operation"], made["ids"], made["affected_fields"]) == ("insert", ids, [])
    assert "affected_values" not in made
    assert (made["channel_id"], made["token"], made["module"]) == ("-42", "t", "Deals")
    assert made["query_params"] == {"tenant": "7"}
    assert made["resource_uri"] == f"{zoho.base}/crm/v2/Deals"
    assert isinstance(made["server_time"], int)
    zoho.update("Deals", {"id": ids[0], "Amount": 12.5})
    (changed,) = _heard(zoho, hook)
    assert changed["operation"] == "update"
    assert "Amount" in changed["affected_fields"][0][ids[0]]
    assert changed["affected_values"][0]["values"]["Amount"] == 12.5
    zoho.call("DELETE", "Deals", params={"ids": ids[0]})
    (gone,) = _heard(zoho, hook)
    assert gone["affected_values"][0]["values"]["Record_Status__s"] == 0
    assert "id" in gone["affected_values"][0]["values"]["Modified_By"]


def test_trigger_mutes_only_where_switched_so(zoho: Service, hook: Subscriber) -> None:
    _watch(zoho, hook)
    zoho.world.switches.empty_trigger_mutes_notifications = True
    zoho.insert("Deals", {"Deal_Name": "Q", "Stage": "S"}, trigger=[])
    assert _heard(zoho, hook) == []


def test_a_child_tells_its_parents_channel_unless_asked_not_to(zoho: Service, hook: Subscriber) -> None:
    account = zoho.insert_id("Accounts", Account_Name="Parent")
    _watch(zoho, hook, events=["Accounts.edit"])
    zoho.insert_id("Contacts", Last_Name="Child", Account_Name={"id": account})
    (told,) = _heard(zoho, hook)
    assert (told["module"], told["ids"], told["operation"]) == ("Accounts", [account], "update")
    _watch(zoho, hook, "PUT", events=["Accounts.edit"], notify_on_related_action=False)
    zoho.insert_id("Contacts", Last_Name="Child", Account_Name={"id": account})
    assert _heard(zoho, hook) == []


def test_a_condition_narrows_edits_to_its_fields(zoho: Service, hook: Subscriber) -> None:
    selection = {"field": {"api_name": "Stage"}}
    condition = [{"type": "field_selection", "module": {"api_name": "Deals"}, "field_selection": selection}]
    _watch(zoho, hook, notification_condition=condition)
    deal = zoho.insert_id("Deals", Deal_Name="D", Stage="Qualification")
    assert [one["operation"] for one in _heard(zoho, hook)] == ["insert"]
    zoho.update("Deals", {"id": deal, "Amount": 1})
    assert _heard(zoho, hook) == []
    zoho.update("Deals", {"id": deal, "Stage": "Closed Won"})
    assert len(_heard(zoho, hook)) == 1


def test_ten_fields_nested_in_pairs_are_taken_and_a_foreign_id_is_ambiguous(zoho: Service, hook: Subscriber) -> None:
    assert _watch(zoho, hook, **_selecting(_nested(10))).status_code == 201
    ids = {one["api_name"]: one["id"] for one in zoho.get("settings/modules").json()["modules"]}
    foreign = _watch(zoho, hook, **_selecting(_STAGE, module={"api_name": "Deals", "id": ids["Accounts"]}))
    assert foreign.json()["watch"][0]["code"] == "AMBIGUITY_DURING_PROCESSING"
    assert _watch(zoho, hook, **_selecting(_STAGE, module={"id": ids["Deals"]})).status_code == 201


def test_an_address_is_https_on_the_usual_port_unless_switched_otherwise(zoho: Service, hook: Subscriber) -> None:
    plain, elsewhere = f"http://{PUBLIC_NAME}/hook", f"https://127.0.0.1:{hook.port}/hook"
    for url in (plain, elsewhere, f"{PUBLIC_URL}:8443/hook", "https://", "https://x:y/"):
        refused = _watch(zoho, hook, notify_url=url)
        [row] = refused.json()["watch"]
        assert (refused.status_code, row["code"], row["details"]["api_name"]) == (400, "INVALID_DATA", "notify_url")
    assert zoho.get("actions/watch").status_code == 204
    zoho.world.switches.notify_url_ports = "any"
    assert _watch(zoho, hook, notify_url=elsewhere).status_code == 201
    zoho.world.switches.notify_url_https_only = zoho.world.switches.notify_url_probed = False
    assert _watch(zoho, hook, notify_url=plain).status_code == 201


@pytest.mark.parametrize(("status", "liked"), [(200, True), (204, True), (302, False), (404, False), (405, False)])
def test_an_address_is_asked_before_a_channel_is_made(
    zoho: Service, hook: Subscriber, status: int, liked: bool
) -> None:
    hook.probe_status = status
    assert (_watch(zoho, hook).status_code == 201) is liked
    zoho.world.switches.notify_url_probe = "any"
    assert _watch(zoho, hook).status_code == 201
    assert hook.bodies == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_nobody_there_is_no_channel_unless_switched_so(zoho: Service, hook: Subscriber, method: str) -> None:
    assert _watch(zoho, hook).status_code == 201
    held = zoho.get("actions/watch").json()["watch"]
    hook.probe_status = 502
    assert _watch(zoho, hook, method).json()["watch"][0]["details"]["api_name"] == "notify_url"
    hook.server.shutdown()
    hook.server.server_close()
    assert _watch(zoho, hook, method).json()["watch"][0]["code"] == "INVALID_DATA"
    assert zoho.get("actions/watch").json()["watch"] == held
    zoho.world.switches.notify_url_probed = False
    assert _watch(zoho, hook, method).status_code < 300


def test_a_certificate_that_nobody_vouches_for_or_of_another_name_is_nobody(hook: Subscriber) -> None:
    with serving(internet=Internet()) as distrusting:
        lead_to(distrusting.world, hook.port)
        assert _watch(distrusting, hook).status_code == 400
    with serving() as zoho:
        zoho.world.courier.internet.routes["other.example"] = ("127.0.0.1", hook.port)
        assert _watch(zoho, hook, notify_url="https://other.example/").status_code == 400


@pytest.mark.parametrize("url", ["https://hooks.example.com/in", "http://192.0.2.7/in", "https://[2001:db8::7]/in"])
def test_nothing_but_this_machine_is_ever_called(url: str) -> None:
    with pytest.raises(Unreachable, match="is not on this machine"):
        Internet().call("GET", url, seconds=0.2)


def test_callbacks_go_only_to_whom_can_be_believed(zoho: Service, hook: Subscriber) -> None:
    zoho.world.switches.notify_url_probed = False
    zoho.world.courier.internet.routes["other.example"] = ("127.0.0.1", hook.port)
    _watch(zoho, hook, notify_url="https://other.example/")
    zoho.insert_id("Deals", Deal_Name="D", Stage="Qualification")
    assert _heard(zoho, hook) == []
    assert zoho.world.courier.failed == 1


@pytest.mark.parametrize(("most", "taken"), [(50, 50), (256, 256)])
def test_a_token_is_as_long_as_one_page_says_or_the_other(
    zoho: Service, hook: Subscriber, most: int, taken: int
) -> None:
    zoho.world.switches.channel_token_max = most
    assert _watch(zoho, hook, token="x" * taken).status_code == 201
    assert _watch(zoho, hook, token="x" * (taken + 1)).status_code == 400


def test_nothing_arrives_after_expiry(zoho: Service, hook: Subscriber) -> None:
    _watch(zoho, hook)
    zoho.world.clock.advance(timedelta(hours=1, seconds=1))
    zoho.world.actions["add_deal"]({"name": "Late"})
    assert _heard(zoho, hook) == []
    assert zoho.world.channels.listed(None, None) == []


def test_delivery_can_double_drop_retry_and_reorder(zoho: Service, hook: Subscriber) -> None:
    _watch(zoho, hook)
    switches, add = zoho.world.switches, zoho.world.actions["add_deal"]
    switches.callback_duplicate_rate = 1.0
    add({"name": "Twice"})
    assert len(_heard(zoho, hook)) == 2
    switches.callback_duplicate_rate, switches.callback_drop_rate = 0.0, 1.0
    add({"name": "Never"})
    assert _heard(zoho, hook) == []
    switches.callback_drop_rate, hook.status = 0.0, 500
    add({"name": "Refused"})
    assert len(_heard(zoho, hook)) == 1
    switches.callback_retries = 2
    add({"name": "Insisted"})
    assert len(_heard(zoho, hook)) == 3
    hook.status, switches.callback_retries = 200, 0
    switches.callback_delay_seconds, switches.callback_reorder_rate = 0.05, 1.0
    ids = [add({"name": name})["id"] for name in ("First", "Second")]
    assert [one["ids"][0] for one in _heard(zoho, hook)] == ids[::-1]
    add({"name": "Alone"})
    assert len(_heard(zoho, hook)) == 1


def test_some_callbacks_come_twice_and_some_late_of_themselves(hook: Subscriber) -> None:
    """The same seed gives the same order of things, whether the changes follow slowly or in a burst."""
    told = []
    for pause in (True, False):
        with serving(deals=10, seed=5) as zoho:
            lead_to(zoho.world, hook.port)
            _watch(zoho, hook)
            zoho.world.switches.callback_reorder_rate *= not pause
            heard: list[dict[str, Any]] = []
            ids = []
            for number in range(60):
                ids.append(zoho.world.actions["add_deal"]({"name": f"Deal {number}"})["id"])
                heard += _heard(zoho, hook) if pause else []
            heard += _heard(zoho, hook)
            arrived = [ids.index(one["ids"][0]) for one in heard]
            assert set(arrived) == set(range(60))
            told.append(arrived)
    slowly, burst = told
    assert 60 < len(slowly) == len(burst) < 75
    assert slowly == sorted(slowly)
    assert burst != sorted(burst)
    assert sorted(burst) == slowly


def test_an_answer_that_takes_too_long_is_none(zoho: Service, hook: Subscriber) -> None:
    _watch(zoho, hook)
    zoho.world.switches.callback_timeout_seconds, hook.seconds = 0.2, 1.0
    zoho.insert_id("Deals", Deal_Name="D", Stage="Qualification")
    _heard(zoho, hook)
    assert (zoho.world.courier.delivered, zoho.world.courier.failed) == (0, 1)


@pytest.mark.parametrize(("most", "kept"), [(3, False), (0, True)])
def test_a_channel_whose_subscriber_keeps_failing_is_forgotten_unless_switched_so(
    zoho: Service, hook: Subscriber, most: int, kept: bool
) -> None:
    zoho.world.switches.channel_ends_after_failures = most
    _watch(zoho, hook)
    add = zoho.world.actions["add_deal"]
    for status in (500, 500, 200, 500, 500):
        hook.status = status
        add({"name": f"Answered {status}"})
        assert len(_heard(zoho, hook)) == 1
    assert zoho.get("actions/watch").status_code == 200, "one answer is enough to be believed again"
    hook.status = 500
    add({"name": "Third in a row"})
    assert len(_heard(zoho, hook)) == 1
    assert (zoho.get("actions/watch").status_code == 200) is kept
    add({"name": "Afterwards"})
    assert len(_heard(zoho, hook)) == kept
    assert (_watch(zoho, hook, "PATCH").status_code == 200) is kept


def test_rows_of_one_write_come_together_or_one_by_one(zoho: Service, hook: Subscriber) -> None:
    _watch(zoho, hook)
    rows = [{"Deal_Name": name, "Stage": "Qualification"} for name in "ABC"]
    zoho.insert("Deals", *rows)
    assert [len(one["ids"]) for one in _heard(zoho, hook)] == [3]
    zoho.world.switches.callback_merges_rows = False
    zoho.insert("Deals", *rows)
    assert [len(one["ids"]) for one in _heard(zoho, hook)] == [1, 1, 1]


# People at their screens


def test_people_change_records_under_their_own_name(zoho: Service, hook: Subscriber) -> None:
    act = zoho.world.actions
    account = act["add_account"]({"name": "People Ltd", "values": {"Phone": "+1 604 555 0000"}})["id"]
    deal = act["add_deal"]({"name": "Big one", "account_id": account, "amount": 99.5})["id"]
    _watch(zoho, hook, return_affected_field_values=True)
    act["close_deal"]({"deal_id": deal})
    (told,) = _heard(zoho, hook)
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
    made = zoho.session.post(f"{control}/act/add_deal", json={"name": "By wire", "amount": 10.1}, timeout=10)
    assert zoho.record("Deals", made.json()["id"])["Amount"] == 10.1
    zoho.session.post(f"{control}/faults", json={"action": "status", "status": 500, "times": 1}, timeout=10)
    assert zoho.get("org").json()["code"] == "INTERNAL_ERROR"
    zoho.session.post(f"{control}/faults", json={"action": "token_revoked", "times": 1}, timeout=10)
    assert zoho.get("org").json()["code"] == "INVALID_TOKEN"
    zoho.sign_in()
    zoho.session.delete(f"{control}/counters", timeout=10)
    zoho.coql("select id from Deals where id is not null")
    zoho.insert("Accounts", {"Account_Name": "A"})
    counted = zoho.session.get(f"{control}/counters", timeout=10).json()
    assert (counted["total"], counted["writes"]) == (2, 1)
