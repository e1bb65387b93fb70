"""Channels of the simulated CRM: what may be subscribed, where to, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sagezoho_pipelines.sandbox.zoho_crm.internet import Internet
from sagezoho_pipelines_tests.tls import PUBLIC_NAME, PUBLIC_URL, lead_to

from .subscriber import Subscriber, heard, notifying, subscribing, watch
from .zoho_service import Service, serving


@pytest.fixture
def hook() -> Iterator[Subscriber]:
    with subscribing() as subscriber:
        yield subscriber


@pytest.fixture
def zoho(hook: Subscriber) -> Iterator[Service]:
    with notifying(hook) as service:
        yield service


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
    answer = watch(zoho, hook, events=["Deals.all", "Accounts.edit", "Accounts.create"])
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
    assert abs(_expiry(watch(zoho, hook)) - now - hour) < minute
    assert abs(_expiry(watch(zoho, hook, channel_expiry=_in(days=6))) - now - timedelta(days=6)) < minute
    assert abs(_expiry(watch(zoho, hook, channel_expiry=_in(days=8))) - now - hour) < minute
    renewed = watch(zoho, hook, "PATCH", channel_expiry=_in(days=3), events=..., notify_url=..., token=...)
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
    answer = watch(zoho, hook, **change)
    assert (answer.status_code, answer.json()["watch"][0]["code"]) == (400, code)


def test_unknown_channels_are_not_subscribed(zoho: Service, hook: Subscriber) -> None:
    for answer in (watch(zoho, hook, "PUT"), zoho.call("DELETE", "actions/watch", params={"channel_ids": "5"})):
        assert (answer.status_code, answer.json()["watch"][0]["code"]) == (400, "NOT_SUBSCRIBED")
    assert zoho.call("DELETE", "actions/watch").json()["code"] == "REQUIRED_PARAM_MISSING"
    assert zoho.get("actions/watch").status_code == 204


def test_events_can_be_dropped_and_channels_ended(zoho: Service, hook: Subscriber) -> None:
    watch(zoho, hook, events=["Deals.all", "Accounts.all"])
    dropped = watch(zoho, hook, "PATCH", events=["Deals.delete", "Accounts.all"], _delete_events=True)
    assert dropped.json()["watch"][0]["message"] == "Successfully removed the subscribe details"
    listed = zoho.get("actions/watch").json()["watch"]
    assert [one["events"] for one in listed] == [["Deals.edit", "Deals.create"]]
    ended = zoho.call("DELETE", "actions/watch", params={"channel_ids": "-42"}).json()["watch"]
    assert [one["message"] for one in ended] == ["Successfully un-subscribed from actions-watch"]
    zoho.insert_id("Deals", Deal_Name="D", Stage="Qualification")
    assert heard(zoho, hook) == []


def test_ten_fields_nested_in_pairs_are_taken_and_a_foreign_id_is_ambiguous(zoho: Service, hook: Subscriber) -> None:
    assert watch(zoho, hook, **_selecting(_nested(10))).status_code == 201
    ids = {one["api_name"]: one["id"] for one in zoho.get("settings/modules").json()["modules"]}
    foreign = watch(zoho, hook, **_selecting(_STAGE, module={"api_name": "Deals", "id": ids["Accounts"]}))
    assert foreign.json()["watch"][0]["code"] == "AMBIGUITY_DURING_PROCESSING"
    assert watch(zoho, hook, **_selecting(_STAGE, module={"id": ids["Deals"]})).status_code == 201


def test_an_address_is_https_on_the_usual_port_unless_switched_otherwise(zoho: Service, hook: Subscriber) -> None:
    plain, elsewhere = f"http://{PUBLIC_NAME}/hook", f"https://127.0.0.1:{hook.port}/hook"
    for url in (plain, elsewhere, f"{PUBLIC_URL}:8443/hook", "https://", "https://x:y/"):
        refused = watch(zoho, hook, notify_url=url)
        [row] = refused.json()["watch"]
        assert (refused.status_code, row["code"], row["details"]["api_name"]) == (400, "INVALID_DATA", "notify_url")
    assert zoho.get("actions/watch").status_code == 204
    zoho.world.switches.notify_url_ports = "any"
    assert watch(zoho, hook, notify_url=elsewhere).status_code == 201
    zoho.world.switches.notify_url_https_only = zoho.world.switches.notify_url_probed = False
    assert watch(zoho, hook, notify_url=plain).status_code == 201


@pytest.mark.parametrize(("status", "liked"), [(200, True), (204, True), (302, False), (404, False), (405, False)])
def test_an_address_is_asked_before_a_channel_is_made(
    zoho: Service, hook: Subscriber, status: int, liked: bool
) -> None:
    hook.probe_status = status
    assert (watch(zoho, hook).status_code == 201) is liked
    zoho.world.switches.notify_url_probe = "any"
    assert watch(zoho, hook).status_code == 201
    assert hook.bodies == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_nobody_there_is_no_channel_unless_switched_so(zoho: Service, hook: Subscriber, method: str) -> None:
    assert watch(zoho, hook).status_code == 201
    held = zoho.get("actions/watch").json()["watch"]
    hook.probe_status = 502
    assert watch(zoho, hook, method).json()["watch"][0]["details"]["api_name"] == "notify_url"
    hook.server.shutdown()
    hook.server.server_close()
    assert watch(zoho, hook, method).json()["watch"][0]["code"] == "INVALID_DATA"
    assert zoho.get("actions/watch").json()["watch"] == held
    zoho.world.switches.notify_url_probed = False
    assert watch(zoho, hook, method).status_code < 300


def test_a_certificate_that_nobody_vouches_for_or_of_another_name_is_nobody(hook: Subscriber) -> None:
    with serving(internet=Internet()) as distrusting:
        lead_to(distrusting.world, hook.port)
        assert watch(distrusting, hook).status_code == 400
    with serving() as zoho:
        zoho.world.courier.internet.routes["other.example"] = ("127.0.0.1", hook.port)
        assert watch(zoho, hook, notify_url="https://other.example/").status_code == 400


@pytest.mark.parametrize(("most", "taken"), [(50, 50), (256, 256)])
def test_a_token_is_as_long_as_one_page_says_or_the_other(
    zoho: Service, hook: Subscriber, most: int, taken: int
) -> None:
    zoho.world.switches.channel_token_max = most
    assert watch(zoho, hook, token="x" * taken).status_code == 201
    assert watch(zoho, hook, token="x" * (taken + 1)).status_code == 400
