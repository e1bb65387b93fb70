"""Every switch of the simulated Zoho CRM, under each of its readings: what a client sees is never the same."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from sagezoho_pipelines.sandbox.switches import Switch, listed
from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches
from sagezoho_pipelines_tests.tls import PUBLIC_NAME, PUBLIC_URL, door, lead_to, shown

from .zoho_service import Service, serving

SWITCHES = list(listed(ZohoSwitches))
_OFF_BY_ITSELF = {"callback_duplicate_rate": 0.0, "callback_reorder_rate": 0.0}
"""What chance would add to the other switches of callbacks."""


def _coql(query: str) -> Callable[[Service], int]:
    return lambda zoho: zoho.coql(query).status_code


def _many_columns(zoho: Service) -> int:
    modules = zoho.world.org.modules
    names = [*modules["Deals"].fields, *(f"Account_Name.{name}" for name in modules["Accounts"].fields)]
    fit = [name for name in names if zoho.coql(f"select {name} from Deals where id is not null").status_code == 200]
    return zoho.coql(f"select {', '.join(fit[:60])} from Deals where id is not null").status_code


def _token(zoho: Service, **changes: str) -> requests.Response:
    return requests.post(f"{zoho.base}/oauth/v2/token", data={**zoho.credentials(), **changes}, timeout=60)


def _exchanges(zoho: Service, times: int) -> list[bool]:
    """For each code exchanged, whether there was a refresh token for it."""
    codes = [zoho.world.actions["grant_code"]({})["code"] for _ in range(times)]
    answers = [_token(zoho, grant_type="authorization_code", code=code) for code in codes]
    return ["refresh_token" in answer.json() for answer in answers]


def _first_still_good(zoho: Service) -> int:
    """Status of a call after twelve more refresh tokens, spread over time."""
    for _ in range(12):
        _exchanges(zoho, 1)
        zoho.world.clock.advance(timedelta(seconds=61))
    return zoho.get("org").status_code


def _found_at_once(zoho: Service) -> int:
    zoho.insert_id("Accounts", Account_Name="Brandnew")
    return zoho.get("Accounts/search", word="Brandnew").status_code


def _counted_at_once(zoho: Service) -> bool:
    before = zoho.get("Accounts/actions/count").json()["count"]
    zoho.insert_id("Accounts", Account_Name="Brandnew")
    return bool(zoho.get("Accounts/actions/count").json()["count"] > before)


def _moves_without_change(zoho: Service) -> bool:
    account = zoho.insert_id("Accounts", Account_Name="A")
    before = zoho.record("Accounts", account)["Modified_Time"]
    zoho.world.clock.advance(timedelta(seconds=5))
    zoho.update("Accounts", {"id": account, "Account_Name": "A"})
    return bool(zoho.record("Accounts", account)["Modified_Time"] != before)


def _quote(zoho: Service, lines: int = 1, **values: Any) -> int:
    product = zoho.insert_id("Products", Product_Name="Lamp", Unit_Price=20)
    items = [{"Product_Name": {"id": product}, "Quantity": 1} for _ in range(lines)]
    return zoho.insert("Quotes", {"Subject": "Q", "Quoted_Items": items, **values}).status_code


def _of_account(zoho: Service) -> dict[str, Any]:
    return {"Account_Name": {"id": zoho.insert_id("Accounts", Account_Name="Buyer")}}


def _stored(module: str, **values: Any) -> Callable[[Service], Any]:
    """What becomes of the last value: as it is read back, or the status of the refusal."""

    def seen(zoho: Service) -> Any:
        answer = zoho.insert(module, values)
        if answer.status_code != 201:
            return answer.status_code
        return zoho.record(module, answer.json()["data"][0]["details"]["id"])[list(values)[-1]]

    return seen


def _stored_in_a_field_of_two_decimals(zoho: Service) -> Any:
    fields = [{"field_label": "Weight", "data_type": "double"}]
    zoho.call("POST", "settings/fields", params={"module": "Deals"}, json={"fields": fields})
    return _stored("Deals", Deal_Name="D", Stage="Qualification", Weight=12.3456)(zoho)


def _since_that_second(zoho: Service) -> int:
    account = zoho.insert_id("Accounts", Account_Name="New")
    headers = {"If-Modified-Since": zoho.record("Accounts", account)["Modified_Time"]}
    return zoho.call("GET", "Accounts", params={"fields": "Account_Name"}, headers=headers).status_code


def _second_page_after_a_deletion(zoho: Service) -> list[str]:
    for name in "ABCD":
        zoho.insert_id("Accounts", Account_Name=name)
    asked = {"fields": "Account_Name", "per_page": 2, "sort_by": "id", "sort_order": "asc"}
    first = zoho.get("Accounts", **asked).json()
    zoho.call("DELETE", "Accounts", params={"ids": first["data"][0]["id"]})
    second = zoho.get("Accounts", page_token=first["info"]["next_page_token"], **asked).json()
    return [row["Account_Name"] for row in second["data"]]


def _credits(zoho: Service, path: str, **params: Any) -> int:
    before = zoho.world.limits.spent_ever
    zoho.get(path, **params)
    return zoho.world.limits.spent_ever - before


def _throttled(zoho: Service) -> requests.Response:
    zoho.world.actions["set_credits"]({"allowance": 0})
    return zoho.get("org")


def _below_professional(zoho: Service) -> tuple[bool, int]:
    zoho.world.actions["set_edition"]({"edition": "standard"})
    listed_there = [one["api_name"] for one in zoho.get("settings/modules").json()["modules"]]
    return "Invoices" in listed_there, zoho.get("Products", fields="id").status_code


def _new_fields(zoho: Service, count: int, **values: Any) -> list[str]:
    codes = []
    for number in range(count):
        body = {"fields": [{"field_label": f"Field {number}", "data_type": "text", "length": 20, **values}]}
        answer = zoho.call("POST", "settings/fields", params={"module": "Accounts"}, json=body)
        codes.append(answer.json()["fields"][0]["code"])
    return codes


def _without_scope(zoho: Service) -> int:
    zoho.world.actions["set_scopes"]({"scopes": ["ZohoCRM.modules.accounts.READ"]})
    zoho.sign_in()
    return zoho.get("org").status_code


def _with_a_dead_token(zoho: Service) -> str:
    zoho.world.clock.advance(timedelta(hours=2))
    return str(zoho.get("org").json()["code"])


def _with_bearer(zoho: Service) -> int:
    zoho.session.headers["Authorization"] = f"Bearer {zoho.token()}"
    return zoho.get("org").status_code


# subscribers


class _Listener:
    """Keeps the ids of each callback; answers `status` after `seconds`."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []
        self.status, self.seconds = 200, 0.0


@contextmanager
def _listening(zoho: Service, **watched: Any) -> Iterator[_Listener]:
    """Somebody at the public name, subscribed to deals."""
    listener = _Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            listener.told.append(body["ids"])
            time.sleep(listener.seconds)
            self.send_response(listener.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = shown().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lead_to(zoho.world, server.server_port)
    try:
        assert _subscribed(zoho, **watched) == 201
        yield listener
    finally:
        server.shutdown()
        server.server_close()


def _subscribed(zoho: Service, **changes: Any) -> int:
    one = {"channel_id": "7", "events": ["Deals.all"], "notify_url": f"{PUBLIC_URL}/hook", "token": "t", **changes}
    return zoho.call("POST", "actions/watch", json={"watch": [one]}).status_code


def _unprobed(**changes: Any) -> Callable[[Service], int]:
    def seen(zoho: Service) -> int:
        zoho.world.switches.notify_url_probed = False
        return _subscribed(zoho, **changes)

    return seen


def _probed_by_404(zoho: Service) -> int:
    with door(probed=404) as port:
        lead_to(zoho.world, port)
        return _subscribed(zoho)


def _told(
    act: Callable[[Service], Any], *, status: int = 200, seconds: float = 0.0, **watched: Any
) -> Callable[[Service], list[int]]:
    """Which deals, by the order of their making, the callbacks told of."""

    def seen(zoho: Service) -> list[int]:
        with _listening(zoho, **watched) as listener:
            listener.status, listener.seconds = status, seconds
            act(zoho)
            assert zoho.world.courier.drain(100)
            order = sorted({one for ids in listener.told for one in ids}, key=int)
            return [order.index(ids[0]) * 10 + len(ids) for ids in listener.told]

    return seen


def _deals(count: int) -> Callable[[Service], None]:
    def act(zoho: Service) -> None:
        for number in range(count):
            zoho.world.actions["add_deal"]({"name": f"Deal {number}"})

    return act


def _three_rows(zoho: Service) -> None:
    zoho.insert("Deals", *[{"Deal_Name": name, "Stage": "Qualification"} for name in "ABC"])


def _silently(zoho: Service) -> None:
    zoho.insert("Deals", {"Deal_Name": "D", "Stage": "Qualification"}, trigger=[])


def _tardy(zoho: Service) -> int:
    """Callbacks that count as failed where each answer takes a while: a little longer than the shorter patience."""
    zoho.world.switches.callback_timeout_seconds /= 2
    _told(_deals(1), seconds=3.0)(zoho)
    return zoho.world.courier.failed


def _still_held(zoho: Service) -> bool:
    _told(_deals(25), status=500)(zoho)
    return zoho.get("actions/watch").status_code == 200


def _delayed(zoho: Service) -> bool:
    """Whether the callback came no sooner than the switch says."""
    began = time.monotonic()
    _told(_deals(1))(zoho)
    return 0 < zoho.world.switches.callback_delay_seconds <= time.monotonic() - began


_MANY = ", ".join(f"'{number}'" for number in range(60))

#: What a client sees of each switch.
SEEN: Mapping[str, Callable[[Service], Any]] = {
    "coql_limit_max": _coql("select id from Deals where id is not null limit 500"),
    "coql_offset_total": _coql("select id from Deals where id is not null limit 200 offset 20000"),
    "coql_columns_max": _many_columns,
    "coql_in_max": _coql(f"select id from Deals where id in ({_MANY})"),
    "search_lag_seconds": _found_at_once,
    "count_stale_seconds": _counted_at_once,
    "empty_trigger_mutes_notifications": _told(_silently),
    "unchanged_update_moves_modified_time": _moves_without_change,
    "computed_fields": lambda zoho: _quote(zoho, Grand_Total=5, **_of_account(zoho)),
    "account_mandatory_on_documents": _quote,
    "numeric_strings": _stored("Deals", Deal_Name="D", Stage="Qualification", Amount="12.5"),
    "currency_decimals": _stored("Deals", Deal_Name="D", Stage="Qualification", Amount=12.3456),
    "double_decimals": _stored_in_a_field_of_two_decimals,
    "trims_text": _stored("Accounts", Account_Name="A", Fax=" 1 "),
    "subform_rows_max": lambda zoho: _quote(zoho, 150, **_of_account(zoho)),
    "if_modified_since_inclusive": _since_that_second,
    "page_token_pins_rows": _second_page_after_a_deletion,
    "failed_rows_status": lambda zoho: zoho.insert("Accounts", {"Phone": "1"}).status_code,
    "oauth_error_status": lambda zoho: _token(zoho, client_id="x").status_code,
    "oauth_throttle_status": lambda zoho: [_token(zoho) for _ in range(11)][-1].status_code,
    "scope_mismatch_status": _without_scope,
    "code_spellings": lambda zoho: zoho.call("PATCH", "Accounts").status_code,
    "dead_token_code": _with_a_dead_token,
    "retry_after_seconds": lambda zoho: _throttled(zoho).headers.get("Retry-After"),
    "malformed_id": lambda zoho: [
        (answer := zoho.get("Accounts/abc")).status_code, answer.json()["code"]
    ],
    "failed_watch_status": lambda zoho: _subscribed(zoho, events=["Nothing.all"]),
    "search_credits": lambda zoho: _credits(zoho, "Accounts/search", word="any"),
    "refresh_tokens_per_window": lambda zoho: _exchanges(zoho, 11)[-1],
    "refresh_tokens_max": _first_still_good,
    "notify_url_probed": lambda zoho: _subscribed(zoho, notify_url="https://nobody.invalid/"),
    "notify_url_probe": _probed_by_404,
    "notify_url_https_only": _unprobed(notify_url=f"http://{PUBLIC_NAME}/"),
    "notify_url_ports": _unprobed(notify_url=f"{PUBLIC_URL}:8443/"),
    "channel_token_max": _unprobed(token="t" * 60),
    "wrong_data_center": lambda zoho: zoho.get("org").status_code,
    "api_domain": lambda zoho: _token(zoho).json()["api_domain"] == zoho.base,
    "bearer_accepted": _with_bearer,
    "custom_fields_max": lambda zoho: _new_fields(zoho, 6),
    "unique_fields_max": lambda zoho: _new_fields(zoho, 2, unique={}),
    "unsupported_inventory": _below_professional,
    "products_need_professional": _below_professional,
    "callback_retries": _told(_deals(1), status=500),
    "callback_timeout_seconds": _tardy,
    "channel_ends_after_failures": _still_held,
    "callback_duplicate_rate": _told(_deals(40)),
    "callback_copies": _told(_deals(1)),
    "callback_drop_rate": _told(_deals(1)),
    "callback_reorder_rate": _told(_deals(40)),
    "callback_delay_seconds": _delayed,
    "callback_merges_rows": _told(_three_rows),
}  # fmt: skip


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.name)
def test_each_reading_is_another_zoho(switch: Switch) -> None:
    seen = []
    for reading in (switch.default, *switch.others):
        with serving() as zoho:
            quiet = {name: value for name, value in _OFF_BY_ITSELF.items() if name != switch.name}
            if switch.name == "callback_copies":
                quiet["callback_duplicate_rate"] = 1.0
            for name, value in {**quiet, switch.name: reading}.items():
                setattr(zoho.world.switches, name, value)
            seen.append(SEEN[switch.name](zoho))
    assert all(one not in seen[:at] for at, one in enumerate(seen)), seen


def test_no_switch_is_left_out() -> None:
    assert set(SEEN) == {switch.name for switch in SWITCHES}
