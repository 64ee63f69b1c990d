"""Which applications may exchange the tokens of another (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_27_0400"
down_revision = "2026_11_27_0300"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "applications",
        sa.Column(
            "token_exchange_client_ids",
            postgresql.ARRAY(sa.Uuid()),
            server_default="{}",
            nullable=False,
        ),
    )


def downgrade() -> None:
    # Who may exchange whose tokens is lost; nobody may then.
    op.drop_column("applications", "token_exchange_client_ids")
