"""Warnings about failing webhooks, and statistics of their attempts (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_0400"
down_revision = "2026_11_28_0300"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "webhooks", sa.Column("failing_step", sa.SmallInteger(), server_default="0", nullable=False)
    )
    op.add_column("webhooks", sa.Column("disables_at", MOMENT, nullable=True))
    op.create_table(
        "webhook_statistics",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("accepted_count", sa.Integer(), nullable=False),
        sa.Column("last_accepted_at", MOMENT, nullable=True),
        sa.Column("last_failed_at", MOMENT, nullable=True),
        sa.Column("responses", sa.ARRAY(sa.Integer()), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_statistics_webhook_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("webhook_id", "started_at", name=op.f("pk_webhook_statistics")),
    )
    op.create_index("ix_webhook_statistics_started_at", "webhook_statistics", ["started_at"])


def downgrade() -> None:
    # The statistics are lost, and which warnings were given.
    op.drop_table("webhook_statistics")
    op.drop_column("webhooks", "disables_at")
    op.drop_column("webhooks", "failing_step")
