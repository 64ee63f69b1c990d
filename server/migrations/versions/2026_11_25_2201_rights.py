"""Who may import keys, who invited, what was declined, and keys by their creator (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATUS = "ck_invitations_status_is_known"
DECLINED = "ck_invitations_declined_has_time"


def upgrade() -> None:
    op.add_column(
        "organizations",
        sa.Column(
            "allow_key_import", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
    )
    op.add_column("invitations", sa.Column("invited_by_api_key", sa.Uuid(), nullable=True))
    op.add_column(
        "invitations", sa.Column("declined_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.drop_constraint(op.f(STATUS), "invitations", type_="check")
    op.create_check_constraint(
        op.f(STATUS),
        "invitations",
        "status in ('pending', 'accepted', 'declined', 'revoked', 'expired')",
    )
    op.create_check_constraint(
        op.f(DECLINED), "invitations", "(status = 'declined') = (declined_at is not null)"
    )
    op.create_index(
        "ix_invitations_invited_by_pending",
        "invitations",
        ["invited_by"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_api_keys_organization_id_created_by_id",
        "api_keys",
        ["organization_id", "created_by", "id"],
    )


def downgrade() -> None:
    op.drop_index("ix_api_keys_organization_id_created_by_id", table_name="api_keys")
    op.drop_index("ix_invitations_invited_by_pending", table_name="invitations")
    op.drop_constraint(op.f(DECLINED), "invitations", type_="check")
    op.drop_constraint(op.f(STATUS), "invitations", type_="check")
    op.execute(
        "update invitations set status = 'revoked', revoked_at = declined_at"
        " where status = 'declined'"
    )
    op.create_check_constraint(
        op.f(STATUS), "invitations", "status in ('pending', 'accepted', 'revoked', 'expired')"
    )
    op.drop_column("invitations", "declined_at")
    op.drop_column("invitations", "invited_by_api_key")
    op.drop_column("organizations", "allow_key_import")
