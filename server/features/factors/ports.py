"""What factors need of features that stand above them, and what these bring."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from server.features.users.facade import Account


class ShownInSession(Protocol):
    """Notes what a person has shown in a session; the auth feature does."""

    async def note(self, session_id: UUID, shown: Authentication, call: Call) -> None:
        """Adds it to what was shown before."""
        ...


class DeviceMemory(Protocol):
    """Knows on which devices people are not asked for a factor; the auth feature does."""

    async def forget_all(self, db: AsyncSession, user_id: UUID) -> None:
        """Has a person asked on all of them."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person answers to a challenge.

    Attributes:
        code: as it was typed in, or "".
        credential: of a passkey, as the browser gives it; None for the other methods.
    """

    code: str = field(default="", repr=False)
    credential: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FactorChallenge:
    """A question that a person has to answer with one of their factors.

    Attributes:
        id: of the challenge; what a kind keeps for it carries it.
        expires_at: when it is over; None if it is answered at once.
    """

    id: UUID
    account: Account
    expires_at: datetime | None = None


class SecondFactor(Protocol):
    """A kind of factor, to be shown in answer to a challenge."""

    @property
    def method(self) -> str:
        """The name of the method, see `portico_kit.assurance.METHODS`."""
        ...

    async def check(
        self, challenge: FactorChallenge, answer: Answer, call: Call
    ) -> Authentication | None:
        """What the answer shows; None if it is wrong.

        What it uses up, it uses up in the call's transaction: of two calls with the same
        answer one is right.
        """
        ...


class SentFactor(SecondFactor, Protocol):
    """One whose answer is sent to the person, when they ask for it."""

    async def send(self, challenge: FactorChallenge, call: Call) -> None:
        """Sends what answers the challenge; what was sent for it before is void."""
        ...
