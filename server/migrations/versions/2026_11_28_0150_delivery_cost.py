"""What each delivery paid for and nothing used (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_0150"
down_revision = "2026_11_28_0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Workers go by webhook, see ix_deliveries_queue.
    op.drop_index("ix_deliveries_due", table_name="deliveries")
    # A delivery has the organization of its webhook, which has the foreign key.
    op.drop_constraint("fk_deliveries_organization_id", "deliveries", type_="foreignkey")


def downgrade() -> None:
    op.create_foreign_key(
        "fk_deliveries_organization_id",
        "deliveries",
        "organizations",
        ["organization_id"],
        ["id"],
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["next_attempt_at"],
        postgresql_where=sa.text("next_attempt_at is not null"),
    )
