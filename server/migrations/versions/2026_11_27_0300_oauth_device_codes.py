"""Device codes of the OAuth server (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_0300"
down_revision = "2026_11_27_0200"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "oauth_device_codes",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("client_address", sa.String(length=45), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("interval_seconds", sa.Integer(), nullable=False),
        sa.Column("next_poll_at", MOMENT, nullable=False),
        sa.Column("polled_by", sa.Uuid(), nullable=True),
        sa.Column("polled_early", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("authorization_id", sa.Uuid(), nullable=True),
        sa.Column("used_by", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["oauth_authorizations.id"],
            name=op.f("fk_oauth_device_codes_authorization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_device_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_oauth_device_codes_code_hash")),
        sa.UniqueConstraint("user_code_hash", name=op.f("uq_oauth_device_codes_user_code_hash")),
    )
    op.create_index(
        "ix_oauth_device_codes_authorization_id", "oauth_device_codes", ["authorization_id"]
    )
    op.create_index("ix_oauth_device_codes_expires_at", "oauth_device_codes", ["expires_at"])


def downgrade() -> None:
    # Devices that wait for an answer have to ask again.
    op.drop_table("oauth_device_codes")
