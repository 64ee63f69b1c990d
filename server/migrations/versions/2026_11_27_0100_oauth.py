"""The OAuth server: grants, authorizations, codes, and keys for ID tokens (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_27_0100"
down_revision = "2026_11_27_0000"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "id_token_keys",
        sa.Column("kid", sa.String(length=36), nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("signs_from", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_id_token_keys")),
    )
    _create_grants()
    _create_authorizations()
    op.create_table(
        "oauth_codes",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("authorization_id", sa.Uuid(), nullable=False),
        sa.Column("redirect_uri", sa.String(length=2048), nullable=False),
        sa.Column("code_challenge", sa.String(length=43), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["oauth_authorizations.id"],
            name=op.f("fk_oauth_codes_authorization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_oauth_codes")),
    )
    op.create_index("ix_oauth_codes_authorization_id", "oauth_codes", ["authorization_id"])
    op.create_index("ix_oauth_codes_expires_at", "oauth_codes", ["expires_at"])


def _create_grants() -> None:
    op.create_table(
        "oauth_grants",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_oauth_grants_user_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_oauth_grants_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_grants")),
    )
    op.create_index(
        "uq_oauth_grants_active",
        "oauth_grants",
        ["user_id", "application_id", "organization_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at is null"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("ix_oauth_grants_application_id", "oauth_grants", ["application_id"])
    op.create_index("ix_oauth_grants_organization_id", "oauth_grants", ["organization_id"])
    op.create_index(
        "ix_oauth_grants_revoked_at",
        "oauth_grants",
        ["revoked_at"],
        postgresql_where=sa.text("revoked_at is not null"),
    )


def _create_authorizations() -> None:
    op.create_table(
        "oauth_authorizations",
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("session_began_at", MOMENT, nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("claims", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("acr", sa.String(length=64), nullable=False),
        sa.Column("amr", postgresql.ARRAY(sa.String(length=16)), nullable=False),
        sa.Column("auth_time", MOMENT, nullable=False),
        sa.Column("nonce", sa.String(length=1024), nullable=False),
        sa.Column("refresh_counter", sa.Integer(), nullable=False),
        sa.Column("refresh_seed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("absolute_expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["grant_id"],
            ["oauth_grants.id"],
            name=op.f("fk_oauth_authorizations_grant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_authorizations")),
    )
    op.create_index("ix_oauth_authorizations_grant_id", "oauth_authorizations", ["grant_id"])
    op.create_index("ix_oauth_authorizations_session_id", "oauth_authorizations", ["session_id"])
    op.create_index(
        "ix_oauth_authorizations_request_hash", "oauth_authorizations", ["request_hash"]
    )


def downgrade() -> None:
    # Consents are lost, and every application has to ask again.
    op.drop_table("oauth_codes")
    op.drop_table("oauth_authorizations")
    op.drop_table("oauth_grants")
    op.drop_table("id_token_keys")
