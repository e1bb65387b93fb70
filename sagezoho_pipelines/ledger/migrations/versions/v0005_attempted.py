"""Attempts that were cut off: what a record that was only looked at said, before a creation was sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "changes",
        sa.Column("attempted", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        schema="sagezoho",
    )
