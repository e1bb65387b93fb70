"""A sandbox that is ended and served again holds what it held, and goes on from there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sagezoho_pipelines.sandbox import saving
from sagezoho_pipelines.sandbox.clock import SandboxClock
from sagezoho_pipelines.sandbox.sage300.company import founded
from sagezoho_pipelines.sandbox.sage300.world import SageWorld
from sagezoho_pipelines.sandbox.zoho_crm.world import ZohoWorld


def worlds(*, vendors: int, deals: int) -> tuple[SageWorld, ZohoWorld]:
    clock = SandboxClock(datetime(2026, 9, 1, 9, tzinfo=UTC), frozen=True)
    sage = founded(seed=5, vendors=vendors, clock=clock)
    return sage, ZohoWorld(seed=5, deals=deals, clock=clock, base_url="http://127.0.0.1:1")


def test_everything_comes_back_and_new_records_follow_the_old_ones(tmp_path: Path) -> None:
    sage, zoho = worlds(vendors=6, deals=9)
    vendor = sage.actions["add_vendor"]({"fields": {"VendorName": "Kept"}})["VendorNumber"]
    account = zoho.actions["add_account"]({"name": "Kept Ltd"})["id"]
    zoho.actions["delete_record"]({"module": "Accounts", "id": account})
    saving.save(tmp_path / "state", seed=5, sage=sage, zoho=zoho)

    again, zoho_again = worlds(vendors=1, deals=0)
    saving.restore(saving.load(tmp_path / "state"), sage=again, zoho=zoho_again)

    for name in sage.tables:
        assert list(again.state(name)) == list(sage.state(name)), name
    for name in zoho.org.tables:
        assert list(zoho_again.state(name)) == list(zoho.state(name)), name
    assert zoho_again.refresh_token == zoho.refresh_token
    assert zoho_again.org.table("Accounts").deleted == zoho.org.table("Accounts").deleted
    assert again.actions["add_vendor"]({})["VendorNumber"] > vendor
    assert zoho_again.actions["add_account"]({"name": "New"}) == zoho.actions["add_account"]({"name": "New"})


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x04}\x94."])
def test_a_file_that_is_no_saved_sandbox_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").write_bytes(content)

    with pytest.raises(saving.NotASavedSandbox, match="no saved sandbox"):
        saving.load(tmp_path / "state")
