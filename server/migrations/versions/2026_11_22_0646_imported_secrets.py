"""Secrets that other systems made (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imported_secrets",
        sa.Column("api_key_id", sa.Uuid(), nullable=False),
        sa.Column("prefix", sa.String(length=32, collation="C"), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=True),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "algorithm in ('hmac_sha256', 'sha256', 'bcrypt')",
            name=op.f("ck_imported_secrets_algorithm_is_known"),
        ),
        sa.CheckConstraint(
            "(algorithm is null) = (sealed_hash is null)",
            name=op.f("ck_imported_secrets_hash_has_algorithm"),
        ),
        sa.ForeignKeyConstraint(
            ["api_key_id"], ["api_keys.id"], name=op.f("fk_imported_secrets_api_key_id")
        ),
        sa.PrimaryKeyConstraint("api_key_id", name=op.f("pk_imported_secrets")),
    )
    op.create_index("uq_imported_secrets_prefix", "imported_secrets", ["prefix"], unique=True)
    op.alter_column("api_keys", "secret_hash", existing_type=sa.LargeBinary(), nullable=True)


def downgrade() -> None:
    # Nobody can present these secrets any more: their hashes go with the table.
    op.execute(
        "update api_keys set secret_hash = uuid_send(gen_random_uuid()), "
        "revoked_at = coalesce(revoked_at, now()) where secret_hash is null"
    )
    op.alter_column("api_keys", "secret_hash", existing_type=sa.LargeBinary(), nullable=False)
    op.drop_index("uq_imported_secrets_prefix", table_name="imported_secrets")
    op.drop_table("imported_secrets")
