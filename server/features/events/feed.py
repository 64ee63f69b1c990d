"""The events of organizations as streams read them, in few queries for many readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from portico_kit.batching import BatchLoader
from portico_kit.clock import Clock
from portico_kit.storage.reads import Reads
from server.common.times import KEPT
from server.features.events.repository import (
    BOUNDS,
    FIRST_SINCE,
    LAST_NUMBERS,
    NEXT_EVENTS,
    SAVED_POSITION,
)
from server.features.webhooks.payload import event_payload

# Events of an organization that are read at once; fewer, the more organizations are asked for.
LARGEST_PAGE = 200
SMALLEST_PAGE = 20
ROWS = 1000


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """An event with its number; `data` is the text of its JSON."""

    id: UUID
    organization_id: UUID
    sequence: int
    type: str
    created_at: datetime
    data: str

    @property
    def payload(self) -> str:
        """The JSON text that webhooks are sent, too."""
        return event_payload(self.id, self.type, self.organization_id, self.created_at, self.data)


class Bounds(NamedTuple):
    """The number of an organization's last event, and of the last one that is not shown."""

    last: int
    hidden: int


class Page(NamedTuple):
    """Some events after a number, in order and without gaps, and whether there may be more."""

    events: Sequence[FeedEvent] = ()
    more: bool = False


class Range(NamedTuple):
    """What a reader asks for: the events of an organization after a number."""

    organization_id: UUID
    after: int


class EventFeed:
    """Reads events. Whoever asks at the same moment shares a query."""

    def __init__(self, reads: Reads, clock: Clock) -> None:
        self._reads = reads
        self._clock = clock
        self._pages: BatchLoader[Range, Page] = BatchLoader(self._fetch_pages, 100)
        self._bounds: BatchLoader[UUID, Bounds] = BatchLoader(self._fetch_bounds)

    async def read(self, organization_id: UUID, after: int) -> Page:
        """The next events after a number; none if it is the last."""
        return await self._pages.load(Range(organization_id, after)) or Page()

    async def read_all(self, ranges: Sequence[Range]) -> Mapping[Range, Page]:
        """The same for many organizations; one without further events is left out."""
        return await self._pages.load_all(ranges)

    async def bounds(self, organization_id: UUID) -> Bounds:
        """Which numbers an organization's events have."""
        return await self._bounds.load(organization_id) or Bounds(0, 0)

    async def first_since(self, organization_id: UUID, since: datetime) -> int | None:
        """The lowest number of the events from a moment on; None if there is none yet."""
        rows = await self._reads.run(FIRST_SINCE, organization_id=organization_id, since=since)
        sequence: int | None = rows[0].sequence
        return sequence

    async def last_numbers(self, organizations: Sequence[UUID]) -> Mapping[UUID, int]:
        """How many events organizations have had; one without any is left out."""
        rows = await self._reads.run(LAST_NUMBERS, organizations=list(organizations))
        return {row.organization_id: row.last for row in rows}

    async def saved_position(
        self, organization_id: UUID, owner_kind: str, owner_id: UUID | None, name: str
    ) -> int | None:
        """Where the cursor of a caller is; None if there is none of this name."""
        rows = await self._reads.run(
            SAVED_POSITION,
            organization_id=organization_id,
            owner_kind=owner_kind,
            owner_id=owner_id,
            name=name,
        )
        return rows[0].position if rows else None

    async def _fetch_pages(self, ranges: Sequence[Range]) -> Mapping[Range, Page]:
        # Each organization once in a query: its rows tell which range they belong to.
        found: dict[Range, Page] = {}
        for rest in _rounds(ranges):
            limit = max(SMALLEST_PAGE, min(LARGEST_PAGE, ROWS // len(rest)))
            by_organization = {one.organization_id: one for one in rest}
            rows = await self._reads.run(
                NEXT_EVENTS,
                organizations=[one.organization_id for one in rest],
                afters=[one.after for one in rest],
                limit=limit,
            )
            for organization_id, page in groupby(rows, key=lambda row: row.organization_id):
                events = [_event(row) for row in page]
                found[by_organization[organization_id]] = Page(events, len(events) == limit)
        return found

    async def _fetch_bounds(self, organizations: Sequence[UUID]) -> Mapping[UUID, Bounds]:
        rows = await self._reads.run(
            BOUNDS, organizations=list(organizations), shown_since=self._clock() - KEPT
        )
        return {row.organization_id: Bounds(row.last, row.hidden) for row in rows}


def _rounds(ranges: Sequence[Range]) -> list[list[Range]]:
    """Divides ranges so that none has an organization twice."""
    rounds: list[list[Range]] = []
    seen: dict[UUID, int] = {}
    for one in ranges:
        place = seen.get(one.organization_id, 0)
        seen[one.organization_id] = place + 1
        if place == len(rounds):
            rounds.append([])
        rounds[place].append(one)
    return rounds


def _event(row: Any) -> FeedEvent:
    return FeedEvent(
        row.id,
        row.organization_id,
        row.sequence,
        row.type,
        row.created_at,
        row.data,
    )
