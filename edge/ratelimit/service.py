"""The gRPC face: reads Envoy's descriptors, has the request charged, renders the decision."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
import structlog
from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from envoy.service.ratelimit.v3.rls_pb2_grpc import RateLimitServiceServicer
from redis import RedisError

from edge.ratelimit.counters import Counters
from edge.ratelimit.policy import Charge, Doubt, charge_for
from edge.ratelimit.render import render
from server.kit.clock import Clock

DOMAIN = "portico"
LARGEST_COST = 1_000_000_000  # so that the script's numbers stay exact

log = structlog.get_logger("ratelimit")

Context = grpc.aio.ServicerContext[RateLimitRequest, RateLimitResponse]


class RateLimitService(RateLimitServiceServicer):  # type: ignore[misc]
    """envoy.service.ratelimit.v3.RateLimitService."""

    def __init__(self, counters: Counters, clock: Clock, timeout: float) -> None:
        """Takes its parts.

        Args:
            timeout: seconds after which Valkey counts as unavailable.
        """
        self._counters = counters
        self._clock = clock
        self._timeout = timeout
        self._doubts_told: set[Doubt] = set()

    async def ShouldRateLimit(  # noqa: N802
        self, request: RateLimitRequest, context: Context
    ) -> RateLimitResponse:
        """Admits or refuses a request, and charges it if it is admitted."""
        if request.domain != DOMAIN or not request.descriptors:
            problem = f"the domain must be {DOMAIN!r} and there must be a descriptor"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
        charges = _charges(request)
        self._tell_doubts(charges)
        try:
            async with asyncio.timeout(self._timeout):
                decision = await self._counters.charge(charges, self._clock())
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("valkey_unavailable", error=type(error).__name__)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the limits cannot be read")
        return render(decision)

    def _tell_doubts(self, charges: Sequence[Charge]) -> None:
        """Logs each kind of doubt once: it is a mistake in a gateway, not in a request."""
        for doubt in (doubt for charge in charges for doubt in charge.doubts):
            if doubt not in self._doubts_told:
                self._doubts_told.add(doubt)
                log.warning("unclear_descriptor", doubt=doubt.value)


def _charges(request: RateLimitRequest) -> list[Charge]:
    return [
        charge_for(
            {entry.key: entry.value for entry in descriptor.entries},
            _cost(descriptor, request.hits_addend),
        )
        for descriptor in request.descriptors
    ]


def _cost(descriptor: RateLimitDescriptor, of_request: int) -> int:
    """What a descriptor costs: its own figure if it has one, else the request's, else 1."""
    if descriptor.HasField("hits_addend"):
        return min(int(descriptor.hits_addend.value), LARGEST_COST)
    return min(of_request or 1, LARGEST_COST)
