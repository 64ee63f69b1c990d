"""Codes that were sent, and the phone numbers that they can be sent to, as rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified

CODE_LIFETIME = timedelta(minutes=10)
RESEND_AFTER = timedelta(seconds=60)
MOST_TRIES = 5


class SentCode(Identified, Base):
    """The newest code for one purpose; a new one takes the place of the one before, id and all.

    It is kept as a keyed hash, together with what it is for and where it was sent to: it is of
    no use for another challenge, person, number or address.
    """

    __tablename__ = "factor_codes"

    # "challenge" or "enrollment".
    purpose: Mapped[str] = mapped_column(String(16))
    # The challenge; of an enrollment, the person.
    subject_id: Mapped[UUID]
    method: Mapped[str] = mapped_column(String(16))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    # The number that is being enrolled.
    sealed_number: Mapped[bytes | None] = mapped_column(LargeBinary)
    tries: Mapped[int]
    sent_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_factor_codes_purpose_subject_id_method",
            "purpose",
            "subject_id",
            "method",
            unique=True,
        ),
        Index("ix_factor_codes_expires_at", "expires_at"),
        CheckConstraint("purpose in ('challenge', 'enrollment')", name="purpose"),
        CheckConstraint("method in ('email', 'sms')", name="method"),
    )


class SmsFactor(Base):
    """The phone number of a factor, sealed with the secret key."""

    __tablename__ = "sms_factors"

    factor_id: Mapped[UUID] = mapped_column(
        ForeignKey("factors.id", ondelete="CASCADE"), primary_key=True
    )
    sealed_number: Mapped[bytes] = mapped_column(LargeBinary)
