"""The relay, and webhooks for the events of all organizations (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_0800"
down_revision = "2026_11_28_0700"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "event_sequences",
        sa.Column("changed_in", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.create_index("ix_event_sequences_changed_in", "event_sequences", ["changed_in"])
    op.add_column(
        "webhooks",
        sa.Column("all_organizations", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_index(
        "ix_webhooks_all_organizations",
        "webhooks",
        ["id"],
        postgresql_where=sa.text("all_organizations"),
    )
    op.create_table(
        "relays",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_relays")),
    )
    op.create_table(
        "relay_positions",
        sa.Column("relay", sa.String(length=300), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["relay"], ["relays.name"], name=op.f("fk_relay_positions_relay"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("relay", "organization_id", name=op.f("pk_relay_positions")),
    )


def downgrade() -> None:
    # Such webhooks would be sent the events of the operator's organization from now on.
    op.execute("delete from webhooks where all_organizations")
    op.drop_index("ix_webhooks_all_organizations", table_name="webhooks")
    op.drop_column("webhooks", "all_organizations")
    # A relay begins again with the oldest event that is kept.
    op.drop_table("relay_positions")
    op.drop_table("relays")
    op.drop_index("ix_event_sequences_changed_in", table_name="event_sequences")
    op.drop_column("event_sequences", "changed_in")
