"""Events in order by organization, and payloads that are made from them (expand)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_0100"
down_revision = "2026_11_27_0800"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("sequence", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_events_organization_id_sequence",
        "events",
        ["organization_id", "sequence"],
        unique=True,
        postgresql_where=sa.text("sequence is not null"),
    )
    op.create_table(
        "event_sequences",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_event_sequences")),
    )
    op.alter_column("deliveries", "payload", existing_type=sa.Text(), nullable=True)


def downgrade() -> None:
    # Deliveries from since then lose their text: what was posted for them is not known.
    op.execute("update deliveries set payload = '' where payload is null")
    op.alter_column("deliveries", "payload", existing_type=sa.Text(), nullable=False)
    op.drop_table("event_sequences")
    op.drop_index("ix_events_organization_id_sequence", table_name="events")
    op.drop_column("events", "sequence")
