"""Room for longer password hashes, which name their form (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0510"
down_revision = "2026_11_26_0245"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # PostgreSQL changes its catalog alone: no row is read or written.
    op.alter_column("users", "password_hash", existing_type=sa.String(100), type_=sa.String(255))


def downgrade() -> None:
    # The version before verifies none of the new forms; who has one resets their password.
    op.execute("update users set password_hash = null where password_hash not like '$2b$%'")
    op.alter_column("users", "password_hash", existing_type=sa.String(255), type_=sa.String(100))
