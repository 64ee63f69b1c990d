"""Codes by mail and by SMS, and text messages to send (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0620"
down_revision = "2026_11_26_0610"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "factor_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_number", sa.LargeBinary(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("used_at", moment, nullable=True),
        sa.CheckConstraint(
            "purpose in ('challenge', 'enrollment')", name="ck_factor_codes_purpose"
        ),
        sa.CheckConstraint("method in ('email', 'sms')", name="ck_factor_codes_method"),
        sa.PrimaryKeyConstraint("id", name="pk_factor_codes"),
    )
    op.create_index(
        "uq_factor_codes_purpose_subject_id_method",
        "factor_codes",
        ["purpose", "subject_id", "method"],
        unique=True,
    )
    op.create_index("ix_factor_codes_expires_at", "factor_codes", ["expires_at"])
    op.create_table(
        "sms_factors",
        sa.Column("factor_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_number", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["factor_id"], ["factors.id"], name="fk_sms_factors_factor_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("factor_id", name="pk_sms_factors"),
    )
    op.create_table(
        "text_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sealed_content", sa.LargeBinary(), nullable=True),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("created_at", moment, server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("next_attempt_at", moment, server_default=sa.func.now(), nullable=True),
        sa.Column("sent_at", moment, nullable=True),
        sa.Column("provider_id", sa.String(64), nullable=True),
        sa.Column("last_error", sa.String(100), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_text_messages"),
    )
    op.create_index(
        "ix_text_messages_due",
        "text_messages",
        ["next_attempt_at"],
        postgresql_where=sa.text("next_attempt_at is not null"),
    )


def downgrade() -> None:
    # Factors by SMS are lost with their numbers; those by mail stay.
    op.execute("delete from factors where kind = 'sms'")
    for table in ("text_messages", "sms_factors", "factor_codes"):
        op.drop_table(table)
