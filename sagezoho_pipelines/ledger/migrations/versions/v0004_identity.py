"""Identity: what links last agreed on, records left alone, applied plans, the vendors' metadata and their push-back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("exceptions", "agreed"):
        op.add_column(
            "links",
            sa.Column(name, postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
            schema="sagezoho",
        )
    op.add_column("links", sa.Column("seen_equal_at", sa.DateTime(timezone=True), nullable=True), schema="sagezoho")
    op.create_index("links_sage_name", "links", ["connection", "sage_entity", "sage_name"], schema="sagezoho")
    for table, name in (("links", "unsettled"), ("intents", "names")):
        op.add_column(
            table,
            sa.Column(name, postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
            schema="sagezoho",
        )
    op.create_table(
        "left_alone",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "system", "entity", "key", name=op.f("left_alone_pkey")),
        schema="sagezoho",
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("flows", postgresql.JSONB(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("plans_pkey")),
        schema="sagezoho",
    )
    op.create_index("plans_of_connection", "plans", ["connection", "id"], schema="sagezoho")
    op.create_table(
        "holds",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", "system", "entity", name=op.f("holds_pkey")),
        schema="sagezoho",
    )
    op.create_table(
        "seen_metadata",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", "system", "entity", name=op.f("seen_metadata_pkey")),
        schema="sagezoho",
    )
    op.create_table(
        "pressure",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", "system", name=op.f("pressure_pkey")),
        schema="sagezoho",
    )
