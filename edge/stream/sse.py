"""Server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
import random
from typing import Protocol

from portico.events.v1 import event_feed_service_pb2 as pb

from edge.stream.channel import StreamedEvent, chunk
from edge.stream.follower import Follower
from edge.stream.refusals import STREAM_ENDED, Refusal

# When a client opens a stream again that has ended, in milliseconds; not all at once.
RETRY_MS = (1000, 3000)
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n"
    b"x-accel-buffering: no\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
)
HEARTBEAT = chunk(b":\n\n")
LAST_CHUNK = b"0\r\n\r\n"


class Connection(Protocol):
    """Where a stream is written."""

    is_paused: bool

    def write(self, data: bytes) -> None:
        """Has something sent."""
        ...

    def close(self) -> None:
        """Closes it once what was written is sent."""
        ...


class SseFollower(Follower):
    """A stream of server-sent events."""

    __slots__ = ("_connection", "_ended")

    def __init__(
        self,
        connection: Connection,
        organization_id: str,
        admitted: pb.AdmitSubscriberResponse,
        types: frozenset[str],
        ends_at: float,
    ) -> None:
        super().__init__(organization_id, admitted, types, ends_at)
        self._connection = connection
        self._ended = False

    @property
    def is_paused(self) -> bool:
        """Whether the client does not keep up, or the stream is over."""
        return self._ended or self._connection.is_paused

    def begin(self, reset: bool) -> None:
        """Writes what stands before the events: among it the position, so that a client that
        is cut off before the first of them knows where to go on."""
        retry = random.randint(*RETRY_MS)  # noqa: S311
        first = chunk(f"retry: {retry}\nid: {self.position}\n\n".encode())
        self._connection.write(HEAD + first)
        if reset:
            self.write_reset(self.position)

    def write_event(self, event: StreamedEvent) -> None:
        """See `Follower.write_event`."""
        self.said = event.sequence
        self._connection.write(event.sse)

    def write_reset(self, position: int) -> None:
        """See `Follower.write_reset`."""
        self.said = position
        data = json.dumps({"position": str(position)}, separators=(",", ":"))
        self._connection.write(chunk(f"id: {position}\nevent: reset\ndata: {data}\n\n".encode()))

    def beat(self, now: float) -> None:
        """A comment; with the position, if what came last was of other types."""
        if self.is_paused:
            return
        if self.position == self.said:
            self._connection.write(HEARTBEAT)
        else:
            self.said = self.position
            # Without data it is no event for the client, and yet its last event ID.
            self._connection.write(chunk(f":\nid: {self.said}\n\n".encode()))

    def end(self, refusal: Refusal) -> None:
        """See `Follower.end`. What ends by itself needs no word: the client opens it again."""
        if self._ended:
            return
        self._ended = True
        word = b""
        if refusal is not STREAM_ENDED:
            data = json.dumps(refusal.plain(), separators=(",", ":"))
            word = chunk(f"event: error\ndata: {data}\n\n".encode())
        self._connection.write(word + LAST_CHUNK)
        self._connection.close()
