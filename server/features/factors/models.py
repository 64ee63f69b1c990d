"""Factors and recovery codes as rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified

ENROLLMENT_LIFETIME = timedelta(minutes=15)
# Of each kind a person can have so many.
MOST_OF_A_KIND = 20
# NIST SP 800-63B, section 3.2.2: no more than 100 failures in a row.
MOST_FAILURES = 100


class Factor(Identified, Base):
    """What a person can show, of whatever kind. The kinds keep their details beside it."""

    __tablename__ = "factors"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(50))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    # Wrong answers since the last right one; at MOST_FAILURES it counts for nothing any more.
    failures: Mapped[int] = mapped_column(default=0, server_default="0")

    __table_args__ = (
        Index("ix_factors_user_id_id", "user_id", "id"),
        CheckConstraint("kind in ('totp', 'passkey', 'email', 'sms')", name="kind"),
    )


class TotpSecret(Base):
    """What an authenticator app shares with us, sealed with the secret key."""

    __tablename__ = "totp_secrets"

    factor_id: Mapped[UUID] = mapped_column(
        ForeignKey("factors.id", ondelete="CASCADE"), primary_key=True
    )
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    # The number of the newest time step whose code was used: none is good twice.
    last_step: Mapped[int] = mapped_column(BigInteger)


class TotpEnrollment(Base):
    """A secret that an app was given and has not shown yet; one for each person."""

    __tablename__ = "totp_enrollments"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime]

    __table_args__ = (Index("ix_totp_enrollments_expires_at", "expires_at"),)


class RecoveryCode(Base):
    """A code for the day when all factors are lost. Kept as a keyed hash; deleted with its use."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    created_at: Mapped[datetime]
