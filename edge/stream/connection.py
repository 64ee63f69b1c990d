"""A connection of the gateway: one request, whose answer is a stream, a WebSocket or an error.

The head is parsed by llhttp, and the parser is let go before the stream begins: an idle
stream is a transport, this object and its follower.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote

import httptools
import structlog

from edge.stream.paths import WEBSOCKET_PATH
from edge.stream.refusals import (
    INTERNAL,
    MALFORMED,
    NOT_FOUND,
    UPGRADE_REQUIRED,
    Refusal,
    RefusedError,
)
from edge.stream.registry import Registry
from edge.stream.requests import (
    HEALTH_PATH,
    STREAM_PATH,
    caller,
    stream_request,
)
from edge.stream.site import Site
from edge.stream.sse import SseFollower
from edge.stream.websocket import WebSocketConnection

# Of a head; the gateway has a lower limit.
LARGEST_HEAD = 64 * 1024
# The gateway sends a head at once.
HEAD_SECONDS = 10.0
# What a connection may have waiting to be sent, and from where on it takes more.
HIGH_WATER = 256 * 1024
LOW_WATER = 64 * 1024

log = structlog.get_logger("stream")


class Head:
    """Collects the parts of a request's head."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[str, str] = {}
        self.complete = False

    def on_url(self, part: bytes) -> None:
        """Adds to the target."""
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a field; the last of several of one name counts."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Nothing more is read of the request."""
        self.complete = True


class Connection(asyncio.Protocol):
    """Reads the head of a request and has it answered."""

    __slots__ = (
        "_head",
        "_parser",
        "_raw",
        "_site",
        "_task",
        "_timer",
        "_transport",
        "follower",
        "is_paused",
        "paused_at",
        "websocket",
    )

    def __init__(self, site: Site) -> None:
        self._site = site
        self._head: Head | None = Head()
        self._parser: Any = httptools.HttpRequestParser(self._head)
        self._raw: list[bytes] | None = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.follower: SseFollower | None = None
        self.websocket: WebSocketConnection | None = None
        self.is_paused = False
        self.paused_at = 0.0

    # What the event loop calls ------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Waits for the head."""
        # Those of uvloop are no subclass.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(HEAD_SECONDS, self._transport.abort)
        self._site.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Parses the head; behind it only a WebSocket has something to say."""
        if self.websocket is not None:
            self.websocket.receive(data)
        elif self._parser is not None and self._raw is not None:
            self._receive_head(data, self._raw)
        elif self._raw is not None:
            # Of a WebSocket whose handshake is not answered yet.
            self._keep(data, self._raw)

    def eof_received(self) -> bool:
        """A client that has said everything is gone."""
        return False

    def pause_writing(self) -> None:
        """The client does not keep up: nothing more is read of it, or what its messages are
        answered with would pile up."""
        self.is_paused = True
        if not self._transport.is_closing():
            self._transport.pause_reading()
        self.paused_at = asyncio.get_running_loop().time()
        self._site.paused.add(self)

    def resume_writing(self) -> None:
        """It does again."""
        self.is_paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()
        self._site.paused.discard(self)
        if self.follower is not None:
            self._site.registry.hub.resume(self.follower.organization_id, self.follower)
        elif self.websocket is not None:
            self.websocket.resume()

    def connection_lost(self, _error: Exception | None) -> None:
        """Lets everything go that belongs to it."""
        self._site.connections.discard(self)
        self._site.paused.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        if self.follower is not None:
            self._site.registry.remove(self.follower)
        if self.websocket is not None:
            self.websocket.on_lost()

    # What its streams call -----------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Has something sent."""
        self._transport.write(data)

    def close(self) -> None:
        """Closes it once what was written is sent; a client that does not read is cut off."""
        if self._transport.is_closing():
            return
        self._transport.close()
        asyncio.get_running_loop().call_later(HEAD_SECONDS, self._transport.abort)

    def abort(self) -> None:
        """Cuts it off."""
        self._transport.abort()

    def end_slow(self, refusal: Refusal) -> None:
        """Ends the stream of a client that does not read, with a word if it reads that far."""
        if self.follower is not None:
            self.follower.end(refusal)
        elif self.websocket is not None:
            self.websocket.close_slow(refusal)
        else:
            self._transport.abort()

    # The request -----------------------------------------------------------------------

    def _receive_head(self, data: bytes, raw: list[bytes]) -> None:
        self._keep(data, raw)
        head, parser = self._head, self._parser
        assert head is not None
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            self._refuse(MALFORMED)
            return
        if head.complete:
            method, upgrades = parser.get_method(), parser.should_upgrade()
            self._head = self._parser = None
            assert self._timer is not None
            self._timer.cancel()
            self._timer = None
            self._route(head, method, upgrades)

    def _keep(self, data: bytes, raw: list[bytes]) -> None:
        raw.append(data)
        if sum(map(len, raw)) > LARGEST_HEAD:
            self._transport.abort()

    def _route(self, head: Head, method: bytes, upgrades: bool) -> None:
        path, _, query = head.target.decode("latin-1").partition("?")
        if path == WEBSOCKET_PATH and upgrades:
            self._start(self._open_websocket(head))
            return
        self._raw = None
        found = STREAM_PATH.fullmatch(path)
        if path == HEALTH_PATH:
            self._answer(200, b'{"status":"SERVING"}')
        elif path == WEBSOCKET_PATH:
            self._refuse(UPGRADE_REQUIRED, head.headers.get("x-request-id", ""))
        elif found is None or method != b"GET":
            self._refuse(NOT_FOUND, head.headers.get("x-request-id", ""))
        else:
            self._start(self._open_stream(unquote(found[1]), query, head.headers))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)

    async def _open_stream(self, organization_id: str, query: str, headers: dict[str, str]) -> None:
        who = caller(headers)
        registry: Registry = self._site.registry
        try:
            request = stream_request(organization_id, query, headers)
            admitted = await registry.admit(request, who)
        except RefusedError as error:
            self._refuse(error.refusal, who.request_id)
            return
        except Exception:
            log.exception("unexpected", request_id=who.request_id)
            self._refuse(INTERNAL, who.request_id)
            return
        finally:
            self._task = None
        self.follower = SseFollower(
            self,
            request.organization_id,
            admitted,
            registry.types(admitted.types),
            registry.lifetime(),
        )
        self.follower.begin(admitted.reset)
        registry.add(self.follower, admitted)

    async def _open_websocket(self, head: Head) -> None:
        self._task = None
        raw, self._raw = self._raw or [], None
        websocket = WebSocketConnection(self, self._site, caller(head.headers))
        refusal = websocket.refusal(head.headers)
        if refusal is not None:
            self._refuse(refusal, head.headers.get("x-request-id", ""))
            return
        self.websocket = websocket
        websocket.receive(b"".join(raw))

    def _refuse(self, refusal: Refusal, request_id: str = "") -> None:
        fields = []
        if refusal.status == 401:
            fields.append(f"www-authenticate: {refusal.challenge or self._site.challenge}")
        if refusal.status == HTTPStatus.UPGRADE_REQUIRED:
            fields.append("upgrade: websocket")
        if refusal.retry_after:
            fields.append(f"retry-after: {refusal.retry_after}")
        self._answer(refusal.status, refusal.body(request_id), *fields)

    def _answer(self, status: int, body: bytes, *fields: str) -> None:
        head = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            "content-type: application/json",
            f"content-length: {len(body)}",
            "connection: close",
            *fields,
        ]
        self.write("\r\n".join((*head, "", "")).encode("latin-1") + body)
        self.close()
