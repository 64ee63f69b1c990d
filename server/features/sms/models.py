"""A text message to send, as a row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base
from portico_kit.storage.claims import Waiting

PURPOSE = "text-message"


class TextMessage(Waiting, Base):
    """A text message to send. Number and text are sealed, and wiped once it was sent."""

    __tablename__ = "text_messages"

    sealed_content: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # From when on it is of no use any more, and is not sent.
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    # By which the provider knows it.
    provider_id: Mapped[str | None] = mapped_column(String(64))
    last_error: Mapped[str | None] = mapped_column(String(100))

    __table_args__ = (
        Index(
            "ix_text_messages_due",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at is not null"),
        ),
    )
