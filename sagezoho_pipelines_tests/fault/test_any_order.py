"""People's edits, faults, runs, killed runs and clock moves in any order: a state machine that shrinks what fails.

`make soak` gives it half an hour and longer stories; `SAGEZOHO_SOAK_SECONDS` sets the budget, `SAGEZOHO_SOAK_SEED`
which stories are told first. The same seed tells the same stories.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import URL, Engine

from sagezoho_pipelines.config import FLOWS
from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.domain.records import Cause, Look
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger.postgres import engine_for
from sagezoho_pipelines_tests.databases import copied
from sagezoho_pipelines_tests.fault.scene import scene

#: New stories are begun for so long; where nothing is said, those of one seed are told, however fast the machine is.
SECONDS = float(os.environ.get("SAGEZOHO_SOAK_SECONDS", "0"))
SOAKING = "SAGEZOHO_SOAK_SECONDS" in os.environ
SEED = int(os.environ.get("SAGEZOHO_SOAK_SEED", "1"))

_numbers = itertools.count(1)

_ACTS = (
    "vendor", "rename_vendor", "bill", "account", "deal", "reopen_and_close", "move_account", "edit_deal",
    "ship", "service", "pay",
)  # fmt: skip
_PAIRS = ("edit_in_zoho", "edit_in_sage", "edit_both", "change_leader", "change_leader_of_a_field")
_ANYWHERE: list[dict[str, object]] = [
    {"action": "reset_before", "method": "POST|PUT|PATCH", "times": 2},
    {"action": "reset_after", "method": "POST|PUT|PATCH", "times": 2},
    {"action": "reset_after", "method": "POST|PUT|PATCH", "nth": 2},
    {"action": "reset_after", "method": "POST", "first_sending": True, "times": 4},
    {"action": "truncate", "rate": 0.2, "times": 3},
    {"action": "status", "status": 429, "rate": 0.3, "times": 4},
    {"action": "status", "status": 503, "times": 8},
    {"action": "status", "status": 500, "method": "POST|PUT|PATCH", "times": 4},
]
_FAULTS = st.sampled_from(
    [
        *[(vendor, fault) for vendor in ("sage300", "zoho_crm") for fault in _ANYWHERE],
        ("sage300", {"action": "day_end", "times": 3}),
        ("sage300", {"action": "status", "status": 403, "times": 2}),
        ("zoho_crm", {"action": "token_revoked", "rate": 0.2, "times": 2}),
        ("zoho_crm", {"action": "refuse_row", "code": "RECORD_LOCKED", "rate": 0.3, "times": 3}),
    ]
)


class AnyOrder(RuleBasedStateMachine):
    """`home` is the server on which each story gets a database of its own, `stories` the seed of what is told."""

    stories: int
    home: URL
    template: str

    @initialize(number=st.integers(0, 2**16), acts=st.lists(st.sampled_from(_ACTS), min_size=2, max_size=5))
    def begins(self, number: int, acts: list[str]) -> None:
        self._open = ExitStack()
        self.day = self._open.enter_context(scene(self._open.enter_context(_database(self)), seed=number, vendors=3))
        self.day.deal()
        self.day.desk.sync()
        self.people_work(acts)

    @rule(acts=st.lists(st.sampled_from(_ACTS), min_size=1, max_size=5))
    def people_work(self, acts: list[str]) -> None:
        for act in acts:
            getattr(self.day, act)()

    @rule(acts=st.lists(st.sampled_from(_PAIRS), min_size=1, max_size=4))
    def both_sides_of_pairs_are_edited(self, acts: list[str]) -> None:
        self.people_work(acts)

    @rule(fault=_FAULTS)
    def something_breaks(self, fault: tuple[str, dict[str, Any]]) -> None:
        vendor, options = fault
        self.day.fault(vendor, seed=self.day.seed, **options)

    @rule()
    def all_works_again(self) -> None:
        self.day.calm()

    @rule(flows=st.sampled_from([(), *[(flow,) for flow in FLOWS]]), sweep=st.booleans())
    def a_run(self, flows: tuple[str, ...], sweep: bool) -> None:
        try:
            self.day.desk.sync(*flows, window=Window.sweep() if sweep else None)
        except SagezohoError:
            self.day.acted.append("stopped run")

    @rule(flow=st.sampled_from(FLOWS), label=st.sampled_from(["sent", "answered", "before settle", "settled"]))
    def a_run_that_is_killed(self, flow: str, label: str) -> None:
        self.day.injected += self.day.process(flows=[flow], die_at=(label, 1)) != 0
        self.day.pass_leases()

    @rule(minutes=st.sampled_from([1, 15, 120]))
    def time_passes(self, minutes: int) -> None:
        self.day.desk.later(minutes=minutes)

    @rule()
    def a_day_passes(self) -> None:
        self.day.desk.sandbox.clock.advance(timedelta(days=1))
        self.day.desk.later(days=1)

    @rule(choose=st.randoms(use_true_random=False), times=st.integers(1, 3))
    def callbacks_come(self, choose: random.Random, times: int) -> None:
        deals = [str(row["id"]) for row in self.day.desk.state("zoho_crm", "Deals")]
        accounts = list(self.day.desk.query("SELECT zoho_id FROM sagezoho.links WHERE sage_entity = 'customers'"))
        looks = [("deals", key) for key in deals] + [("deal_accounts", str(row["zoho_id"])) for row in accounts]
        for entity, key in choose.sample(looks, min(3, len(looks))) * times:
            context = self.day.desk.context()
            look = Look(context.zoho_entity(entity), key, Cause.NOTIFICATION, "callback")
            self.day.desk.ledger.enqueue([look], at=self.day.desk.now())

    @invariant()
    def nothing_is_double(self) -> None:
        """Holds at every moment, in the middle of any fault."""
        if hasattr(self, "day"):
            self.day.journal.look()
            verdict = self.day.audit()
            assert verdict.figures()["duplicated"] == 0, str(verdict)

    def teardown(self) -> None:
        if not hasattr(self, "day"):
            return
        with self._open:
            self.day.close(
                f"any-order-{next(_numbers):04d}",
                self.receipts,
                asked={"ORDER_EXISTS", "SIDES_DIFFER"},
                stories=self.stories,
            )

    receipts: Path


@contextmanager
def _database(machine: AnyOrder) -> Iterator[Engine]:
    """A migrated database that is dropped at the end."""
    with copied(machine.home, f"any_{os.getpid()}_{next(_numbers)}", machine.template) as url:
        engine = engine_for(url)
        yield engine
        engine.dispose()


@pytest.fixture
def machine(postgres_server: URL, migrated_template: str, receipts: Path) -> type[AnyOrder]:
    return type(
        "AnyOrderHere", (AnyOrder,), {"home": postgres_server, "template": migrated_template, "receipts": receipts}
    )


@pytest.mark.timeout(SECONDS * 2 + 600)
def test_any_order_of_edits_faults_and_runs_converges(machine: type[AnyOrder]) -> None:
    until = time.monotonic() + SECONDS
    for number in itertools.count(SEED):
        machine.stories = number
        run_state_machine_as_test(
            seed(number)(machine),
            settings=settings(
                max_examples=5 if not SOAKING else 20,
                stateful_step_count=12 if not SOAKING else 40,
                deadline=None,
                database=None,
                print_blob=True,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )
        if time.monotonic() > until:
            return
