"""For whom a kept answer is, and whether its call ended the caller's access (expand).

Answers that were kept before are deleted: some hold a credential, and their
digests are not keyed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("idempotency_keys", sa.Column("organization_id", sa.Uuid(), nullable=True))
    op.add_column(
        "idempotency_keys", sa.Column("ended_access", sa.String(length=16), nullable=True)
    )
    op.create_check_constraint(
        op.f("ck_idempotency_keys_ended_access"),
        "idempotency_keys",
        "ended_access in ('session', 'membership', 'permission')",
    )
    op.execute("delete from idempotency_keys")


def downgrade() -> None:
    op.execute("delete from idempotency_keys")
    op.drop_constraint(op.f("ck_idempotency_keys_ended_access"), "idempotency_keys")
    op.drop_column("idempotency_keys", "ended_access")
    op.drop_column("idempotency_keys", "organization_id")
