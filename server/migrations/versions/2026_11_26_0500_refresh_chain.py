"""The chain of refresh tokens of a session (expand)."""

from __future__ import annotations

from secrets import token_bytes

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0500"
down_revision = "2026_11_26_0245"
branch_labels = None
depends_on = None

SEED_BYTES = 16


def upgrade() -> None:
    op.add_column(
        "sessions", sa.Column("refresh_counter", sa.Integer(), server_default="0", nullable=False)
    )
    # A constant, so that PostgreSQL does not write the table while nobody can use it. The sessions
    # that are there share a random seed, made here; each new one has its own. A token is a keyed
    # hash over session, number and seed, so theirs differ all the same, and nobody makes one
    # without the secret key. With the key and the row of one of them a thief could make those of
    # the others; with the table, of all in either case. They are over in 30 days.
    seed = sa.text(f"'\\x{token_bytes(SEED_BYTES).hex()}'::bytea")
    op.add_column(
        "sessions",
        sa.Column("refresh_seed", sa.LargeBinary(), server_default=seed, nullable=False),
    )
    own_seed = sa.text("uuid_send(gen_random_uuid())")
    op.alter_column("sessions", "refresh_seed", server_default=own_seed)
    op.add_column("refresh_tokens", sa.Column("chain_number", sa.Integer(), nullable=True))


def downgrade() -> None:
    # Sessions that were refreshed since the upgrade are over: their tokens are in no table.
    op.drop_column("refresh_tokens", "chain_number")
    op.drop_column("sessions", "refresh_seed")
    op.drop_column("sessions", "refresh_counter")
