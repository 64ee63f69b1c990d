"""The change of an address as a row."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified

CONFIRM_LIFETIME = timedelta(hours=24)
REVERT_LIFETIME = timedelta(days=7)


class EmailChange(Identified, Base):
    """A change of address: pending, until its link is followed; then revertible, for 7 days.

    While it is revertible nobody else can have the old address. Only keyed hashes of
    its two tokens are kept.
    """

    __tablename__ = "email_changes"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    # In their normal form. The old one is the one that the confirmation replaced.
    new_email: Mapped[str] = mapped_column(String(254))
    old_email: Mapped[str | None] = mapped_column(String(254))
    confirm_token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    revert_token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    # The version of the account that the confirmation made: the order of an account's changes.
    account_version: Mapped[int | None] = mapped_column(Integer)
    # When it was replaced, used up or taken back: neither link works any more.
    ended_at: Mapped[datetime | None]
    # From when on neither link works; moves with the confirmation.
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_email_changes_confirm_token_hash", "confirm_token_hash", unique=True),
        Index("uq_email_changes_revert_token_hash", "revert_token_hash", unique=True),
        Index(
            "uq_email_changes_user_id",
            "user_id",
            unique=True,
            postgresql_where=text("confirmed_at is null and ended_at is null"),
        ),
        Index("ix_email_changes_user_id_account_version", "user_id", "account_version"),
        Index("ix_email_changes_old_email", "old_email"),
        Index("ix_email_changes_expires_at", "expires_at"),
        CheckConstraint(
            "(confirmed_at is null) = (old_email is null)"
            " and (confirmed_at is null) = (revert_token_hash is null)"
            " and (confirmed_at is null) = (account_version is null)",
            name="confirmed",
        ),
    )

    @property
    def confirmed(self) -> bool:
        """Whether the account got the new address by it."""
        return self.confirmed_at is not None

    def is_confirmable(self, now: datetime) -> bool:
        """Whether the link to confirm it is good, be it for the first time."""
        return self.ended_at is None and now < self.created_at + CONFIRM_LIFETIME

    def is_revertible(self, now: datetime) -> bool:
        """Whether the account can get its old address back by it."""
        return self.confirmed and self.ended_at is None and now < self.expires_at

    def is_reverted(self, current_email: str, now: datetime) -> bool:
        """Whether there is nothing left to take back: the account has its old address."""
        return (
            self.ended_at is not None
            and now < self.expires_at
            and (self.old_email == current_email)
        )

    @property
    def reverts_to(self) -> str:
        """The address that the account gets back.

        Raises:
            ValueError: if it is not confirmed.
        """
        if self.old_email is None:
            raise ValueError("the change is not confirmed")
        return self.old_email

    def confirm(
        self, old_email: str, account_version: int, revert_token_hash: bytes, now: datetime
    ) -> None:
        """Notes that the account has the new address, from when the old one can take it back."""
        self.old_email = old_email
        self.account_version = account_version
        self.revert_token_hash = revert_token_hash
        self.confirmed_at = now
        self.expires_at = now + REVERT_LIFETIME
