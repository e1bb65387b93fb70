"""A desk at which a notification channel is kept, against a Zoho that reaches a door of the test's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from sagezoho_pipelines.config import Notifications
from sagezoho_pipelines.domain.channels import Channel
from sagezoho_pipelines.engine.channels import ChannelReport, keep_channel
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.masterkeys import MasterKeys
from sagezoho_pipelines.ledger.vault import Vault
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench
from sagezoho_pipelines_tests.tls import PUBLIC_URL, door, lead_to

OLD_KEY, NEW_KEY = bytes(range(32)), bytes(range(32, 64))
KEYS = MasterKeys([OLD_KEY], source="the test")
DEAF = PUBLIC_URL
EVENTS = [f"{module}.{operation}" for module in ("Deals", "Accounts") for operation in ("create", "edit", "delete")]


class Desk:
    """A bench with a channel store, whose Zoho's clock moves with the engine's."""

    def __init__(self, made: Bench, **notifications: Any) -> None:
        self.bench = made
        self.store = PostgresChannelStore(made.engine, Vault(made.engine, keys=KEYS))
        self.notifications(url=DEAF, **notifications)

    def notifications(self, **values: Any) -> None:
        self.bench.settings = self.bench.settings.model_copy(update={"notifications": Notifications(**values)})

    def keep(self, ctx: Context | None = None) -> ChannelReport:
        return keep_channel(ctx or self.bench.context(), self.store)

    def channel(self) -> Channel:
        found = self.store.read(CONNECTION)
        assert found is not None
        return found

    def later(self, **delta: float) -> None:
        self.bench.later(**delta)
        self.bench.sandbox.clock.advance(timedelta(**delta))

    def watched(self) -> dict[str, Any]:
        """What Zoho holds of our channel, by module."""
        return {one.module.api_name: one for one in self.bench.sandbox.zoho_crm.world.channels.held.values()}

    def audit(self) -> list[tuple[str, str]]:
        rows = self.bench.query("SELECT operation, outcome FROM sagezoho.audit WHERE flow = 'channels' ORDER BY seq")
        return [(row["operation"], row["outcome"]) for row in rows]


@contextmanager
def at_desk(engine: Engine) -> Iterator[Desk]:
    with bench(engine, vendors=2, deals=0) as made, door() as port:
        lead_to(made.sandbox.zoho_crm.world, port)
        yield Desk(made)
