"""The simulated organisation's past with the company: some accounts really are its vendors, typed by other people."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sagezoho_pipelines.cli.main import cli
from sagezoho_pipelines.sandbox import saving
from sagezoho_pipelines.sandbox.clock import SandboxClock
from sagezoho_pipelines.sandbox.retyping import Firm, retyped
from sagezoho_pipelines.sandbox.server import Sandbox


def made(**options: Any) -> Sandbox:
    clock = SandboxClock(datetime(2026, 9, 1, 9, tzinfo=UTC), frozen=True)
    return Sandbox(
        **{"seed": 5, "vendors": 60, "deals": 0, "accounts": 90, "known_vendors": 40, "clock": clock, **options}
    )


def rows(sandbox: Sandbox, collection: str) -> list[dict[str, Any]]:
    return list(sandbox.zoho_crm.world.state(collection))


def test_so_many_accounts_are_vendors_and_the_truth_names_them() -> None:
    sandbox = made()
    truth = rows(sandbox, "known_vendors")
    accounts = {str(row["id"]) for row in rows(sandbox, "Accounts")}
    vendors = {str(row["VendorNumber"]) for row in sandbox.sage300.world.state("APVendors")}
    assert len(accounts) == 90
    assert len({row["account"] for row in truth} & accounts) == len({row["vendor"] for row in truth} & vendors) == 40


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    one, other, third = made(), made(), made(seed=6)
    for collection in ("Accounts", "Contacts", "known_vendors"):
        assert rows(one, collection) == rows(other, collection)
    assert [row["Account_Name"] for row in rows(one, "Accounts")] != [
        r["Account_Name"] for r in rows(third, "Accounts")
    ]


def test_without_known_vendors_the_past_is_as_it_was() -> None:
    plain = made(known_vendors=0)
    assert rows(plain, "known_vendors") == []
    assert "Tax_ID" not in plain.zoho_crm.world.org.modules["Accounts"].fields


def test_more_known_vendors_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="need as many accounts and vendors"):
        made(known_vendors=70)
    done = CliRunner().invoke(cli, ["sandbox", "--existing-accounts", "5", "--known-vendors", "9"])
    assert done.exit_code == 2
    assert "9 known vendors" in done.output


def test_the_truth_is_kept_with_the_state(tmp_path: Path) -> None:
    first, again = made(), made(known_vendors=0, accounts=0)
    path = tmp_path / "state"
    saving.save(path, seed=5, sage=first.sage300.world, zoho=first.zoho_crm.world)
    saving.restore(saving.load(path), sage=again.sage300.world, zoho=again.zoho_crm.world)
    assert rows(again, "known_vendors") == rows(first, "known_vendors")


def test_people_type_a_firm_in_many_ways_and_never_without_a_name() -> None:
    firm = Firm("Müller Industrial Supply GmbH", "12 Mill Road", "München", "BY", "80331", "Germany", "6045550199", "mueller.example", tax_number="DE811234567")  # fmt: skip # noqa: E501
    typed = [retyped(random.Random(seed), firm) for seed in range(400)]
    assert all(one.name.strip() for one in typed)
    assert len({one.name for one in typed}) > 40
    assert {one.city for one in typed} > {"München", "Munich", ""}
    assert {bool(one.phone) for one in typed} == {bool(one.tax_number) for one in typed} == {True, False}
