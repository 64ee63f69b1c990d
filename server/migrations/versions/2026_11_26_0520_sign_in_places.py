"""Where people have signed in from (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0520"
down_revision = "2026_11_26_0510"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_places",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value_hash", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('device', 'network')", name=op.f("ck_sign_in_places_kind")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_in_places_user_id")),
        sa.PrimaryKeyConstraint("user_id", "kind", "value_hash", name=op.f("pk_sign_in_places")),
    )
    op.create_index("ix_sign_in_places_last_seen_at", "sign_in_places", ["last_seen_at"])
    op.add_column("sessions", sa.Column("device_hash", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    # Every device and network is new again, and what new ones are reported for is the next one.
    op.drop_column("sessions", "device_hash")
    op.drop_table("sign_in_places")
