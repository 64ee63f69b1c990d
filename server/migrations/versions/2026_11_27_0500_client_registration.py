"""Applications that register themselves, and the policies for them (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_27_0500"
down_revision = "2026_11_27_0400"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
HOSTS = postgresql.ARRAY(sa.String(length=253))


def upgrade() -> None:
    # A default that is a constant is not written into the rows.
    op.add_column(
        "applications",
        sa.Column("origin", sa.String(length=16), server_default="created", nullable=False),
    )
    op.add_column(
        "applications",
        sa.Column("metadata_document", sa.String(length=2000), server_default="", nullable=False),
    )
    op.add_column(
        "applications", sa.Column("registration_token_hash", sa.LargeBinary(), nullable=True)
    )
    op.create_index(
        "ix_applications_created_at",
        "applications",
        ["created_at"],
        postgresql_where=sa.text("origin <> 'created' and deleted_at is null"),
    )
    op.create_table(
        "registration_policies",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("registration", sa.String(length=8), nullable=False),
        sa.Column("kinds", postgresql.ARRAY(sa.String(length=16)), nullable=False),
        sa.Column("redirect_hosts", HOSTS, nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=64)), nullable=False),
        sa.Column("max_applications", sa.Integer(), nullable=False),
        sa.Column("unused_days", sa.Integer(), nullable=False),
        sa.Column("documents", sa.String(length=8), nullable=False),
        sa.Column("document_hosts", HOSTS, nullable=False),
        sa.Column("initial_access_token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("initial_access_token_created_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_registration_policies_organization_id_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_registration_policies")),
        sa.UniqueConstraint(
            "initial_access_token_hash",
            name=op.f("uq_registration_policies_initial_access_token_hash"),
        ),
    )


def downgrade() -> None:
    # What registered itself stays, as if somebody had created it, without its token.
    op.drop_table("registration_policies")
    op.drop_index("ix_applications_created_at", table_name="applications")
    op.drop_column("applications", "registration_token_hash")
    op.drop_column("applications", "metadata_document")
    op.drop_column("applications", "origin")
