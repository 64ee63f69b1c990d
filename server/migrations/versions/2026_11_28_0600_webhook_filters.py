"""Filters of webhooks (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "2026_11_28_0600"
down_revision = "2026_11_28_0500"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("filter", JSONB(), nullable=True))


def downgrade() -> None:
    # Webhooks are sent every event of their types again.
    op.drop_column("webhooks", "filter")
