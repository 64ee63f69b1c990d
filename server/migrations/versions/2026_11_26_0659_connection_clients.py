"""Connections: registrations by ourselves, keys of clients, request objects (expand)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0659"
down_revision = "2026_11_26_0650"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("sealed_client_key", sa.LargeBinary(), nullable=True),
        sa.Column(
            "authorization_request",
            sa.String(length=16),
            server_default="parameters",
            nullable=False,
        ),
        sa.Column(
            "userinfo_signed_response_alg", sa.String(length=16), server_default="", nullable=False
        ),
        sa.Column("registered", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("registration_uri", sa.String(length=2000), server_default="", nullable=False),
        sa.Column("sealed_registration_token", sa.LargeBinary(), nullable=True),
        sa.Column("client_secret_expires_at", MOMENT, nullable=True),
        sa.Column("renewal_due_at", MOMENT, nullable=True),
    ]


def upgrade() -> None:
    for column in _columns():
        op.add_column("connections", column)
    op.create_index(
        "ix_connections_renewal_due_at",
        "connections",
        ["renewal_due_at"],
        postgresql_where=sa.text("renewal_due_at IS NOT NULL"),
    )
    op.create_table(
        "unused_registrations",
        sa.Column("uri", sa.String(length=2000), nullable=False),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unused_registrations")),
    )
    op.create_index("ix_unused_registrations_due_at", "unused_registrations", ["due_at"])


def downgrade() -> None:
    # Registrations stay at their providers, and clients that sign lose their keys.
    op.drop_table("unused_registrations")
    op.drop_index("ix_connections_renewal_due_at", "connections")
    for column in reversed(_columns()):
        op.drop_column("connections", column.name)
