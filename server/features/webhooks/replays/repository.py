"""The questions about replays, one query each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from server.features.webhooks.models import DELIVERED, Delivery, Webhook
from server.features.webhooks.models import PENDING as UNDER_WAY
from server.features.webhooks.replays.models import (
    CANCELLED,
    PENDING,
    RUNNING,
    Replay,
    ReplayedDelivery,
)

NEWEST_FIRST = Order((Replay.id,))


@dataclass(frozen=True, slots=True)
class Ended:
    """Deliveries of a replay that have ended and were not counted yet."""

    done: int = 0
    failed: int = 0


class ReplayRepository:
    """Replays in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, replay: Replay) -> None:
        """Adds a new replay."""
        self._db.add(replay)

    async def find(self, replay_id: UUID, organizations: Collection[UUID]) -> Replay | None:
        """The replay, if it belongs to one of the organizations."""
        query = select(Replay).where(
            Replay.id == replay_id, Replay.organization_id.in_(organizations)
        )
        return await self._db.scalar(query)

    async def lock(self, replay: Replay) -> None:
        """Holds a replay as it is now: a step of a worker is over, and none begins.

        The webhook first: a step and a deletion take them in this order, too.
        """
        held = select(Webhook.id).where(Webhook.id == replay.webhook_id)
        await self._db.execute(held.with_for_update(key_share=True))
        await self._db.refresh(replay, with_for_update=True)

    async def find_active(self, webhook_id: UUID) -> UUID | None:
        """The replay of a webhook that has not ended."""
        return await self._db.scalar(
            select(Replay.id).where(Replay.webhook_id == webhook_id, active())
        )

    async def list(self, webhook_id: UUID, paging: Paging, cursors: Cursors) -> Page[Replay]:
        """A page of a webhook's replays, newest first."""
        query = select(Replay).where(Replay.webhook_id == webhook_id)
        return await fetch_page(self._db, query, NEWEST_FIRST, paging, cursors)

    async def progress(self, replay: Replay) -> Ended:
        """What has ended since a worker counted for the last time."""
        return await count_ended(self._db, replay.id) if replay.active else Ended()


def active() -> ColumnElement[bool]:
    """Whether a replay has not ended."""
    return Replay.state.in_([PENDING, RUNNING])


async def count_ended(db: AsyncSession, replay_id: UUID, *, forget: bool = False) -> Ended:
    """Counts the deliveries of a replay that have ended.

    Args:
        forget: whether they are counted for good, and so not the next time.
    """
    query = (
        select(ReplayedDelivery.delivery_id, Delivery.status)
        .outerjoin(Delivery, Delivery.id == ReplayedDelivery.delivery_id)
        .where(
            ReplayedDelivery.replay_id == replay_id,
            # One that was deleted while it was pending was never delivered.
            Delivery.status.is_distinct_from(UNDER_WAY),
        )
    )
    ended = (await db.execute(query)).all()
    if forget and ended:
        await db.execute(
            delete(ReplayedDelivery).where(
                ReplayedDelivery.replay_id == replay_id,
                ReplayedDelivery.delivery_id.in_([delivery_id for delivery_id, _ in ended]),
            )
        )
    done = sum(status == DELIVERED for _, status in ended)
    return Ended(done, len(ended) - done)


async def cancel_replays(db: AsyncSession, organization_id: UUID) -> None:
    """Cancels the replays of an organization, whose webhooks are held by the caller."""
    ended = update(Replay).where(Replay.organization_id == organization_id, active())
    await db.execute(
        ended.values(state=CANCELLED, ended_at=func.now()).execution_options(
            synchronize_session=False
        )
    )


async def forget_deliveries(db: AsyncSession, replay_id: UUID) -> None:
    """Lets what a replay has under way go on without it."""
    await db.execute(delete(ReplayedDelivery).where(ReplayedDelivery.replay_id == replay_id))
