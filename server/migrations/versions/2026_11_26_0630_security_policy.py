"""What organizations require of their members, remembered devices, resets of factors (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_0630"
down_revision = "2026_11_26_0620"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
CHECKS = {
    "ck_organizations_second_factor_is_known": (
        "second_factor in ('required', 'phishing_resistant')"
    ),
    "ck_organizations_second_factor_has_time": (
        "(second_factor is null) = (second_factor_from is null)"
    ),
}
COLUMNS = (
    "second_factor",
    "second_factor_from",
    "second_factor_roles",
    "forbid_remembered_devices",
)


def upgrade() -> None:
    _add_policies()
    op.create_table(
        "security_policy_notices",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("after_membership_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind in ('announcement', 'reminder')", name="ck_security_policy_notices_kind"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_security_policy_notices_organization_id",
        ),
        sa.PrimaryKeyConstraint("organization_id", "kind", name="pk_security_policy_notices"),
    )
    op.create_index("ix_security_policy_notices_due_at", "security_policy_notices", ["due_at"])
    op.create_table(
        "remembered_devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("device_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_agent", sa.String(400), nullable=False),
        sa.Column("ip_address", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_remembered_devices_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_remembered_devices"),
        sa.UniqueConstraint(
            "user_id", "device_hash", name="uq_remembered_devices_user_id_device_hash"
        ),
    )
    op.create_index("ix_remembered_devices_expires_at", "remembered_devices", ["expires_at"])
    op.create_table(
        "factor_resets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_factor_resets_user_id"),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["users.id"], name="fk_factor_resets_requested_by"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_factor_resets"),
        sa.UniqueConstraint("user_id", name="uq_factor_resets_user_id"),
    )
    op.create_index("uq_factor_resets_token_hash", "factor_resets", ["token_hash"], unique=True)
    op.create_index("ix_factor_resets_due_at", "factor_resets", ["due_at"])


def _add_policies() -> None:
    op.add_column("organizations", sa.Column("second_factor", sa.String(24), nullable=True))
    op.add_column("organizations", sa.Column("second_factor_from", MOMENT, nullable=True))
    op.add_column(
        "organizations",
        sa.Column("second_factor_roles", postgresql.ARRAY(sa.String(32)), nullable=True),
    )
    op.add_column(
        "organizations",
        sa.Column(
            "forbid_remembered_devices", sa.Boolean(), server_default=sa.false(), nullable=False
        ),
    )
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(name), "organizations", condition)


def downgrade() -> None:
    for table in ("factor_resets", "remembered_devices", "security_policy_notices"):
        op.drop_table(table)
    # The policies are lost: no organization requires anything any more.
    for column in COLUMNS:
        op.drop_column("organizations", column)
