"""A database that an earlier version filled: migrated as it is opened, with links, queue and audit as they were."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Engine, text

from sagezoho_pipelines.domain.errors import LedgerUnavailable
from sagezoho_pipelines.domain.records import EntityRef, System
from sagezoho_pipelines.ledger import migrations, reports
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.ledger.migrations import migrate, revision
from sagezoho_pipelines.ledger.postgres import engine_for

VENDORS = EntityRef("saminc", System.SAGE300, "vendors")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

#: As the first version writes it, names and hashes included: what is hashed here must come to the same for ever, or
#: every audit that was ever written reads as tampered with.
FIRST_VERSION = """
INSERT INTO sagezoho.links (connection, sage_entity, sage_id, zoho_entity, zoho_id, sage_name, zoho_name, authority,
                            made_by, source_digest, written, details, linked_at, updated_at)
VALUES ('saminc', 'vendors', 'V1', 'Accounts', '901', 'Chloride', 'Chloride', 'sage300', 'created', 'd1',
        '{"Phone": "604"}', '{}', '2026-03-01 08:00Z', '2026-03-01 08:00Z');
INSERT INTO sagezoho.watermarks (connection, system, entity, value, run_id)
VALUES ('saminc', 'sage300', 'vendors', '{"at": "2026-03-01"}', 'run-0');
INSERT INTO sagezoho.changes (connection, system, entity, key, name, digest, payload, cause, reason, state,
                              next_attempt_at, captured_run_id, captured_at)
VALUES ('saminc', 'sage300', 'vendors', 'V2', 'Łukasz', 'd2', '{"VendorNumber": "V2"}', 'poll', '', 'queued',
        '2026-03-01 08:00Z', 'run-0', '2026-03-01 08:00Z');
INSERT INTO sagezoho.transformations (id, target, sources, expression)
VALUES ('8064839da2778d4f9fe0', 'Phone', '["PhoneNumber"]', 'trim(PhoneNumber)');
INSERT INTO sagezoho.audit (connection, seq, at, actor, flow, direction, source_system, source_entity, source_id,
                            target_system, target_entity, target_id, operation, outcome, fields, answer, cause, run_id,
                            change_id, prev_hash, hash)
VALUES ('saminc', 1, '2026-03-01 08:00Z', 'somebody', 'vendors', 'sage300->zoho_crm', 'sage300', 'vendors', 'V1',
        'zoho_crm', 'Accounts', '901', 'create', 'created', '[["8064839da2778d4f9fe0",null,"604"]]',
        '{"id":"901","paid":1.50}', 'poll', 'run-0', 1, repeat('0', 64),
        '63e6c9cf7e40d09a57b994112a26e0c5c42ef0a6455fb5924d09b714c948c9f7');
INSERT INTO sagezoho.audit_heads (connection, seq, hash)
VALUES ('saminc', 1, '63e6c9cf7e40d09a57b994112a26e0c5c42ef0a6455fb5924d09b714c948c9f7');
"""


def brought_to(earlier: str, engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA sagezoho"))
        config.attributes["connection"] = connection
        command.upgrade(config, earlier)


@pytest.fixture
def database(empty_postgres_url: URL) -> Iterator[Engine]:
    engine = engine_for(empty_postgres_url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("earlier", ["0001", "0002", "0003", "0004", "0005", "0006"])
def test_what_an_earlier_version_left_is_there_after_the_upgrade(database: Engine, earlier: str) -> None:
    brought_to(earlier, database)
    with database.begin() as connection:
        connection.exec_driver_sql(FIRST_VERSION)
    migrate(database)
    assert revision(database) not in (None, earlier)
    ledger = PostgresLedger(database)
    assert ledger.watermark(VENDORS) == {"at": "2026-03-01"}
    link = ledger.links_by_sage("saminc", "vendors", "Accounts", ["V1"])["V1"]
    assert (link.zoho_id, link.written, link.agreed, link.unsettled) == ("901", {"Phone": "604"}, {}, ())
    [change] = ledger.claim(VENDORS, worker="w", limit=10, lease_seconds=60, at=NOON, run_id="run-1")
    assert (change.key, change.name) == ("V2", "Łukasz")
    [line] = reports.audit_entries(database, record_id="V1")
    assert [(field.target, field.after) for field in line.entry.fields] == [("Phone", "604")]
    assert reports.verify_chain(database, "saminc") is None


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("DROP TABLE sagezoho.transformations", "transformations is missing"),
        ("ALTER TABLE sagezoho.changes DROP COLUMN reason", r"changes\.reason is missing"),
        ("DROP INDEX sagezoho.links_order_number", 'index "links_order_number" does not exist'),
    ],
)
def test_a_database_that_lacks_what_its_revision_makes_is_left_as_it_is(
    database: Engine, damage: str, named: str
) -> None:
    brought_to("0003", database)
    with database.begin() as connection:
        connection.execute(text(damage))
    with pytest.raises(LedgerUnavailable, match=rf"revision 0003, .*: {named}\. .*backup.*empty database"):
        migrate(database)
    assert revision(database) == "0003"
    with database.connect() as connection:
        assert connection.execute(text("SELECT to_regclass('sagezoho.plans')")).scalar() is None


def test_a_user_who_may_not_make_tables_is_told_what_to_be_given(database: Engine) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE clerk_of_tables LOGIN")
    try:
        weak = engine_for(database.url.set(username="clerk_of_tables"))
        with pytest.raises(LedgerUnavailable, match=r"clerk_of_tables may not make .*GRANT CREATE ON DATABASE"):
            migrate(weak)
        weak.dispose()
    finally:
        with database.begin() as connection:
            connection.exec_driver_sql("DROP ROLE clerk_of_tables")
