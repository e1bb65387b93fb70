"""Links: the index of a detail that no link has goes."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("links_order_number", table_name="links", schema="sagezoho")
