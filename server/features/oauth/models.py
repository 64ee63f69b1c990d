"""What people have let applications do, and the tokens that came of it, as rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified
from portico_kit.storage.claims import Waiting

CODE_LIFETIME = timedelta(seconds=60)
# Of a device code that was approved, from then on: it is polled for.
FETCH_LIFETIME = timedelta(seconds=60)
# An IPv6 address, in characters.
ADDRESS_LENGTH = 45
NONCE_LENGTH = 1024
SEED_BYTES = 16
# SHA-256 in base64url, and what may stand before it, in characters.
JKT_LENGTH = 64

_ACTIVE = text("revoked_at is null")


class StoredGrant(Identified, Base):
    """What a person lets an application do in an organization; the consent is remembered here."""

    __tablename__ = "oauth_grants"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    # No foreign key: it outlives the application by some days.
    application_id: Mapped[UUID]
    # None if no scope concerns an organization.
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id"))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    # What the application asked for and the person left out.
    declined_scopes: Mapped[list[str]] = mapped_column(
        ARRAY(String(64)), default=list, server_default="{}"
    )
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_oauth_grants_active",
            "user_id",
            "application_id",
            "organization_id",
            unique=True,
            postgresql_where=_ACTIVE,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_oauth_grants_application_id", "application_id"),
        Index("ix_oauth_grants_organization_id", "organization_id"),
        Index(
            "ix_oauth_grants_revoked_at",
            "revoked_at",
            postgresql_where=text("revoked_at is not null"),
        ),
    )

    def widen(self, scopes: Iterable[str], declined: Iterable[str], now: datetime) -> bool:
        """Adds scopes that the person gives beside those of before; says whether any is new.

        Args:
            declined: what they leave out. What was given before stays given.
        """
        given = frozenset(scopes) | frozenset(self.scopes)
        declines = sorted((frozenset(declined) | frozenset(self.declined_scopes)) - given)
        new = given - frozenset(self.scopes)
        if declines != self.declined_scopes:
            self.declined_scopes = declines
        if new:
            self.scopes = sorted(given)
            self.updated_at = now
        return bool(new)


class StoredAuthorization(Identified, Base):
    """One approval of a person, and the family of all tokens that came of it."""

    __tablename__ = "oauth_authorizations"

    grant_id: Mapped[UUID] = mapped_column(ForeignKey("oauth_grants.id", ondelete="CASCADE"))
    # No foreign key: sessions are deleted when they have expired.
    session_id: Mapped[UUID]
    # What ends all sessions that began before a moment ends this, too, whenever it was approved.
    session_began_at: Mapped[datetime]
    # Of the request: approved again, it takes back what was not fetched.
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    # Whether the tokens outlive the session.
    offline: Mapped[bool]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    # The claims that the ID token shall have, see OpenID Connect Core, section 5.5.
    claims: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    acr: Mapped[str] = mapped_column(String(64))
    amr: Mapped[list[str]] = mapped_column(ARRAY(String(16)))
    auth_time: Mapped[datetime]
    nonce: Mapped[str] = mapped_column(String(NONCE_LENGTH))
    # The number of the newest refresh token, see `refresh_chain`; 0 before the code is used.
    refresh_counter: Mapped[int] = mapped_column(default=0)
    # Random. The secret key alone makes no refresh token.
    refresh_seed: Mapped[bytes] = mapped_column(LargeBinary)
    # Of the key that the code is for, then of the one that was proved last (RFC 9449), or of the
    # certificate, see `client_certificates.binding`; "" for none.
    dpop_jkt: Mapped[str] = mapped_column(String(JKT_LENGTH), default="", server_default="")
    created_at: Mapped[datetime]
    # When the code was used, or a refresh token last.
    last_used_at: Mapped[datetime | None]
    # Moves with each use, up to `absolute_expires_at`.
    expires_at: Mapped[datetime]
    absolute_expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_oauth_authorizations_grant_id", "grant_id"),
        Index("ix_oauth_authorizations_session_id", "session_id"),
        Index("ix_oauth_authorizations_request_hash", "request_hash"),
        # None on what each use changes: it would be written at each, in every index (no HOT).
    )


class StoredLogout(Waiting, Base):
    """A session in which an application has signed its person in: one call when it ends.

    While the session holds, `ended_at` and `next_attempt_at` are not set.
    """

    __tablename__ = "oauth_logouts"

    attempt_count: Mapped[int] = mapped_column(default=0, server_default="0")
    next_attempt_at: Mapped[datetime | None]
    # No foreign keys: it outlives the session, and perhaps the person and the application.
    session_id: Mapped[UUID]
    application_id: Mapped[UUID]
    user_id: Mapped[UUID]
    created_at: Mapped[datetime]
    # When the session ended.
    ended_at: Mapped[datetime | None]
    # When the application accepted the call, or it was given up.
    settled_at: Mapped[datetime | None]
    delivered: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    # Of the last answer; None if there was none.
    response_status: Mapped[int | None]
    # Why the last attempt failed, for the owner of the application; "" if it did not.
    error: Mapped[str] = mapped_column(String(200), default="", server_default="")

    __table_args__ = (
        UniqueConstraint("session_id", "application_id"),
        Index("ix_oauth_logouts_application_id_id", "application_id", "id"),
        Index(
            "ix_oauth_logouts_due",
            "application_id",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at is not null"),
        ),
        Index("ix_oauth_logouts_created_at", "created_at"),
    )

    @property
    def status(self) -> str:
        """How far it is; see `Logout.status` in the contract."""
        if self.ended_at is None:
            return "signed_in"
        if self.settled_at is None:
            return "pending"
        return "delivered" if self.delivered else "failed"


class StoredCode(Base):
    """An authorization code. It is random, and kept as a keyed hash."""

    __tablename__ = "oauth_codes"

    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    authorization_id: Mapped[UUID] = mapped_column(
        ForeignKey("oauth_authorizations.id", ondelete="CASCADE")
    )
    redirect_uri: Mapped[str] = mapped_column(String(2048))
    # SHA-256 of the verifier (RFC 7636), base64url.
    code_challenge: Mapped[str] = mapped_column(String(43))
    expires_at: Mapped[datetime]
    # Which call used it: what is sent to the database twice by one call is one use.
    used_by: Mapped[UUID | None]

    __table_args__ = (
        Index("ix_oauth_codes_authorization_id", "authorization_id"),
        Index("ix_oauth_codes_expires_at", "expires_at"),
    )


class StoredDeviceCode(Identified, Base):
    """A device that waits for a person's answer. Both of its codes are kept as keyed hashes."""

    __tablename__ = "oauth_device_codes"

    # No foreign key: it lasts for minutes.
    application_id: Mapped[UUID]
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    # Where the device, or the server behind it, asked from: the person sees it.
    client_address: Mapped[str] = mapped_column(String(ADDRESS_LENGTH))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    # How long the device waits between two polls, and from when on the next one is welcome.
    interval_seconds: Mapped[int]
    next_poll_at: Mapped[datetime]
    # Which call polled last, and whether that was too early: what is sent to the database twice
    # by one call is one poll.
    polled_by: Mapped[UUID | None]
    polled_early: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    # Who has decided; None if nobody has. No foreign key, as above.
    user_id: Mapped[UUID | None]
    # What was approved; None if nothing was.
    authorization_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("oauth_authorizations.id", ondelete="CASCADE")
    )
    # Which call fetched the tokens.
    used_by: Mapped[UUID | None]

    __table_args__ = (
        Index("ix_oauth_device_codes_authorization_id", "authorization_id"),
        # None on what each poll changes: it would be written at each, in every index (no HOT).
        Index("ix_oauth_device_codes_expires_at", "expires_at"),
    )

    def was_approved_by(self, user_id: UUID) -> bool:
        """Whether it is this person who has approved it."""
        return self.user_id == user_id and self.authorization_id is not None

    def approve(self, user_id: UUID, authorization_id: UUID, expires_at: datetime) -> None:
        """Notes that a person has approved it. The device has time to fetch the tokens."""
        self.user_id = user_id
        self.authorization_id = authorization_id
        self.expires_at = expires_at

    def deny(self, user_id: UUID) -> None:
        """Notes that a person has refused it, whatever they said before."""
        self.user_id = user_id
        self.authorization_id = None

    def fetch_until(self, now: datetime) -> datetime:
        """Until when the device can fetch the tokens of an approval."""
        return max(self.expires_at, now + FETCH_LIFETIME)
