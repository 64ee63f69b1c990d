"""Settings of webhooks: retry schedule, time-out, headers, signatures with a key (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_0200"
down_revision = "2026_11_28_0150"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for column in (
        sa.Column(
            "retry_schedule",
            sa.String(length=16),
            server_default=sa.text("'standard'"),
            nullable=False,
        ),
        sa.Column("retry_pauses", sa.ARRAY(sa.Integer()), nullable=True),
        sa.Column("timeout_seconds", sa.Integer(), nullable=True),
        sa.Column(
            "header_names",
            sa.ARRAY(sa.String(length=128)),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("sealed_headers", sa.LargeBinary(), nullable=True),
        sa.Column("signing", sa.String(length=8), server_default=sa.text("'v1'"), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=True),
        sa.Column("previous_public_key", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_previous_private_key", sa.LargeBinary(), nullable=True),
        sa.Column("previous_key_expires_at", MOMENT, nullable=True),
    ):
        op.add_column("webhooks", column)
    op.create_check_constraint(
        op.f("ck_webhooks_schedule_is_known"),
        "webhooks",
        "retry_schedule in ('standard', 'patient', 'custom')"
        " and (retry_schedule = 'standard') = (retry_pauses is null)",
    )
    op.create_check_constraint(
        op.f("ck_webhooks_timeout_is_bounded"), "webhooks", "timeout_seconds between 1 and 30"
    )
    op.create_check_constraint(
        op.f("ck_webhooks_signing_has_key"),
        "webhooks",
        "signing in ('v1', 'v1a', 'both') and (signing = 'v1' or public_key is not null)",
    )


def downgrade() -> None:
    # Key pairs and the values of headers are lost; all webhooks sign with their secrets.
    op.drop_constraint(op.f("ck_webhooks_signing_has_key"), "webhooks", type_="check")
    op.drop_constraint(op.f("ck_webhooks_timeout_is_bounded"), "webhooks", type_="check")
    op.drop_constraint(op.f("ck_webhooks_schedule_is_known"), "webhooks", type_="check")
    for name in (
        "previous_key_expires_at",
        "sealed_previous_private_key",
        "previous_public_key",
        "sealed_private_key",
        "public_key",
        "signing",
        "sealed_headers",
        "header_names",
        "timeout_seconds",
        "retry_pauses",
        "retry_schedule",
    ):
        op.drop_column("webhooks", name)
