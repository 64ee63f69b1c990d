"""The answers of writes that carried an Idempotency-Key, kept for 24 hours."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from server.kit.db import Base

KEPT = timedelta(hours=24)
PURPOSE = "idempotency"


class IdempotentAnswer(Base):
    """The answer that a repetition of the same call gets. Sealed, for it may show a secret."""

    __tablename__ = "idempotency_keys"

    # A digest of caller, method and the key that the client chose.
    scope: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    # A digest of the request, to tell a repetition from a reuse.
    request_digest: Mapped[bytes] = mapped_column(LargeBinary)
    method: Mapped[str] = mapped_column(String(128))
    sealed_answer: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime]

    __table_args__ = (Index("ix_idempotency_keys_expires_at", "expires_at"),)
