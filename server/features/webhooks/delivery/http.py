"""The HTTP client that posts deliveries to addresses that strangers have chosen."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import aiohttp
from aiohttp import ClientTimeout
from yarl import URL

from portico_kit.clock import Clock
from server.common.outbound_addresses import AddressPolicy, AddressRefusedError
from server.features.webhooks.delivery_queue import AttemptResult
from server.features.webhooks.models import DEFAULT_TIMEOUT_SECONDS

# For everything from the look-up to the last byte, unless the webhook says otherwise.
TIMEOUT = float(DEFAULT_TIMEOUT_SECONDS)
# What is left for a second try on a new connection, at the least.
SHORTEST_TIMEOUT = 0.1
KEPT_BYTES = 2048  # of an answer
# A connection is kept open for so many seconds after an answer, to so many origins at once.
KEPT_SECONDS = 15.0
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
        """Opens the client; needs a running event loop.

        Args:
            policy: says which addresses may be connected to.
            timeout: seconds that an attempt may take.
        """
        self._clock = clock
        self._policy = policy
        self._timeout = timeout
        self._user_agent = user_agent
        self._origins = RecentOrigins()
        self._kept = self._session(keep=True)
        self._fresh = self._session(keep=False)

    async def close(self) -> None:
        """Closes the client."""
        await self._kept.close()
        await self._fresh.close()

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
            async with await self._send(url, body, headers, timeout_seconds) as response:
                status = response.status
                if status in ASKING_FOR_TIME:
                    pause = retry_after(response.headers.get("retry-after", ""), self._clock())
                text = await _beginning(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as failure:
            error = _explain(failure)
        duration_ms = int((time.monotonic() - started) * 1000)
        return AttemptResult(started_at, duration_ms, status, text, error, pause)

    async def _send(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float | None
    ) -> aiohttp.ClientResponse:
        """Sends a delivery, on a connection that is open already if there is one.

        Such a connection may be closed on the other side at this moment, which says nothing
        of the receiver: ends it before the head of an answer, the delivery goes out once more,
        on a new one. Should the receiver have got it after all, it knows the second by its id.
        """
        if not self._origins.keeps(url):
            return await _post(self._fresh, url, body, headers, timeout_seconds)
        connection, started = Connection(), time.monotonic()
        try:
            return await _post(self._kept, url, body, headers, timeout_seconds, connection)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as failure:
            if not connection.reused or isinstance(failure, aiohttp.ClientConnectorError):
                raise
        # Both together take no longer than one may.
        longest = self._timeout if timeout_seconds is None else timeout_seconds
        left = max(longest - (time.monotonic() - started), SHORTEST_TIMEOUT)
        return await _post(self._fresh, url, body, headers, left)

    def _session(self, *, keep: bool) -> aiohttp.ClientSession:
        """A client of the policy's own; it keeps connections for a while, or none."""
        kept = {"keepalive_timeout": KEPT_SECONDS} if keep else {"force_close": True}
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # the deliverer counts
                socket_factory=self._policy.open_socket,
                **kept,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),  # nothing of one customer reaches another
            timeout=ClientTimeout(total=self._timeout),
            headers={"user-agent": self._user_agent, "accept-encoding": "identity"},
            auto_decompress=False,  # a small answer may unpack to a huge one
            trace_configs=[_TRACE] if keep else [],
        )


@dataclass(slots=True)
class Connection:
    """What an attempt finds out about its connection."""

    reused: bool = False


async def _note_reused(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _parameters: aiohttp.TraceConnectionReuseconnParams,
) -> None:
    context.trace_request_ctx.reused = True


_TRACE = aiohttp.TraceConfig()
_TRACE.on_connection_reuseconn.append(_note_reused)
_TRACE.freeze()


class RecentOrigins:
    """The origins to which connections are kept: a few, so that there are files for all else."""

    def __init__(self) -> None:
        self._last_used: OrderedDict[URL, float] = OrderedDict()

    def keeps(self, url: str) -> bool:
        """Whether connections to where a URL leads are kept; it counts as used now."""
        try:
            origin = URL(url).origin()
        except ValueError:
            return False
        now = time.monotonic()
        while self._last_used and next(iter(self._last_used.values())) < now - KEPT_SECONDS:
            self._last_used.popitem(last=False)
        if origin not in self._last_used and len(self._last_used) >= KEPT_ORIGINS:
            return False
        self._last_used[origin] = now
        self._last_used.move_to_end(origin)
        return True


async def _post(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    timeout_seconds: float | None,
    connection: Connection | None = None,
) -> aiohttp.ClientResponse:
    return await session.post(
        url,
        data=body,
        headers={"content-type": "application/json", **headers},
        allow_redirects=False,
        trace_request_ctx=connection,
        timeout=session.timeout if timeout_seconds is None else ClientTimeout(timeout_seconds),
    )


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


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The first bytes of an answer, as text that PostgreSQL can hold.

    Whether it was accepted is in the status: a body that breaks off, or comes
    too slowly, takes nothing from that.
    """
    kept = bytearray()
    try:
        while len(kept) < KEPT_BYTES and (piece := await response.content.readany()):
            kept += piece
    except (aiohttp.ClientError, TimeoutError):
        pass
    return kept[:KEPT_BYTES].decode(errors="replace").replace("\0", "")


# The first that fits, told to the customer: what went wrong, and nothing of our network.
_EXPLANATIONS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "There was no answer in time."),
    (aiohttp.ClientConnectorDNSError, "The host name could not be resolved."),
    (aiohttp.ClientConnectorCertificateError, "The TLS certificate is not valid."),
    (aiohttp.ClientConnectorSSLError, "The TLS connection could not be established."),
    (aiohttp.ServerDisconnectedError, "The connection was closed without an answer."),
    (ConnectionRefusedError, "The connection was refused."),
    (aiohttp.ClientOSError, "The connection failed."),
    (aiohttp.InvalidURL, "The URL is not valid."),
    (aiohttp.ClientResponseError, "The answer was not valid HTTP."),
)


def _explain(failure: Exception) -> str:
    cause = failure.os_error if isinstance(failure, aiohttp.ClientConnectorError) else failure
    if isinstance(cause, AddressRefusedError):
        return REFUSED
    for kind, explanation in _EXPLANATIONS:
        if isinstance(failure, kind) or isinstance(cause, kind):
            return explanation
    return "The request could not be sent."
