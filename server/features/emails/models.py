"""A mail to send, as a row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base
from portico_kit.storage.claims import Waiting

EMAIL_PURPOSE = "email"


class Email(Waiting, Base):
    """A mail to send. What it says is sealed, for it may hold a token, and wiped once sent."""

    __tablename__ = "emails"

    recipient: Mapped[str] = mapped_column(String(254))
    template: Mapped[str] = mapped_column(String(64))
    sealed_variables: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(500))

    __table_args__ = (
        Index(
            "ix_emails_due",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at is not null"),
        ),
    )
