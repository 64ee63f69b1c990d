"""The chain of refresh tokens of a session (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0500"
down_revision = "2026_11_26_0245"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "sessions", sa.Column("refresh_counter", sa.Integer(), server_default="0", nullable=False)
    )
    # Another one for each row, so the table is written once; sessions are few and small.
    op.add_column(
        "sessions",
        sa.Column(
            "refresh_seed",
            sa.LargeBinary(),
            server_default=sa.text("uuid_send(gen_random_uuid())"),
            nullable=False,
        ),
    )
    op.add_column("refresh_tokens", sa.Column("chain_number", sa.Integer(), nullable=True))


def downgrade() -> None:
    # Sessions that were refreshed since the upgrade are over: their tokens are in no table.
    op.drop_column("refresh_tokens", "chain_number")
    op.drop_column("sessions", "refresh_seed")
    op.drop_column("sessions", "refresh_counter")
