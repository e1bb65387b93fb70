"""What is read is what is shown: the ledger's tables grow for years, and some questions are asked every few minutes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from sagezoho_pipelines.ledger import inbox, link_table
from sagezoho_pipelines.ledger.channels import PostgresChannelStore
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.ledger.masterkeys import MasterKeys
from sagezoho_pipelines.ledger.vault import Vault

LINKS, ENTRIES = 2000, 20
KEYS = MasterKeys([bytes(range(32))], source="the test")

# Orders, invoices and customers with their other sides: of some a change waits for a person, the others were delivered.
_GROWN = """
INSERT INTO sagezoho.links (connection, sage_entity, sage_id, zoho_entity, zoho_id, sage_name, zoho_name, authority,
                            made_by, written, details, linked_at, updated_at)
SELECT 'saminc', k.sage, k.sage || n, k.zoho, k.zoho || n, 'ours ' || n, 'theirs ' || n, 'sage300', 'created',
       '{}', '{}', now(), now()
FROM (VALUES ('orders', 'Deals'), ('invoices', 'Invoices'), ('customers', 'Accounts')) AS k (sage, zoho),
     generate_series(1, :links) AS n;
INSERT INTO sagezoho.changes (connection, system, entity, key, name, cause, reason, state, next_attempt_at,
                              captured_run_id, captured_at)
SELECT 'saminc', k.system, k.entity, k.prefix || n, '', 'poll', '',
       CASE WHEN n <= :entries THEN k.state ELSE 'delivered' END, now(), '', now()
FROM (VALUES ('zoho_crm', 'deals', 'Deals', 'refused'), ('sage300', 'invoices', 'invoices', 'conflicted'),
             ('zoho_crm', 'deal_accounts', 'Accounts', 'refused')) AS k (system, entity, prefix, state),
     generate_series(1, :links) AS n;
ANALYZE sagezoho.links, sagezoho.changes
"""


@pytest.fixture
def grown(ledger: PostgresLedger) -> Engine:
    with ledger.engine.begin() as connection:
        connection.execute(text(_GROWN), {"links": LINKS, "entries": ENTRIES})
    return ledger.engine


@contextmanager
def rows_read(engine: Engine, table: str) -> Iterator[list[int]]:
    """How many rows of a table the statements meanwhile looked at, a number each."""
    seen: list[int] = []

    def explain(connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asking = connection.connection.cursor()
        asking.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        seen.append(_looked_at(asking.fetchone()[0][0]["Plan"], table))

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def _looked_at(node: Mapping[str, Any], table: str) -> int:
    below = sum(_looked_at(one, table) for one in node.get("Plans", ()))
    counted = ["Rows Removed by Join Filter"]
    if node.get("Relation Name") == table:
        counted += ["Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"]
    return below + round(sum(node.get(name, 0) for name in counted) * node["Actual Loops"])


def test_which_pairs_are_not_equal_is_told_by_what_waits_not_by_all_that_was_delivered(grown: Engine) -> None:
    with grown.begin() as connection:
        connection.execute(text("UPDATE sagezoho.links SET seen_equal_at = now()"))
    with rows_read(grown, "changes") as read:
        found = link_table.entries(grown, unequal=True)
    assert len(found) == 3 * ENTRIES
    assert sum(read) <= 3 * ENTRIES


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (lambda engine: inbox.entries(engine), 3 * ENTRIES),
        (lambda engine: inbox.entries(engine, connection="saminc", entity="deals"), ENTRIES),
        (lambda engine: inbox.entries(engine, ids=["Accounts7"]), 1),
    ],
)
def test_for_an_entry_of_the_inbox_its_own_link_is_read(
    grown: Engine, asked: Callable[[Engine], list[inbox.InboxEntry]], found: int
) -> None:
    with rows_read(grown, "links") as read:
        entries = asked(grown)
    other = {"sage300": "theirs", "zoho_crm": "ours"}
    assert all(entry.target_name == f"{other[entry.system]} {re.sub(r'[^0-9]', '', entry.key)}" for entry in entries)
    assert len(entries) == found
    assert sum(read) <= found


# Deals that a poll found and Zoho told of, in turn, one a minute; of the last three it told nothing, and of the
# first of these nobody knows: the clocks may be a minute apart.
_TOLD_OF = """
INSERT INTO sagezoho.changes (connection, system, entity, key, name, cause, reason, state, next_attempt_at,
                              captured_run_id, captured_at, payload)
SELECT 'saminc', 'zoho_crm', 'deals', 'D' || n, '', cause, '', 'delivered', at, '', at,
       CASE WHEN cause = 'poll' THEN jsonb_build_object('Modified_Time', at - interval '30 seconds') END
FROM generate_series(1, :deals) AS n, (VALUES ('poll'), ('notification')) AS k (cause),
     LATERAL (SELECT CAST(:begun AS timestamptz) + n * interval '1 minute') AS t (at)
WHERE cause = 'poll' OR n <= :deals - 3;
ANALYZE sagezoho.changes
"""


def test_what_a_silent_channel_kept_back_is_found_without_a_search_for_each_record(ledger: PostgresLedger) -> None:
    deals, begun = 1000, datetime(2026, 3, 2, 6, tzinfo=UTC)
    with ledger.engine.begin() as connection:
        connection.execute(text(_TOLD_OF), {"deals": deals, "begun": begun})
    store = PostgresChannelStore(ledger.engine, Vault(ledger.engine, keys=KEYS))
    asked = {"since": begun, "until": begun + timedelta(days=1), "ahead": timedelta(0), "limit": 5}
    with rows_read(ledger.engine, "changes") as read:
        missed = store.unannounced("saminc", after=begun, **asked)
    assert {(one.entity, one.key) for one in missed} == {("deals", f"D{deals - 1}"), ("deals", f"D{deals}")}
    assert sum(read) <= 4 * deals
    later = store.unannounced("saminc", after=begun + (deals - 0.5) * timedelta(minutes=1), **asked)
    assert [one.key for one in later] == [f"D{deals}"]
