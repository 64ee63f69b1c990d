"""Events that belong to no organization, for the operator's webhooks (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0550"
down_revision = "2026_11_26_0540"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "events", sa.Column("platform", sa.Boolean(), server_default=sa.false(), nullable=False)
    )


def downgrade() -> None:
    # Without the column they would go to webhooks for "*". What is delivered stays delivered.
    op.execute("delete from events where platform")
    op.drop_column("events", "platform")
