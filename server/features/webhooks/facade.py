"""Webhooks for other features: what they may do to them, without seeing a row.

Filters of events are the same wherever events are chosen: `compile_filter` makes one of a
pattern, or raises `FilterError` with the place of each mistake; `Filter.matches` takes the JSON
of an event as `event_json` gives it. docs/webhooks.md describes the language.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.webhooks.filters import Filter as Filter
from server.features.webhooks.filters import FilterError as FilterError
from server.features.webhooks.filters import compile_filter as compile_filter
from server.features.webhooks.models import REQUESTED, Webhook
from server.features.webhooks.payload import event_json as event_json
from server.features.webhooks.replays.repository import cancel_replays


class Subscriptions:
    """Changes the webhooks of a whole organization."""

    async def silence(self, db: AsyncSession, organization_id: UUID) -> None:
        """Ends what an organization's webhooks are told, also what is on its way.

        No event finds a webhook that is not enabled, and a worker sends none of
        its deliveries; they wait until housekeeping ends them. Replays are cancelled.
        """
        told = update(Webhook).where(Webhook.organization_id == organization_id, Webhook.enabled)
        silenced = told.values(
            enabled=False,
            disabled_at=func.now(),
            disabled_reason=REQUESTED,
            version=Webhook.version + 1,
        )
        await db.execute(silenced.execution_options(synchronize_session=False))
        await cancel_replays(db, organization_id)
