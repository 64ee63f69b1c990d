"""Junk from one caller of an edge service is that caller's own error, with each engine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.authorize.main import authorize
from edge.ratelimit.main import ratelimit
from edge.settings import AuthorizeSettings, RateLimitSettings
from portico_kit.testing.clocks import FakeClock
from tests.ratelimit.harness import descriptor, somebody

HEALTH = "/grpc.health.v1.Health/Check"
RATELIMIT = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
AUTHORIZE = "/envoy.service.auth.v3.Authorization/Check"
# Tag and length of a field that is longer than the message.
CUT_SHORT = bytes.fromhex("0affffff")
JUNK = [CUT_SHORT, b"\xff" * 40, b"\x0a\x02\xff\xfe", b"\x08", bytes(range(256)), b"\x0b" * 200]

OPTIONS = settings(
    max_examples=150,
    deadline=None,
    # The services are to live through all examples.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@dataclass
class Service:
    """A running service.

    Attributes:
        good: a request that is answered.
    """

    channel: grpc.aio.Channel
    method: str
    good: bytes

    async def send(self, method: str, message: bytes) -> grpc.StatusCode:
        """Calls a method with any bytes, and gives the status."""
        try:
            call: Any = self.channel.unary_unary(method)
            await call(message, timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    async def lives(self) -> bool:
        """Whether it answers a good request, and says that it does."""
        stub = health_pb2_grpc.HealthStub(self.channel)
        health = await stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
        answered = await self.send(self.method, self.good)
        return answered is grpc.StatusCode.OK and health.status == health.SERVING


@pytest.fixture(params=["pygrpc-native", "grpcio"])
async def engine_settings(
    request: pytest.FixtureRequest, valkey_url: str, short_folder: Path
) -> dict[str, object]:
    return {
        "redis_url": valkey_url,
        "runtime_dir": short_folder / f"junk-{request.param}",
        "grpc_engine": request.param,
    }


@pytest.fixture(params=["ratelimit", "authorize"])
async def service(
    request: pytest.FixtureRequest, engine_settings: dict[str, object]
) -> AsyncIterator[Service]:
    async with AsyncExitStack() as parts:
        if request.param == "ratelimit":
            limits = RateLimitSettings.model_validate({**engine_settings, "ratelimit_timeout": 10})
            await parts.enter_async_context(ratelimit(limits, FakeClock()))
            socket, method, good = limits.ratelimit_socket, RATELIMIT, _question()
        else:
            keys = AuthorizeSettings.model_validate({**engine_settings, "internal_token": "t" * 32})
            await parts.enter_async_context(authorize(keys))
            socket, method = keys.authorize_socket, AUTHORIZE
            good = CheckRequest().SerializeToString()
        channel = await parts.enter_async_context(grpc.aio.insecure_channel(f"unix:{socket}"))
        yield Service(channel, method, good)


def _question() -> bytes:
    """A request for somebody new."""
    one = descriptor({"subject": somebody(), "tier": "free", "category": "read"})
    serialized: bytes = RateLimitRequest(domain="portico", descriptors=[one]).SerializeToString()
    return serialized


async def test_a_malformed_message_is_an_error_and_the_service_lives_on(service: Service) -> None:
    for method in (HEALTH, service.method, "/grpc.health.v1.Health/Watch", "/no.such/Method", "/"):
        for junk in JUNK:
            assert await service.send(method, junk) is not grpc.StatusCode.UNAVAILABLE
    assert await service.send(HEALTH, CUT_SHORT) is not grpc.StatusCode.OK
    assert await service.send(service.method, CUT_SHORT) is not grpc.StatusCode.OK
    assert await service.lives()


async def test_good_requests_beside_malformed_ones_are_answered(service: Service) -> None:
    chosen = random.Random(7)  # noqa: S311 (the same junk at each run)
    junk = [(chosen.choice([HEALTH, service.method]), chosen.choice(JUNK)) for _ in range(200)]
    good = [(service.method, service.good)] * 8
    calls = junk + good
    chosen.shuffle(calls)
    answers = await asyncio.gather(*(service.send(*call) for call in calls))
    of_good = [code for call, code in zip(calls, answers, strict=True) if call in good]
    assert of_good == [grpc.StatusCode.OK] * 8
    assert await service.lives()


def _mutations(message: bytes) -> Iterator[bytes]:
    """A good message with each of its bytes changed in turn, and cut off at each."""
    for at in range(len(message)):
        yield message[:at]
        for value in (0, 0x7F, 0xFF):
            yield message[:at] + bytes([value]) + message[at + 1 :]


async def test_no_change_of_a_good_message_ends_the_service(service: Service) -> None:
    calls = [service.send(service.method, each) for each in _mutations(service.good)]
    answers = await asyncio.gather(*calls)
    assert grpc.StatusCode.UNAVAILABLE not in answers
    assert await service.lives()


@OPTIONS
@given(junk=st.binary(max_size=300), health=st.booleans())
async def test_no_bytes_end_the_service(service: Service, junk: bytes, health: bool) -> None:
    code = await service.send(HEALTH if health else service.method, junk)
    assert code is not grpc.StatusCode.UNAVAILABLE
    assert await service.lives()


# Everything that the protocol has room for, in our own domain and in another.
DESCRIPTORS: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    entries=st.lists(
        st.tuples(
            st.sampled_from(["category", "subject", "tier", "organization", "limits", "address"])
            | st.text(max_size=8),
            st.sampled_from(["read", "login", "free", "minute=1,week=2", "::1", "192.0.2.1"])
            | st.text(max_size=8),
        ),
        max_size=6,
    ),
    unit=st.integers(0, 2**31 - 1) | st.integers(0, 8),
    limit=st.integers(0, 2**32 - 1),
    hits=st.none() | st.integers(0, 2**64 - 1),
)


@OPTIONS
@given(
    domain=st.sampled_from(["portico", "another", "é"]),
    descriptors=st.lists(DESCRIPTORS, max_size=4),
    hits=st.integers(0, 2**32 - 1),
)
async def test_every_question_of_the_protocol_is_answered(
    engine_settings: dict[str, object],
    limiter: Service,
    domain: str,
    descriptors: list[dict[str, Any]],
    hits: int,
) -> None:
    request = RateLimitRequest(domain=domain, hits_addend=hits)
    for one in descriptors:
        added = request.descriptors.add()
        for key, value in one["entries"]:
            added.entries.add(key=key, value=value)
        if one["unit"]:
            added.limit.unit, added.limit.requests_per_unit = one["unit"], one["limit"]
        if one["hits"] is not None:
            added.hits_addend.value = one["hits"]
    code = await limiter.send(RATELIMIT, request.SerializeToString())
    expected = grpc.StatusCode.OK if descriptors else grpc.StatusCode.INVALID_ARGUMENT
    assert code is expected


@pytest.fixture
async def limiter(engine_settings: dict[str, object]) -> AsyncIterator[Service]:
    limits = RateLimitSettings.model_validate({**engine_settings, "ratelimit_timeout": 10})
    async with (
        ratelimit(limits, FakeClock()),
        grpc.aio.insecure_channel(f"unix:{limits.ratelimit_socket}") as channel,
    ):
        yield Service(channel, RATELIMIT, _question())


async def test_one_bad_question_costs_none_of_a_batch_its_answer(limiter: Service) -> None:
    odd = descriptor({"subject": somebody()})
    odd.limit.unit, odd.limit.requests_per_unit = 77, 1
    bad = [
        CUT_SHORT,
        b"",
        RateLimitRequest(domain="portico").SerializeToString(),
        RateLimitRequest(domain="portico", descriptors=[odd]).SerializeToString(),
    ]
    good = [_question() for _ in range(400)]
    calls = [*good[:200], *bad, *good[200:]]
    answers = await asyncio.gather(*(limiter.send(RATELIMIT, each) for each in calls))
    assert answers[:200] + answers[-200:] == [grpc.StatusCode.OK] * 400
    assert answers[200:203] == [grpc.StatusCode.INVALID_ARGUMENT] * 3
