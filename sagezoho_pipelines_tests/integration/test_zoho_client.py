"""The Zoho CRM client against the simulated organisation, over real connections."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines.zoho_crm.client import ZohoCrmClient
from sagezoho_pipelines.zoho_crm.oauth import MemoryTokenStore, TokenSource
from sagezoho_pipelines.zoho_crm.wire import Timeouts

KEY = {"field_label": "Sage Key", "data_type": "text", "length": 60, "unique": {"case_sensitive": False}}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.running(seed=7, vendors=1, deals=5) as running:
        yield running


def tokens_of(sandbox: Sandbox, **changes: Any) -> TokenSource:
    handle = sandbox.zoho_crm
    secrets = {name: handle.connection()[name] for name in ("client_id", "client_secret", "refresh_token")}
    options: dict[str, Any] = {
        "connection": "saminc", "accounts_url": handle.accounts_url, "credentials": lambda: secrets,
        "store": MemoryTokenStore(), "allowed_domains": [handle.api_domain], "clock": sandbox.clock.now,
        "sleep": lambda _: None, **changes,
    }  # fmt: skip
    return TokenSource(**options)


def client_of(sandbox: Sandbox, *, tokens: TokenSource | None = None, **changes: Any) -> ZohoCrmClient:
    waiting = threading.Event()
    options: dict[str, Any] = {
        "connection": "saminc", "token_source": tokens or tokens_of(sandbox), "clock": sandbox.clock.now,
        "sleep": lambda seconds: waiting.wait(min(seconds, 0.01)), **changes,
    }  # fmt: skip
    return ZohoCrmClient(**options)


@pytest.fixture
def zoho(sandbox: Sandbox) -> Iterator[ZohoCrmClient]:
    with client_of(sandbox) as made:
        assert made.create_fields("Accounts", [KEY])[0].error is None
        yield made


def accounts(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"Account_Name": f"Firm {n}", "Sage_Key": f"K{n:05}"} for n in range(first, first + count)]


def upserted(zoho: ZohoCrmClient, count: int) -> list[str]:
    results = zoho.upsert("Accounts", accounts(count), duplicate_check=["Sage_Key"])
    assert [result.error for result in results] == [None] * count
    return [str(result.id) for result in results]


def read_keys(zoho: ZohoCrmClient, sandbox: Sandbox) -> list[str]:
    pages = zoho.changed_since(
        "Accounts", fields=["Sage_Key"], since=sandbox.clock.now() - timedelta(hours=1),
        where=[where("Sage_Key", "not_null")],
    )  # fmt: skip
    return [str(row["Sage_Key"]) for page in pages for row in page.rows]


def test_rows_written_in_one_second_are_read_back_once_each(zoho: ZohoCrmClient, sandbox: Sandbox) -> None:
    ids = upserted(zoho, 650)
    assert len(set(ids)) == 650
    assert sorted(read_keys(zoho, sandbox)) == [f"K{n:05}" for n in range(650)]


@pytest.mark.parametrize("reading", ["by rows", "ok"])
def test_upserts_find_what_they_wrote_and_answer_row_by_row(
    zoho: ZohoCrmClient, sandbox: Sandbox, reading: Any
) -> None:
    sandbox.zoho_crm.world.switches.failed_rows_status = reading
    first = upserted(zoho, 3)
    rows: list[dict[str, Any]] = [*accounts(1), {"Account_Name": "x" * 300, "Sage_Key": "long"}, *accounts(1, first=9)]
    again = zoho.upsert("Accounts", rows, duplicate_check=["Sage_Key"])
    assert (again[0].id, again[0].created) == (first[0], False)
    assert again[1].error is not None
    assert (again[1].error.field, again[1].error.verdict) == ("Account_Name", Verdict.REFUSE)
    assert again[2].created
    assert again[2].modified_time is not None


def test_a_duplicate_names_the_record_that_is_there(zoho: ZohoCrmClient) -> None:
    (there,) = upserted(zoho, 1)
    error = zoho.insert("Accounts", accounts(1))[0].error
    assert error is not None
    assert (error.code, error.verdict, error.details["id"]) == ("DUPLICATE_DATA", Verdict.CONFLICT, there)


def test_finding_reading_by_id_and_deleted(zoho: ZohoCrmClient, sandbox: Sandbox) -> None:
    ids = upserted(zoho, 120)
    wanted = [f"K{n:05}" for n in range(0, 240, 2)]
    found = zoho.find("Accounts", where=[where("Sage_Key", "in", wanted)], fields=["Sage_Key"])
    assert sorted(str(row["Sage_Key"]) for row in found) == wanted[:60]
    assert [row["id"] for row in zoho.get_many("Accounts", ids, fields=["Account_Name"])] == ids
    whole = zoho.get("Accounts", ids[0])
    assert whole is not None
    assert whole["Sage_Key"] == "K00000"
    assert zoho.get("Accounts", "1" + ids[0][1:]) is None
    sandbox.zoho_crm.world.actions["delete_record"]({"module": "Accounts", "id": ids[0]})
    gone = zoho.deleted_since("Accounts", sandbox.clock.now() - timedelta(minutes=1))
    assert [row["id"] for row in gone] == [ids[0]]


@pytest.mark.parametrize(
    "value", ["O'Brien", "a\\", "' or id is not null or Sage_Key = '", "50%", 'say "so"', "(x) and"]
)
def test_no_value_leaves_its_literal(zoho: ZohoCrmClient, value: str) -> None:
    zoho.upsert("Accounts", [{"Account_Name": value, "Sage_Key": "one"}, *accounts(5)], duplicate_check=["Sage_Key"])
    found = zoho.find("Accounts", where=[where("Account_Name", "eq", value)], fields=["Account_Name"])
    assert [row["Account_Name"] for row in found] == [value]


def test_a_token_that_ends_while_a_read_goes_on_is_replaced(zoho: ZohoCrmClient, sandbox: Sandbox) -> None:
    upserted(zoho, 450)
    pages = zoho.changed_since("Accounts", fields=["Sage_Key"], since=sandbox.clock.now() - timedelta(hours=1))
    rows = list(next(pages).rows)
    sandbox.zoho_crm.world.oauth.revoke_access_tokens()
    rows += [row for page in pages for row in page.rows]
    assert len([row for row in rows if row["Sage_Key"]]) == 450


def test_an_hour_later_the_client_goes_on_with_a_new_token(zoho: ZohoCrmClient, sandbox: Sandbox) -> None:
    sandbox.clock.advance(timedelta(minutes=58))
    assert zoho.org()
    sandbox.clock.advance(timedelta(hours=5))
    assert zoho.org()
    assert sandbox.zoho_crm.world.counters.by_call["POST /oauth/v2/token"] == 3


@pytest.mark.parametrize("status", [200, 400])
def test_a_revoked_refresh_token_is_fatal_with_the_remedy(sandbox: Sandbox, status: int) -> None:
    sandbox.zoho_crm.world.switches.oauth_error_status = status
    with client_of(sandbox) as zoho:
        assert zoho.org()
        sandbox.zoho_crm.world.oauth.revoke(sandbox.zoho_crm.refresh_token)
        with pytest.raises(VendorError, match="Generate Code") as caught:
            zoho.org()
    assert (caught.value.code, caught.value.verdict) == ("invalid_code", Verdict.FATAL)
    assert sandbox.zoho_crm.refresh_token not in str(caught.value)


def test_the_wrong_region_names_the_accounts_host(sandbox: Sandbox) -> None:
    sandbox.zoho_crm.world.switches.wrong_data_center = True
    with client_of(sandbox) as zoho, pytest.raises(VendorError, match="another region") as caught:
        zoho.org()
    assert caught.value.verdict is Verdict.FATAL


def test_an_api_domain_that_is_not_listed_is_never_called(sandbox: Sandbox) -> None:
    with (
        client_of(sandbox, tokens=tokens_of(sandbox, allowed_domains=[])) as zoho,
        pytest.raises(VendorError) as caught,
    ):
        zoho.org()
    assert caught.value.code == "UNTRUSTED_API_DOMAIN"
    assert set(sandbox.zoho_crm.world.counters.by_call) == {"POST /oauth/v2/token"}


@pytest.mark.parametrize("status", [400, 200])
def test_ten_tokens_in_ten_minutes_then_a_wait(sandbox: Sandbox, status: int) -> None:
    sandbox.zoho_crm.world.switches.oauth_throttle_status = status
    tokens = tokens_of(sandbox)
    held = tokens.token()
    for _ in range(9):
        held = tokens.renew(held)
    for _ in range(3):
        with pytest.raises(VendorError) as caught:
            tokens.renew(held)
        assert caught.value.verdict is Verdict.RETRY
    assert sandbox.zoho_crm.world.counters.by_call["POST /oauth/v2/token"] == 11


def test_many_threads_share_one_token_and_ten_places(sandbox: Sandbox) -> None:
    world = sandbox.zoho_crm.world
    world.faults.add("latency", seconds=0.02)
    with client_of(sandbox) as zoho, ThreadPoolExecutor(24) as pool:
        rounds = [pool.submit(zoho.find, "Accounts", where=(), fields=("id",), limit=1) for _ in range(48)]
        for each in rounds:
            each.result()
    assert world.counters.by_call["POST /oauth/v2/token"] == 1
    assert world.counters.by_status["429"] == 0
    assert 1 < world.counters.most_in_flight <= 10


def test_our_count_of_credits_is_zohos(zoho: ZohoCrmClient, sandbox: Sandbox) -> None:
    limits = sandbox.zoho_crm.world.limits
    limits.allowance = 1000
    limits.spend(600)  # from half the allowance on, Zoho tells what is left
    before, counted = limits.spent_ever, zoho.usage.credits
    zoho.org()
    ids = upserted(zoho, 230)
    zoho.update("Accounts", [{"id": each, "Phone": "1"} for each in ids[:11]])
    zoho.insert("Accounts", [{"Account_Name": "One more"}])
    read_keys(zoho, sandbox)
    zoho.find("Accounts", where=[where("id", "in", ids)], fields=["Account_Name"])
    zoho.get_many("Accounts", ids, fields=["Account_Name"])
    zoho.get("Accounts", ids[0])
    list(zoho.deleted_since("Accounts", sandbox.clock.now() - timedelta(hours=1)))
    zoho.modules(), zoho.fields("Accounts"), zoho.current_user()
    assert zoho.usage.credits - counted == limits.spent_ever - before
    assert zoho.usage.credits_remaining == 1000 - limits.used
    assert zoho.credit_drift == 0


def test_a_reset_after_the_write_is_harmless_for_an_upsert(zoho: ZohoCrmClient, sandbox: Sandbox) -> None:
    sandbox.zoho_crm.world.faults.add("reset_after", path="/Accounts/upsert", nth=1)
    upserted(zoho, 5)
    assert len(zoho.find("Accounts", where=[where("Sage_Key", "not_null")], fields=["id"])) == 5
    assert zoho.usage.retries == 1


@pytest.mark.parametrize("fault", ["reset_after", "reset_before", "truncate"])
def test_an_insert_without_answer_is_unknown_and_sent_once(zoho: ZohoCrmClient, sandbox: Sandbox, fault: Any) -> None:
    world = sandbox.zoho_crm.world
    world.faults.add(fault, method="POST", path="/Accounts$", nth=1)
    with pytest.raises(OutcomeUnknown):
        zoho.insert("Accounts", accounts(1))
    found = zoho.find("Accounts", where=[where("Sage_Key", "not_null")], fields=["id"])
    assert len(found) == (0 if fault == "reset_before" else 1)
    assert world.counters.by_call["POST /crm/v8/Accounts"] == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_trouble_that_passes_is_waited_out(zoho: ZohoCrmClient, sandbox: Sandbox, status: int) -> None:
    sandbox.zoho_crm.world.faults.add("status", status=status, path="/upsert|/coql", times=3)
    upserted(zoho, 2)
    assert read_keys(zoho, sandbox) == ["K00000", "K00001"]
    assert zoho.usage.retries == 3


def test_a_body_that_trickles_or_never_comes_is_given_up(sandbox: Sandbox) -> None:
    sandbox.zoho_crm.world.faults.add("hang", path="/org", seconds=1)
    sandbox.zoho_crm.world.faults.add("slow_body", path="/users", seconds=3)
    hasty = Timeouts(connect=1, read=0.5, total=0.6)
    with client_of(sandbox, timeouts=hasty, max_attempts=1) as zoho:
        for ask in (zoho.org, zoho.current_user):
            with pytest.raises(VendorError, match="in time") as caught:
                ask()
            assert caught.value.verdict is Verdict.RETRY


def test_an_edition_without_inventory_says_so(sandbox: Sandbox, zoho: ZohoCrmClient) -> None:
    sandbox.zoho_crm.world.actions["set_edition"]({"edition": "standard"})
    with pytest.raises(VendorError) as caught:
        zoho.find("Invoices", where=(), fields=["id"])
    assert caught.value.code == "MODULE_NOT_IN_EDITION"


def test_creating_a_field_that_exists_is_told_on_its_row(zoho: ZohoCrmClient) -> None:
    (again,) = zoho.create_fields("Accounts", [KEY])
    assert again.error is not None
    assert again.error.code == "DUPLICATE_DATA"


def test_zohos_clock_is_read_from_zoho(sandbox: Sandbox, zoho: ZohoCrmClient) -> None:
    sandbox.clock.advance(timedelta(days=2))
    before = sandbox.clock.now().replace(microsecond=0)  # Zoho tells whole seconds
    zoho.org()
    assert before <= zoho.server_time() <= sandbox.clock.now()
