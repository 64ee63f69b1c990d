"""How deliveries to a webhook have gone: what the service and the workers ask about it.

Attempts are counted by the workers as they are made (`delivery.attempt_statistics`), so a
question costs the same however many there were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.webhooks.models import PART

# Pending deliveries are counted up to here.
MOST_PENDING = 10_000

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """A period that ends now.

    Attributes:
        step: its parts; a multiple of `PART`.
        count: how many there are.
    """

    step: timedelta
    count: int

    def since(self, now: datetime) -> datetime:
        """Its beginning: attempts are counted by `PART`, so up to one is cut off."""
        since_epoch = now - self.step * self.count - _EPOCH
        return _EPOCH - (-since_epoch // PART) * PART


WINDOWS: Mapping[str, Window] = {
    "1h": Window(PART, 12),
    "24h": Window(timedelta(hours=1), 24),
    "7d": Window(timedelta(hours=6), 28),
}
DEFAULT_WINDOW = "24h"


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of attempts.

    Attributes:
        responses: by how long they took, see `latency`; empty if there are none.
    """

    attempts: int = 0
    accepted: int = 0
    responses: Sequence[int] = ()

    def __add__(self, other: Counts) -> Counts:
        """Both together."""
        pairs = zip(self.responses, other.responses, strict=False)
        return Counts(
            self.attempts + other.attempts,
            self.accepted + other.accepted,
            [sum(pair) for pair in pairs] or self.responses or other.responses,
        )


@dataclass(frozen=True, slots=True)
class Queue:
    """What a webhook has yet to be sent, and how it went lately.

    Attributes:
        pending: deliveries that have not ended, `MOST_PENDING` at the most.
        oldest_due_at: since when the oldest of them has been due; in the future if none is.
        last_accepted_at: within the last 30 days, as `last_failed_at` is.
    """

    pending: int
    oldest_due_at: datetime | None
    last_accepted_at: datetime | None
    last_failed_at: datetime | None


async def count_attempts(
    db: AsyncSession, webhook_id: UUID, window: Window, since: datetime
) -> list[Counts]:
    """The attempts to a webhook by the parts of a window, oldest first."""
    asked = {"webhook_id": webhook_id, "since": since, "step": window.step}
    found = {
        row.part: Counts(row.attempts, row.accepted, row.responses)
        for row in await db.execute(_ATTEMPTS, asked)
    }
    return [found.get(part, Counts()) for part in range(window.count)]


async def look_at_queue(db: AsyncSession, webhook_id: UUID) -> Queue:
    """What a webhook has yet to be sent."""
    row = (await db.execute(_QUEUE, {"webhook_id": webhook_id, "most": MOST_PENDING})).one()
    return Queue(*row)


# The classes of responses are added up place by place.
_ATTEMPTS = text("""
    with parts as materialized (
        select cast(floor(extract(epoch from started_at - :since)
                          / extract(epoch from cast(:step as interval))) as integer) as part, *
        from webhook_statistics
        where webhook_id = :webhook_id and started_at >= :since
    )
    select part, sums.attempts, sums.accepted, classes.responses
    from (
        select part, sum(attempt_count) as attempts, sum(accepted_count) as accepted
        from parts group by part
    ) sums
    join (
        select part, array_agg(count order by place) as responses
        from (
            select part, place, sum(count) as count
            from parts, unnest(responses) with ordinality as class(count, place)
            group by part, place
        ) by_class
        group by part
    ) classes using (part)
""")

_QUEUE = text("""
    select
        (select count(*) from (
            select from deliveries
            where webhook_id = :webhook_id and next_attempt_at is not null limit :most
        ) pending),
        (select min(next_attempt_at) from deliveries
         where webhook_id = :webhook_id and next_attempt_at is not null),
        (select last_accepted_at from webhook_statistics
         where webhook_id = :webhook_id and last_accepted_at is not null
         order by started_at desc limit 1),
        (select last_failed_at from webhook_statistics
         where webhook_id = :webhook_id and last_failed_at is not null
         order by started_at desc limit 1)
""")
