"""What the tests of the rate limit service share: a clock to turn, and a caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count

import grpc
from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from envoy.service.ratelimit.v3.rls_pb2_grpc import RateLimitServiceStub
from google.protobuf.wrappers_pb2 import UInt64Value
from redis.asyncio import Redis

from edge.ratelimit.main import ratelimit
from edge.settings import RateLimitSettings
from portico_kit.edge_state.limits import LIMITS_CHANNEL, LIMITS_HASH, LimitsDocument
from portico_kit.testing.clocks import FakeClock
from portico_kit.testing.waiting import eventually

_numbers = count(1)


def somebody() -> str:
    """A caller that nobody has seen before."""
    return f"caller-{next(_numbers)}"


@dataclass(frozen=True)
class RateLimitResult:
    """What Envoy is told."""

    response: RateLimitResponse

    @property
    def admitted(self) -> bool:
        return bool(self.response.overall_code == RateLimitResponse.OK)

    @property
    def status(self) -> RateLimitResponse.DescriptorStatus:
        return self.response.statuses[0]

    @property
    def headers(self) -> dict[str, str]:
        return {header.key: header.value for header in self.response.response_headers_to_add}

    @property
    def left(self) -> dict[str, int]:
        """What remains, by window, as the RateLimit header tells it."""
        return self._parameters("ratelimit", "r")

    @property
    def quotas(self) -> dict[str, int]:
        """The limits, by window, as the RateLimit-Policy header tells them."""
        return self._parameters("ratelimit-policy", "q")

    def _parameters(self, header: str, name: str) -> dict[str, int]:
        found = {}
        for item in self.headers[header].split(", "):
            window, *parameters = item.split(";")
            values = dict(parameter.split("=") for parameter in parameters)
            found[window.strip('"')] = int(values[name])
        return found


def descriptor(entries: Mapping[str, str], own_cost: int | None = None) -> RateLimitDescriptor:
    """A descriptor as the gateway makes it."""
    made = RateLimitDescriptor(
        entries=[RateLimitDescriptor.Entry(key=key, value=value) for key, value in entries.items()]
    )
    if own_cost is not None:
        made.hits_addend.CopyFrom(UInt64Value(value=own_cost))
    return made


class Gateway:
    """Asks as Envoy does."""

    def __init__(self, stub: RateLimitServiceStub) -> None:
        self._stub = stub

    async def ask(
        self, *, cost: int = 0, own_cost: int | None = None, **entries: str
    ) -> RateLimitResult:
        """One request with one descriptor; a subject is on the free tier and reads, if not told.

        Args:
            cost: the request's hits_addend.
            own_cost: the descriptor's hits_addend.
        """
        if "subject" in entries:
            entries = {"tier": "free", "category": "read", **entries}
        return await self.send([descriptor(entries, own_cost)], cost=cost)

    async def send(
        self, descriptors: Iterable[RateLimitDescriptor], *, cost: int = 0, domain: str = "portico"
    ) -> RateLimitResult:
        """One request with any descriptors."""
        request = RateLimitRequest(domain=domain, descriptors=descriptors, hits_addend=cost)
        return RateLimitResult(await self._stub.ShouldRateLimit(request, timeout=5))

    async def admitted(self, times: int, *, subject: str) -> int:
        """How many of so many requests of a caller are admitted."""
        return sum([(await self.ask(subject=subject)).admitted for _ in range(times)])


class Organizations:
    """Sets the limits of organizations where the core writes them."""

    def __init__(self, valkey: Redis, gateway: Gateway) -> None:
        self._valkey = valkey
        self._gateway = gateway
        self._in_zone: dict[str, str] = {}

    async def set(self, limits: LimitsDocument, organization: str | None = None) -> str:
        """Gives an organization these limits, a new one if none is named, and waits for them.

        It is seen by a pool that nobody else has.
        """
        name = organization or f"organization-{next(_numbers)}"
        mark = 1_000_000 + next(_numbers)
        overrides = {"pool": {"minute": mark}, **limits.overrides}
        marked = replace(limits, overrides={**overrides, "delete": {"minute": mark}})
        await self._valkey.hset(LIMITS_HASH, name, marked.json)
        await self._valkey.publish(LIMITS_CHANNEL, name)

        async def seen() -> bool:
            return await self._burst_of_deletions(name) == -(-mark // 3)

        await eventually(seen, every=0.005)
        return name

    async def in_zone(self, zone: str) -> str:
        """An organization in a time zone."""
        if zone not in self._in_zone:
            self._in_zone[zone] = await self.set(LimitsDocument(time_zone=zone))
        return self._in_zone[zone]

    async def _burst_of_deletions(self, name: str) -> int:
        """The limit of the first window: of windows that are all full, the first is named."""
        answer = await self._gateway.ask(
            subject=somebody(), organization=name, category="delete", own_cost=0
        )
        return int(answer.status.current_limit.requests_per_unit)


@asynccontextmanager
async def running_limiter(settings: RateLimitSettings, clock: FakeClock) -> AsyncIterator[Gateway]:
    """The service, up as long as the block lasts."""
    async with (
        ratelimit(settings, clock),
        grpc.aio.insecure_channel(f"unix:{settings.ratelimit_socket}") as channel,
    ):
        yield Gateway(RateLimitServiceStub(channel))
