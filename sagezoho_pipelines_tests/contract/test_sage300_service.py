"""The simulated Sage 300's door: credentials, rights, codes, verbs, and faults played on real connections."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sagezoho_pipelines.sandbox.sage300.errors import STATUS
from sagezoho_pipelines_tests.contract.at_once import volleys
from sagezoho_pipelines_tests.contract.sage_service import SageService, refusal, sage_service

CUSTOMER = {"CustomerNumber": "C1", "GroupCode": "RTL"}


@pytest.fixture
def sage() -> Iterator[SageService]:
    with sage_service(vendors=20) as running:
        yield running


def as_user(sage: SageService, name: str, path: str, password: str | None = None) -> requests.Response:
    return requests.get(
        sage.url(path),
        auth=(name, password or name),
        headers={"Content-Type": "application/json"},
        timeout=60,
    )


def test_every_code_has_a_way_to_be_reached(sage: SageService) -> None:
    reached = {
        refusal(reply)[1]: reply.status_code
        for reply in (
            requests.get(sage.url("AP/APVendors"), auth=("WEBAPI", "WEBAPI"), timeout=60),
            as_user(sage, "WEBAPI", "AP/APVendors", "wrong"),
            as_user(sage, "NOAR", "AR/ARCustomers"),
            sage.get("AP/APVendors?$filter=Nope eq 1"),
            sage.get("AP/APNothing"),
            sage.get("OE/OEOrders('x')"),
            sage.get("AP/APVendors('NOPE')"),
            sage.call("DELETE", "OE/OEOrders(1)"),
            sage.call("POST", "AR/ARCustomers", {"Nope": 1}),
            sage.call("POST", "AR/ARCustomers('$explode')", {}),
            sage.call("POST", "AR/ARCustomers", {"CustomerNumber": "1400", "GroupCode": "RTL"}),
            sage.call("POST", "AR/ARCustomers", {"CustomerNumber": "C1"}),
            sage.call("POST", "AR/ARCustomers", {"CustomerNumber": "C1", "GroupCode": "NOPE"}),
            sage.call("DELETE", "AR/ARCustomers('1100')"),
        )
    }
    for code in ("DBLinkError", "SessionError"):
        sage.world.switches.broken = code  # type: ignore[assignment]
        reached[code] = refusal(sage.get("AP/APVendors"))[0]
    sage.world.switches.broken = ""
    sage.world.switches.parallel_requests_max = 0
    reached["TooManyRequests"] = refusal(sage.get("AP/APVendors"))[0]
    assert reached == STATUS


@pytest.mark.parametrize(
    ("user", "path", "status"),
    [
        ("WEBAPI", "AP/APVendors", 200),
        ("webapi", "AP/APVendors", 401),
        ("NOBODY", "AP/APVendors", 401),
        ("ADMIN", "AP/APVendors", 403),
        ("APONLY", "AP/APVendors", 200),
        ("APONLY", "OE/OEOrders", 403),
        ("NORIGHTS", "CS/CSCurrencyCodes", 403),
        ("ELSEWHERE", "AP/APVendors", 403),
    ],
)
def test_users_have_rights_by_application_and_company(sage: SageService, user: str, path: str, status: int) -> None:
    password = "WEBAPI" if user == "webapi" else user
    assert as_user(sage, user, path, password).status_code == status


def test_admin_gets_in_by_switch(sage: SageService) -> None:
    sage.world.switches.admin_allowed = True
    assert as_user(sage, "ADMIN", "AP/APVendors").status_code == 200


def test_names_and_passwords_are_taken_in_any_case_by_switch(sage: SageService) -> None:
    assert as_user(sage, "webapi", "AP/APVendors", "webapi").status_code == 401
    sage.world.switches.user_any_case = sage.world.switches.password_any_case = True
    assert as_user(sage, "webapi", "AP/APVendors", "webapi").status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("v1.0/-/OTHER/AP/APVendors", 403, "Forbidden"),
        ("v1.0/-/saminc/AP/APVendors", 403, "Forbidden"),
        ("v1.0/tenant/SAMINC/AP/APVendors", 404, "ResourceNotFound"),
        ("v2.0/-/SAMINC/AP/APVendors", 404, "ResourceNotFound"),
        ("v1.0/-/SAMINC/ap/APVendors", 404, "ResourceNotFound"),
        ("v1.0/-/SAMINC/AP/apvendors", 404, "ResourceNotFound"),
        ("v1.0/-/SAMINC/AP/Vendors", 404, "ResourceNotFound"),
        ("v1.0/-/SAMINC/OE/OEShipments", 404, "ResourceNotFound"),
        ("v1.0/-/SAMINC/OE/$batch", 404, "ResourceNotFound"),
    ],
)
def test_urls_that_lead_nowhere(sage: SageService, path: str, status: int, code: str) -> None:
    reply = sage.session.get(f"{sage.host}/Sage300WebApi/{path}", timeout=60)
    assert refusal(reply)[:2] == (status, code)


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("OE/OEOrders", "PATCH PUT DELETE"),
        ("OE/OEInvoices", "POST PATCH PUT DELETE"),
        ("TX/TXTaxGroups", "POST PATCH PUT DELETE"),
        ("CS/CSFiscalCalendars", "POST PATCH PUT DELETE"),
        ("AR/ARPostedDocuments", "POST PATCH PUT DELETE"),
        ("AR/ARInvoiceBatches", "PUT DELETE"),
        ("AP/APInvoiceBatches", "PUT DELETE"),
        ("AR/ARPostInvoices", "GET PATCH"),
    ],
)
def test_verbs_a_set_does_not_take(sage: SageService, path: str, refused: str) -> None:
    for verb in refused.split():
        assert refusal(sage.call(verb, f"{path}(1)", {}))[:2] == (405, "MethodNotAllowed")


def test_a_reset_before_leaves_nothing_written(sage: SageService) -> None:
    sage.world.faults.add("reset_before", method="POST", times=1)
    with pytest.raises(requests.ConnectionError, match="reset"):
        sage.call("POST", "AR/ARCustomers", CUSTOMER)
    assert sage.get("AR/ARCustomers('C1')").status_code == 404
    sage.post("AR/ARCustomers", CUSTOMER)


def test_a_reset_after_leaves_the_record_behind(sage: SageService) -> None:
    sage.world.faults.add("reset_after", path="ARCustomers", contains='"C1"', times=1)
    with pytest.raises(requests.ConnectionError, match="reset"):
        sage.call("POST", "AR/ARCustomers", CUSTOMER)
    assert sage.get("AR/ARCustomers('C1')").status_code == 200


def test_a_truncated_body_breaks_off(sage: SageService) -> None:
    sage.world.faults.add("truncate", keep=20)
    with pytest.raises(requests.exceptions.RequestException):
        sage.get("AP/APVendors")


def test_latency_and_slow_bodies_take_their_time(sage: SageService) -> None:
    for action in ("latency", "slow_body"):
        rule = sage.world.faults.add(action, seconds=0.2)
        started = time.monotonic()
        assert len(sage.get("AP/APVendors").json()["value"]) == 20
        assert time.monotonic() - started >= 0.18
        sage.world.faults.remove(rule.id)


def test_a_hang_outlasts_the_readers_patience(sage: SageService) -> None:
    sage.world.faults.add("hang", seconds=5)
    with pytest.raises(requests.Timeout):
        sage.session.get(sage.url("AP/APVendors"), timeout=0.2)


def test_what_hangs_after_it_was_served_is_written_all_the_same(sage: SageService) -> None:
    sage.world.faults.add("hang_after", method="POST", times=1, seconds=5)
    with pytest.raises(requests.Timeout):
        sage.session.post(sage.url("AR/ARCustomers"), json=CUSTOMER, timeout=3)
    assert sage.get("AR/ARCustomers('C1')").status_code == 200


def test_iis_answers_503_in_html(sage: SageService) -> None:
    sage.world.faults.add("status", status=503, nth=2)
    assert sage.get("AP/APVendors").status_code == 200
    reply = sage.get("AP/APVendors")
    assert (reply.status_code, "text/html" in reply.headers["content-type"]) == (503, True)
    assert sage.get("AP/APVendors").status_code == 200


def test_bare_statuses_carry_the_vendors_body(sage: SageService) -> None:
    sage.world.faults.add("status", status=429, headers={"Retry-After": "7"}, times=1)
    reply = sage.get("AP/APVendors")
    assert (refusal(reply)[1], reply.headers["retry-after"]) == ("TooManyRequests", "7")
    sage.world.faults.add("status", status=500)
    assert refusal(sage.get("AP/APVendors"))[1] == "InternalServerError"


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        ("day_end", "RecordDuplicate", "Day End Processing"),
        ("post_in_progress", "General", "Post in Progress"),
    ],
)
def test_transient_locks_refuse_writes_only(sage: SageService, action: Any, code: str, words: str) -> None:
    sage.world.faults.add(action)
    status, got, text = refusal(sage.call("POST", "AR/ARCustomers", CUSTOMER))
    assert (status, got) == (409, code)
    assert words in text
    assert refusal(sage.get("AR/ARCustomers('C1')"))[1] == "RecordNotFound"


def test_a_rate_strikes_the_same_calls_for_the_same_seed(sage: SageService) -> None:
    def struck() -> list[int]:
        sage.world.faults.clear()
        sage.world.faults.add("status", status=500, rate=0.5, seed=3)
        return [sage.get("AP/APVendors?$top=1").status_code for _ in range(12)]

    first = struck()
    assert set(first) == {200, 500}
    assert struck() == first


def test_a_fault_of_first_sendings_strikes_each_record_once(sage: SageService) -> None:
    sage.world.faults.add("reset_before", method="POST", first_sending=True)
    for _ in range(2):
        for number in ("C1", "C2"):
            body = {**CUSTOMER, "CustomerNumber": number}
            if sage.get(f"AR/ARCustomers('{number}')").status_code == 404:
                with contextlib.suppress(requests.ConnectionError):
                    sage.call("POST", "AR/ARCustomers", body)
    assert [rule["fired"] for rule in sage.world.faults.listed()] == [2]
    assert [sage.get(f"AR/ARCustomers('{number}')").status_code for number in ("C1", "C2")] == [200, 200]


def test_a_flood_is_turned_away(sage: SageService) -> None:
    def ask() -> int:
        return as_user(sage, "WEBAPI", "AP/APVendors?$top=1").status_code

    assert volleys(sage.world.faults, ask, 12, taken=8) == (8, 4)


def test_the_control_api_arranges_counts_and_dumps(sage: SageService) -> None:
    control = f"{sage.host}/__sandbox__"
    added = requests.post(f"{control}/faults", json={"action": "status", "status": 500}, timeout=60)
    assert added.status_code == 201
    assert sage.get("AP/APVendors").status_code == 500
    assert requests.delete(f"{control}/faults/{added.json()['id']}", timeout=60).status_code == 204
    assert requests.post(f"{control}/faults", json={"action": "melt"}, timeout=60).status_code == 400
    sage.post("AR/ARCustomers", CUSTOMER)
    counters = requests.get(f"{control}/counters", timeout=60).json()
    assert (counters["total"], counters["writes"]) == (2, 1)
    assert requests.delete(f"{control}/counters", timeout=60).json()["total"] == 0
    assert requests.post(f"{control}/switches", json={"page_size": 5}, timeout=60).json()["page_size"] == 5
    assert len(sage.get("AP/APVendors").json()["value"]) == 5
    for wrong in ({"nope": 5}, {"page_size": "many"}, {"page_size": 7, "held_customers": "maybe"}):
        assert requests.post(f"{control}/switches", json=wrong, timeout=60).status_code == 400
    assert requests.get(f"{control}/switches", timeout=60).json()["page_size"] == 5
    clock = requests.post(f"{control}/clock", json={"set": "2025-01-01T00:00:00+00:00"}, timeout=60).json()
    assert clock["now"].startswith("2025-01-01")
    assert len(requests.get(f"{control}/state/AP/APVendors", timeout=60).json()) == 20
    assert requests.get(f"{control}/state/Nope", timeout=60).status_code == 404
    assert "ship_and_invoice_order" in requests.get(f"{control}/act", timeout=60).json()
    assert requests.post(f"{control}/act/nope", json={}, timeout=60).status_code == 404
    assert (
        requests.post(f"{control}/act/edit_vendor", json={"vendor": "NOPE", "fields": {}}, timeout=60).status_code
        == 400
    )


def test_serving_prints_its_connections_first_and_ends_on_sigterm() -> None:
    code = "from sagezoho_pipelines.sandbox.server import Sandbox; Sandbox(vendors=50, deals=5).serve(json_line=True)"
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert set(told) == {"sage300", "zoho_crm"}
        reply = requests.get(
            f"{told['sage300']['url']}/v1.0/-/{told['sage300']['company']}/AP/APVendors",
            auth=(told["sage300"]["username"], told["sage300"]["password"]),
            headers={"Content-Type": "application/json"},
            timeout=60,
        )
        assert reply.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
