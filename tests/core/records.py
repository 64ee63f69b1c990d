"""What a call leaves behind in the same transaction: events and the audit log."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.common.records import AuditEntry, Event
from tests.core.world import World


async def events(world: World, organization_id: str) -> list[Event]:
    """The events of an organization, oldest first."""
    query = select(Event).where(Event.organization_id == UUID(organization_id)).order_by(Event.id)
    async with AsyncSession(world.engine) as db:
        return list(await db.scalars(query))


async def event(world: World, organization_id: str, event_type: str) -> Event:
    """The one event of this type."""
    (found,) = [one for one in await events(world, organization_id) if one.type == event_type]
    return found


async def event_types(world: World, organization_id: str) -> list[str]:
    """The types of an organization's events, oldest first."""
    return [one.type for one in await events(world, organization_id)]


async def audit_entry(world: World, organization_id: str, action: str) -> AuditEntry:
    """The one entry of the audit log for this action in an organization."""
    query = select(AuditEntry).where(
        AuditEntry.organization_id == UUID(organization_id), AuditEntry.action == action
    )
    async with AsyncSession(world.engine) as db:
        return (await db.scalars(query)).one()
