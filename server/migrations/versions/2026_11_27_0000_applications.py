"""Applications: the OAuth 2.1 clients of organizations (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_27_0000"
down_revision = "2026_11_26_0640"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
URI = sa.String(length=2000)


def upgrade() -> None:
    op.create_table(
        "applications",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("redirect_uris", postgresql.ARRAY(URI), nullable=False),
        sa.Column("post_logout_redirect_uris", postgresql.ARRAY(URI), nullable=False),
        sa.Column("grant_types", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("token_endpoint_auth_method", sa.String(length=32), nullable=False),
        *_secrets(),
        sa.Column("jwks", postgresql.JSONB(), nullable=True),
        *(sa.Column(name, URI, nullable=False) for name in ("jwks_uri", "logo_uri")),
        *(sa.Column(name, URI, nullable=False) for name in ("client_uri", "policy_uri", "tos_uri")),
        sa.Column("first_party", sa.Boolean(), nullable=False),
        sa.Column("id_token_signed_response_alg", sa.String(length=8), nullable=False),
        sa.Column("dpop_bound_access_tokens", sa.Boolean(), nullable=False),
        sa.Column("require_pushed_authorization_requests", sa.Boolean(), nullable=False),
        sa.Column("require_signed_request_object", sa.Boolean(), nullable=False),
        sa.Column("subject_type", sa.String(length=8), nullable=False),
        sa.Column("sector_identifier_uri", URI, nullable=False),
        sa.Column("backchannel_logout_uri", URI, nullable=False),
        sa.Column("backchannel_logout_session_required", sa.Boolean(), nullable=False),
        sa.Column("frontchannel_logout_uri", URI, nullable=False),
        sa.Column("access_token_lifetime_seconds", sa.Integer(), nullable=False),
        sa.Column("refresh_token_idle_seconds", sa.Integer(), nullable=False),
        sa.Column("refresh_token_lifetime_seconds", sa.Integer(), nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("deleted_at", MOMENT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *_checks(),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_applications_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applications")),
    )
    op.create_index("ix_applications_organization_id_id", "applications", ["organization_id", "id"])


def _secrets() -> list[sa.Column[object]]:
    return [
        sa.Column("secret_hash", sa.LargeBinary(), nullable=True),
        sa.Column("secret_prefix", sa.String(length=32), nullable=False),
        sa.Column("secret_created_at", MOMENT, nullable=True),
        sa.Column("previous_secret_hash", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret_prefix", sa.String(length=32), nullable=False),
        sa.Column("previous_secret_created_at", MOMENT, nullable=True),
        sa.Column("previous_secret_expires_at", MOMENT, nullable=True),
    ]


def _checks() -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint("cardinality(scopes) > 0", name=op.f("ck_applications_has_scopes")),
        sa.CheckConstraint(
            "access_token_lifetime_seconds between 300 and 900",
            name=op.f("ck_applications_access_tokens_are_short"),
        ),
        sa.CheckConstraint(
            "token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post')"
            " or (secret_hash is null and previous_secret_hash is null)",
            name=op.f("ck_applications_secrets_are_used"),
        ),
        sa.CheckConstraint(
            "not (jwks is not null and jwks_uri <> '')",
            name=op.f("ck_applications_keys_in_one_place"),
        ),
        sa.CheckConstraint(
            "kind in ('web', 'single_page', 'native', 'machine', 'device')",
            name=op.f("ck_applications_kind"),
        ),
    ]


def downgrade() -> None:
    # The applications are lost.
    op.drop_table("applications")
