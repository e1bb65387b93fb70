"""What Alembic runs: the migration functions, on the connection that `migrate` hands over."""

from __future__ import annotations

from alembic import context

from sagezoho_pipelines.ledger.models import SCHEMA, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table="alembic_version",
    version_table_schema=SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
