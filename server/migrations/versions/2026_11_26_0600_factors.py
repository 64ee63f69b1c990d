"""Second factors, and what was shown in a session (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_0600"
down_revision = "2026_11_26_0550"
branch_labels = None
depends_on = None

KINDS = "kind in ('totp', 'passkey', 'email', 'sms')"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    for name in ("has_second_factor", "password_by_mail"):
        op.add_column(
            "users", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)
        )
    op.add_column(
        "sessions",
        sa.Column("authentications", postgresql.JSONB(), server_default="[]", nullable=False),
    )
    op.create_table(
        "factors",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("last_used_at", moment, nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(KINDS, name="ck_factors_kind"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_factors_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_factors"),
    )
    op.create_index("ix_factors_user_id_id", "factors", ["user_id", "id"])
    op.create_table(
        "totp_secrets",
        sa.Column("factor_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["factor_id"], ["factors.id"], name="fk_totp_secrets_factor_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("factor_id", name="pk_totp_secrets"),
    )
    op.create_table(
        "totp_enrollments",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_totp_enrollments_user_id"),
        sa.PrimaryKeyConstraint("user_id", name="pk_totp_enrollments"),
    )
    op.create_index("ix_totp_enrollments_expires_at", "totp_enrollments", ["expires_at"])
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_recovery_codes_user_id"),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name="pk_recovery_codes"),
    )

    op.create_table(
        "challenges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("authentications", postgresql.JSONB(), nullable=False),
        sa.Column("device_hash", sa.LargeBinary(), nullable=True),
        sa.Column("wrong_answers", sa.Integer(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_challenges_user_id"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_challenges_session_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_challenges"),
    )
    op.create_index("uq_challenges_token_hash", "challenges", ["token_hash"], unique=True)
    for column in ("user_id", "session_id", "expires_at"):
        op.create_index(f"ix_challenges_{column}", "challenges", [column])


def downgrade() -> None:
    for table in ("challenges", "recovery_codes", "totp_enrollments", "totp_secrets", "factors"):
        op.drop_table(table)
    op.drop_column("sessions", "authentications")
    for name in ("password_by_mail", "has_second_factor"):
        op.drop_column("users", name)
