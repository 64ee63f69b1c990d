"""The latest events of an organization, and who follows them.

Whoever follows has a position of their own and takes what comes after it: a slow reader
holds up nobody, and costs no copy. What is no longer held here is read again from the core,
once for all who need it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

from portico.events.v1 import event_feed_service_pb2 as pb

# What a channel holds, at the most.
HELD_EVENTS = 1000
HELD_BYTES = 256 * 1024


class StreamedEvent:
    """An event, with what is written for it; made once for all who read it."""

    __slots__ = ("payload", "sequence", "sse", "type")

    def __init__(self, event: pb.StreamedEvent) -> None:
        self.sequence, self.type, self.payload = event.sequence, event.type, event.payload
        text = f"id: {self.sequence}\nevent: {self.type}\ndata: {self.payload}\n\n".encode()
        self.sse = chunk(text)


def chunk(text: bytes) -> bytes:
    """A part of a body whose length is not known ahead (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(text), text)


class Subscriber(Protocol):
    """Follows a channel.

    Attributes:
        position: the number of the event that it has passed last.
        types: the event types that it is shown.
    """

    position: int
    types: frozenset[str]

    @property
    def is_paused(self) -> bool:
        """Whether it takes nothing at this moment."""
        ...

    def write_event(self, event: StreamedEvent) -> None:
        """Gives an event out."""
        ...

    def write_reset(self, position: int) -> None:
        """Says that events up to a position are no longer stored."""
        ...


def advance(subscriber: Subscriber, events: Iterable[StreamedEvent], first: int) -> None:
    """Gives a subscriber what it has not passed yet, as far as it takes it.

    Args:
        events: consecutive.
        first: the number of the first of them.
    """
    skipped = subscriber.position + 1 - first
    if skipped < 0:
        # Nobody gets here who was let in properly; a gap must have a word all the same.
        subscriber.position = first - 1
        subscriber.write_reset(first - 1)
    for event in islice(events, max(skipped, 0), None):
        if subscriber.is_paused:
            return
        if takes(subscriber, event):
            subscriber.write_event(event)
        subscriber.position = event.sequence


def takes(subscriber: Subscriber, event: StreamedEvent) -> bool:
    """Whether a subscriber is shown an event. A filter by what it says would look here, too."""
    return event.type in subscriber.types


class Channel:
    """The events of one organization.

    Attributes:
        last: the number of the last event that was read.
        size: of the events that are held, in bytes.
        behind: who waits for events that are not held here any more.
    """

    __slots__ = ("_events", "behind", "last", "organization_id", "size", "subscribers")

    def __init__(self, organization_id: str, last: int) -> None:
        """Begins to hold what comes after a number."""
        self.organization_id = organization_id
        self.last = last
        self.subscribers: set[Subscriber] = set()
        self.behind: set[Subscriber] = set()
        self._events: deque[StreamedEvent] = deque()
        self.size = 0

    @property
    def start(self) -> int:
        """The number before the first event that is held."""
        return self.last - len(self._events)

    def append(self, events: Sequence[StreamedEvent]) -> None:
        """Holds further events; `trim` follows when everybody has been given them."""
        if events and events[0].sequence != self.last + 1:
            self._events.clear()
            self.size = 0
        for event in events:
            self._events.append(event)
            self.size += len(event.payload)
            self.last = event.sequence

    def prepend(self, events: Sequence[StreamedEvent]) -> None:
        """Holds what was read for somebody who was behind, if it ends where this begins: whoever
        comes back at the same time has missed the same."""
        for event in reversed(events):
            if event.sequence > self.start:
                continue
            full = len(self._events) >= HELD_EVENTS or self.size >= HELD_BYTES
            if full or event.sequence != self.start:
                return
            self._events.appendleft(event)
            self.size += len(event.payload)

    def trim(self, most: int = HELD_BYTES) -> None:
        """Lets the oldest events go that are too many.

        Args:
            most: what may be held, in bytes.
        """
        events = self._events
        while events and (len(events) > HELD_EVENTS or self.size > most):
            self.size -= len(events.popleft().payload)

    def follow(self, subscriber: Subscriber) -> bool:
        """Gives a subscriber what is held, and says whether it needs what is not."""
        if subscriber.position < self.start:
            self.behind.add(subscriber)
            return True
        if subscriber.position < self.last and not subscriber.is_paused:
            advance(subscriber, self._events, self.start + 1)
        return False

    def leave(self, subscriber: Subscriber) -> None:
        """Lets a subscriber go."""
        self.subscribers.discard(subscriber)
        self.behind.discard(subscriber)
