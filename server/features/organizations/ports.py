"""What organizations need of features that stand above them; `wiring` brings it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.assurance import Assurance
from portico_kit.call import Call


class ReachableLevels(Protocol):
    """Knows what people can show at a sign-in; the auth feature does."""

    async def can_reach(self, session_id: UUID, user_id: UUID, level: Assurance) -> bool:
        """Whether the person of a session can reach a level in it, or has."""
        ...


class Subscriptions(Protocol):
    """Tells webhooks of an organization's events; the webhooks feature does."""

    async def silence(self, db: AsyncSession, organization_id: UUID) -> None:
        """Ends what an organization's webhooks are told, also what is on its way."""
        ...


class Grants(Protocol):
    """Knows what people have let applications do; the oauth feature does."""

    async def revoke_of_member(self, user_id: UUID, organization_id: UUID, call: Call) -> None:
        """Revokes what a person let applications do in an organization, and records each."""
        ...


class Applications(Protocol):
    """Knows the applications of an organization; the applications feature does."""

    async def created_by(
        self, db: AsyncSession, organization_id: UUID, user_id: UUID
    ) -> Sequence[UUID]:
        """The applications that a person created, the newest first."""
        ...


class ApiKeys(Protocol):
    """Knows the API keys of an organization; the keys feature does."""

    @property
    def kind(self) -> str:
        """The kind of the principals that are keys."""
        ...

    async def created_by(
        self, db: AsyncSession, organization_id: UUID, user_id: UUID, limit: int
    ) -> Sequence[UUID]:
        """The keys that a person created and that are not revoked, the newest first."""
        ...

    async def scopes(
        self, db: AsyncSession, organization_id: UUID, key_id: UUID, now: datetime
    ) -> frozenset[str]:
        """What a key may do; nothing if it is revoked or has expired."""
        ...
