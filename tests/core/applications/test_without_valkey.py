"""Without Valkey a wrong secret is refused all the same, and no assertion is accepted twice."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from portico_kit.errors import UnavailableError
from portico_kit.secrets import Secrets
from portico_kit.testing.ports import free_port
from server.features.applications.assertions import UsedAssertions
from server.features.applications.errors import InvalidClientError
from server.features.applications.failures import ClientFailures

SECRETS = Secrets(os.urandom(32))


def nobody() -> Redis:
    return Redis.from_url(f"redis://127.0.0.1:{free_port()}")


async def test_a_failure_that_cannot_be_counted_is_a_failure() -> None:
    async with nobody() as redis:
        with pytest.raises(InvalidClientError):
            await ClientFailures(redis, SECRETS).failed("a client", InvalidClientError())


async def test_an_assertion_that_may_have_been_used_is_not_accepted() -> None:
    async with nobody() as redis:
        with pytest.raises(UnavailableError):
            await UsedAssertions(redis, SECRETS).use("a client", "jti", timedelta(minutes=1))
