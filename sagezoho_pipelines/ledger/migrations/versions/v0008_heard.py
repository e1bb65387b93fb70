"""Changes: an index of what Zoho told of, since a look at the channel asks when that was last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "changes_heard",
        "changes",
        ["connection", "system", "entity", "captured_at"],
        schema="sagezoho",
        postgresql_where=sa.text("cause = 'notification'"),
    )
