"""The Sage 300 client reads the simulated Web API, over real sockets, and says what is in its way."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines.sage300.probe import missing_properties, probe_applications
from sagezoho_pipelines.sandbox.sage300.schema import record_type
from sagezoho_pipelines.sandbox.server import SageHandle, Sandbox
from sagezoho_pipelines_tests.integration.sage_clients import (
    CUSTOMERS,
    NEW_CUSTOMER,
    VENDORS,
    Connect,
    as_new,
    connecting,
    numbers,
    vendors_of,
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.running(seed=3, vendors=250, deals=1) as running:
        yield running


@pytest.fixture
def sage(sandbox: Sandbox) -> Iterator[SageHandle]:
    yield sandbox.sage300
    as_new(sandbox)


@pytest.fixture
def connect(sage: SageHandle) -> Iterator[Connect]:
    with connecting(sage) as connected:
        yield connected


# --- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [7, 100, 250, 1000])
@pytest.mark.parametrize("overrides", [False, True])
@pytest.mark.parametrize("keeps", [False, True])
def test_a_set_is_read_whole_whatever_the_page_size_means(
    connect: Connect, sage: SageHandle, page_size: int, overrides: bool, keeps: bool
) -> None:
    sage.world.switches.top_overrides_page_size = overrides
    sage.world.switches.next_link_keeps_options = keeps
    assert numbers(connect(page_size=page_size)) == vendors_of(sage)


@pytest.mark.parametrize("server_page", [3, 40])
def test_a_server_page_smaller_than_ours_loses_nothing(connect: Connect, sage: SageHandle, server_page: int) -> None:
    sage.world.switches.page_size = server_page
    assert numbers(connect()) == vendors_of(sage)


def test_rows_inserted_and_deleted_between_pages_cost_no_other_row(connect: Connect, sage: SageHandle) -> None:
    world = sage.world
    for number in range(30):
        world.actions["add_vendor"]({"fields": {"VendorNumber": f"!{number:03}", "VendorName": "Short-lived"}})
    before = set(vendors_of(sage))
    read: list[str] = []
    pages = connect(page_size=20).pages(VENDORS, select=["VendorNumber"])
    for turn, page in enumerate(pages):
        read += [str(row["VendorNumber"]) for row in page]
        if turn < 10:
            for number in range(turn * 3, turn * 3 + 3):
                world.actions["delete_vendor"]({"vendor": f"!{number:03}"})
            world.actions["add_vendor"]({"fields": {"VendorNumber": f"#{turn:03}", "VendorName": "Latecomer"}})
    stays = before & set(vendors_of(sage))
    for turn in range(10):
        world.actions["delete_vendor"]({"vendor": f"#{turn:03}"})
    assert stays <= set(read)


def test_criteria_are_understood_by_the_server(connect: Connect, sage: SageHandle) -> None:
    client, wanted = connect(), vendors_of(sage)[5:30]
    client.create(VENDORS, {"VendorNumber": "O'N 1", "GroupCode": "INV", "VendorName": "it's 'quoted' or 1 eq 1"})
    try:
        [row] = client.find(VENDORS, where=[where("VendorName", "eq", "it's 'quoted' or 1 eq 1")], select=[])
        assert row["VendorNumber"] == "O'N 1"
        assert client.get(VENDORS, "O'N 1", select=["VendorNumber"]) == {"VendorNumber": "O'N 1"}
    finally:
        sage.world.actions["delete_vendor"]({"vendor": "O'N 1"})
    found = client.find(VENDORS, where=[where("VendorNumber", "in", wanted)], select=["VendorNumber"])
    assert [row["VendorNumber"] for row in found] == wanted
    every = [
        where("Status", "eq", "Active"),
        where("DateLastMaintained", "ge", date(2000, 1, 1)),
        where("CreditLimit", "ge", Decimal("0.00")),
        where("StartDate", "not_null"),
        where("VendorNumber", "starts_with", wanted[0][:1]),
    ]
    assert client.exists(VENDORS, where=every) is bool(client.find(VENDORS, where=every, select=[], limit=1))
    assert not client.exists(VENDORS, where=[where("DateLastMaintained", "ge", date(2190, 1, 1))])


def test_strings_come_without_padding_and_numbers_as_decimals(connect: Connect, sage: SageHandle) -> None:
    row = connect().get(VENDORS, vendors_of(sage)[0])
    assert row is not None
    assert "@odata.context" not in row
    assert row["ShortName"] == row["ShortName"].strip()
    assert isinstance(row["CreditLimit"], Decimal)


def test_a_record_that_is_not_there_is_none(connect: Connect) -> None:
    assert connect().get(VENDORS, "NOBODY") is None
    assert connect().get(VENDORS, "A/B") is None
    assert connect().get("OE/OEOrders", "999999999") is None


# --- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("credentials", "options", "code"),
    [
        (("webapi", "wrong"), {}, "Unauthorized"),
        (("admin", "ADMIN"), {}, "Forbidden"),
        (("norights", "NORIGHTS"), {}, "Forbidden"),
        (("webapi", "WEBAPI"), {"company": "WRONG"}, "Forbidden"),
        (("webapi", "WEBAPI"), {"version": "v9.9"}, "ResourceNotFound"),
    ],
)
def test_what_stops_the_connection_says_so_and_how_to_mend_it(
    connect: Connect, credentials: tuple[str, str], options: dict[str, Any], code: str
) -> None:
    client = connect(*credentials, **options)
    with pytest.raises(VendorError) as error:
        client.exists(VENDORS, where=[])
    assert (error.value.code, error.value.verdict, client.usage.calls) == (code, Verdict.FATAL, 1)
    assert error.value.advice


def test_another_page_on_the_same_server_is_not_the_web_api(connect: Connect, sage: SageHandle) -> None:
    with pytest.raises(VendorError, match="HTML page") as error:
        connect(base_url=sage.url.replace("Sage300WebApi", "Elsewhere")).exists(VENDORS, where=[])
    assert error.value.verdict is Verdict.FATAL


def test_a_port_where_nobody_listens_is_named(connect: Connect) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        client = connect(base_url=f"http://127.0.0.1:{port}/Sage300WebApi")
        with pytest.raises(VendorError, match=f"127.0.0.1:{port}") as error:
            client.exists(VENDORS, where=[])
        assert (error.value.code, client.usage.calls) == ("Unreachable", 5)
        with pytest.raises(VendorError) as error:
            client.create(CUSTOMERS, NEW_CUSTOMER)
    assert not isinstance(error.value, OutcomeUnknown)


def test_https_where_plain_http_is_spoken_is_unreachable(connect: Connect, sage: SageHandle) -> None:
    with pytest.raises(VendorError) as error:
        connect(base_url=sage.url.replace("http:", "https:")).exists(VENDORS, where=[])
    assert (error.value.code, error.value.verdict) == ("Unreachable", Verdict.RETRY)


def test_a_name_that_does_not_resolve_is_unreachable(connect: Connect) -> None:
    with pytest.raises(VendorError, match=r"sage\.invalid:80.*cannot be resolved") as error:
        connect(base_url="http://sage.invalid/Sage300WebApi", max_attempts=1).exists(VENDORS, where=[])
    assert error.value.code == "Unreachable"


def test_no_request_is_longer_than_iis_lets_through(connect: Connect) -> None:
    every = list(record_type("OEInvoice").fields)
    [invoice] = connect().find("OE/OEInvoices", where=(), select=every, limit=1)
    assert set(invoice) == set(every)
    again = connect().get("OE/OEInvoices", int(str(invoice["InvoiceUniquifier"])), select=every)
    assert again is not None
    assert set(again) == set(every)
    names = [f"{'ü' * 58}{number:02d}" for number in range(12)]
    assert connect().find(VENDORS, where=[where("VendorName", "in", names)], select=["VendorNumber"]) == []


# --- faults while reading --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "status", "status": 503},
        {"action": "status", "status": 429, "headers": {"Retry-After": "0"}},
        {"action": "status", "status": 500},
        {"action": "status", "status": 502},
        {"action": "reset_before"},
        {"action": "reset_after"},
        {"action": "truncate"},
        {"action": "truncate", "keep": 0},
        {"action": "slow_body", "seconds": 3.0},
        {"action": "hang", "seconds": 1.5},
        {"action": "hang_after", "seconds": 3.0},
    ],
)
def test_a_read_survives(connect: Connect, sage: SageHandle, fault: dict[str, Any]) -> None:
    rule = sage.world.faults.add(**fault, nth=2)
    slow = fault["action"] in ("slow_body", "hang", "hang_after")
    # With a second's patience a busy machine makes a client retry more than what the fault struck.
    client = connect(read_timeout=1.0, max_attempts=60) if slow else connect(read_timeout=30.0)
    assert numbers(client) == vendors_of(sage)
    assert rule.fired == 1
    assert client.usage.retries >= 1 if slow else client.usage.retries == 1


def test_html_from_iis_is_told_in_a_few_words(connect: Connect, sage: SageHandle) -> None:
    sage.world.faults.add("status", status=503)
    with pytest.raises(VendorError, match="Service Unavailable") as error:
        connect(max_attempts=2).exists(VENDORS, where=[])
    assert (error.value.code, error.value.verdict) == ("ServiceUnavailable", Verdict.RETRY)
    assert "<" not in error.value.text


def test_a_body_that_drips_is_given_up_after_the_time_out(connect: Connect, sage: SageHandle) -> None:
    sage.world.faults.add("slow_body", seconds=30.0)
    started = time.monotonic()
    with pytest.raises(VendorError) as error:
        connect(read_timeout=0.5, max_attempts=1).exists(VENDORS, where=[])
    assert error.value.code == "Timeout"
    assert time.monotonic() - started < 10


def test_closing_early_leaves_no_thread_and_no_further_request(connect: Connect, sage: SageHandle) -> None:
    client = connect(page_size=10)
    pages = client.pages(VENDORS, select=["VendorNumber"])
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sage300-pages")]
    calls = sage.world.counters.total
    time.sleep(0.1)
    assert sage.world.counters.total == calls


def test_no_more_than_the_allowed_calls_run_at_once(connect: Connect, sage: SageHandle) -> None:
    sage.world.faults.latency = 0.01
    client = connect(page_size=10, concurrency=2)
    threads = [threading.Thread(target=numbers, args=(client,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sage.world.counters.most_in_flight == 2


# --- check ---------------------------------------------------------------------------------------------------------


def test_the_probe_finds_the_application_without_the_right(connect: Connect) -> None:
    findings = probe_applications(connect("nooe", "NOOE"))
    assert {finding.name[:2]: finding.ok for finding in findings} == {
        "AP": True, "AR": True, "OE": False, "IC": True, "CS": True, "TX": True,
    }  # fmt: skip


def test_metadata_tells_what_this_release_has(connect: Connect) -> None:
    metadata = connect().metadata("OE")
    assert metadata.key_of("OE/OEOrders") == ("OrderUniquifier",)
    assert missing_properties(metadata, "OE/OEOrders", ["OrderReference", "OrderDetails.Item"]).ok
    assert not missing_properties(metadata, "OE/OEOrders", ["OrderDetails.Nothing"]).ok
