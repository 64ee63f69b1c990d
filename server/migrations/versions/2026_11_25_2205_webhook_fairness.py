"""Webhooks: rotation with an overlap, why one is disabled, and a queue by webhook (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TIMES = (
    "previous_secret_expires_at",
    "disabled_at",
    "disabled_mail_at",
    "failing_since",
    "slow_since",
    "behind_since",
)


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("sealed_previous_secret", sa.LargeBinary(), nullable=True))
    op.add_column(
        "webhooks",
        sa.Column(
            "disabled_reason", sa.String(length=32), server_default=sa.text("''"), nullable=False
        ),
    )
    for name in TIMES:
        op.add_column("webhooks", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_webhooks_unwell",
        "webhooks",
        ["id"],
        postgresql_where=sa.text(
            "failing_since is not null or slow_since is not null or behind_since is not null"
        ),
    )
    op.create_index(
        "ix_deliveries_queue",
        "deliveries",
        ["webhook_id", "next_attempt_at"],
        postgresql_where=sa.text("next_attempt_at is not null"),
    )
    op.create_index(
        "ix_events_queue",
        "events",
        ["organization_id", "created_at"],
        postgresql_where=sa.text("fanned_out_at is null"),
    )


def downgrade() -> None:
    op.drop_index("ix_events_queue", table_name="events")
    op.drop_index("ix_deliveries_queue", table_name="deliveries")
    op.drop_index("ix_webhooks_unwell", table_name="webhooks")
    for name in reversed(TIMES):
        op.drop_column("webhooks", name)
    op.drop_column("webhooks", "disabled_reason")
    op.drop_column("webhooks", "sealed_previous_secret")
