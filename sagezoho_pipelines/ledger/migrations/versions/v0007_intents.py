"""Intents: why one was abandoned goes, since none ever is."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("intents", "reason", schema="sagezoho")
