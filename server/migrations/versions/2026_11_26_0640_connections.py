"""Sign-in with others: domains, connections, identities (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_26_0640"
down_revision = "2026_11_26_0630"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"


def upgrade() -> None:
    _create_domains()
    _create_connections()
    _create_identities()
    _create_federated_sessions()
    op.create_table(
        "federated_used",
        sa.Column("value_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("value_hash", name=op.f("pk_federated_used")),
    )
    op.create_index("ix_federated_used_expires_at", "federated_used", ["expires_at"])


def _create_domains() -> None:
    op.create_table(
        "domains",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("proof", sa.String(length=64), nullable=False),
        sa.Column("verified_at", MOMENT, nullable=True),
        *_identified_and_timestamped(),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_domains_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domains")),
    )
    op.create_index(
        "uq_domains_organization_id_name", "domains", ["organization_id", "name"], unique=True
    )
    op.create_index(
        "uq_domains_verified",
        "domains",
        ["name"],
        unique=True,
        postgresql_where=sa.text("verified_at is not null"),
    )


def _create_connections() -> None:
    op.create_table(
        "connections",
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("preset", sa.String(length=16), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("client_id", sa.String(length=300), nullable=False),
        sa.Column("sealed_client_secret", sa.LargeBinary(), nullable=True),
        sa.Column("client_authentication", sa.String(length=32), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=100)), nullable=False),
        sa.Column("allowed_tenants", postgresql.ARRAY(sa.String(length=36)), nullable=False),
        sa.Column("trusted_domains", postgresql.ARRAY(sa.String(length=253)), nullable=False),
        sa.Column("trusts_second_factor", sa.Boolean(), nullable=False),
        sa.Column("second_factor_acrs", postgresql.ARRAY(sa.String(length=200)), nullable=False),
        sa.Column("member_role", sa.String(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        *_identified_and_timestamped(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "organization_id is not null or member_role is null",
            name=op.f("ck_connections_platform_has_no_role"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_connections_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_role"], ["roles.name"], name=op.f("fk_connections_member_role")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
    )
    op.create_index("ix_connections_organization_id", "connections", ["organization_id"])


def _create_identities() -> None:
    op.create_table(
        "identities",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("connection_id", sa.Uuid(), nullable=True),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_identities_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_identities_connection_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"])
    op.create_index("ix_identities_connection_id", "identities", ["connection_id"])
    op.create_index(
        "uq_identities_subject",
        "identities",
        [sa.text(f"coalesce(organization_id, {NOBODY})"), "issuer", "subject"],
        unique=True,
    )


def _create_federated_sessions() -> None:
    op.create_table(
        "federated_sessions",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("token_subject", sa.String(length=300), nullable=False),
        sa.Column("provider_session", sa.String(length=1000), nullable=False),
        sa.Column("sealed_id_token", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_federated_sessions_user_id")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_federated_sessions_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_federated_sessions")),
    )
    for name, columns in (
        ("connection_id_subject", ["connection_id", "token_subject"]),
        ("connection_id_session", ["connection_id", "provider_session"]),
        ("user_id", ["user_id"]),
        ("expires_at", ["expires_at"]),
    ):
        op.create_index(f"ix_federated_sessions_{name}", "federated_sessions", columns)


def _identified_and_timestamped() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", MOMENT, server_default=sa.func.now(), nullable=False),
    ]


def downgrade() -> None:
    # Nobody can sign in with others any more.
    for table in ("federated_used", "federated_sessions", "identities", "connections", "domains"):
        op.drop_table(table)
