"""The ledger's tables, by subject. All live in the schema `sagezoho`; every row belongs to a connection.

Written to by set-based SQL (`ledger/queue.py`, `ledger/links.py`, ...); the migrations are held equal to these models
by a test, so a room of tables that is not imported here shows as tables that nobody knows.
"""

from __future__ import annotations

from sagezoho_pipelines.ledger.models import audit, intents, links, queue, vault, vendors, waiting
from sagezoho_pipelines.ledger.models.base import SCHEMA, Base

__all__ = ["SCHEMA", "Base", "audit", "intents", "links", "queue", "vault", "vendors", "waiting"]
