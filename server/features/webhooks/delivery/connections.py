"""HTTP/1.1 connections to receivers: one request at a time, and kept for the next one.

What strangers answer is parsed by llhttp (the parser of Node, through httptools). Here is
only what it leaves to its caller: how long to wait, how much to take, and what is kept.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cache, lru_cache
from ipaddress import ip_address
from typing import cast

from aiohappyeyeballs import AddrInfoType, start_connection
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from yarl import URL

from server.common.outbound_addresses import AddressPolicy

KEPT_BYTES = 2048  # of the body of an answer
# Of an answer, in bytes, with whatever is around its body; more of it is not waited for.
LONGEST_ANSWER = 65_536
# How long a connection is kept open after an answer, in seconds.
KEPT_SECONDS = 15.0
# How many are kept at once; the one that was used last goes first.
MOST_KEPT = 400
# How long what a name resolves to is used, in seconds.
LOOKUP_SECONDS = 10.0
# When a second address of a receiver is tried beside the first one, in seconds (RFC 8305).
NEXT_ADDRESS = 0.25


class InvalidUrlError(ValueError):
    """No request can be sent to it."""


class InvalidAnswerError(Exception):
    """What came is not HTTP/1.1."""


class NoAnswerError(Exception):
    """The connection was closed before there was an answer."""


Origin = tuple[str, int, bool]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads.

    Attributes:
        host: a name, or an IP address without brackets.
        origin: host, port, and whether it is TLS.
        head: the request line and the host header.
    """

    host: str
    port: int
    tls: bool
    origin: Origin
    head: bytes


@lru_cache(maxsize=4096)
def target_of(url: str) -> Target:
    """Reads a URL.

    Raises:
        InvalidUrlError: if no request can be sent to it.
    """
    try:
        parsed = URL(url)
        host, port, tls = parsed.raw_host, parsed.port, parsed.scheme == "https"
        # A single number would be an IPv4 address to some.
        if parsed.scheme not in ("http", "https") or not host or not port or host.isdigit():
            raise InvalidUrlError
        shown = f"[{host}]" if ":" in host else host.rstrip(".")
        authority = shown if parsed.is_default_port() else f"{shown}:{port}"
        head = f"POST {parsed.raw_path_qs} HTTP/1.1\r\nhost: {authority}\r\n".encode("ascii")
    except ValueError:
        raise InvalidUrlError from None
    return Target(host, port, tls, (host, port, tls), head)


@dataclass(slots=True)
class Answer:
    """What a receiver answered.

    Attributes:
        body: the first `KEPT_BYTES` of it, or what came before it broke off.
        retry_after: the header of this name; b"" if there is none.
    """

    status: int
    body: bytes
    retry_after: bytes


class Connection(asyncio.Protocol):
    """A connection to a receiver. `exchange` is for one caller at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        # What browsers and others take from servers, too; nobody else reads it after us.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self._waiter: asyncio.Future[Answer] | None = None
        # Of the answer that is coming.
        self._status = 0
        self._retry_after = b""
        self._body = bytearray()
        self._received = 0
        # Whether another request may follow.
        self.reusable = False
        self.kept_at = 0.0

    async def exchange(self, request: bytes, seconds: float) -> Answer:
        """Sends a request and waits for the answer.

        An answer whose head is complete counts, however its body ends.

        Raises:
            NoAnswerError: if the connection was closed before.
            InvalidAnswerError: if what came is not HTTP.
            TimeoutError: if nothing came in time.
            OSError: if the connection broke.
        """
        if self._transport is None or self._transport.is_closing():
            raise NoAnswerError
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Answer] = loop.create_future()
        self._waiter = waiter
        self._status, self._received = 0, 0
        self._body.clear()
        self.reusable = False
        timer = loop.call_later(seconds, self._end, TimeoutError())
        self._transport.write(request)
        try:
            return await waiter
        finally:
            timer.cancel()
            self._waiter = None
            if not self.reusable:
                self.abort()

    def abort(self) -> None:
        """Ends the connection without another word: nobody waits for the other side."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Ends a connection that is idle."""
        if self._transport is not None:
            self._transport.close()

    @property
    def open(self) -> bool:
        """Whether it is still open, as far as is known."""
        return self._transport is not None and not self._transport.is_closing()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._waiter is None or self._waiter.done():
            # Nobody has asked: whatever it is, it is no answer.
            self.reusable = False
            self.abort()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._end(InvalidAnswerError())
        if self._received > LONGEST_ANSWER:
            self._end(InvalidAnswerError())

    def eof_received(self) -> None:
        """The other side sends nothing more; the connection is closed."""

    def connection_lost(self, failure: Exception | None) -> None:
        """The connection is closed."""
        self.reusable = False
        self._end(failure or NoAnswerError())

    # What the parser calls.

    def on_message_begin(self) -> None:
        """An answer begins; a second one was not asked for."""
        self.reusable = False
        self._retry_after = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is complete."""
        if len(name) == len(b"retry-after") and name.lower() == b"retry-after":
            self._retry_after = value

    def on_headers_complete(self) -> None:
        """The head is complete; another one follows if it is a provisional one."""
        status = self._parser.get_status_code()
        if status >= 200 or status == 101:
            self._status = status

    def on_body(self, data: bytes) -> None:
        """A piece of the body has come."""
        self._body += data[:KEPT_BYTES]
        if len(self._body) >= KEPT_BYTES:
            self._end()

    def on_message_complete(self) -> None:
        """The answer is complete, and may have been a provisional one."""
        if self._status and self._waiter is not None and not self._waiter.done():
            assert self._transport is not None
            # A receiver that answers before it has read everything reads no second request.
            unsent = self._transport.get_write_buffer_size()
            self.reusable = self._parser.should_keep_alive() and not unsent
            self._end()

    def _end(self, failure: Exception | None = None) -> None:
        """Gives the caller the answer, or why there is none if its head is not complete."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._status:
            waiter.set_result(
                Answer(self._status, bytes(self._body[:KEPT_BYTES]), self._retry_after)
            )
        else:
            waiter.set_exception(failure or NoAnswerError())


class Lookups:
    """What names resolve to: asked once for all who want to know at the same time."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[str, int], tuple[float, asyncio.Future[list[AddrInfoType]]]]
        self._found = OrderedDict()

    async def addresses(self, host: str, port: int) -> list[AddrInfoType]:
        """The addresses of a host.

        Raises:
            OSError: if it has none.
        """
        if (literal := _literal(host, port)) is not None:
            return [literal]
        self._forget()
        known = self._found.get((host, port))
        if known is None:
            # On threads of the loop's own: those of uvloop are too few for dead name servers.
            asked = asyncio.get_running_loop().run_in_executor(None, _look_up, host, port)
            known = self._found[(host, port)] = (time.monotonic(), asked)
        try:
            return await asyncio.shield(known[1])
        except OSError:
            if self._found.get((host, port)) is known:
                del self._found[(host, port)]
            raise

    def _forget(self) -> None:
        before = time.monotonic() - LOOKUP_SECONDS
        while self._found:
            asked_at, answer = next(iter(self._found.values()))
            if asked_at >= before or not answer.done():
                return
            self._found.popitem(last=False)


def _literal(host: str, port: int) -> AddrInfoType | None:
    try:
        ip = ip_address(host)
    except ValueError:
        return None
    if ip.version == 4:
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
    return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))


def _look_up(host: str, port: int) -> list[AddrInfoType]:
    found = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_ADDRCONFIG
    )
    return cast("list[AddrInfoType]", found)


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@dataclass
class Connections:
    """Opens connections, and keeps those that may be used again.

    Attributes:
        policy: sees the address of each connection before it is opened.
    """

    policy: AddressPolicy
    _lookups: Lookups = field(default_factory=Lookups)
    # By origin, the one that was used last at the end; the origins in the order of their use.
    _kept: OrderedDict[Origin, list[Connection]] = field(default_factory=OrderedDict)
    _count: int = 0
    _timer: asyncio.TimerHandle | None = None

    def take(self, target: Target) -> Connection | None:
        """A connection that was kept, if there is one."""
        connections = self._kept.get(target.origin)
        while connections:
            connection = connections.pop()
            self._count -= 1
            if not connections:
                del self._kept[target.origin]
            if connection.open:
                return connection
        return None

    def keep(self, target: Target, connection: Connection) -> None:
        """Keeps a connection for the next request to its origin."""
        loop = asyncio.get_running_loop()
        connection.kept_at = loop.time()
        self._kept.setdefault(target.origin, []).append(connection)
        self._count += 1
        if self._count > MOST_KEPT:
            self._drop_oldest(next(iter(self._kept)))
        if self._timer is None:
            self._timer = loop.call_later(KEPT_SECONDS, self._expire)

    async def connect(self, target: Target) -> Connection:
        """A new connection.

        Raises:
            AddressRefusedError: if the policy allows none.
            OSError: if it cannot be opened; its subclasses say why.
        """
        addresses = await self._lookups.addresses(target.host, target.port)
        opened = await start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS, socket_factory=self.policy.open_socket
        )
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection,
                sock=opened,
                ssl=_tls() if target.tls else None,
                server_hostname=target.host.rstrip(".") if target.tls else None,
            )
        except BaseException:
            opened.close()
            raise
        return connection

    def close(self) -> None:
        """Closes what is kept."""
        if self._timer is not None:
            self._timer.cancel()
        for connections in self._kept.values():
            for connection in connections:
                connection.close()
        self._kept.clear()
        self._count = 0

    def _drop_oldest(self, origin: Origin) -> None:
        connections = self._kept[origin]
        connections.pop(0).close()
        self._count -= 1
        if not connections:
            del self._kept[origin]

    def _expire(self) -> None:
        """Closes what nobody has used for long, and looks again as long as there are some."""
        loop = asyncio.get_running_loop()
        before = loop.time() - KEPT_SECONDS
        for origin, connections in list(self._kept.items()):
            while connections and connections[0].kept_at <= before:
                self._drop_oldest(origin)
        oldest = [connections[0].kept_at for connections in self._kept.values()]
        self._timer = None
        if oldest:
            self._timer = loop.call_at(min(oldest) + KEPT_SECONDS, self._expire)
