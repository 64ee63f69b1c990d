"""Back-channel logout: whom to tell of the ends of sessions (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_0200"
down_revision = "2026_11_27_0110"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "session_ends",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_ends")),
    )
    op.create_table(
        "oauth_logouts",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("delivered", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=200), server_default="", nullable=False),
        sa.Column("attempt_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", MOMENT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_logouts")),
        sa.UniqueConstraint(
            "session_id", "application_id", name=op.f("uq_oauth_logouts_session_id_application_id")
        ),
    )
    op.create_index("ix_oauth_logouts_application_id_id", "oauth_logouts", ["application_id", "id"])
    op.create_index(
        "ix_oauth_logouts_next_attempt_at",
        "oauth_logouts",
        ["next_attempt_at"],
        postgresql_where=sa.text("next_attempt_at is not null"),
    )
    op.create_index("ix_oauth_logouts_created_at", "oauth_logouts", ["created_at"])


def downgrade() -> None:
    # Applications are not told of sessions that end from here on.
    op.drop_table("oauth_logouts")
    op.drop_table("session_ends")
