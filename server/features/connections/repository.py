"""The questions that are asked about connections and identities, one query each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.base import delete_batch
from portico_kit.storage.reads import keyed_query
from portico_kit.storage.statements import compiled
from server.features.connections.models import Connection, FederatedSession, Identity, UsedOnce
from server.features.organizations.facade import is_alive


class ConnectionRepository:
    """Connections in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, connection: Connection) -> None:
        """Adds a new connection."""
        self._db.add(connection)

    async def find(self, connection_id: UUID, organizations: Collection[UUID]) -> Connection | None:
        """The connection, if one of the organizations has it; locked."""
        mine = Connection.organization_id.in_(organizations)
        return await self._find(connection_id, mine)

    async def find_of_platform(self, connection_id: UUID) -> Connection | None:
        """The connection, if it is one of the platform; locked."""
        return await self._find(connection_id, Connection.organization_id.is_(None))

    async def list(self, organization_id: UUID | None) -> Sequence[Connection]:
        """The connections of an organization, or of the platform, by name."""
        query = select(Connection).where(_belongs_to(organization_id))
        return (await self._db.scalars(query.order_by(Connection.name, Connection.id))).all()

    async def count(self, organization_id: UUID | None) -> int:
        """How many connections there are."""
        query = select(func.count(Connection.id)).where(_belongs_to(organization_id))
        return await self._db.scalar(query) or 0

    async def names(self, connection_ids: Collection[UUID]) -> dict[UUID, str]:
        """How connections are called."""
        query = select(Connection.id, Connection.name).where(Connection.id.in_(connection_ids))
        return dict((await self._db.execute(query)).all())

    async def delete(self, connection: Connection) -> None:
        """Deletes a connection."""
        await self._db.delete(connection)

    async def _find(self, connection_id: UUID, mine: ColumnElement[bool]) -> Connection | None:
        query = select(Connection).where(Connection.id == connection_id, mine)
        return await self._db.scalar(query.with_for_update())


class IdentityRepository:
    """Identities in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, identity: Identity) -> None:
        """Adds a new identity."""
        self._db.add(identity)

    async def find(
        self, organization_id: UUID | None, issuer: str, subject: str
    ) -> Identity | None:
        """The identity of a subject. No other call makes one before this one ends."""
        key = f"{organization_id} {issuer} {subject}"
        await self._db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
        scope = (
            Identity.organization_id.is_(None)
            if organization_id is None
            else Identity.organization_id == organization_id
        )
        query = select(Identity).where(
            scope, Identity.issuer == issuer, Identity.subject == subject
        )
        return await self._db.scalar(query)

    async def find_own(self, identity_id: UUID, user_id: UUID) -> Identity | None:
        """An identity of a person."""
        query = select(Identity).where(Identity.id == identity_id, Identity.user_id == user_id)
        return await self._db.scalar(query.with_for_update())

    async def list(self, user_id: UUID) -> Sequence[Identity]:
        """A person's identities, oldest first."""
        query = select(Identity).where(Identity.user_id == user_id)
        return (await self._db.scalars(query.order_by(Identity.id))).all()

    async def usable_besides(self, identity: Identity) -> bool:
        """Whether the person can sign in with another one of their identities."""
        same_scope = or_(
            Connection.organization_id == Identity.organization_id,
            Connection.organization_id.is_(None) & Identity.organization_id.is_(None),
        )
        query = (
            select(Identity.id)
            .join(Connection, Connection.id == Identity.connection_id)
            .where(
                Identity.user_id == identity.user_id,
                Identity.id != identity.id,
                Connection.enabled,
                same_scope,
                Connection.organization_id.is_(None) | is_alive(Connection.organization_id),
            )
            .limit(1)
        )
        return await self._db.scalar(query) is not None

    async def delete(self, identity: Identity) -> None:
        """Deletes an identity."""
        await self._db.delete(identity)

    async def delete_all(self, user_id: UUID) -> None:
        """Deletes a person's identities."""
        gone = delete(Identity).where(Identity.user_id == user_id)
        await self._db.execute(gone.execution_options(synchronize_session=False))


class FederatedSessionRepository:
    """Sign-ins at providers, in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, session: FederatedSession) -> None:
        """Adds a new one."""
        self._db.add(session)

    async def find(self, session_id: UUID, user_id: UUID) -> FederatedSession | None:
        """A sign-in of a person."""
        query = select(FederatedSession).where(
            FederatedSession.id == session_id, FederatedSession.user_id == user_id
        )
        return await self._db.scalar(query)

    async def delete_all(self, user_id: UUID) -> None:
        """Deletes a person's sign-ins."""
        gone = delete(FederatedSession).where(FederatedSession.user_id == user_id)
        await self._db.execute(gone.execution_options(synchronize_session=False))

    async def named(
        self, connection_id: UUID, subject: str | None, provider_session: str | None
    ) -> Sequence[Row[UUID, UUID]]:
        """Id and person of those that a provider names, by a subject, by its session or by both."""
        query = select(FederatedSession.id, FederatedSession.user_id).where(
            FederatedSession.connection_id == connection_id
        )
        if subject is not None:
            query = query.where(FederatedSession.token_subject == subject)
        if provider_session is not None:
            # One that the provider named by no session when it began ends with the subject.
            nameless = [""] if subject is not None else []
            meant = [provider_session, *nameless]
            query = query.where(FederatedSession.provider_session.in_(meant))
        return (await self._db.execute(query)).all()


def _belongs_to(organization_id: UUID | None) -> ColumnElement[bool]:
    if organization_id is None:
        return Connection.organization_id.is_(None)
    return Connection.organization_id == organization_id


_USABLE = select(
    Connection.id,
    Connection.organization_id,
    Connection.name,
    Connection.preset,
    Connection.issuer,
    Connection.client_id,
    Connection.sealed_client_secret,
    Connection.client_authentication,
    Connection.scopes,
    Connection.allowed_tenants,
    Connection.trusted_domains,
    Connection.trusts_second_factor,
    Connection.second_factor_acrs,
    Connection.member_role,
    Connection.enabled,
).where(Connection.organization_id.is_(None) | is_alive(Connection.organization_id))
# Connections by their ids.
VIEW = keyed_query(_USABLE, Connection.id)
# Those with which somebody can sign in: of the platform, and of the organization `owner`.
OPTIONS = compiled(
    _USABLE.where(
        Connection.enabled,
        Connection.organization_id.is_(None)
        | (Connection.organization_id == bindparam("owner", type_=Connection.id.type)),
    ).order_by(Connection.organization_id.nulls_last(), Connection.name, Connection.id)
)

# Gives the hash back to the first who brings it, and no row to all others.
USE_ONCE = compiled(
    insert(UsedOnce)
    .values(value_hash=bindparam("value_hash"), expires_at=bindparam("expires_at"))
    .on_conflict_do_nothing()
    .returning(UsedOnce.value_hash)
)


async def delete_used(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes what has expired, `limit` at the most, and returns how many."""
    return await delete_batch(db, UsedOnce.value_hash, UsedOnce.expires_at <= now, limit)


async def delete_sessions(db: AsyncSession, now: datetime, limit: int) -> int:
    """Deletes sign-ins that no session rests on any more, and returns how many."""
    gone = FederatedSession.expires_at <= now
    return await delete_batch(db, FederatedSession.id, gone, limit)
