"""The projects that API keys are bound to (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0245"
down_revision = "2026_11_26_0230"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("project_ids", sa.ARRAY(sa.Uuid()), nullable=True))
    op.create_check_constraint(
        op.f("ck_api_keys_bound_to_some"), "api_keys", "cardinality(project_ids) > 0"
    )


def downgrade() -> None:
    # A bound key would see every project without its binding: it is revoked.
    op.execute(
        "update api_keys set revoked_at = coalesce(revoked_at, now()), version = version + 1"
        " where project_ids is not null"
    )
    op.drop_constraint(op.f("ck_api_keys_bound_to_some"), "api_keys")
    op.drop_column("api_keys", "project_ids")
