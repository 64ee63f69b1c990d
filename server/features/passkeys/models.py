"""Passkeys and used challenges as rows."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base


class Passkey(Base):
    """What is kept of a passkey (WebAuthn level 3, section 4: credential record)."""

    __tablename__ = "passkeys"

    factor_id: Mapped[UUID] = mapped_column(
        ForeignKey("factors.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary)
    # What the provider was given in place of an id of ours.
    user_handle: Mapped[bytes] = mapped_column(LargeBinary)
    # A COSE_Key (RFC 9052, section 7).
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    # How often it has signed; a synced one does not count and stays at 0.
    sign_count: Mapped[int] = mapped_column(BigInteger)
    aaguid: Mapped[UUID]
    transports: Mapped[list[str]] = mapped_column(ARRAY(String(16)))
    backup_eligible: Mapped[bool]
    backed_up: Mapped[bool]

    __table_args__ = (
        UniqueConstraint("credential_id"),
        Index("ix_passkeys_user_id_factor_id", "user_id", "factor_id"),
    )


class UsedPasskeyChallenge(Base):
    """A challenge that was answered, for as long as it could be answered again."""

    __tablename__ = "used_passkey_challenges"

    challenge_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    expires_at: Mapped[datetime]

    __table_args__ = (Index("ix_used_passkey_challenges_expires_at", "expires_at"),)
