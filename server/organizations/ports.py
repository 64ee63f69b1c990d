"""What organizations need of features that stand above them; `wiring` brings it."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class Subscriptions(Protocol):
    """Tells webhooks of an organization's events; the webhooks feature does."""

    async def silence(self, db: AsyncSession, organization_id: UUID) -> None:
        """Ends what an organization's webhooks are told, also what is on its way."""
        ...
