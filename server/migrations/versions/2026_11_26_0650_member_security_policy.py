"""What an organization requires of one of its members (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0650"
down_revision = "2026_11_26_0640"
branch_labels = None
depends_on = None

CHECKS = {
    "ck_memberships_second_factor_is_known": "second_factor in ('required', 'phishing_resistant')",
    "ck_memberships_second_factor_has_time": (
        "(second_factor is null) = (second_factor_from is null)"
    ),
}


def upgrade() -> None:
    op.add_column("memberships", sa.Column("second_factor", sa.String(24), nullable=True))
    op.add_column(
        "memberships",
        sa.Column("second_factor_from", sa.DateTime(timezone=True), nullable=True),
    )
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(name), "memberships", condition)


def downgrade() -> None:
    # The requirements are lost: nothing is required of a single member any more.
    op.drop_column("memberships", "second_factor_from")
    op.drop_column("memberships", "second_factor")
