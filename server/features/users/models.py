"""The account as rows: what signs in, and what the person shows of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, false, func, text
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portico_kit.errors import DomainError
from portico_kit.storage.base import Base, Identified, Timestamped, Versioned
from server.features.users.errors import EmailTakenError


class User(Identified, Timestamped, Versioned, Base):
    """An account. Deleting it keeps the row and frees its address."""

    __tablename__ = "users"

    # In its normal form, see `email_addresses.normal_email`.
    email: Mapped[str] = mapped_column(String(254))
    # None until a person whose account somebody else created has chosen one.
    password_hash: Mapped[str | None] = mapped_column(String(255))
    email_verified_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(16), default="active")
    role: Mapped[str] = mapped_column(String(16), default="user")
    accepted_terms_at: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    # No session that began before this moment holds.
    sessions_valid_after: Mapped[datetime | None]
    # Kept by the factors feature, so that people without one cost no look at a sign-in.
    has_second_factor: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Whoever reads the mail has set the password: with a code by mail it is still one factor.
    password_by_mail: Mapped[bool] = mapped_column(default=False, server_default=false())
    deleted_at: Mapped[datetime | None]
    # The row sets it itself, for a sign-in is no change of the account.
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    profile: Mapped[UserProfile] = relationship(lazy="raise")
    display_name: AssociationProxy[str] = association_proxy("profile", "display_name")
    avatar_url: AssociationProxy[str] = association_proxy("profile", "avatar_url")
    bio: AssociationProxy[str] = association_proxy("profile", "bio")
    preferences: AssociationProxy[dict[str, Any]] = association_proxy("profile", "preferences")

    __mapper_args__ = {"version_id_col": Versioned.version}
    __table_args__ = (
        Index("uq_users_email", "email", unique=True, postgresql_where=text("deleted_at is null")),
        Index("ix_users_created_at_id", "created_at", "id"),
        # Few rows: it answers whether there is another administrator.
        Index("ix_users_role", "role", postgresql_where=text("role <> 'user'")),
        CheckConstraint("status in ('active', 'suspended')", name="status"),
        CheckConstraint("role in ('user', 'administrator')", name="role"),
    )

    @property
    def administers(self) -> bool:
        """Whether the person is an administrator who can act."""
        return self.role == "administrator" and self.status == "active"

    def change(self, now: datetime, **values: str) -> None:
        """Sets columns of the row, and when it changed; call it only if something does.

        Args:
            values: `role` or `status`; suspending ends all sessions that began before.
        """
        for name, value in values.items():
            setattr(self, name, value)
        if values.get("status") == "suspended":
            self.sessions_valid_after = now
        self.updated_at = now

    def choose_password(self, password_hash: str, now: datetime, *, by_mail: bool = False) -> None:
        """Puts a new password in the place of the old one.

        Args:
            by_mail: whether a link in a mail allowed it, and nothing else.
        """
        self.password_hash = password_hash
        self.password_by_mail = by_mail
        self.updated_at = now

    def verify(self, now: datetime) -> None:
        """Notes that the person has shown that the address is theirs; the first time counts."""
        if self.email_verified_at is None:
            self.email_verified_at = now
            self.updated_at = now

    def change_email(self, email: str, now: datetime) -> None:
        """Puts another address in the place of the old one; a link in a mail to it proved it.

        Args:
            email: in its normal form.
        """
        self.email = email
        self.email_verified_at = self.updated_at = now

    def restore_email(self, email: str, now: datetime) -> None:
        """Gives the account to who has an address of before: nothing else signs in any more."""
        self.change_email(email, now)
        self.password_hash = None
        self.sessions_valid_after = now

    def claim(self, now: datetime) -> None:
        """Gives the account to whose address it is; who made it had not shown that.

        The address is not verified yet.
        """
        self.verify(now)
        self.password_hash = None
        self.sessions_valid_after = self.updated_at = now

    def delete(self, now: datetime) -> None:
        """Ends the account and every session of it."""
        self.deleted_at = self.sessions_valid_after = self.updated_at = now


class UserProfile(Base):
    """What a person shows of themselves, and how they like things; one for each account."""

    __tablename__ = "user_profiles"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    display_name: Mapped[str] = mapped_column(String(50))
    avatar_url: Mapped[str] = mapped_column(String(2000), default="")
    bio: Mapped[str] = mapped_column(String(500), default="")
    preferences: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (Index("ix_user_profiles_display_name_user_id", "display_name", "user_id"),)


CONSTRAINT_ERRORS: Mapping[str, type[DomainError]] = {"uq_users_email": EmailTakenError}
