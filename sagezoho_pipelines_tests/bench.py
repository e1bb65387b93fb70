"""A bench for tests of the engine: both vendors simulated, the real clients, the real ledger, a clock of the test's."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from sqlalchemy import Engine, text

from sagezoho_pipelines import config
from sagezoho_pipelines.config import FLOWS, Settings
from sagezoho_pipelines.domain.records import Outcome, Override
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.inbox import after_dismissal
from sagezoho_pipelines.engine.planning.document import Plan
from sagezoho_pipelines.engine.planning.plan import make
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.setup import request_for
from sagezoho_pipelines.engine.tally import Tally
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger import inbox
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.mappings import custom_fields, default_mapping
from sagezoho_pipelines.sage300.client import Sage300Client
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines.zoho_crm.client import ZohoCrmClient
from sagezoho_pipelines.zoho_crm.oauth import MemoryTokenStore, TokenSource
from sagezoho_pipelines.zoho_crm.wire import Timeouts
from sagezoho_pipelines_tests.tls import certificates

CONNECTION = "saminc"


class Bench:
    """One connection between a simulated company and a simulated organisation.

    `later` moves the engine's clock, so that a retry becomes due without waiting for it. Where a client waits before it
    sends a request again, the vendors' clock goes on, so that what is sent twice arrives in different seconds.
    """

    def __init__(self, sandbox: Sandbox, engine: Engine, settings: Settings) -> None:
        self.sandbox = sandbox
        self.engine = engine
        self.ledger = PostgresLedger(engine)
        self.settings = settings.connection(CONNECTION)
        self.tokens = MemoryTokenStore()
        self._ahead = timedelta(0)
        self._runs = itertools.count(1)
        self._sessions = requests.Session()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def later(self, **delta: float) -> None:
        self._ahead += timedelta(**delta)

    def sage(self, *, concurrency: int | None = None) -> Sage300Client:
        settings, handle = self.settings.sage300, self.sandbox.sage300
        return Sage300Client(
            base_url=settings.url,
            company=settings.company,
            credentials=lambda: {"username": handle.username, "password": handle.password},
            page_size=settings.page_size,
            concurrency=concurrency or settings.concurrency,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            max_attempts=settings.max_attempts,
            sleep=self._briefly,
        )

    def zoho(self) -> ZohoCrmClient:
        settings, handle = self.settings.zoho_crm, self.sandbox.zoho_crm
        source = TokenSource(
            connection=CONNECTION,
            accounts_url=settings.accounts_url,
            credentials=lambda: {
                "client_id": handle.client_id,
                "client_secret": handle.client_secret,
                "refresh_token": handle.refresh_token,
            },
            store=self.tokens,
            allowed_domains=settings.api_domains,
            sleep=self._briefly,
        )
        return ZohoCrmClient(
            connection=CONNECTION,
            token_source=source,
            concurrency=settings.concurrency,
            timeouts=Timeouts(connect=settings.connect_timeout, read=settings.read_timeout),
            max_attempts=settings.max_attempts,
            sleep=self._briefly,
        )

    def context(self) -> Context:
        run = f"run-{next(self._runs):04d}"
        return Context(
            connection=CONNECTION,
            settings=self.settings,
            sage=self.sage(),
            zoho=self.zoho(),
            ledger=self.ledger,
            mappings={flow: default_mapping(flow) for flow in FLOWS},
            clock=self.now,
            random=random.Random(7).random,
            run_id=run,
            actor="test",
            worker=run,
        )

    def planning(self) -> Context:
        """A context as a plan gets it: one call at a time."""
        return replace(self.context(), sage=self.sage(concurrency=1), run_id="plan")

    def plan(self, *flows: str) -> Plan:
        return make(self.planning(), self.ledger, flows or FLOWS)

    def setup(self) -> None:
        """Zoho gets the fields that `sagezoho setup` makes, at its own setup screen: no test waits for the requests.

        What only refines the sync is left out where the edition has no room for it, as the command leaves it out. Then
        we sign on, as the command does: no test's fault meets the request for a token in place of what it is about.
        """
        org = self.sandbox.zoho_crm.world.org
        for field in custom_fields():
            module = org.modules[field.module]
            if org.supports(module) and field.api_name not in module.fields:
                with suppress(ValueError) if field.optional else nullcontext():
                    self.act("zoho_crm", "add_field", module=field.module, **request_for(field))
        self.zoho().modules()

    def sync(self, *flows: str, window: Window | None = None) -> Tally:
        """Run the flows (all of them, where none is named) one after another; the figures of all of them."""
        total = Tally()
        for flow in flows or FLOWS:
            total.add(run_flow(self.context(), flow, window or Window.incremental()))
        return total

    def act(self, system: str, action: str, **arguments: Any) -> dict[str, Any]:
        """Do what a person does in the vendor's own screens."""
        handle = self.sandbox.sage300 if system == "sage300" else self.sandbox.zoho_crm
        return handle.world.actions[action](arguments)

    def one_at_a_time(self) -> None:
        """One worker for each handler: several cut batches as they happen to meet."""
        alone = {
            name: getattr(self.settings, name).model_copy(update={"concurrency": 1}) for name in ("sage300", "zoho_crm")
        }
        self.settings = self.settings.model_copy(update=alone)

    def win_deal(self, name: str, **values: Any) -> str:
        """A deal is won with a new account, which holds an address and these values. Returns the account's id."""
        address = {
            "Billing_Street": "1 Quay", "Billing_City": "Vancouver", "Billing_State": "BC", "Billing_Code": "V6B",
            "Billing_Country": "Canada",
        }  # fmt: skip
        account = str(self.act("zoho_crm", "add_account", name=name, values={**address, **values})["id"])
        self.act("zoho_crm", "add_deal", name=f"Refit of {name}", account_id=account, amount="9", stage="Closed Won")
        return account

    def edit_inbox(self, key: str, **fields: Any) -> None:
        """Give the record's entry in the inbox these values, as a person does."""
        [entry] = inbox.entries(self.engine, ids=[key])
        edit = Override(fields, "test", "chosen by hand")
        assert inbox.retry(self.engine, entry, who="test", at=self.now(), read_again=True, edit=edit) is not None

    def open_inbox(self) -> list[Mapping[str, Any]]:
        return self.query(
            "SELECT entity, key, state, error FROM sagezoho.changes "
            "WHERE state IN ('refused', 'conflicted') ORDER BY id"
        )

    def dismiss_inbox(self, key: str) -> None:
        [entry] = inbox.entries(self.engine, ids=[key])
        looks = after_dismissal(self.settings, entry.connection, entry.system, entry.entity, entry.key)
        assert inbox.dismiss(self.engine, entry, who="test", why="as it should be", at=self.now(), looks=looks)

    def _briefly(self, seconds: float) -> None:
        """Back-off without the waiting: the order of things stays, the test stays short."""
        time.sleep(min(seconds, 0.01))
        self.sandbox.clock.advance(timedelta(seconds=math.ceil(seconds) or 1))

    def state(self, vendor: str, collection: str) -> list[dict[str, Any]]:
        world = self.sandbox.sage300.world if vendor == "sage300" else self.sandbox.zoho_crm.world
        return list(world.state(collection))

    def writes(self) -> dict[str, int]:
        """Write requests each vendor has received since the counters were reset."""
        return {
            "sage300": self.sandbox.sage300.world.counters.snapshot()["writes"],
            "zoho_crm": self.sandbox.zoho_crm.world.counters.snapshot()["writes"],
        }

    def reset_counters(self) -> None:
        self.sandbox.sage300.world.counters.reset()
        self.sandbox.zoho_crm.world.counters.reset()

    def query(self, sql: str, **values: Any) -> list[Mapping[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(sql), values).mappings()]


def settings_for(sandbox: Sandbox, **flows: Any) -> Settings:
    """The issue's own configuration, pointed at the sandbox, with few attempts."""
    return Settings.model_validate(
        {
            "connections": {
                CONNECTION: {
                    "first_sync": "allow",
                    "sage300": {
                        "url": sandbox.sage300.url,
                        "company": sandbox.sage300.company,
                        "read_timeout": 20,
                        "max_attempts": 3,
                    },
                    "zoho_crm": {
                        "accounts_url": sandbox.zoho_crm.accounts_url,
                        "api_domains": [sandbox.zoho_crm.api_domain],
                        "read_timeout": 20,
                        "max_attempts": 3,
                    },
                    "flows": flows,
                }
            }
        }
    )


@contextmanager
def bench(engine: Engine, *, seed: int = 1, vendors: int = 50, deals: int = 20, **options: Any) -> Iterator[Bench]:
    """A bench on a fresh sandbox whose Zoho has the custom fields already."""
    flows = options.pop("flows", {})
    options.setdefault("trust_ca", (certificates().authority,))
    with Sandbox.running(seed=seed, vendors=vendors, deals=deals, **options) as sandbox:
        made = Bench(sandbox, engine, settings_for(sandbox, **flows))
        made.setup()
        yield made


__all__ = ["CONNECTION", "Bench", "Outcome", "bench", "config", "settings_for"]
