"""The browser tokens of sessions (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0530"
down_revision = "2026_11_26_0520"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("browser_token_hash", sa.LargeBinary(), nullable=True))
    op.create_index(
        "uq_sessions_browser_token_hash", "sessions", ["browser_token_hash"], unique=True
    )


def downgrade() -> None:
    # Whoever signed in on the pages signs in again: without the hash nothing finds the session.
    op.drop_index("uq_sessions_browser_token_hash", table_name="sessions")
    op.drop_column("sessions", "browser_token_hash")
