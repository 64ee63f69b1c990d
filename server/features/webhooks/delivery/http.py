"""The HTTP client that posts deliveries to addresses that strangers have chosen."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from portico_kit.clock import Clock
from server.common.outbound_addresses import AddressPolicy, AddressRefusedError
from server.features.webhooks.delivery.connections import (
    KEPT_SECONDS,
    Answer,
    Connection,
    Connections,
    InvalidAnswerError,
    InvalidUrlError,
    NoAnswerError,
    Origin,
    Target,
    target_of,
)
from server.features.webhooks.delivery_queue import AttemptResult
from server.features.webhooks.models import DEFAULT_TIMEOUT_SECONDS

# Seconds for everything from the look-up to the last byte, unless the webhook says otherwise.
TIMEOUT = float(DEFAULT_TIMEOUT_SECONDS)
# What is left for a second try on a new connection, at the least.
SHORTEST_TIMEOUT = 0.1
# Connections are kept to so many origins at once.
KEPT_ORIGINS = 200
# The longest that a receiver may ask to be left alone.
LONGEST_RETRY_AFTER = timedelta(hours=24)
# The answers whose Retry-After counts (RFC 9110, section 10.2.3; RFC 6585, section 4).
# Gateways in front of a receiver answer 502 and 504.
ASKING_FOR_TIME = (429, 502, 503, 504)


REFUSED = "The address is private or reserved; webhooks reach public addresses only."


class WebhookClient:
    """Posts deliveries. What a receiver does wrong becomes a result, never an error."""

    def __init__(
        self, policy: AddressPolicy, clock: Clock, user_agent: str, timeout: float = TIMEOUT
    ) -> None:
        """Opens the client.

        Args:
            policy: says which addresses may be connected to.
            timeout: seconds that an attempt may take.
        """
        self._clock = clock
        self._timeout = timeout
        self._defaults = {
            "user-agent": user_agent,
            "accept": "*/*",
            "accept-encoding": "identity",  # a small answer may unpack to a huge one
            "content-type": "application/json",
        }
        self._origins = RecentOrigins()
        self._connections = Connections(policy)

    async def close(self) -> None:
        """Closes the client."""
        self._connections.close()

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_seconds: float | None = None,
    ) -> AttemptResult:
        """Makes one attempt and tells what came of it.

        Args:
            timeout_seconds: how long it may take; None for what the client was opened with.
        """
        started_at, started = self._clock(), time.monotonic()
        status, text, error, pause = None, "", "", None
        try:
            answer = await self._send(url, body, headers, timeout_seconds)
            status = answer.status
            if status in ASKING_FOR_TIME:
                pause = retry_after(answer.retry_after.decode("latin-1"), self._clock())
            text = _readable(answer.body)
        except (NoAnswerError, InvalidAnswerError, TimeoutError, OSError, ValueError) as failure:
            error = _explain(failure)
        duration_ms = int((time.monotonic() - started) * 1000)
        return AttemptResult(started_at, duration_ms, status, text, error, pause)

    async def _send(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float | None
    ) -> Answer:
        """Sends a delivery, on a connection that is open already if there is one.

        Such a connection may be closed on the other side at this moment, which says nothing
        of the receiver: ends it before the head of an answer, the delivery goes out once more,
        on a new one. Should the receiver have got it after all, it knows the second by its id.
        """
        seconds = self._timeout if timeout_seconds is None else timeout_seconds
        target = target_of(url)
        keep = self._origins.keeps(target.origin)
        request = self._request(target, body, headers, keep=keep)
        kept = self._connections.take(target) if keep else None
        if kept is None:
            return await self._send_fresh(target, request, seconds, keep=keep)
        started = time.monotonic()
        try:
            return await self._exchange(target, kept, request, seconds)
        except TimeoutError:
            raise
        except (NoAnswerError, OSError):
            # Both together take no longer than one may.
            left = max(seconds - (time.monotonic() - started), SHORTEST_TIMEOUT)
            return await self._send_fresh(target, request, left, keep=keep)

    async def _send_fresh(
        self, target: Target, request: bytes, seconds: float, *, keep: bool
    ) -> Answer:
        """Sends a request on a connection of its own."""
        started = time.monotonic()
        async with asyncio.timeout(seconds):
            connection = await self._connections.connect(target)
        left = seconds - (time.monotonic() - started)
        if keep:
            return await self._exchange(target, connection, request, left)
        try:
            return await connection.exchange(request, left)
        finally:
            connection.abort()

    async def _exchange(
        self, target: Target, connection: Connection, request: bytes, seconds: float
    ) -> Answer:
        """Sends a request, and keeps the connection if another one may follow."""
        answer = await connection.exchange(request, seconds)
        if connection.reusable:
            self._connections.keep(target, connection)
        return answer

    def _request(
        self, target: Target, body: bytes, headers: Mapping[str, str], *, keep: bool
    ) -> bytes:
        """The request as it is sent.

        Raises:
            ValueError: if a header would be more than one.
        """
        lines = {**self._defaults, **{name.lower(): value for name, value in headers.items()}}
        text = "\r\n".join([f"{name}: {value}" for name, value in lines.items()])
        if text.count("\r") + text.count("\n") != 2 * (len(lines) - 1) or "\0" in text:
            raise ValueError("a header has a line break")
        connection = "" if keep else "connection: close\r\n"
        end = f"\r\n{connection}content-length: {len(body)}\r\n\r\n"
        return b"".join((target.head, text.encode(), end.encode(), body))


class RecentOrigins:
    """The origins to which connections are kept: a few, so that there are files for all else."""

    def __init__(self) -> None:
        self._last_used: OrderedDict[Origin, float] = OrderedDict()

    def keeps(self, origin: Origin) -> bool:
        """Whether connections to an origin are kept; it counts as used now."""
        now = time.monotonic()
        while self._last_used and next(iter(self._last_used.values())) < now - KEPT_SECONDS:
            self._last_used.popitem(last=False)
        if origin not in self._last_used and len(self._last_used) >= KEPT_ORIGINS:
            return False
        self._last_used[origin] = now
        self._last_used.move_to_end(origin)
        return True


def retry_after(value: str, now: datetime) -> timedelta | None:
    """How long a Retry-After header asks to wait, at most a day; None if it says nothing.

    Args:
        value: seconds, or a date of HTTP.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        # More digits than these are more than a day, whatever they are.
        seconds = int(value.lstrip("0")[:9] or "0")
        return min(timedelta(seconds=seconds), LONGEST_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(value)
        # One without a zone is UTC, as all dates of HTTP are.
        wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return None
    return max(timedelta(0), min(wait, LONGEST_RETRY_AFTER))


def _readable(body: bytes) -> str:
    """The first bytes of an answer, as text that PostgreSQL can hold."""
    return body.decode(errors="replace").replace("\0", "")


# The first that fits, told to the customer: what went wrong, and nothing of our network.
_EXPLANATIONS: tuple[tuple[type[Exception], str], ...] = (
    (AddressRefusedError, REFUSED),
    (TimeoutError, "There was no answer in time."),
    (socket.gaierror, "The host name could not be resolved."),
    (ssl.SSLCertVerificationError, "The TLS certificate is not valid."),
    (ssl.SSLError, "The TLS connection could not be established."),
    (NoAnswerError, "The connection was closed without an answer."),
    (ConnectionRefusedError, "The connection was refused."),
    (OSError, "The connection failed."),
    (InvalidUrlError, "The URL is not valid."),
    (InvalidAnswerError, "The answer was not valid HTTP."),
)


def _explain(failure: Exception) -> str:
    for kind, explanation in _EXPLANATIONS:
        if isinstance(failure, kind):
            return explanation
    return "The request could not be sent."
