"""Postgres in trouble while records are delivered: that is told as such, and no record is blamed for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, event, text

from sagezoho_pipelines.domain.errors import LedgerUnavailable
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.ledger.postgres import engine_for
from sagezoho_pipelines_tests.bench import Bench, bench


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=3, deals=0) as made:
        yield made


@pytest.fixture
def impatient(engine: Engine) -> Iterator[PostgresLedger]:
    """A ledger that waits for no lock."""
    made = engine_for(engine.url)
    event.listen(made, "connect", lambda driver, _: driver.cursor().execute("SET lock_timeout = '100ms'"))
    yield PostgresLedger(made)
    made.dispose()


def test_a_lock_that_is_not_let_go_stops_the_run_and_refuses_nobody(desk: Bench, impatient: PostgresLedger) -> None:
    with desk.engine.begin() as other:
        other.execute(text("LOCK TABLE sagezoho.links IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(LedgerUnavailable, match=r"lock timeout.*Nothing of this step was kept") as told:
            run_flow(replace(desk.context(), ledger=impatient), "vendors", Window.incremental())
    assert "\n" not in str(told.value)
    assert desk.open_inbox() == []
    desk.later(minutes=1)
    assert desk.sync("vendors").left_over == 0
    assert len(desk.query("SELECT id FROM sagezoho.links WHERE zoho_entity = 'Accounts'")) == 3
