"""Single scopes, copies of logos, logouts by application, client certificates (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_27_0800"
down_revision = "2026_11_27_0600"
branch_labels = None
depends_on = None

SCOPES = sa.ARRAY(sa.String(length=64))
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "applications",
        sa.Column("required_scopes", SCOPES, server_default="{}", nullable=False),
    )
    op.add_column(
        "applications",
        sa.Column("logo_digest", sa.String(length=64), server_default="", nullable=False),
    )
    op.add_column("applications", sa.Column("logo_due_at", MOMENT, nullable=True))
    op.add_column(
        "applications", sa.Column("logo_attempts", sa.Integer(), server_default="0", nullable=False)
    )
    op.create_index(
        "ix_applications_logo_due_at",
        "applications",
        ["logo_due_at"],
        postgresql_where=sa.text("logo_due_at is not null"),
    )
    op.create_table(
        "application_logos",
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_type", sa.String(length=16), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application_logos")),
    )
    op.add_column(
        "oauth_grants",
        sa.Column("declined_scopes", SCOPES, server_default="{}", nullable=False),
    )
    op.add_column(
        "applications",
        sa.Column(
            "tls_client_certificate_bound_access_tokens",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
        ),
    )
    # Longer: no row is written for that.
    op.alter_column("oauth_authorizations", "dpop_jkt", type_=sa.String(length=64))
    # Calls are claimed by application: a slow one is no longer walked past to find the others.
    op.create_index(
        "ix_oauth_logouts_due",
        "oauth_logouts",
        ["application_id", "next_attempt_at"],
        postgresql_where=sa.text("next_attempt_at is not null"),
    )
    op.drop_index("ix_oauth_logouts_next_attempt_at", "oauth_logouts")


def downgrade() -> None:
    op.create_index(
        "ix_oauth_logouts_next_attempt_at",
        "oauth_logouts",
        ["next_attempt_at"],
        postgresql_where=sa.text("next_attempt_at is not null"),
    )
    op.drop_index("ix_oauth_logouts_due", "oauth_logouts")
    # What is bound to a certificate has no key of that length: it ends.
    op.execute(
        "update oauth_authorizations set ended_at = now(), dpop_jkt = ''"
        " where length(dpop_jkt) > 43"
    )
    op.alter_column("oauth_authorizations", "dpop_jkt", type_=sa.String(length=43))
    op.drop_column("applications", "tls_client_certificate_bound_access_tokens")
    # What people left out is forgotten: they are asked again.
    op.drop_column("oauth_grants", "declined_scopes")
    op.drop_table("application_logos")
    op.drop_index("ix_applications_logo_due_at", "applications")
    op.drop_column("applications", "logo_attempts")
    op.drop_column("applications", "logo_due_at")
    op.drop_column("applications", "logo_digest")
    op.drop_column("applications", "required_scopes")
