"""What a role allows is said by the code alone (contract).

No version has ever read these tables: a process of the version before goes on without them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_0137"
down_revision = "0008"
branch_labels = None
depends_on = None

VIEWER = ("keys:read", "members:read", "organization:read", "webhooks:read")
MEMBER = (*VIEWER, "keys:write", "webhooks:write")
ADMIN = (*MEMBER, "members:write", "organization:write")
OWNER = (*ADMIN, "organization:delete")
ROLES = {"owner": OWNER, "admin": ADMIN, "member": MEMBER, "viewer": VIEWER}


def upgrade() -> None:
    op.drop_table("role_permissions")
    op.drop_table("permissions")


def downgrade() -> None:
    permissions = op.create_table(
        "permissions",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_permissions")),
    )
    role_permissions = op.create_table(
        "role_permissions",
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("permission", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["permission"], ["permissions.name"], name=op.f("fk_role_permissions_permission")
        ),
        sa.ForeignKeyConstraint(["role"], ["roles.name"], name=op.f("fk_role_permissions_role")),
        sa.PrimaryKeyConstraint("role", "permission", name=op.f("pk_role_permissions")),
    )
    op.bulk_insert(permissions, [{"name": permission} for permission in OWNER])
    op.bulk_insert(
        role_permissions,
        [
            {"role": role, "permission": permission}
            for role, allowed in ROLES.items()
            for permission in allowed
        ],
    )
