"""Sessions, the tokens that belong to them, and the keys that sign, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from secrets import token_bytes
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.assurance import Authentication, as_json, from_json, with_shown
from portico_kit.storage.base import Base, Identified

IDLE_LIFETIME = timedelta(days=7)
ABSOLUTE_LIFETIME = timedelta(days=30)
# Within this time of its use a token of before 0.2 was good again.
REUSE_GRACE = timedelta(seconds=30)
SEED_BYTES = 16
CHALLENGE_LIFETIME = timedelta(minutes=5)
WRONG_ANSWERS = 5
REMEMBERED_FOR = timedelta(days=30)


class Session(Identified, Base):
    """A sign-in, until the person signs out, stays away for too long, or 30 days are over."""

    __tablename__ = "sessions"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    # The organization that is active in it.
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id"))
    user_agent: Mapped[str] = mapped_column(String(400))
    ip_address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    # Moves with each use, up to `absolute_expires_at`.
    expires_at: Mapped[datetime]
    absolute_expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    # The number of the newest refresh token, see `refresh_chain`; 0 if there is none.
    refresh_counter: Mapped[int] = mapped_column(default=0, server_default="0")
    # Random. The secret key alone makes no refresh token.
    refresh_seed: Mapped[bytes] = mapped_column(
        LargeBinary,
        server_default=text("uuid_send(gen_random_uuid())"),
    )
    # Of the device that signed in, see `devices`; None in sessions from before there were any.
    device_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    # Of the cookie by which a browser holds it, a keyed hash.
    browser_token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    # What the person has shown in it, see `shown`.
    authentications: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")

    __table_args__ = (
        Index("uq_sessions_browser_token_hash", "browser_token_hash", unique=True),
        Index("ix_sessions_user_id_id", "user_id", "id"),
        Index("ix_sessions_expires_at", "expires_at"),
    )

    def begin(self, shown: Sequence[Authentication], now: datetime) -> None:
        """Sets what a new session starts with."""
        self.authentications = as_json(shown)
        self.created_at = now
        self.absolute_expires_at = now + ABSOLUTE_LIFETIME
        self.use(now)
        self.refresh_seed = token_bytes(SEED_BYTES)
        self.start_chain()

    def start_chain(self) -> None:
        """Makes sure that there is a refresh token to give out; one of before 0.2 has none."""
        self.refresh_counter = max(self.refresh_counter or 0, 1)

    def use(self, now: datetime) -> None:
        """Notes that its tokens were refreshed, from when it may idle anew."""
        self.last_used_at = now
        self.expires_at = min(now + IDLE_LIFETIME, self.absolute_expires_at)

    @property
    def shown(self) -> Sequence[Authentication]:
        """What the person has shown in it."""
        return shown_in(self.authentications, self.created_at)

    def show(self, shown: Authentication) -> None:
        """Notes that the person has shown something."""
        self.authentications = as_json(with_shown(self.shown, shown))

    def holds(self, now: datetime) -> bool:
        """Whether it is neither ended nor expired."""
        return self.revoked_at is None and now < self.expires_at

    def revoke(self, now: datetime) -> None:
        """Ends it, for good; the first time counts."""
        self.revoked_at = self.revoked_at or now


class SessionEnd(Identified, Base):
    """The end of a session that features above have yet to hear of, see `take_session_ends`."""

    __tablename__ = "session_ends"

    # No foreign key: the session may be deleted before.
    session_id: Mapped[UUID]


def shown_in(stored: Sequence[Mapping[str, Any]], created_at: datetime) -> Sequence[Authentication]:
    """What was shown in a session. One of before 0.2 began with a password."""
    if not stored:
        return [Authentication("password", created_at)]
    return from_json(stored, created_at)


class RefreshToken(Identified, Base):
    """A token of before 0.2, which was random and kept as a keyed hash; none is added.

    The last one expires 30 days after the upgrade. The table and what reads it can go then.
    """

    __tablename__ = "refresh_tokens"

    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    # Its place in the session's chain, from its first use after the upgrade on.
    chain_number: Mapped[int | None]

    __table_args__ = (
        Index("uq_refresh_tokens_token_hash", "token_hash", unique=True),
        Index("ix_refresh_tokens_session_id", "session_id"),
        Index("ix_refresh_tokens_expires_at", "expires_at"),
    )


class OneTimeToken(Identified, Base):
    """Stands in a mail; shows that its reader reads the person's mail. Kept as a keyed hash."""

    __tablename__ = "one_time_tokens"

    # Checked at the commit, so that ForgotPassword can do the work for nobody and take it back.
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", deferrable=True, initially="DEFERRED")
    )
    kind: Mapped[str] = mapped_column(String(16))
    # Where it was mailed to; it is good only while this is the person's address.
    email: Mapped[str | None] = mapped_column(String(254))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_one_time_tokens_token_hash", "token_hash", unique=True),
        Index("ix_one_time_tokens_user_id_kind_created_at", "user_id", "kind", "created_at"),
        Index("ix_one_time_tokens_expires_at", "expires_at"),
        CheckConstraint("kind in ('verify_email', 'reset_password')", name="kind"),
    )


class Challenge(Identified, Base):
    """A question that a person has to answer to get in, or once more in a session."""

    __tablename__ = "challenges"

    # The token is random; it is kept as a keyed hash.
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    # The session in which something is shown once more; None at a sign-in.
    session_id: Mapped[UUID | None] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    # What was shown before it, see `Session.authentications`.
    authentications: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    # Of the device that began the sign-in, which alone completes it.
    device_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    wrong_answers: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_challenges_token_hash", "token_hash", unique=True),
        Index("ix_challenges_user_id", "user_id"),
        Index("ix_challenges_session_id", "session_id"),
        Index("ix_challenges_expires_at", "expires_at"),
    )

    @property
    def shown(self) -> Sequence[Authentication]:
        """What was shown before it."""
        return from_json(self.authentications, self.created_at)


class RememberedDevice(Identified, Base):
    """A device on which a person is not asked for a second factor, until it expires."""

    __tablename__ = "remembered_devices"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    # See `devices`: another one for each account.
    device_hash: Mapped[bytes] = mapped_column(LargeBinary)
    user_agent: Mapped[str] = mapped_column(String(400))
    ip_address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("user_id", "device_hash"),
        Index("ix_remembered_devices_expires_at", "expires_at"),
    )


class StoredKey:
    """A key that signs tokens. Its private half is sealed with the secret key."""

    kid: Mapped[str] = mapped_column(String(36), primary_key=True)
    sealed_private_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    # It is published before it signs, so that whoever verifies knows it by then.
    signs_from: Mapped[datetime]
    # Set ahead of time: from this moment on nothing that it signed is accepted, but to sign out.
    retired_at: Mapped[datetime | None]


class StoredSigningKey(StoredKey, Base):
    """A key for ES256. It signs access tokens, and ID tokens of applications that prefer it."""

    __tablename__ = "signing_keys"


class StoredIdTokenKey(StoredKey, Base):
    """A key for RS256. It signs ID tokens.

    A table of its own: a process of the version before reads the other one, and knows no such key.
    """

    __tablename__ = "id_token_keys"


class SignInPlace(Base):
    """A device or a network from which a person has signed in. Kept as a keyed hash."""

    __tablename__ = "sign_in_places"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    value_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_sign_in_places_last_seen_at", "last_seen_at"),
        CheckConstraint("kind in ('device', 'network')", name="kind"),
    )
