"""From an edit in Zoho to an order in Sage by callback alone, and the channel as Dagster keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import URL, Engine

from sagezoho_pipelines.config import Settings
from sagezoho_pipelines.definitions import build_defs
from sagezoho_pipelines.defs.problems import ATTENDED_TAG
from sagezoho_pipelines.domain.records import Cause
from sagezoho_pipelines.engine.channel_health import needs_attention
from sagezoho_pipelines.engine.channels import keep_channel
from sagezoho_pipelines.engine.deliver import deliver
from sagezoho_pipelines.engine.flows.customers import CustomersHandler
from sagezoho_pipelines.engine.flows.orders.flow import OrdersHandler
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.vault import Vault
from sagezoho_pipelines.sandbox.zoho_crm.switches import ZohoSwitches
from sagezoho_pipelines.wiring import Installation
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench
from sagezoho_pipelines_tests.gateway_service import KEYS, Service, own_certificate, serving
from sagezoho_pipelines_tests.integration.defs_site import opened
from sagezoho_pipelines_tests.tls import PUBLIC_URL, certificates, door, lead_to

ADDRESS = {
    "Billing_Street": "12 Harbour Road", "Billing_City": "Vancouver", "Billing_State": "BC",
    "Billing_Code": "V6B 1A1", "Billing_Country": "Canada", "Phone": "604-555-0100",
}  # fmt: skip


@contextmanager
def told(engine: Engine, **options: Any) -> Iterator[tuple[Bench, Service]]:
    """A bench whose Zoho tells a real gateway of its changes."""
    store = PostgresChannelStore(engine, Vault(engine, keys=KEYS))
    with bench(engine, vendors=2, deals=0, **options) as made:
        before = Settings.model_validate({"connections": {CONNECTION: made.settings}})
        with serving(made.ledger, store, before, clock=made.now, tls=own_certificate()) as gateway:
            lead_to(made.sandbox.zoho_crm.world, gateway.port)
            made.sandbox.zoho_crm.world.switches.callback_timeout_seconds = 60  # however busy the machine is
            with_url = made.settings.model_dump() | {"notifications": {"url": PUBLIC_URL}}
            made.settings = Settings.model_validate({"connections": {CONNECTION: with_url}}).connection(CONNECTION)
            keep_channel(made.context(), store)
            yield made, gateway


def won_deal(made: Bench, name: str = "Refit") -> str:
    account = made.act("zoho_crm", "add_account", name=f"{name} Ltd", values=ADDRESS)["id"]
    deal = made.act("zoho_crm", "add_deal", name=name, account_id=account, amount="1250.00", stage="Closed Won")
    assert made.sandbox.zoho_crm.world.courier.drain(60)
    return str(deal["id"])


def causes(made: Bench) -> list[tuple[str, str, str]]:
    rows = made.query("SELECT entity, key, cause FROM sagezoho.changes WHERE state = 'queued' ORDER BY id")
    return [(row["entity"], row["key"], row["cause"]) for row in rows]


def deals_with_orders(made: Bench) -> list[str]:
    references = [str(row["OrderReference"]).strip() for row in made.state("sage300", "OEOrders")]
    return [reference for reference in references if reference.isdigit()]


def test_a_deal_that_zoho_tells_of_is_an_order_without_any_poll(engine: Engine) -> None:
    with told(engine) as (made, _):
        deal = won_deal(made)
        assert causes(made) == [("deals", deal, str(Cause.NOTIFICATION))]
        assert deliver(made.context(), OrdersHandler()).left_over == 0
        assert deals_with_orders(made) == [deal]


def test_a_customer_follows_its_account_without_any_poll(engine: Engine) -> None:
    with told(engine) as (made, _):
        won_deal(made)
        deliver(made.context(), OrdersHandler())
        [account] = [row for row in made.state("zoho_crm", "Accounts") if row["Account_Name"] == "Refit Ltd"]
        made.act("zoho_crm", "edit_account", account_id=str(account["id"]), values={"Phone": "604-555-0199"})
        assert made.sandbox.zoho_crm.world.courier.drain(60)
        assert ("deal_accounts", str(account["id"]), "notification") in causes(made)
        assert deliver(made.context(), CustomersHandler()).left_over == 0
        [customer] = [row for row in made.state("sage300", "ARCustomers") if row["CustomerNumber"] == "Z000001"]
        assert "5550199" in str(customer["PhoneNumber"]).replace("-", "")


@pytest.mark.parametrize(
    "switches",
    [{"callback_duplicate_rate": 1.0}, {"callback_reorder_rate": 0.5}, {"callback_drop_rate": 1.0}],
    ids=["doubled", "reordered", "dropped"],
)
def test_whatever_becomes_of_callbacks_one_poll_later_each_deal_is_one_order(
    engine: Engine, switches: dict[str, float]
) -> None:
    with told(engine, zoho_switches=ZohoSwitches(**switches)) as (made, _):
        deals = [won_deal(made, f"Deal {number}") for number in range(4)]
        deliver(made.context(), OrdersHandler())
        run_flow(made.context(), "orders", Window.incremental())
        assert sorted(deals_with_orders(made)) == sorted(deals)


def test_dagster_keeps_the_channel_and_shows_its_health(postgres_url: URL, tmp_path: Path) -> None:
    with opened(postgres_url, tmp_path, trust_ca=(certificates().authority,)) as site, door() as port:
        lead_to(site.sandbox.zoho_crm.world, port)
        connection = site.installation.settings.connection(CONNECTION).model_dump() | {
            "notifications": {"url": PUBLIC_URL}
        }
        settings = Settings.model_validate({"connections": {CONNECTION: connection}})
        with Installation(site.installation.env, settings=settings) as installation:
            repository = build_defs(installation=installation).get_repository_def()
            job = repository.get_job("saminc__channels")

            def run() -> dg.ExecuteInProcessResult:
                return job.execute_in_process(instance=site.instance, tags={ATTENDED_TAG: "true"}, raise_on_error=False)

            assert repository.get_schedule_def("saminc__channels").job_name == "saminc__channels"
            first = run()
            assert first.success
            shown = site.metadata("zoho_crm/channels")
            assert shown["done"].value == "subscribe"
            assert shown["state"].value == "alive"
            channel = installation.channels.read(CONNECTION)
            assert channel is not None
            assert channel.token not in str(shown)
            assert [check.passed for check in first.get_asset_check_evaluations()] == [True]

            site.sandbox.zoho_crm.world.faults.add("status", path="/actions/watch", status=503)
            assert not run().success
            channel = installation.channels.read(CONNECTION)
            assert channel is not None
            assert "verify failed" in needs_attention(channel, now=installation.clock())


def test_once_notifications_are_switched_off_the_next_channel_run_has_zoho_stop(
    postgres_url: URL, tmp_path: Path
) -> None:
    with opened(postgres_url, tmp_path, trust_ca=(certificates().authority,)) as site, door() as port:
        lead_to(site.sandbox.zoho_crm.world, port)
        plain = site.installation.settings.connection(CONNECTION).model_dump()
        held = site.sandbox.zoho_crm.world.channels.held

        def looked(**notifications: Any) -> str | None:
            """One tick of the schedule and the run it asks for; why it asks for none."""
            settings = Settings.model_validate({"connections": {CONNECTION: plain | {"notifications": notifications}}})
            with Installation(site.installation.env, settings=settings) as installation:
                repository = build_defs(installation=installation).get_repository_def()
                resources = {"sagezoho": repository.get_top_level_resources()["sagezoho"]}
                with dg.build_schedule_context(
                    instance=site.instance, repository_def=repository, resources=resources
                ) as context:
                    tick = repository.get_schedule_def("saminc__channels").evaluate_tick(context)
                if not tick.run_requests:
                    return tick.skip_message
                result = repository.get_job("saminc__channels").execute_in_process(instance=site.instance)
                assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
                return None

        assert "not configured" in (looked() or "")
        assert looked(url=PUBLIC_URL) is None
        assert {key[1] for key in held} == {"Deals", "Accounts"}
        assert looked() is None
        assert held == {}
        assert "not configured" in (looked() or "")
