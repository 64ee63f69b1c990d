"""Limits and order of webhooks (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_0300"
down_revision = "2026_11_28_0200"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("max_per_second", sa.Integer(), nullable=True))
    op.add_column("webhooks", sa.Column("max_in_flight", sa.Integer(), nullable=True))
    op.add_column(
        "webhooks",
        sa.Column("ordering", sa.String(16), server_default=sa.text("'none'"), nullable=False),
    )
    op.add_column(
        "webhooks",
        sa.Column("order_by", sa.String(200), server_default=sa.text("''"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_webhooks_ordering_is_known"),
        "webhooks",
        "ordering in ('none', 'webhook', 'field')",
    )
    op.create_check_constraint(
        op.f("ck_webhooks_order_by_of_field"), "webhooks", "(ordering = 'field') = (order_by <> '')"
    )
    op.add_column("deliveries", sa.Column("ordering_key", sa.BigInteger(), nullable=True))
    op.add_column("deliveries", sa.Column("ordering_sequence", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_deliveries_lines",
        "deliveries",
        ["webhook_id", "ordering_key", "ordering_sequence"],
        postgresql_where=sa.text("ordering_key is not null and next_attempt_at is not null"),
    )
    op.create_table(
        "webhook_paces",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("next_slot_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("in_flight", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_paces_webhook_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("pk_webhook_paces")),
    )


def downgrade() -> None:
    # The limits and the order are lost. Deliveries that wait for others are due at once.
    op.drop_table("webhook_paces")
    op.execute(
        "update deliveries set next_attempt_at = now() where next_attempt_at >= '9999-01-01'"
    )
    op.drop_index("ix_deliveries_lines", table_name="deliveries")
    op.drop_column("deliveries", "ordering_sequence")
    op.drop_column("deliveries", "ordering_key")
    op.drop_constraint(op.f("ck_webhooks_order_by_of_field"), "webhooks")
    op.drop_constraint(op.f("ck_webhooks_ordering_is_known"), "webhooks")
    for column in ("order_by", "ordering", "max_in_flight", "max_per_second"):
        op.drop_column("webhooks", column)
