"""The key that an authorization is bound to (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_0110"
down_revision = "2026_11_27_0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A default that is a constant is not written into the rows.
    op.add_column(
        "oauth_authorizations",
        sa.Column("dpop_jkt", sa.String(length=43), server_default="", nullable=False),
    )


def downgrade() -> None:
    # Refresh tokens are good without their key.
    op.drop_column("oauth_authorizations", "dpop_jkt")
