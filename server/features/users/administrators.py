"""Makes somebody an administrator of the platform, for the command line: there must be a first."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.clock import utc_now
from portico_kit.storage.base import create_engine
from portico_kit.storage.reads import Reads
from server.common.records import AuditEntry
from server.features.users.facade import find_by_email
from server.features.users.repository import UserRepository


async def appoint(database_url: str, email: str) -> bool:
    """Gives the account with this address the role "administrator".

    Returns:
        Whether there is such an account.
    """
    reads, engine = Reads(database_url), create_engine(database_url, pool_size=1)
    try:
        account = await find_by_email(reads, email)
        if account is None:
            return False
        async with AsyncSession(engine) as db, db.begin():
            return await _appoint(db, account.id)
    finally:
        await reads.close()
        await engine.dispose()


async def _appoint(db: AsyncSession, user_id: UUID) -> bool:
    user = await UserRepository(db).find_to_change(user_id)
    if user is None:
        return False
    user.change(utc_now(), role="administrator")
    db.add(
        AuditEntry(
            actor_kind="service",
            action="user.appointed",
            target_id=user_id,
            details={},
            client_address="",
            request_id="command line",
        )
    )
    return True
