"""Connections for other features, and for sign-ins: found without a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.reads import Reads
from portico_kit.storage.statements import Statements
from server.features.connections.errors import ConnectionNotFoundError
from server.features.connections.read_models import ConnectionView, IdentityView
from server.features.connections.repository import (
    OPTIONS,
    REAUTHENTICATING,
    VIEW,
    FederatedSessionRepository,
    IdentityRepository,
)


class Connections:
    """Finds connections."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, connection_id: UUID) -> ConnectionView:
        """The connection, be it enabled or not.

        Raises:
            ConnectionNotFoundError: if there is none.
        """
        found = await self._reads.fetch(VIEW, [connection_id])
        if not found:
            raise ConnectionNotFoundError
        return ConnectionView(*found[0])

    async def find_enabled(self, connection_id: UUID) -> ConnectionView:
        """The connection, if people can sign in with it.

        Raises:
            ConnectionNotFoundError: if they cannot.
        """
        found = await self.find(connection_id)
        if not found.enabled:
            raise ConnectionNotFoundError
        return found

    async def to_sign_in_again(self, user_id: UUID, connection_id: UUID | None) -> IdentityView:
        """With which identity a person signs in once more.

        Args:
            connection_id: by which connection; None for the one that was used last.

        Raises:
            ConnectionNotFoundError: if they cannot.
        """
        for row in await self._reads.fetch(REAUTHENTICATING, [user_id]):
            identity = IdentityView(*row)
            if connection_id in (None, identity.connection_id):
                return identity
        raise ConnectionNotFoundError

    async def options(self, organization_id: UUID | None) -> Sequence[ConnectionView]:
        """Those of an organization, and then those of the platform."""
        reads: Statements = self._reads
        return [ConnectionView(*row) for row in await reads.run(OPTIONS, owner=organization_id)]


class LinkedIdentities:
    """What `server.features.auth.ports.LinkedIdentities` asks for."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def can_sign_in_again(self, user_id: UUID) -> bool:
        """Whether a provider of a person's can ask them once more who they are."""
        return bool(await self._reads.fetch(REAUTHENTICATING, [user_id]))

    async def forget(self, db: AsyncSession, user_id: UUID) -> None:
        """Forgets all that are linked to an account, and the sign-ins with them."""
        await IdentityRepository(db).delete_all(user_id)
        await FederatedSessionRepository(db).delete_all(user_id)
