"""Puts the rooms together: configuration, database, vault, vendor clients, and the context that a run works in."""

from __future__ import annotations

import gc
import os
import random
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine

from sagezoho_pipelines import config
from sagezoho_pipelines.calls.waits import utc_now
from sagezoho_pipelines.config import Settings
from sagezoho_pipelines.domain.errors import ConfigurationError, SagezohoError
from sagezoho_pipelines.domain.mapping import FlowMapping
from sagezoho_pipelines.domain.records import Change, EntityRef, System
from sagezoho_pipelines.domain.settlement import CaptureResult, Settlement
from sagezoho_pipelines.domain.usage import Usage
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.planning.document import Seal
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.clock import DatabaseClock
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.ledger.metadata import PostgresMetadataStore
from sagezoho_pipelines.ledger.migrations.run import migrate
from sagezoho_pipelines.ledger.plans import PostgresPlanStore
from sagezoho_pipelines.ledger.postgres import database_url, engine_for, ensure_database
from sagezoho_pipelines.ledger.pressure import SharedPressure
from sagezoho_pipelines.ledger.tokens import PostgresTokenStore
from sagezoho_pipelines.ledger.vault import Vault
from sagezoho_pipelines.mappings.loading import load_mappings
from sagezoho_pipelines.sage300.client import Sage300Client
from sagezoho_pipelines.sage300.pressure import Pressure
from sagezoho_pipelines.zoho_crm.client import ZohoCrmClient
from sagezoho_pipelines.zoho_crm.oauth import TokenSource
from sagezoho_pipelines.zoho_crm.pressure import Gate
from sagezoho_pipelines.zoho_crm.wire import Timeouts


class Interrupted(SagezohoError):
    """Somebody asked this process to end: nothing new is begun, what is under way is finished and settled."""


class InterruptibleLedger(PostgresLedger):
    """Refuses to capture and to claim once `interrupted` is set: every step ends soon and leaves nothing held.

    Once `draining` is set nothing is claimed any more, as if nothing were due, but for what a run needs to finish what
    it holds: the customer of an order.
    """

    def __init__(self, engine: Engine, interrupted: threading.Event, draining: threading.Event) -> None:
        super().__init__(engine)
        self._interrupted = interrupted
        self._draining = draining
        self._held: dict[str, dict[int, EntityRef]] = defaultdict(dict)  # by run, the oldest first
        self._lock = threading.Lock()

    def capture(self, *args: Any, **options: Any) -> CaptureResult:
        self._go_on()
        return super().capture(*args, **options)

    def claim(self, entity: EntityRef, *, run_id: str = "", **options: Any) -> list[Change]:
        self._go_on()
        with self._lock:
            oldest = next(iter(self._held[run_id].values()), entity)
        if self._draining.is_set() and oldest == entity:
            return []
        changes = super().claim(entity, run_id=run_id, **options)
        with self._lock:
            self._held[run_id] |= {change.id: change.entity for change in changes}
        return changes

    def release(self, changes: Sequence[Change], *, retry_at: datetime) -> None:
        super().release(changes, retry_at=retry_at)
        self._let_go(changes)

    def settle(self, settlements: Sequence[Settlement], *, at: datetime) -> None:
        super().settle(settlements, at=at)
        self._let_go([settlement.change for settlement in settlements])

    def _let_go(self, changes: Sequence[Change]) -> None:
        with self._lock:
            for held in self._held.values():
                for change in changes:
                    held.pop(change.id, None)
            self._held = defaultdict(dict, {run: held for run, held in self._held.items() if held})

    def _go_on(self) -> None:
        if self._interrupted.is_set():
            raise Interrupted("Interrupted: the next run goes on from here.")


# A batch is thousands of objects that live for one delivery. The collector, as often as Python starts it by itself,
# walks them again and again, for a tenth of a first sync's processor time; what has no cycles is freed without it.
_COLLECT = (20_000, 20, 50)


class Installation(AbstractContextManager["Installation"]):
    """One installation: its settings and its database. Opened once a process; thread-safe.

    `env` is read for SAGEZOHO_CONFIG, SAGEZOHO_HOME, SAGEZOHO_POSTGRES_URL and SAGEZOHO_MASTER_KEY. `clock` is the
    database's unless one is given; until that can be asked, this machine's `own_clock`, by which
    Dagster dates its runs.
    """

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        *,
        settings: Settings | None = None,
        clock: Callable[[], datetime] | None = None,
        own_clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.env: Mapping[str, str] = os.environ if env is None else env
        self.clock = clock or DatabaseClock(lambda: self.database, own=own_clock)
        self.own_clock = own_clock
        self.interrupted = threading.Event()
        self.draining = threading.Event()
        self._given = settings
        self._opening = threading.Lock()
        self._pressures: dict[str, Pressure] = {}
        self._gates: dict[str, Gate] = {}
        gc.set_threshold(*_COLLECT)

    @cached_property
    def settings(self) -> Settings:
        return self._given if self._given is not None else config.load(config.config_path(self.env))

    @cached_property
    def home(self) -> Path:
        return config.home(self.env)

    @property
    def is_begun(self) -> bool:
        """Whether anything of an installation is there: a server that is named, one of its own, or a configuration."""
        named = bool(self.env.get("SAGEZOHO_POSTGRES_URL"))
        return named or (self.home / "postgres").exists() or config.config_path(self.env).exists()

    @cached_property
    def database(self) -> Engine:
        """The migrated database. Raises LedgerUnavailable when Postgres cannot be reached."""
        url = database_url(self.env)
        ensure_database(url)
        engine = engine_for(url)
        migrate(engine)
        return engine

    @cached_property
    def ledger(self) -> PostgresLedger:
        return InterruptibleLedger(self.database, self.interrupted, self.draining)

    @cached_property
    def vault(self) -> Vault:
        return Vault(self.database, self.env)

    @cached_property
    def channels(self) -> PostgresChannelStore:
        return PostgresChannelStore(self.database, self.vault)

    @cached_property
    def metadata(self) -> PostgresMetadataStore:
        return PostgresMetadataStore(self.database)

    @cached_property
    def _mappings(self) -> Mapping[str, Mapping[str, FlowMapping] | ConfigurationError]:
        home = config.config_path(self.env).parent
        found: dict[str, Mapping[str, FlowMapping] | ConfigurationError] = {}
        for name in self.settings.connections:
            try:
                found[name] = load_mappings(self.settings, name, home)
            except ConfigurationError as error:
                found[name] = error
        return found

    def mappings_of(self, connection: str) -> Mapping[str, FlowMapping]:
        """A connection's mappings, by flow. Raises ConfigurationError naming file and line of what does not fit."""
        self.settings.connection(connection)
        found = self._mappings[connection]
        if isinstance(found, ConfigurationError):
            raise found
        return found

    @property
    def broken(self) -> Mapping[str, ConfigurationError]:
        """The connections that cannot run, and why: their mapping does not fit. Those beside them go on.

        Raises that error where it stops them all.
        """
        broken = {name: held for name, held in self._mappings.items() if isinstance(held, ConfigurationError)}
        if broken and len(broken) == len(self._mappings):
            raise next(iter(broken.values()))
        return broken

    def sage300(self, connection: str, *, request_source: str = "sagezoho") -> Sage300Client:
        settings = self.settings.connection(connection).sage300
        return Sage300Client(
            base_url=settings.url,
            company=settings.company,
            credentials=lambda: self.vault.get(connection, "sage300"),
            page_size=settings.page_size,
            concurrency=settings.concurrency,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            max_attempts=settings.max_attempts,
            usage=Usage(),
            pressure=self._pressure(connection),
            request_source=request_source,
        )

    def zoho_crm(self, connection: str) -> ZohoCrmClient:
        settings = self.settings.connection(connection).zoho_crm
        source = TokenSource(
            connection=connection,
            accounts_url=settings.accounts_url,
            credentials=lambda: self.vault.get(connection, "zoho_crm"),
            store=PostgresTokenStore(self.database, self.vault, accounts_url=settings.accounts_url),
            allowed_domains=settings.api_domains,
            clock=self.clock,
        )
        return ZohoCrmClient(
            connection=connection,
            token_source=source,
            concurrency=settings.concurrency,
            timeouts=Timeouts(connect=settings.connect_timeout, read=settings.read_timeout),
            max_attempts=settings.max_attempts,
            usage=Usage(),
            gate=self._gate(connection),
        )

    def _pressure(self, connection: str) -> Pressure:
        """Shared by all runs of a connection: what pushes one of them back slows them all, in other processes too."""
        with self._opening:
            if connection not in self._pressures:
                limit = self.settings.connection(connection).sage300.concurrency
                shared = self._shared_pressure(connection, System.SAGE300)
                limiter = Pressure(limit, clock=time.monotonic, heard=shared.left, tell=shared.note)
                self._pressures[connection] = limiter
            return self._pressures[connection]

    def _gate(self, connection: str) -> Gate:
        """The same for Zoho, whose limit of calls at once is one for the whole organisation."""
        with self._opening:
            if connection not in self._gates:
                limit = self.settings.connection(connection).zoho_crm.concurrency
                shared = self._shared_pressure(connection, System.ZOHO_CRM)
                self._gates[connection] = Gate(limit, heard=shared.left, tell=shared.note)
            return self._gates[connection]

    def rest_of(self, connection: str, system: System) -> float:
        """Seconds for which nobody is to call a system, which pushed some process of ours back."""
        return max(self._shared_pressure(connection, system).left() or 0.0, 0.0)

    def _shared_pressure(self, connection: str, system: System) -> SharedPressure:
        return SharedPressure(lambda: self.database, connection, system, clock=time.monotonic)

    def context(self, connection: str, *, run_id: str, actor: str) -> Context:
        """What one run of one connection works with. Raises what a person must mend before anything is read."""
        return Context(
            connection=connection,
            settings=self.settings.connection(connection),
            sage=self.sage300(connection, request_source=f"sagezoho/{run_id}"),
            zoho=self.zoho_crm(connection),
            ledger=self.ledger,
            mappings=self.mappings_of(connection),
            clock=self.clock,
            random=random.random,
            run_id=run_id,
            actor=actor,
            worker=f"{socket.gethostname()}:{os.getpid()}:{run_id[:8]}",
        )

    def planning(self, connection: str) -> Context:
        """A context for a plan: one call at a time, so that the same input always costs the same calls."""
        held = self.settings.connection(connection)
        alone = held.model_copy(
            update={
                system: getattr(held, system).model_copy(update={"concurrency": 1})
                for system in ("sage300", "zoho_crm")
            }
        )
        connections = {**self.settings.connections, connection: alone}
        serial = Installation(
            self.env, settings=self.settings.model_copy(update={"connections": connections}), clock=self.clock
        )
        serial.__dict__["database"] = self.database  # one pool of connections, whose owner closes it
        return serial.context(connection, run_id="plan", actor="plan")

    @cached_property
    def plans(self) -> PostgresPlanStore:
        return PostgresPlanStore(self.database)

    @cached_property
    def seal(self) -> Seal:
        """What redacted plans hide values with: another installation's digests tell nothing here."""
        return Seal(*self.vault.derived("plan"))

    def close(self) -> None:
        if "database" in self.__dict__:
            self.database.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
