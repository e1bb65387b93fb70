"""The ledger: watermarks, records, changes, links, intents, audit, vault, sequences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Every poll touches `seen_at`: room in each page keeps those updates off the index.
ROOM_FOR_SEEN_AT = "ALTER TABLE sagezoho.records SET (fillfactor = 80)"

APPEND_ONLY_AUDIT = """
CREATE FUNCTION sagezoho.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON sagezoho.audit
    FOR EACH ROW EXECUTE FUNCTION sagezoho.refuse_audit_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON sagezoho.audit
    FOR EACH STATEMENT EXECUTE FUNCTION sagezoho.refuse_audit_change();
CREATE TRIGGER transformations_append_only BEFORE UPDATE OR DELETE ON sagezoho.transformations
    FOR EACH ROW EXECUTE FUNCTION sagezoho.refuse_audit_change();
CREATE TRIGGER transformations_no_truncate BEFORE TRUNCATE ON sagezoho.transformations
    FOR EACH STATEMENT EXECUTE FUNCTION sagezoho.refuse_audit_change();
"""


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("source_system", sa.Text(), nullable=False),
        sa.Column("source_entity", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("target_system", sa.Text(), nullable=False),
        sa.Column("target_entity", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=True),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "seq", name=op.f("audit_pkey")),
        schema="sagezoho",
    )
    op.create_index("audit_by_run", "audit", ["run_id"], unique=False, schema="sagezoho")
    op.create_index("audit_by_source", "audit", ["source_id"], unique=False, schema="sagezoho")
    op.create_index("audit_by_target", "audit", ["target_id"], unique=False, schema="sagezoho")
    op.create_index("audit_by_time", "audit", ["connection", "at"], unique=False, schema="sagezoho")
    op.create_table(
        "transformations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("expression", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("transformations_pkey")),
        schema="sagezoho",
    )
    op.create_table(
        "audit_heads",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", name=op.f("audit_heads_pkey")),
        schema="sagezoho",
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("payload", postgresql.JSONB(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_by", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("error", postgresql.JSONB(), nullable=True),
        sa.Column("captured_run_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("changes_pkey")),
        schema="sagezoho",
    )
    op.create_index(
        "changes_inbox",
        "changes",
        ["connection", "id"],
        unique=False,
        schema="sagezoho",
        postgresql_where=sa.text("state IN ('refused', 'conflicted')"),
    )
    op.create_index(
        "changes_of_record", "changes", ["key", "entity", "connection", "id"], unique=False, schema="sagezoho"
    )
    op.create_index(
        "changes_one_claimed",
        "changes",
        ["connection", "system", "entity", "key"],
        unique=True,
        schema="sagezoho",
        postgresql_where=sa.text("state = 'claimed'"),
    )
    op.create_index(
        "changes_one_queued",
        "changes",
        ["connection", "system", "entity", "key"],
        unique=True,
        schema="sagezoho",
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "changes_open",
        "changes",
        ["connection", "system", "entity", "id"],
        unique=False,
        schema="sagezoho",
        postgresql_where=sa.text("state IN ('queued', 'claimed')"),
    )
    op.create_table(
        "intents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("target_system", sa.Text(), nullable=False),
        sa.Column("target_entity", sa.Text(), nullable=False),
        sa.Column("business_key", sa.Text(), nullable=False),
        sa.Column("source_entity", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("payload_digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("target_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("intents_pkey")),
        schema="sagezoho",
    )
    op.create_index("intents_by_key", "intents", ["business_key"], unique=False, schema="sagezoho")
    op.create_index("intents_by_source", "intents", ["source_key"], unique=False, schema="sagezoho")
    op.create_index(
        "intents_one_open_per_key",
        "intents",
        ["connection", "target_system", "target_entity", "business_key"],
        unique=True,
        schema="sagezoho",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "intents_one_open_per_source",
        "intents",
        ["connection", "target_system", "target_entity", "source_entity", "source_key"],
        unique=True,
        schema="sagezoho",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "links",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("sage_entity", sa.Text(), nullable=False),
        sa.Column("sage_id", sa.Text(), nullable=False),
        sa.Column("zoho_entity", sa.Text(), nullable=False),
        sa.Column("zoho_id", sa.Text(), nullable=False),
        sa.Column("sage_name", sa.Text(), nullable=False),
        sa.Column("zoho_name", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("source_digest", sa.Text(), nullable=True),
        sa.Column("written", postgresql.JSONB(), nullable=False),
        sa.Column("target_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("links_pkey")),
        sa.UniqueConstraint("connection", "sage_entity", "sage_id", "zoho_entity", name="links_sage_side"),
        sa.UniqueConstraint("connection", "zoho_entity", "zoho_id", "sage_entity", name="links_zoho_side"),
        schema="sagezoho",
    )
    op.create_index(
        "links_order_number",
        "links",
        [sa.literal_column("(details ->> 'order_number')"), "connection", "sage_entity"],
        unique=False,
        schema="sagezoho",
    )
    op.create_table(
        "records",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection", "system", "entity", "key", name=op.f("records_pkey")),
        schema="sagezoho",
    )
    op.create_table(
        "secrets",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("connection", "system", "version", name=op.f("secrets_pkey")),
        schema="sagezoho",
    )
    op.create_table(
        "sequences",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "name", name=op.f("sequences_pkey")),
        schema="sagezoho",
    )
    op.create_table(
        "tokens",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=True),
        sa.Column("api_domain", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("obtained_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection", name=op.f("tokens_pkey")),
        schema="sagezoho",
    )
    op.create_table(
        "watermarks",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("connection", "system", "entity", name=op.f("watermarks_pkey")),
        schema="sagezoho",
    )
    op.execute(ROOM_FOR_SEEN_AT)
    op.execute(APPEND_ONLY_AUDIT)
