"""Replays, and since when a webhook missed events (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_0500"
down_revision = "2026_11_28_0400"
branch_labels = None
depends_on = None

ACTIVE = sa.text("state in ('pending', 'running')")


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.add_column("webhooks", sa.Column("missed_since", time, nullable=True))
    op.add_column("webhooks", sa.Column("missed_until", time, nullable=True))
    op.create_table(
        "replays",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("event_types", sa.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("since", time, nullable=False),
        sa.Column("until", time, nullable=False),
        sa.Column("max_per_second", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("failure_reason", sa.String(length=32), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("next_step_at", time, nullable=False),
        sa.Column("paced_until", time, nullable=False),
        sa.Column("ended_at", time, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", time, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", time, server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "status in ('failed', 'missing', 'all')", name=op.f("ck_replays_status_is_known")
        ),
        sa.CheckConstraint(
            "state in ('pending', 'running', 'succeeded', 'cancelled', 'failed')",
            name=op.f("ck_replays_state_is_known"),
        ),
        sa.CheckConstraint(
            "(state in ('pending', 'running')) = (ended_at is null)",
            name=op.f("ck_replays_active_has_no_end"),
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_replays_webhook_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_replays_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replays")),
    )
    op.create_index(
        "uq_replays_active", "replays", ["webhook_id"], unique=True, postgresql_where=ACTIVE
    )
    op.create_index("ix_replays_due", "replays", ["next_step_at"], postgresql_where=ACTIVE)
    op.create_index("ix_replays_webhook_id_id", "replays", ["webhook_id", "id"])
    op.create_table(
        "replayed_deliveries",
        sa.Column("replay_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["replay_id"],
            ["replays.id"],
            name=op.f("fk_replayed_deliveries_replay_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("replay_id", "delivery_id", name=op.f("pk_replayed_deliveries")),
    )


def downgrade() -> None:
    # Which replays there were is lost; what they sent is not.
    op.drop_table("replayed_deliveries")
    op.drop_table("replays")
    op.drop_column("webhooks", "missed_until")
    op.drop_column("webhooks", "missed_since")
