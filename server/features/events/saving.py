"""Saving how far a caller has come."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.credentials import Principal
from portico_kit.errors import invalid
from server.features.events.errors import EventCursorLimitReachedError
from server.features.events.feed import EventFeed
from server.features.events.repository import EventCursorRepository

MAX_CURSORS = 20  # of a caller in an organization


async def save_cursor(
    db: AsyncSession,
    feed: EventFeed,
    organization_id: UUID,
    owner: Principal,
    name: str,
    position: int,
) -> datetime:
    """Saves a position under a name, and says when.

    Raises:
        InvalidRequestError: if the organization has had no event of this position.
        EventCursorLimitReachedError: if it would be one cursor too many.
    """
    assert owner.id is not None
    if position > (await feed.bounds(organization_id)).last:
        raise invalid("position", "INVALID_POSITION", "is beyond the last event")
    cursors = EventCursorRepository(db, organization_id, owner.kind, owner.id)
    names = await cursors.names()
    if name not in names and len(names) >= MAX_CURSORS:
        raise EventCursorLimitReachedError(limit=str(MAX_CURSORS))
    return await cursors.save(name, position)
