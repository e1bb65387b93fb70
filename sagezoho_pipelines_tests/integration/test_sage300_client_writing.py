"""The Sage 300 client writes to the simulated Web API, over real sockets: once, and what became of it is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sagezoho_pipelines.domain.errors import OutcomeUnknown, VendorError, Verdict
from sagezoho_pipelines.sandbox.server import SageHandle, Sandbox
from sagezoho_pipelines_tests.integration.sage_clients import (
    CUSTOMERS,
    NEW_CUSTOMER,
    Connect,
    as_new,
    connecting,
    customers_made,
)
from sagezoho_pipelines_tests.waiting import eventually


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


def test_a_record_is_created_read_and_patched(connect: Connect) -> None:
    client = connect()
    made = client.create(CUSTOMERS, NEW_CUSTOMER)
    assert (made["CustomerNumber"], made["CustomerName"]) == ("ZC000001", "O'Neil & Sons")
    client.patch(CUSTOMERS, "ZC000001", {"CustomerName": "O'Neil"})
    assert client.get(CUSTOMERS, "ZC000001", select=["CustomerName"]) == {"CustomerName": "O'Neil"}
    with pytest.raises(VendorError) as error:
        client.create(CUSTOMERS, NEW_CUSTOMER)
    assert (error.value.code, error.value.verdict) == ("RecordDuplicate", Verdict.CONFLICT)


@pytest.mark.parametrize(
    ("fault", "committed"),
    [
        ({"action": "reset_before"}, 0),
        ({"action": "reset_after"}, 1),
        ({"action": "truncate"}, 1),
        ({"action": "truncate", "keep": 0}, 1),
        ({"action": "slow_body", "seconds": 5.0}, 1),
        ({"action": "hang", "seconds": 1.0}, 0),
        ({"action": "hang_after", "seconds": 3.0}, 1),
        ({"action": "status", "status": 500}, 0),
        ({"action": "status", "status": 502}, 0),
        ({"action": "status", "status": 503}, 0),
    ],
)
def test_a_create_whose_answer_is_lost_is_unknown_and_made_once_at_most(
    connect: Connect, sage: SageHandle, fault: dict[str, Any], committed: int
) -> None:
    rule = sage.world.faults.add(**fault, method="POST")
    client = connect(read_timeout=0.5 if "seconds" in fault else 60)
    with pytest.raises(OutcomeUnknown):
        client.create(CUSTOMERS, NEW_CUSTOMER)
    assert client.usage.writes == 1
    # The reader may have been the hastier one: what it sent must not be met by the next test.
    assert eventually(lambda: rule.fired == 1 and customers_made(sage) == committed)


def test_a_create_turned_away_for_pressure_is_sent_again(connect: Connect, sage: SageHandle) -> None:
    sage.world.faults.add("status", status=429, nth=1, method="POST")
    client = connect(sleep=None)
    client.create(CUSTOMERS, NEW_CUSTOMER)
    assert (client.usage.writes, customers_made(sage)) == (2, 1)


@pytest.mark.parametrize("action", ["day_end", "post_in_progress"])
def test_a_lock_that_looks_like_a_duplicate_means_later(connect: Connect, sage: SageHandle, action: Any) -> None:
    sage.world.faults.add(action)
    client = connect()
    with pytest.raises(VendorError) as error:
        client.create(CUSTOMERS, NEW_CUSTOMER)
    assert not isinstance(error.value, OutcomeUnknown)
    assert error.value.verdict is Verdict.RETRY
    assert (error.value.retry_after or 0) >= 60
    assert (client.usage.writes, customers_made(sage)) == (1, 0)


def test_a_patch_whose_answer_is_lost_is_sent_again(connect: Connect, sage: SageHandle) -> None:
    client = connect()
    client.create(CUSTOMERS, NEW_CUSTOMER)
    sage.world.faults.add("reset_after", method="PATCH", nth=1)
    client.patch(CUSTOMERS, "ZC000001", {"CustomerName": "Again"})
    assert client.get(CUSTOMERS, "ZC000001", select=["CustomerName"]) == {"CustomerName": "Again"}


def test_a_verb_that_a_set_does_not_take_is_refused(connect: Connect) -> None:
    with pytest.raises(VendorError) as error:
        connect().patch("OE/OEOrders", "1", {"OrderDescription": "x"})
    assert (error.value.code, error.value.verdict) == ("MethodNotAllowed", Verdict.REFUSE)
