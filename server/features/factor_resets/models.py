"""A reset that is pending, as a row. It is deleted when it is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified

# How long the person has to cancel what one administrator alone wants.
HOLD = timedelta(hours=24)


class FactorReset(Identified, Base):
    """What an administrator has requested, for one person at a time."""

    __tablename__ = "factor_resets"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    # Of the token in the mail, a keyed hash.
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    requested_at: Mapped[datetime]
    due_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("user_id"),
        Index("uq_factor_resets_token_hash", "token_hash", unique=True),
        Index("ix_factor_resets_due_at", "due_at"),
    )
