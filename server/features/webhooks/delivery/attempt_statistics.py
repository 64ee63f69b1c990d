"""Counts what comes of attempts, in memory, and writes it down every few seconds.

No attempt waits for it. What a process that is killed had not yet written is missing from
the statistics, and from nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from portico_kit.storage.base import Sessions
from portico_kit.tasks.failures import log_failures
from server.features.webhooks.delivery_queue import AttemptResult
from server.features.webhooks.latency import CLASSES, latency_class
from server.features.webhooks.models import PART

# How long attempts are gathered, in seconds.
GATHERING = 5.0
# Rows of one statement.
BATCH = 500
# Rows that wait while the database is away; attempts that need more are not counted.
MOST_WAITING = 50_000

_PART_SECONDS = int(PART.total_seconds())
# A webhook, and the number of the part since 1970.
Place = tuple[UUID, int]


@dataclass(slots=True)
class Tally:
    """What came of the attempts to one webhook within a part.

    Attributes:
        unanswered: attempts that got no response.
        responses: the others, by how long they took; see `latency`.
        response_ms: how long these took together.
    """

    attempts: int = 0
    accepted: int = 0
    unanswered: int = 0
    last_accepted: AttemptResult | None = None
    last_failed: AttemptResult | None = None
    responses: list[int] = field(default_factory=lambda: [0] * CLASSES)
    response_ms: int = 0

    def count(self, result: AttemptResult) -> None:
        """Counts an attempt. They come in the order in which they end, or nearly."""
        self.attempts += 1
        if result.accepted:
            self.accepted += 1
            self.last_accepted = result
        else:
            self.last_failed = result
        if result.response_status is None:
            self.unanswered += 1
        else:
            self.responses[latency_class(result.duration_ms)] += 1
            self.response_ms += result.duration_ms

    def add(self, later: Tally) -> None:
        """Counts the attempts of another one, too."""
        self.attempts += later.attempts
        self.accepted += later.accepted
        self.unanswered += later.unanswered
        self.last_accepted = later.last_accepted or self.last_accepted
        self.last_failed = later.last_failed or self.last_failed
        self.responses = [sum(pair) for pair in zip(self.responses, later.responses, strict=True)]
        self.response_ms += later.response_ms


def _ignore(_tallies: Iterable[Tally]) -> None:
    return None


class AttemptStatistics:
    """The attempts of this worker."""

    def __init__(
        self, sessions: Sessions, publish: Callable[[Iterable[Tally]], None] = _ignore
    ) -> None:
        """Takes what it works with.

        Args:
            publish: gets everything that is counted, once, for the metrics of the worker.
        """
        self._sessions = sessions
        self._publish = publish
        self._new: dict[Place, Tally] = {}
        # What could not be written yet.
        self._left: dict[Place, Tally] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._at_once = asyncio.Lock()
        self._running: set[asyncio.Task[None]] = set()

    def count(self, webhook_id: UUID, result: AttemptResult) -> None:
        """Counts an attempt, once it is written down."""
        place = (webhook_id, int(result.started_at.timestamp()) // _PART_SECONDS)
        tally = self._new.get(place)
        if tally is None:
            tally = self._new[place] = Tally()
            self._write_later()
        tally.count(result)

    async def flush(self) -> None:
        """Writes down what was counted; what cannot be written waits for the next time."""
        async with self._at_once:
            new, self._new = self._new, {}
            self._publish(new.values())
            self._keep(new)
            with log_failures("statistics_not_written"):
                await self._write()
        if self._left:
            self._write_later()

    def _keep(self, new: Mapping[Place, Tally]) -> None:
        for place, tally in new.items():
            if place in self._left:
                self._left[place].add(tally)
            elif len(self._left) < MOST_WAITING:
                self._left[place] = tally

    async def _write(self) -> None:
        # In one order, so that no two workers wait for each other.
        places = sorted(self._left)
        for start in range(0, len(places), BATCH):
            batch = places[start : start + BATCH]
            rows = _columns([(place, self._left[place]) for place in batch])
            async with self._sessions.begin() as db:
                await db.execute(_ADD, rows)
            for place in batch:
                del self._left[place]

    def _write_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHERING, self._write_now)

    def _write_now(self) -> None:
        self._timer = None
        task = asyncio.create_task(self.flush())
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def _end(result: AttemptResult | None) -> datetime | None:
    if result is None:
        return None
    return result.started_at + timedelta(milliseconds=result.duration_ms)


def _columns(rows: list[tuple[Place, Tally]]) -> dict[str, list[object]]:
    """The parameters of `_ADD`."""
    return {
        "webhooks": [webhook_id for (webhook_id, _), _ in rows],
        "parts": [datetime.fromtimestamp(part * _PART_SECONDS, UTC) for (_, part), _ in rows],
        "attempts": [tally.attempts for _, tally in rows],
        "accepted": [tally.accepted for _, tally in rows],
        "last_accepted": [_end(tally.last_accepted) for _, tally in rows],
        "last_failed": [_end(tally.last_failed) for _, tally in rows],
        # As text: an array of arrays is taken apart to the last number.
        "responses": [f"{{{','.join(map(str, tally.responses))}}}" for _, tally in rows],
    }


# The webhooks are held first, so that none is deleted meanwhile: a deletion takes its
# statistics after it.
_ADD = text("""
    with present as materialized (
        select id from webhooks where id = any(cast(:webhooks as uuid[])) order by id
        for key share
    )
    insert into webhook_statistics as kept (webhook_id, started_at, attempt_count, accepted_count,
                                            last_accepted_at, last_failed_at, responses)
    select webhook_id, started_at, attempts, accepted, last_accepted, last_failed,
           cast(responses as integer[])
    from unnest(
        cast(:webhooks as uuid[]), cast(:parts as timestamptz[]), cast(:attempts as integer[]),
        cast(:accepted as integer[]), cast(:last_accepted as timestamptz[]),
        cast(:last_failed as timestamptz[]), cast(:responses as text[])
    ) as new(webhook_id, started_at, attempts, accepted, last_accepted, last_failed, responses)
    join present on present.id = new.webhook_id
    order by webhook_id, started_at
    on conflict (webhook_id, started_at) do update set
        attempt_count = kept.attempt_count + excluded.attempt_count,
        accepted_count = kept.accepted_count + excluded.accepted_count,
        last_accepted_at = greatest(kept.last_accepted_at, excluded.last_accepted_at),
        last_failed_at = greatest(kept.last_failed_at, excluded.last_failed_at),
        responses = (
            select array_agg(coalesce(one, 0) + coalesce(other, 0) order by place)
            from unnest(kept.responses, excluded.responses) with ordinality
                 as pair(one, other, place)
        )
""")
