"""Organizations, their members and invitations, and the roles that they name, as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.errors import ConcurrentUpdateError, UnavailableError
from portico_kit.storage.base import Base, ConstraintErrors, Identified, Timestamped, Versioned
from server.features.organizations.errors import (
    AlreadyMemberError,
    InvitationAlreadyUsedError,
    InvitationDeclinedError,
    InvitationExpiredError,
    InvitationPendingError,
    InvitationRevokedError,
    SlugTakenError,
)

PENDING = "pending"
ACCEPTED = "accepted"
DECLINED = "declined"
REVOKED = "revoked"
EXPIRED = "expired"


class Role(Base):
    """The name of a role that a member can have; the code decides which there are.

    `migrate` keeps the table up to date, so that no row can name a role that does not exist.
    """

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)


class Organization(Identified, Timestamped, Versioned, Base):
    """A tenant. Deleting it keeps the row and frees the slug."""

    __tablename__ = "organizations"

    name: Mapped[str] = mapped_column(String(100))
    slug: Mapped[str] = mapped_column(String(50))
    tier: Mapped[str] = mapped_column(String(16), default="free")
    # Whether administrators of the platform may import API keys.
    allow_key_import: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    # What members must have and show: None for nothing. Columns of this row, for they are
    # looked at with the memberships at each call of a person.
    second_factor: Mapped[str | None] = mapped_column(String(24))
    second_factor_from: Mapped[datetime | None]
    # Of whom; None for everybody.
    second_factor_roles: Mapped[list[str] | None] = mapped_column(ARRAY(String(32)))
    forbid_remembered_devices: Mapped[bool] = mapped_column(
        default=False, server_default=text("false")
    )
    deleted_at: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": Versioned.version}
    __table_args__ = (
        Index(
            "uq_organizations_slug",
            "slug",
            unique=True,
            postgresql_where=text("deleted_at is null"),
        ),
        CheckConstraint("tier in ('free', 'basic', 'pro', 'enterprise')", name="tier_is_known"),
        CheckConstraint(
            "second_factor in ('required', 'phishing_resistant')", name="second_factor_is_known"
        ),
        CheckConstraint(
            "(second_factor is null) = (second_factor_from is null)",
            name="second_factor_has_time",
        ),
    )


class SecurityPolicyNotice(Base):
    """Mails to the members of an organization about its policy, which the workers send.

    It is deleted when they are sent, or when the policy changes before.
    """

    __tablename__ = "security_policy_notices"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    # "announcement", or "reminder" a day before the requirement begins.
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    due_at: Mapped[datetime]
    # The member who was sent the last mail so far, in the order of joining.
    after_membership_id: Mapped[UUID | None]

    __table_args__ = (
        Index("ix_security_policy_notices_due_at", "due_at"),
        CheckConstraint("kind in ('announcement', 'reminder')", name="kind"),
    )


class Membership(Identified, Timestamped, Versioned, Base):
    """A person's part in an organization; made at the moment of joining."""

    __tablename__ = "memberships"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    role: Mapped[str] = mapped_column(ForeignKey("roles.name"))
    # What is required of this member, beside what their organization requires.
    second_factor: Mapped[str | None] = mapped_column(String(24))
    second_factor_from: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": Versioned.version}
    __table_args__ = (
        CheckConstraint(
            "second_factor in ('required', 'phishing_resistant')", name="second_factor_is_known"
        ),
        CheckConstraint(
            "(second_factor is null) = (second_factor_from is null)",
            name="second_factor_has_time",
        ),
        UniqueConstraint("organization_id", "user_id"),
        Index("ix_memberships_organization_id_id", "organization_id", "id"),
        Index("ix_memberships_user_id_id", "user_id", "id"),
    )

    def require(self, second_factor: str, now: datetime) -> None:
        """Requires a second factor of the member; "" for none.

        One that is required already is, since then.
        """
        if second_factor == (self.second_factor or ""):
            return
        self.second_factor = second_factor or None
        self.second_factor_from = now if second_factor else None


class OrganizationLimits(Timestamped, Versioned, Base):
    """What an organization may use beside its tier; most have no such row."""

    __tablename__ = "organization_limits"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    multiplier_percent: Mapped[int] = mapped_column(default=100)
    # {"read": {"minute": 100}}: by category or "pool", then by period.
    overrides: Mapped[dict[str, Any]] = mapped_column(default=dict)
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    shadow: Mapped[bool] = mapped_column(default=False)
    # "read" or "read.minute": rules that refuse nobody although the others do.
    shadow_rules: Mapped[list[str]] = mapped_column(
        ARRAY(String(32)), default=list, server_default=text("'{}'")
    )

    __mapper_args__ = {"version_id_col": Versioned.version}
    __table_args__ = (
        CheckConstraint("multiplier_percent between 1 and 100000", name="multiplier_in_bounds"),
    )


class Invitation(Identified, Timestamped, Versioned, Base):
    """An offer to join. Of its token only a keyed hash is kept."""

    __tablename__ = "invitations"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(ForeignKey("roles.name"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    # The person or the API key that invited.
    invited_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    invited_by_api_key: Mapped[UUID | None]
    # Time alone does not change it: "pending" may have expired, see `status_at`.
    status: Mapped[str] = mapped_column(String(16), default=PENDING)
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    declined_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": Versioned.version}
    __table_args__ = (
        Index(
            "uq_invitations_pending",
            "organization_id",
            "email",
            unique=True,
            postgresql_where=text("status = 'pending'"),
        ),
        Index("ix_invitations_organization_id_id", "organization_id", "id"),
        Index(
            "ix_invitations_invited_by_pending",
            "invited_by",
            postgresql_where=text("status = 'pending'"),
        ),
        CheckConstraint(
            "status in ('pending', 'accepted', 'declined', 'revoked', 'expired')",
            name="status_is_known",
        ),
        CheckConstraint(
            "(status = 'accepted') = (accepted_at is not null)", name="accepted_has_time"
        ),
        CheckConstraint(
            "(status = 'declined') = (declined_at is not null)", name="declined_has_time"
        ),
        CheckConstraint("(status = 'revoked') = (revoked_at is not null)", name="revoked_has_time"),
    )

    def status_at(self, now: datetime) -> str:
        """ "pending", "accepted", "declined", "revoked" or "expired"."""
        return EXPIRED if self.status == PENDING and self.expires_at <= now else self.status

    def accept(self, now: datetime) -> None:
        """Uses the invitation up; it is pending.

        Raises:
            DomainError: if it is not; see `require_pending`.
        """
        self.require_pending(now)
        self.status, self.accepted_at = ACCEPTED, now

    def decline(self, now: datetime) -> None:
        """Turns the invitation down; it is pending.

        Raises:
            DomainError: if it is not; see `require_pending`.
        """
        self.require_pending(now)
        self.status, self.declined_at = DECLINED, now

    def revoke(self, now: datetime) -> None:
        """Takes the invitation back; it is pending.

        Raises:
            DomainError: if it is not; see `require_pending`.
        """
        self.require_pending(now)
        self.status, self.revoked_at = REVOKED, now

    def require_pending(self, now: datetime) -> None:
        """Refuses any change of an invitation that has ended.

        Raises:
            InvitationAlreadyUsedError: if it was accepted before.
            InvitationDeclinedError: if it was declined.
            InvitationRevokedError: if it was revoked.
            InvitationExpiredError: if its time is over.
        """
        match self.status_at(now):
            case "accepted":
                raise InvitationAlreadyUsedError
            case "declined":
                raise InvitationDeclinedError
            case "revoked":
                raise InvitationRevokedError
            case "expired":
                raise InvitationExpiredError


CONSTRAINT_ERRORS: ConstraintErrors = {
    # Two administrators set the first limits of an organization at once.
    "pk_organization_limits": ConcurrentUpdateError,
    # A newer release, which is being rolled out, has removed the role: a repetition reaches
    # a process that says so.
    "fk_invitations_role": UnavailableError,
    "fk_memberships_role": UnavailableError,
    "uq_organizations_slug": SlugTakenError,
    "uq_memberships_organization_id_user_id": AlreadyMemberError,
    "uq_invitations_pending": InvitationPendingError,
}
