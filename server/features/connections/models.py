"""Connections, the accounts at providers that are linked, and what is good only once, as rows."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    false,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, ConstraintErrors, Identified, Timestamped, Versioned
from server.features.connections.errors import IdentityTakenError

NOBODY = "00000000-0000-0000-0000-000000000000"


class Connection(Identified, Timestamped, Versioned, Base):
    """A provider with which people sign in: of the platform, or of an organization."""

    __tablename__ = "connections"

    # None for one of the platform.
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(String(50))
    preset: Mapped[str] = mapped_column(String(16))
    issuer: Mapped[str] = mapped_column(String(500))
    client_id: Mapped[str] = mapped_column(String(300))
    sealed_client_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    # "" as the provider says.
    client_authentication: Mapped[str] = mapped_column(String(32), default="")
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(100)), default=list)
    allowed_tenants: Mapped[list[str]] = mapped_column(ARRAY(String(36)), default=list)
    # For which domains its word counts; one of an organization has the proven ones.
    trusted_domains: Mapped[list[str]] = mapped_column(ARRAY(String(253)), default=list)
    trusts_second_factor: Mapped[bool] = mapped_column(default=False)
    second_factor_acrs: Mapped[list[str]] = mapped_column(ARRAY(String(200)), default=list)
    # With which people become members at their first sign-in; None for not at all.
    member_role: Mapped[str | None] = mapped_column(ForeignKey("roles.name"))
    enabled: Mapped[bool] = mapped_column(default=True)
    # The private key with which our client signs, as PEM; None if it signs nothing.
    sealed_client_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    # How the provider is asked: with parameters, a request object or the address of one.
    authorization_request: Mapped[str] = mapped_column(
        String(16), default="parameters", server_default="parameters"
    )
    # With which the provider signs user info; "" if it does not.
    userinfo_signed_response_alg: Mapped[str] = mapped_column(
        String(16), default="", server_default=""
    )
    # Whether we registered ourselves; where that is managed and with what, if it can be.
    registered: Mapped[bool] = mapped_column(default=False, server_default=false())
    registration_uri: Mapped[str] = mapped_column(String(2000), default="", server_default="")
    sealed_registration_token: Mapped[bytes | None] = mapped_column(LargeBinary)
    client_secret_expires_at: Mapped[datetime | None]
    # When the worker looks after the secret next; None if it does not expire.
    renewal_due_at: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": Versioned.version}
    __table_args__ = (
        Index("ix_connections_organization_id", "organization_id"),
        Index(
            "ix_connections_renewal_due_at",
            "renewal_due_at",
            postgresql_where=text("renewal_due_at IS NOT NULL"),
        ),
        CheckConstraint(
            "organization_id is not null or member_role is null", name="platform_has_no_role"
        ),
    )


class UnusedRegistration(Identified, Base):
    """A registration at a provider that no connection rests on: it is to be taken back there.

    One is written as soon as a provider has registered us, and goes with the transaction that
    makes the connection: what a crash leaves behind is taken back as well.
    """

    __tablename__ = "unused_registrations"

    uri: Mapped[str] = mapped_column(String(2000))
    sealed_token: Mapped[bytes] = mapped_column(LargeBinary)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")

    __table_args__ = (Index("ix_unused_registrations_due_at", "due_at"),)


class Identity(Identified, Base):
    """An account at a provider with which a person signs in.

    It belongs to whoever set the connection up: what an organization's provider says opens
    no account that was linked with one of the platform, though both be of one issuer.
    """

    __tablename__ = "identities"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id"))
    # The last one that it was used with; another one of the same issuer does as well.
    connection_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("connections.id", ondelete="SET NULL")
    )
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(300))
    # As the provider said last; nothing is found by it.
    email: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_identities_user_id", "user_id"),
        Index("ix_identities_connection_id", "connection_id"),
    )


Index(
    "uq_identities_subject",
    func.coalesce(Identity.organization_id, text(f"'{NOBODY}'::uuid")),
    Identity.issuer,
    Identity.subject,
    unique=True,
    _table=Identity.__table__,  # type: ignore[arg-type]
)


class FederatedSession(Identified, Base):
    """A sign-in at a provider, by which the provider names it when it ends there.

    Our sessions that rest on it have its id in what was shown in them.
    """

    __tablename__ = "federated_sessions"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    # The subject as its tokens have it, and the provider's name for its session.
    token_subject: Mapped[str] = mapped_column(String(300))
    provider_session: Mapped[str] = mapped_column(String(1000))
    # What the provider recognizes it by when the person signs out; None if it is too long.
    sealed_id_token: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_federated_sessions_connection_id_subject", "connection_id", "token_subject"),
        Index("ix_federated_sessions_connection_id_session", "connection_id", "provider_session"),
        Index("ix_federated_sessions_user_id", "user_id"),
        Index("ix_federated_sessions_expires_at", "expires_at"),
    )


class UsedOnce(Base):
    """The keyed hash of something that is good only once, until it is of no use anyway."""

    __tablename__ = "federated_used"

    value_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    expires_at: Mapped[datetime]

    __table_args__ = (Index("ix_federated_used_expires_at", "expires_at"),)


CONSTRAINT_ERRORS: ConstraintErrors = {"uq_identities_subject": IdentityTakenError}
