"""What accounts need of features that stand above them; `wiring` brings it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.call import Call
from portico_kit.credentials import Principal

# Why all sessions of a person are ended; see `Session.end_reason` in the contract.
EndReason = Literal[
    "password_changed",
    "password_reset",
    "email_changed",
    "account_claimed",
    "user_suspended",
    "user_deleted",
    "factors_reset",
]


class SessionEnder(Protocol):
    """Ends sessions; the auth feature does."""

    async def end_all(
        self,
        user_id: UUID,
        reason: EndReason,
        call: Call,
        *,
        except_session: UUID | None = None,
        actor: Principal | None = None,
    ) -> None:
        """Ends every session of a person, but one if it is given, and records each.

        Args:
            actor: who does it, if it is not the call's principal.
        """
        ...


class SessionDevices(Protocol):
    """Knows from which devices people are signed in; the auth feature does."""

    async def device(self, session_id: UUID) -> bytes:
        """What tells the device of a session from all others."""
        ...

    async def forget_places(self, db: AsyncSession, user_id: UUID) -> None:
        """Forgets every device and network of a person whose account is deleted."""
        ...


class SecondFactors(Protocol):
    """Knows what people can show beside the password; the factors feature does."""

    async def forget(self, user_id: UUID, call: Call) -> None:
        """Removes all of it; the account is locked."""
        ...


class PasswordTokens(Protocol):
    """Issues the tokens with which a password is chosen, and ends them; the auth feature does."""

    async def issue(
        self,
        db: AsyncSession,
        user_id: UUID,
        kind: Literal["reset_password"],
        now: datetime,
        email: str,
    ) -> str:
        """A token that goes into a mail, and is good while the person has this address."""
        ...

    async def use_all(self, db: AsyncSession, user_id: UUID, now: datetime) -> None:
        """Uses up every link that the person was sent."""
        ...


class ReservedAddresses(Protocol):
    """Knows which addresses can be taken back by an account; the email_changes feature does."""

    async def is_reserved(self, db: AsyncSession, email: str, user_id: UUID, now: datetime) -> bool:
        """Whether an account other than this one can get the address back."""
        ...


class Ownerships(Protocol):
    """Knows who owns what; the organizations feature does."""

    async def is_last_owner(self, db: AsyncSession, user_id: UUID) -> bool:
        """Whether an organization would be left without an owner who can act."""
        ...


class Memberships(Protocol):
    """Ends what a person may do in organizations; the organizations feature does."""

    async def end_memberships(self, user_id: UUID, call: Call) -> None:
        """Takes a person out of every organization, as if each had removed them."""
        ...

    async def suspend(self, user_id: UUID, call: Call) -> None:
        """Revokes the person's pending invitations."""
        ...
