"""Who has a stream: lets them in, asks again whether they still may, and lets them go."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from portico.events.v1 import event_feed_service_pb2 as pb
from portico.events.v1.event_service_pb2 import StreamEventsRequest

from edge.stream.core_client import Caller
from edge.stream.follower import Follower
from edge.stream.hub import Hub
from edge.stream.refusals import (
    STREAM_ENDED,
    UNAVAILABLE,
    Refusal,
    RefusedError,
    http_status,
    limit_reached,
)

BEAT_SECONDS = 15
# How often it is looked whether everybody may still have their stream, in seconds.
CHECK_SECONDS = 10
# After so many seconds without an answer from the core nobody is known to be allowed.
TRUSTED_SECONDS = 30.0
# How long a stream lasts, in seconds; a little less for some, so that they do not end together.
LIFETIME_SECONDS = 3600.0
CHECKED_AT_ONCE = 500
TICK_SECONDS = 1.0

log = structlog.get_logger("stream")


class Core(Protocol):
    """Who decides."""

    async def admit(
        self, stream: StreamEventsRequest, caller: Caller
    ) -> pb.AdmitSubscriberResponse:
        """Whether a caller may have a stream, and where it starts."""
        ...

    async def check(self, tickets: Sequence[bytes]) -> Sequence[pb.SubscriberDecision]:
        """Whether subscribers may still have their streams, in the order of the tickets."""
        ...


@dataclass(slots=True, eq=False)
class Holder:
    """A ticket, and the streams that were opened with it."""

    ticket: bytes
    subjects: tuple[str, ...]
    checked_at: float
    followers: set[Follower] = field(default_factory=set)


class Registry:
    """All open streams of this process."""

    def __init__(self, core: Core, hub: Hub) -> None:
        self._core = core
        self.hub = hub
        self._open: Counter[str] = Counter()
        self._holders: dict[bytes, Holder] = {}
        self._by_subject: dict[str, set[Holder]] = {}
        self._beats: list[set[Follower]] = [set() for _ in range(BEAT_SECONDS)]
        self._places: dict[Follower, int] = {}
        self._types: dict[frozenset[str], frozenset[str]] = {}
        self._changed: set[Holder] = set()
        self._change = asyncio.Event()
        self._stopping = False
        self._tick = 0

    def __len__(self) -> int:
        """How many streams are open."""
        return len(self._places)

    async def admit(
        self, stream: StreamEventsRequest, caller: Caller
    ) -> pb.AdmitSubscriberResponse:
        """What the core says of a caller who asks for a stream.

        Raises:
            RefusedError: if they may not have it, or the organization has no room for another.
        """
        if self._stopping:
            raise RefusedError(STREAM_ENDED)
        admitted = await self._core.admit(stream, caller)
        # Between here and `add` nothing waits.
        if self._open[stream.organization_id] >= admitted.max_streams:
            raise RefusedError(limit_reached(admitted.max_streams))
        return admitted

    def types(self, names: Iterable[str]) -> frozenset[str]:
        """A set of event types; equal ones are one, for there are few and they are large."""
        found = frozenset(names)
        return self._types.setdefault(found, found)

    def lifetime(self) -> float:
        """Until when a stream lasts that begins now, by the clock of the loop."""
        return _now() + LIFETIME_SECONDS * random.uniform(0.9, 1.0)  # noqa: S311

    def add(self, follower: Follower, admitted: pb.AdmitSubscriberResponse) -> None:
        """Begins to give a follower its events."""
        organization_id = follower.organization_id
        self._open[organization_id] += 1
        holder = self._holders.get(follower.ticket)
        if holder is None:
            holder = self._hold(admitted)
        follower.ticket = holder.ticket
        holder.followers.add(follower)
        place = len(self._places) % BEAT_SECONDS
        self._places[follower] = place
        self._beats[place].add(follower)
        self.hub.follow(organization_id, follower, admitted.last)

    def remove(self, follower: Follower) -> None:
        """Lets a follower go, whose stream is over."""
        place = self._places.pop(follower, None)
        if place is None:
            return
        self._beats[place].discard(follower)
        self._open[follower.organization_id] -= 1
        if not self._open[follower.organization_id]:
            del self._open[follower.organization_id]
        holder = self._holders[follower.ticket]
        holder.followers.discard(follower)
        if not holder.followers:
            self._release(holder)
        self.hub.leave(follower.organization_id, follower)

    def on_change(self, subjects: Iterable[str]) -> None:
        """Looks at once at everybody whose access depends on what has changed."""
        for subject in subjects:
            self._changed.update(self._by_subject.get(subject, ()))
        if self._changed:
            self._change.set()

    def on_reconnected(self) -> None:
        """Looks at everybody: what has changed meanwhile was not heard."""
        self._changed.update(self._holders.values())
        if self._changed:
            self._change.set()

    async def run(self) -> None:
        """Beats and checks until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat_forever())
            tasks.create_task(self._check_in_turn())
            tasks.create_task(self._check_changed())

    async def stop(self) -> None:
        """Ends every stream; its client opens it again, elsewhere or later."""
        self._stopping = True
        for count, follower in enumerate(tuple(self._places), 1):
            follower.end(STREAM_ENDED)
            if not count % CHECKED_AT_ONCE:
                await asyncio.sleep(0)

    def _hold(self, admitted: pb.AdmitSubscriberResponse) -> Holder:
        holder = Holder(admitted.ticket, tuple(admitted.subjects), _now())
        self._holders[holder.ticket] = holder
        for subject in holder.subjects:
            self._by_subject.setdefault(subject, set()).add(holder)
        return holder

    def _release(self, holder: Holder) -> None:
        del self._holders[holder.ticket]
        self._changed.discard(holder)
        for subject in holder.subjects:
            holders = self._by_subject[subject]
            holders.discard(holder)
            if not holders:
                del self._by_subject[subject]

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._tick += 1
            now = _now()
            for follower in tuple(self._beats[self._tick % BEAT_SECONDS]):
                if now > follower.ends_at:
                    follower.end(STREAM_ENDED)
                else:
                    follower.beat(now)

    async def _check_in_turn(self) -> None:
        """Looks at each ticket every ten seconds, some of them every second."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            due = _now() - CHECK_SECONDS
            oldest = [one for one in self._holders.values() if one.checked_at <= due]
            await self._check(oldest)

    async def _check_changed(self) -> None:
        while True:
            await self._change.wait()
            self._change.clear()
            changed, self._changed = self._changed, set()
            await self._check(list(changed))

    async def _check(self, holders: Sequence[Holder]) -> None:
        for first in range(0, len(holders), CHECKED_AT_ONCE):
            some = holders[first : first + CHECKED_AT_ONCE]
            asked_at = _now()
            try:
                decisions = await self._core.check([one.ticket for one in some])
            except RefusedError:
                self._end_unknown(some)
                continue
            for holder, decision in zip(some, decisions, strict=True):
                self._apply(holder, decision, asked_at)

    def _apply(self, holder: Holder, decision: pb.SubscriberDecision, asked_at: float) -> None:
        holder.checked_at = asked_at
        if decision.reason:
            status = http_status(decision.code)
            _end_all(holder, Refusal(status, decision.reason, decision.message))
            return
        types = self.types(decision.types)
        for follower in holder.followers:
            follower.types = types

    def _end_unknown(self, holders: Iterable[Holder]) -> None:
        """Ends the streams of those of whom nothing has been known for too long."""
        for holder in holders:
            if _now() - holder.checked_at > TRUSTED_SECONDS:
                _end_all(holder, UNAVAILABLE)


def _end_all(holder: Holder, refusal: Refusal) -> None:
    for follower in tuple(holder.followers):
        follower.end(refusal)


def _now() -> float:
    return asyncio.get_running_loop().time()
