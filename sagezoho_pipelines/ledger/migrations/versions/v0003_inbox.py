"""The inbox: edits of one change, connections at rest, and what Zoho records were told about their other side."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("changes", sa.Column("override", postgresql.JSONB(), nullable=True), schema="sagezoho")
    op.create_table(
        "pauses",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", "system", name=op.f("pauses_pkey")),
        schema="sagezoho",
    )
    op.create_table(
        "write_backs",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("module", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("modified_time", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection", "module", "record_id", name=op.f("write_backs_pkey")),
        schema="sagezoho",
    )
