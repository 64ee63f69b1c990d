"""Cursors of event streams (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_0700"
down_revision = "2026_11_28_0600"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event_cursors",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("owner_kind", sa.String(length=16), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_event_cursors_organization_id"),
        ),
        sa.PrimaryKeyConstraint(
            "organization_id",
            "owner_kind",
            "owner_id",
            "name",
            name=op.f("pk_event_cursors"),
        ),
    )
    op.create_index("ix_event_cursors_updated_at", "event_cursors", ["updated_at"])


def downgrade() -> None:
    # Who streams goes on from what it remembers itself.
    op.drop_table("event_cursors")
