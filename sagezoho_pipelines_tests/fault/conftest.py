"""Where receipts go, and databases that a whole module of fault tests shares."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine

from sagezoho_pipelines.ledger.postgres import engine_for
from sagezoho_pipelines_tests.databases import copied
from sagezoho_pipelines_tests.fault.scene import RECEIPTS


@pytest.fixture
def receipts() -> Path:
    """The folder of the JSON receipts; `SAGEZOHO_RECEIPTS` names another one."""
    return RECEIPTS


@pytest.fixture(scope="module")
def module_engine(postgres_server: URL, migrated_template: str) -> Iterator[Engine]:
    with copied(postgres_server, f"fault_{uuid.uuid4().hex[:12]}", migrated_template) as url:
        engine = engine_for(url)
        yield engine
        engine.dispose()
