"""Clients of event streams, as others write them: they remember a position, and come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

STEP_SECONDS = 15.0
FOREVER = aiohttp.ClientTimeout(total=None, sock_read=30)


@dataclass(frozen=True)
class ServerSentEvent:
    """What stood between two empty lines."""

    id: str | None
    event: str
    data: str

    @property
    def json(self) -> Any:
        """The data, which is JSON."""
        return json.loads(self.data)


async def events_of(answer: aiohttp.ClientResponse) -> AsyncIterator[ServerSentEvent]:
    """The events of a stream as the standard has a client parse them, position-only ones too."""
    fields: dict[str, str] = {}
    async for raw in answer.content:
        line = raw.decode().rstrip("\n")
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield ServerSentEvent(fields.get("id"), fields.get("event", ""), fields.get("data", ""))
            fields = {}


@dataclass
class Reader:
    """Reads a stream of server-sent events."""

    answer: aiohttp.ClientResponse
    events: AsyncIterator[ServerSentEvent]

    async def next(self) -> ServerSentEvent:
        """The next event; what only says a position is passed over."""
        async with asyncio.timeout(STEP_SECONDS):
            while True:
                found = await anext(self.events)
                if found.event:
                    return found

    async def is_over(self) -> bool:
        """Whether the stream ends now."""
        async with asyncio.timeout(STEP_SECONDS):
            return [one async for one in self.events if one.event] == []


@asynccontextmanager
async def reading(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str], **query: Any
) -> AsyncIterator[Reader]:
    """An open stream."""
    async with http.get(url, params=query, headers=headers, timeout=FOREVER) as answer:
        assert answer.status == 200, await answer.text()
        yield Reader(answer, events_of(answer))


@dataclass
class Follower:
    """Follows a stream whatever happens to it, and remembers what it was given."""

    http: aiohttp.ClientSession
    url: str
    headers: dict[str, str]
    position: str = "now"
    seen: list[int] = field(default_factory=list)
    resets: int = 0
    connections: int = 0
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Opens the stream again whenever it ends, after what came last."""
        while True:
            with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                await self._read()
            await asyncio.sleep(0.1)

    async def _read(self) -> None:
        # A position goes in the header in which browsers send it.
        named = {} if self.position == "now" else {"last-event-id": self.position}
        async with self.http.get(
            self.url, headers={**self.headers, **named}, timeout=FOREVER
        ) as answer:
            if answer.status != 200:
                return
            self.connections += 1
            async for event in events_of(answer):
                if event.id is not None:
                    self.position = event.id
                    self.opened.set()
                if event.event == "reset":
                    self.resets += 1
                elif event.event and event.event != "error":
                    self.seen.append(int(event.id or 0))
