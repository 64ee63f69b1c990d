"""How requests are signed, and what front-channel logouts say (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_0600"
down_revision = "2026_11_27_0500"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "applications",
        sa.Column(
            "frontchannel_logout_session_required",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
        ),
    )
    op.add_column(
        "applications",
        sa.Column(
            "request_object_signing_alg", sa.String(length=8), server_default="", nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("applications", "request_object_signing_alg")
    op.drop_column("applications", "frontchannel_logout_session_required")
