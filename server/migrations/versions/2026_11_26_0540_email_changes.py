"""Changes of email addresses, and the address that a one-time token was mailed to (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0540"
down_revision = "2026_11_26_0530"
branch_labels = None
depends_on = None

PENDING = "confirmed_at is null and ended_at is null"
CONFIRMED = (
    "(confirmed_at is null) = (old_email is null)"
    " and (confirmed_at is null) = (revert_token_hash is null)"
    " and (confirmed_at is null) = (account_version is null)"
)


def upgrade() -> None:
    op.create_table(
        "email_changes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("new_email", sa.String(length=254), nullable=False),
        sa.Column("old_email", sa.String(length=254), nullable=True),
        sa.Column("confirm_token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("revert_token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("account_version", sa.Integer(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(CONFIRMED, name=op.f("ck_email_changes_confirmed")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_email_changes_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_changes")),
    )
    for column in ("confirm_token_hash", "revert_token_hash"):
        op.create_index(f"uq_email_changes_{column}", "email_changes", [column], unique=True)
    op.create_index(
        "uq_email_changes_user_id",
        "email_changes",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text(PENDING),
    )
    op.create_index(
        "ix_email_changes_user_id_account_version", "email_changes", ["user_id", "account_version"]
    )
    op.create_index("ix_email_changes_old_email", "email_changes", ["old_email"])
    op.create_index("ix_email_changes_expires_at", "email_changes", ["expires_at"])
    op.add_column("one_time_tokens", sa.Column("email", sa.String(length=254), nullable=True))


def downgrade() -> None:
    # Changes that can be taken back no longer can.
    op.drop_column("one_time_tokens", "email")
    op.drop_table("email_changes")
