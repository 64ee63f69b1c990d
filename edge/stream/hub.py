"""All channels: reads what is new once for each organization, and what somebody is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

import structlog
from portico.events.v1 import event_feed_service_pb2 as pb

from edge.stream.channel import HELD_BYTES as CHANNEL_BYTES
from edge.stream.channel import Channel, StreamedEvent, Subscriber, advance

# Organizations in one question to the core.
ASKED_AT_ONCE = 200
# Subscribers that are given something before everybody else has a turn.
GIVEN_AT_ONCE = 500
# What all channels hold; beyond it each keeps but a little.
HELD_BYTES = 32 * 1024 * 1024
LITTLE_BYTES = 4 * 1024
# The pause before the core is asked again that did not answer, in seconds.
RETRY_SECONDS = 0.5

log = structlog.get_logger("stream")


class Core(Protocol):
    """Where events come from."""

    async def read(self, ranges: Mapping[str, int]) -> Sequence[pb.EventPage]:
        """The next events of organizations, each after a number."""
        ...


class Watcher(Protocol):
    """Says which organizations have new events."""

    def watch(self, organization_id: str, callback: Any) -> None:
        """Calls back for an organization from now on."""
        ...

    def forget(self, organization_id: str, callback: Any) -> None:
        """Calls back no more."""
        ...


class Hub:
    """Keeps a channel for each organization that somebody follows."""

    def __init__(self, core: Core, watcher: Watcher) -> None:
        self._core = core
        self._watcher = watcher
        self._channels: dict[str, Channel] = {}
        # The organizations that may have new events, and those with somebody behind.
        self._fresh: dict[str, None] = {}
        self._behind: dict[str, None] = {}
        self._news = asyncio.Event()
        self._missing = asyncio.Event()
        self._callbacks: dict[str, Any] = {}
        self._held = 0

    def follow(self, organization_id: str, subscriber: Subscriber, last: int) -> None:
        """Gives a subscriber every event after its position from now on.

        Args:
            last: the number of the organization's last event, as far as is known.
        """
        channel = self._channels.get(organization_id)
        if channel is None:
            channel = self._open(organization_id, last)
            # Something may have happened since that was looked up.
            self._wake(organization_id)
        elif last > channel.last:
            self._wake(organization_id)
        channel.subscribers.add(subscriber)
        self._look(channel, subscriber)

    def leave(self, organization_id: str, subscriber: Subscriber) -> None:
        """Lets a subscriber go."""
        channel = self._channels.get(organization_id)
        if channel is None:
            return
        channel.leave(subscriber)
        if not channel.subscribers:
            del self._channels[organization_id]
            self._held -= channel.size
            self._watcher.forget(organization_id, self._callbacks.pop(organization_id))

    def resume(self, organization_id: str, subscriber: Subscriber) -> None:
        """Goes on with a subscriber that was paused."""
        channel = self._channels.get(organization_id)
        if channel is not None and subscriber in channel.subscribers:
            self._look(channel, subscriber)

    async def run(self) -> None:
        """Reads events until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._forever(self._news, self._read_new))
            tasks.create_task(self._forever(self._missing, self._read_missing))

    def _open(self, organization_id: str, position: int) -> Channel:
        channel = self._channels[organization_id] = Channel(organization_id, position)

        def news(last: int) -> None:
            if not last or last > channel.last:
                self._wake(organization_id)

        self._callbacks[organization_id] = news
        self._watcher.watch(organization_id, news)
        return channel

    def _wake(self, organization_id: str) -> None:
        self._fresh[organization_id] = None
        self._news.set()

    def _look(self, channel: Channel, subscriber: Subscriber) -> None:
        if channel.follow(subscriber):
            self._behind[channel.organization_id] = None
            self._missing.set()

    async def _forever(self, event: asyncio.Event, step: Any) -> None:
        while True:
            await event.wait()
            event.clear()
            try:
                await step()
            except Exception as error:  # whatever is away may be back
                log.warning("read_failed", error=type(error).__name__)
                event.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def _read_new(self) -> None:
        while asked := self._taken(self._fresh):
            ranges = {one: self._channels[one].last for one in asked}
            try:
                pages = await self._core.read(ranges)
            except BaseException:
                self._fresh.update(dict.fromkeys(asked))
                raise
            for page in pages:
                channel = self._channels.get(page.organization_id)
                # One that was opened meanwhile starts elsewhere.
                if channel is not None and channel.last == ranges[page.organization_id]:
                    await self._hand_out(channel, page)

    async def _hand_out(self, channel: Channel, page: pb.EventPage) -> None:
        before = channel.size
        channel.append([StreamedEvent(event) for event in page.events])
        self._held += channel.size - before
        if page.more:
            self._wake(channel.organization_id)
        for count, subscriber in enumerate(tuple(channel.subscribers), 1):
            if subscriber in channel.subscribers and subscriber not in channel.behind:
                self._look(channel, subscriber)
            if not count % GIVEN_AT_ONCE:
                await asyncio.sleep(0)
        self._trim(channel)

    def _trim(self, channel: Channel) -> None:
        before = channel.size
        channel.trim(CHANNEL_BYTES if self._held < HELD_BYTES else LITTLE_BYTES)
        if self._channels.get(channel.organization_id) is channel:
            self._held += channel.size - before

    async def _read_missing(self) -> None:
        while asked := self._taken(self._behind):
            ranges = {one: after for one in asked if (after := self._least(one)) is not None}
            if not ranges:
                continue
            try:
                pages = {page.organization_id: page for page in await self._core.read(ranges)}
            except BaseException:
                self._behind.update(dict.fromkeys(asked))
                raise
            for organization_id, after in ranges.items():
                channel = self._channels.get(organization_id)
                if channel is not None:
                    await self._catch_up(channel, after, pages.get(organization_id))

    def _least(self, organization_id: str) -> int | None:
        """After which number somebody is missing events; paused ones ask when they resume."""
        channel = self._channels[organization_id]
        channel.behind = {one for one in channel.behind if not one.is_paused}
        return min((one.position for one in channel.behind), default=None)

    async def _catch_up(self, channel: Channel, after: int, page: pb.EventPage | None) -> None:
        """Gives those who are behind what was read after a number."""
        events = [StreamedEvent(event) for event in page.events] if page is not None else []
        waiting = channel.behind
        channel.behind = set()
        before = channel.size
        channel.prepend(events)
        self._held += channel.size - before
        for count, subscriber in enumerate(waiting, 1):
            if subscriber not in channel.subscribers:
                continue
            if not events:
                # They are deleted: what is held comes next, and the gap gets its word.
                subscriber.position = max(subscriber.position, channel.start)
                subscriber.write_reset(subscriber.position)
            elif after <= subscriber.position < events[-1].sequence:
                advance(subscriber, events, events[0].sequence)
            if not subscriber.is_paused:
                self._look(channel, subscriber)
            if not count % GIVEN_AT_ONCE:
                await asyncio.sleep(0)
        self._trim(channel)

    def _taken(self, marked: dict[str, None]) -> list[str]:
        """Some of the organizations that are marked, which are not any more."""
        taken = list(islice(marked, ASKED_AT_ONCE))
        for one in taken:
            del marked[one]
        return [one for one in taken if one in self._channels] or (
            self._taken(marked) if marked else []
        )
