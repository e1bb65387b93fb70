"""The resource that all steps share: the installation, opened at first use, and one context for each run."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cached_property

from sagezoho_pipelines.config import Connection
from sagezoho_pipelines.defs.windows import newest
from sagezoho_pipelines.domain.errors import ConfigurationError
from sagezoho_pipelines.engine.context import Context, Facts
from sagezoho_pipelines.engine.planning.approval import bound
from sagezoho_pipelines.engine.planning.document import from_document
from sagezoho_pipelines.wiring import Installation

#: A sensor's question must end well before Dagster's 60 s do, connection refused and slow answers included.
ASKING_CONNECT_SECONDS = 5.0
ASKING_READ_SECONDS = 15.0

_KEPT_CONTEXTS = 8

#: On runs that follow one another in one process, never two at a time: they share their vendors' clients, connections
#: open and all, and for a while what was learnt of the vendors.
LANE_TAG = "sagezoho/lane"
_FACTS_SECONDS = 60.0

#: On runs that carry out a plan: its number in the ledger.
PLAN_TAG = "sagezoho/plan"


class Workbench:
    """What steps, sensors and checks work with in this process.

    Making one touches neither the database nor a vendor, so a code location loads while both are down.
    """

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self._contexts: OrderedDict[tuple[str, str], Context] = OrderedDict()
        self._lanes: dict[str, tuple[Context, float]] = {}
        self._lock = threading.Lock()

    def context(self, connection: str, *, run_id: str, actor: str, lane: str = "", plan: str = "") -> Context:
        """The run's context: clients and learnt facts are shared by its steps, the stop signal is each step's own.

        One step's fatal error must not make the next one deliver nothing and call that success. A run that carries out
        a plan sends what that plan holds, and nothing else.
        """
        with self._lock:
            known = self._contexts.pop((run_id, connection), None)
            if known is None:
                known = self._made(connection, run_id=run_id, actor=actor, lane=lane)
                known = self._bound(known, plan) if plan else known
            self._contexts[run_id, connection] = known
            while len(self._contexts) > _KEPT_CONTEXTS:
                self._contexts.popitem(last=False)
        return replace(known, stop=threading.Event())

    def _made(self, connection: str, *, run_id: str, actor: str, lane: str) -> Context:
        fresh = self.installation.context(connection, run_id=run_id, actor=actor)
        if not lane:
            return fresh
        kept, learnt = self._lanes.get(lane, (fresh, 0.0))
        now = time.monotonic()
        if now - learnt > _FACTS_SECONDS:
            kept, learnt = replace(kept, facts=Facts()), now
        self._lanes[lane] = kept, learnt
        return replace(fresh, sage=kept.sage, zoho=kept.zoho, facts=kept.facts)

    def _bound(self, ctx: Context, plan: str) -> Context:
        applied = self.installation.plans.read(int(plan)) if plan.isdigit() else None
        if applied is None or applied.connection != ctx.connection:
            raise ConfigurationError(f"the tag {PLAN_TAG} names a plan of {ctx.connection}; {plan!r} is none")
        return bound(ctx, from_document(applied.document, f"plan {plan}"), self.installation.seal)

    def asking(self, connection: str, *, actor: str) -> Context:
        """A context for a quick question: one attempt, short time-outs."""
        return self._impatient.context(connection, run_id="", actor=actor)

    def today(self, connection: str) -> date:
        """The day it is in the connection's time zone: its newest partition."""
        return newest(self.installation.settings.connection(connection), self.installation.clock())

    @cached_property
    def _impatient(self) -> Installation:
        settings = self.installation.settings
        hurried = settings.model_copy(
            update={"connections": {name: _hurried(connection) for name, connection in settings.connections.items()}}
        )
        return Installation(self.installation.env, settings=hurried, clock=self.installation.clock)


def actor_of(tags: Mapping[str, str]) -> str:
    """Who asked for a run, as the audit names it."""
    for tag in ("sagezoho/actor", "dagster/schedule_name", "dagster/sensor_name", "user"):
        if tags.get(tag):
            return tags[tag]
    return "backfill" if "dagster/backfill" in tags else "dagster"


def _hurried(connection: Connection) -> Connection:
    sage, zoho = connection.sage300, connection.zoho_crm
    limits = {"max_attempts": 1}
    return connection.model_copy(
        update={
            "sage300": sage.model_copy(
                update={
                    **limits,
                    "connect_timeout": min(sage.connect_timeout, ASKING_CONNECT_SECONDS),
                    "read_timeout": min(sage.read_timeout, ASKING_READ_SECONDS),
                }
            ),
            "zoho_crm": zoho.model_copy(
                update={
                    **limits,
                    "connect_timeout": min(zoho.connect_timeout, ASKING_CONNECT_SECONDS),
                    "read_timeout": min(zoho.read_timeout, ASKING_READ_SECONDS),
                }
            ),
        }
    )
