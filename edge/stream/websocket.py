"""Streams over WebSocket (RFC 6455): several on one connection, with acknowledgements.

Each message is a JSON object in a text frame. The client's: `authenticate`, `subscribe`,
`unsubscribe`, `ack`, `ping`. Ours: `authenticated`, `subscribed`, `event`, `reset`,
`position`, `unsubscribed`, `pong`, `error`. docs/events.md describes them.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Protocol

import structlog
from portico.events.v1 import event_feed_service_pb2 as pb
from portico.events.v1.event_service_pb2 import StreamEventsRequest
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from edge.stream.channel import StreamedEvent
from edge.stream.core_client import Caller
from edge.stream.follower import Follower
from edge.stream.refusals import (
    INTERNAL,
    ORIGIN_REFUSED,
    STREAM_ENDED,
    Refusal,
    RefusedError,
    Violation,
)
from edge.stream.site import Site

LARGEST_MESSAGE = 64 * 1024
# Events of a subscription that may be on their way without an acknowledgement.
ACK_WINDOW = 100
MOST_SUBSCRIPTIONS = 20
# Subscriptions and credentials that a connection may ask for in a minute.
MOST_REQUESTS = 60
# A client that came without a credential has so long to present one, in seconds.
AUTHENTICATION_SECONDS = 10.0
# One that says nothing, not even to a ping, is gone.
SILENCE_SECONDS = 50.0
# One without a subscription may stay so long.
IDLE_SECONDS = 60.0
BEAT_SECONDS = 15.0
# A cursor is saved so often at the most, in seconds.
SAVE_SECONDS = 1.0
# Close codes for applications (RFC 6455, section 7.4.2).
UNAUTHENTICATED, TIMED_OUT = 4401, 4408

_ID = re.compile(r"[!-~]{1,64}")
_POSITION = re.compile(r"[0-9]{1,18}")

log = structlog.get_logger("stream")


class Connection(Protocol):
    """Where frames are written."""

    is_paused: bool

    def write(self, data: bytes) -> None:
        """Has something sent."""
        ...

    def close(self) -> None:
        """Closes it once what was written is sent."""
        ...


class WebSocketConnection:
    """One WebSocket: takes messages, and holds its subscriptions."""

    def __init__(self, connection: Connection, site: Site, caller: Caller) -> None:
        self._connection = connection
        self._site = site
        self._caller = caller
        self._protocol = ServerProtocol(max_size=LARGEST_MESSAGE)
        self._subscriptions: dict[str, Subscription] = {}
        self._opening: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._parts: list[bytes] = []
        self._requests: deque[float] = deque(maxlen=MOST_REQUESTS)
        self._heard_at = self._used_at = _now()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_paused(self) -> bool:
        """Whether the client does not keep up, or the connection is over."""
        return self._connection.is_paused or self._protocol.state is not State.OPEN

    def refusal(self, headers: Mapping[str, str]) -> Refusal | None:
        """Why a handshake is refused. A page of another site has no business here: cookies are
        not looked at, but a browser inside of a private network would reach us all the same."""
        origin = headers.get("origin")
        if origin is not None and origin not in self._site.origins:
            return ORIGIN_REFUSED
        return None

    # What the connection calls -------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Takes bytes of the client."""
        self._heard_at = _now()
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._accept(event)
            elif isinstance(event, Frame):
                self._take_frame(event)
        self._flush()

    def resume(self) -> None:
        """Goes on with what waited for the client to read."""
        for subscription in tuple(self._subscriptions.values()):
            self._site.registry.hub.resume(subscription.organization_id, subscription)

    def on_lost(self) -> None:
        """Lets everything go that belongs to the connection."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        for subscription in tuple(self._subscriptions.values()):
            self._forget(subscription)

    def close_slow(self, refusal: Refusal) -> None:
        """Ends the connection of a client that does not read."""
        self._close(TIMED_OUT, refusal.code)

    def close_for_restart(self) -> None:
        """Ends the connection because the process stops; the client opens another."""
        self._close(CloseCode.SERVICE_RESTART, STREAM_ENDED.code)

    # What subscriptions call ---------------------------------------------------------

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends a message."""
        self.send_text(json.dumps(message, separators=(",", ":")))

    def send_text(self, text: str) -> None:
        """Sends the text of a message."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(text.encode())
            self._flush()

    def forget(self, subscription: Subscription) -> None:
        """Lets a subscription go that is over."""
        self._forget(subscription)

    def save(self, subscription: Subscription) -> None:
        """Has the cursor of a subscription saved."""
        self._start(self._save(subscription))

    # The connection ------------------------------------------------------------------

    def _accept(self, request: Request) -> None:
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        if self._protocol.state is State.OPEN:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(AUTHENTICATION_SECONDS, self._on_timer)

    def _on_timer(self) -> None:
        """Every now and then: is there a credential, is there anybody?"""
        if not self._caller.access_token:
            self._close(UNAUTHENTICATED, "UNAUTHENTICATED")
        elif _now() - self._heard_at > SILENCE_SECONDS:
            self._close(TIMED_OUT, "NO_PONG")
        elif self._is_idle():
            self._close(TIMED_OUT, "NO_SUBSCRIPTION")
        elif self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
            self._flush()
            self._timer = asyncio.get_running_loop().call_later(BEAT_SECONDS, self._on_timer)

    def _is_idle(self) -> bool:
        now = _now()
        if self._subscriptions or self._opening:
            self._used_at = now
        return now - self._used_at > IDLE_SECONDS

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self._close(CloseCode.UNSUPPORTED_DATA, "")
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT):
            self._parts.append(bytes(frame.data))
            if sum(map(len, self._parts)) > LARGEST_MESSAGE:
                self._close(CloseCode.MESSAGE_TOO_BIG, "")
            elif frame.fin:
                text, self._parts = b"".join(self._parts), []
                self._take_message(text)

    def _take_message(self, text: bytes) -> None:
        try:
            message = json.loads(text)
            if not isinstance(message, dict):
                raise TypeError
        except (ValueError, TypeError, RecursionError):
            self._close(CloseCode.INVALID_DATA, "")
            return
        found = message.get("id", "")
        name = found if isinstance(found, str) and _ID.fullmatch(found) else ""
        take = self._takers().get(str(message.get("type")))
        try:
            if take is None:
                raise _invalid("type", "UNKNOWN_TYPE", "There is no such message.")
            take(name, message)
        except RefusedError as error:
            self._send_error(name, error.refusal)

    def _takers(self) -> Mapping[str, Callable[[str, Mapping[str, Any]], None]]:
        return {
            "ack": self._on_ack,
            "authenticate": self._on_authenticate,
            "ping": lambda _name, _message: self.send({"type": "pong"}),
            "subscribe": self._on_subscribe,
            "unsubscribe": self._on_unsubscribe,
        }

    def _on_authenticate(self, _name: str, message: Mapping[str, Any]) -> None:
        self._count_request()
        token = _text(message, "accessToken")
        # The seal belongs to the token of the handshake alone.
        self._caller = replace(self._caller, access_token=token, possession="")
        self.send({"type": "authenticated"})

    def _on_subscribe(self, name: str, message: Mapping[str, Any]) -> None:
        self._count_request()
        if not name:
            raise _invalid("id", "INVALID_ID", "must be 1 to 64 printable ASCII characters")
        if name in self._subscriptions or name in self._opening:
            raise _invalid("id", "ID_TAKEN", "is the ID of another subscription")
        if len(self._subscriptions) + len(self._opening) >= MOST_SUBSCRIPTIONS:
            raise _invalid("id", "TOO_MANY", f"at most {MOST_SUBSCRIPTIONS} on a connection")
        request = _stream_request(message)
        self._opening.add(name)
        self._start(self._subscribe(name, request))

    def _on_unsubscribe(self, name: str, _message: Mapping[str, Any]) -> None:
        subscription = self._find(name)
        self._forget(subscription)
        self.send({"type": "unsubscribed", "id": name})

    def _on_ack(self, name: str, message: Mapping[str, Any]) -> None:
        position = _text(message, "position")
        if not _POSITION.fullmatch(position):
            raise _invalid("position", "INVALID_POSITION", "must be a position")
        subscription = self._find(name)
        subscription.acknowledge(int(position))
        self._site.registry.hub.resume(subscription.organization_id, subscription)

    def _find(self, name: str) -> Subscription:
        found = self._subscriptions.get(name)
        if found is None:
            raise _invalid("id", "NOT_SUBSCRIBED", "is no subscription of this connection")
        return found

    def _count_request(self) -> None:
        """Refuses a client that asks for more and more: each request costs a look-up."""
        now, full = _now(), len(self._requests) == MOST_REQUESTS
        if full and now - self._requests[0] < 60:
            raise RefusedError(
                Refusal(429, "RATE_LIMIT_EXCEEDED", "Too many requests on this connection.")
            )
        self._requests.append(now)

    async def _subscribe(self, name: str, request: StreamEventsRequest) -> None:
        registry = self._site.registry
        try:
            admitted = await registry.admit(request, self._caller)
        except RefusedError as error:
            self._send_error(name, error.refusal)
            return
        except Exception:
            log.exception("unexpected", request_id=self._caller.request_id)
            self._send_error(name, INTERNAL)
            return
        finally:
            self._opening.discard(name)
        if self._protocol.state is not State.OPEN:
            return
        types = registry.types(admitted.types)
        subscription = Subscription(self, name, request, admitted, types, registry.lifetime())
        self._subscriptions[name] = subscription
        self.send({"type": "subscribed", "id": name, "position": str(admitted.position)})
        if admitted.reset:
            subscription.write_reset(admitted.position)
        registry.add(subscription, admitted)

    async def _save(self, subscription: Subscription) -> None:
        try:
            await asyncio.sleep(SAVE_SECONDS)
            subscription.is_saving = False
            await self._save_now(subscription)
        except asyncio.CancelledError:
            # The connection is over; what was acknowledged is saved all the same.
            await self._save_now(subscription)
            raise

    async def _save_now(self, subscription: Subscription) -> None:
        position = subscription.acknowledged
        try:
            await self._site.core.save_cursor(subscription.ticket, subscription.cursor, position)
        except RefusedError as error:
            self._send_error(subscription.name, error.refusal)

    def _forget(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription.name, None)
        self._site.registry.remove(subscription)

    def _send_error(self, name: str, refusal: Refusal) -> None:
        about = {"id": name} if name else {}
        self.send({"type": "error", **about, "error": refusal.plain()})

    def _close(self, code: int, reason: str) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
        self._connection.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._connection.write(data)
            else:
                # The protocol is done with the connection.
                self._connection.close()


class Subscription(Follower):
    """A stream of a WebSocket.

    Attributes:
        name: what the client calls it.
        cursor: under which name its acknowledgements are saved; "" for none.
        acknowledged: the position that the client has acknowledged last.
        is_saving: whether that is about to be saved.
    """

    __slots__ = ("_on_way", "_socket", "acknowledged", "cursor", "is_saving", "name")

    def __init__(
        self,
        socket: WebSocketConnection,
        name: str,
        request: StreamEventsRequest,
        admitted: pb.AdmitSubscriberResponse,
        types: frozenset[str],
        ends_at: float,
    ) -> None:
        super().__init__(request.organization_id, admitted, types, ends_at)
        self._socket = socket
        self.name = name
        self.cursor = request.cursor
        self.acknowledged = admitted.position
        self.is_saving = False
        # The positions of what is on its way.
        self._on_way: deque[int] = deque()

    @property
    def is_paused(self) -> bool:
        """Whether the client does not keep up, or has to acknowledge something first."""
        return len(self._on_way) >= ACK_WINDOW or self._socket.is_paused

    def write_event(self, event: StreamedEvent) -> None:
        """See `Follower.write_event`."""
        self.said = event.sequence
        self._on_way.append(event.sequence)
        self._socket.send_text(
            f'{{"type":"event","id":{json.dumps(self.name)},"position":"{event.sequence}",'
            f'"event":{event.payload}}}'
        )

    def write_reset(self, position: int) -> None:
        """See `Follower.write_reset`."""
        self.said = position
        self._socket.send({"type": "reset", "id": self.name, "position": str(position)})

    def beat(self, now: float) -> None:
        """The position, if what came last was of other types."""
        if not self.is_paused and self.position != self.said:
            self.said = self.position
            self._socket.send({"type": "position", "id": self.name, "position": str(self.position)})

    def end(self, refusal: Refusal) -> None:
        """See `Follower.end`."""
        self._socket.send({"type": "error", "id": self.name, "error": refusal.plain()})
        self._socket.forget(self)

    def acknowledge(self, position: int) -> None:
        """Takes that the client is done with everything up to a position that it was given."""
        if not self.acknowledged < position <= self.said:
            return
        self.acknowledged = position
        while self._on_way and self._on_way[0] <= position:
            self._on_way.popleft()
        if self.cursor and not self.is_saving:
            self.is_saving = True
            self._socket.save(self)


def _stream_request(message: Mapping[str, Any]) -> StreamEventsRequest:
    types = message.get("types", [])
    if not isinstance(types, list) or not all(isinstance(one, str) for one in types):
        raise _invalid("types", "INVALID_TYPE", "must be a list of event types")
    return StreamEventsRequest(
        organization_id=_text(message, "organizationId"),
        types=types,
        after=_text(message, "after") if "after" in message else "",
        cursor=_text(message, "cursor") if "cursor" in message else "",
    )


def _text(message: Mapping[str, Any], name: str) -> str:
    """A member that is a text of a size that something can be.

    Raises:
        RefusedError: if it is none.
    """
    found = message.get(name)
    if not isinstance(found, str) or not found or len(found) > LARGEST_MESSAGE:
        raise _invalid(name, "INVALID_TYPE", "must be a text")
    try:
        found.encode()
    except UnicodeEncodeError:
        raise _invalid(name, "INVALID_TYPE", "must be a text") from None
    return found


def _invalid(field: str, code: str, message: str) -> RefusedError:
    details = [Violation(field, code, message)]
    return RefusedError(Refusal(422, "VALIDATION_ERROR", "The request is not valid.", details))


def _now() -> float:
    return asyncio.get_running_loop().time()
