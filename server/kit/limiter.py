"""Asks the rate limit service for what only the core can see, for example an email address."""

from __future__ import annotations

from datetime import timedelta

import grpc
from envoy.extensions.common.ratelimit.v3 import ratelimit_pb2
from envoy.service.ratelimit.v3 import rls_pb2, rls_pb2_grpc
from grpc import StatusCode, aio

from server.kit.errors import DomainError, UnavailableError
from server.kit.secrets import Secrets

DOMAIN = "portico"
TIMEOUT = 0.5  # seconds


class RateLimitExceededError(DomainError):
    """Too many requests; try again later."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMIT_EXCEEDED"


class Limiter:
    """A client of edge/ratelimit, over the protocol that Envoy speaks with it."""

    def __init__(self, channel: aio.Channel, secrets: Secrets) -> None:
        self._stub = rls_pb2_grpc.RateLimitServiceStub(channel)
        self._secrets = secrets

    async def charge_email(self, email: str, category: str) -> None:
        """Charges one request to an address; the limiter sees only a keyed hash of it.

        Raises:
            RateLimitExceededError: if the address has none left.
            UnavailableError: if the limiter does not answer. What is limited here
                must not be open to guessing, so it fails closed.
        """
        entries = {"email": self._secrets.mac("limiter", email).hex(), "category": category}
        request = rls_pb2.RateLimitRequest(domain=DOMAIN, descriptors=[_descriptor(entries)])
        try:
            answer = await self._stub.ShouldRateLimit(request, timeout=TIMEOUT)
        except grpc.RpcError as error:
            raise UnavailableError from error
        if answer.overall_code == rls_pb2.RateLimitResponse.OVER_LIMIT:
            seconds = max(1, answer.statuses[0].duration_until_reset.seconds)
            raise RateLimitExceededError(retry_after=timedelta(seconds=seconds))


def _descriptor(entries: dict[str, str]) -> ratelimit_pb2.RateLimitDescriptor:
    return ratelimit_pb2.RateLimitDescriptor(
        entries=[
            ratelimit_pb2.RateLimitDescriptor.Entry(key=key, value=value)
            for key, value in entries.items()
        ]
    )
