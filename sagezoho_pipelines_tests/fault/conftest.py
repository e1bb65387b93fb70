"""Where receipts go, and databases that a whole module of fault tests shares."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from sagezoho_pipelines.ledger.migrations import migrate
from sagezoho_pipelines.ledger.postgres import engine_for
from sagezoho_pipelines_tests.fault.scene import RECEIPTS


@pytest.fixture
def receipts() -> Path:
    """The folder of the JSON receipts; `SAGEZOHO_RECEIPTS` names another one."""
    return RECEIPTS


@pytest.fixture(scope="module")
def module_engine(postgres_server: URL) -> Iterator[Engine]:
    name = f"fault_{uuid.uuid4().hex[:12]}"
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine = engine_for(postgres_server.set(database=name))
    migrate(engine)
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()
