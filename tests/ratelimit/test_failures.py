"""Promises about the limiter when Valkey fails it, and about what it leaves there."""

from __future__ import annotations

import asyncio
import re
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from redis.asyncio import Redis
from redis.crc import key_slot

from cli.run.watchdog import Watchdog
from edge.settings import RateLimitSettings
from portico_kit.testing.clocks import FakeClock
from tests.ratelimit.harness import Gateway, RateLimitResult, descriptor, running_limiter, somebody
from tests.stack import running_valkey


async def refusal(gateway: Gateway) -> grpc.StatusCode:
    """The status with which a request fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.ask(subject=somebody())
    return caught.value.code()


@pytest.fixture(params=["pygrpc-native", "grpcio"])
async def strict(
    request: pytest.FixtureRequest, valkey_url: str, short_folder: Path
) -> AsyncIterator[Gateway]:
    """A service, with each engine, that waits no longer than it does in earnest."""
    settings = RateLimitSettings(
        redis_url=valkey_url, runtime_dir=short_folder / "strict", grpc_engine=request.param
    )
    async with running_limiter(settings, FakeClock()) as gateway:
        yield gateway


async def test_without_valkey_calls_fail_at_once_and_it_recovers_by_itself(
    short_folder: Path, watchdog: Watchdog
) -> None:
    folder = short_folder / "mortal"
    settings = RateLimitSettings(
        redis_url=f"unix://{folder}/valkey.sock",
        runtime_dir=short_folder / "mortal-limits",
        # A Valkey that has just started may be slow; one that is away is refused at once.
        ratelimit_timeout=2,
    )
    async with running_limiter(settings, FakeClock()) as gateway:
        assert await refusal(gateway) is grpc.StatusCode.UNAVAILABLE
        for _ in range(2):
            async with running_valkey(folder, watchdog):
                answers = [await gateway.ask(subject="someone") for _ in range(11)]
                assert [answer.admitted for answer in answers] == [True] * 10 + [False]
            started = time.monotonic()
            assert await refusal(gateway) is grpc.StatusCode.UNAVAILABLE
            assert time.monotonic() - started < 0.5


async def test_a_slow_valkey_fails_the_call_within_its_time(strict: Gateway, valkey: Redis) -> None:
    await strict.ask(subject=somebody())
    await valkey.client_pause(600)
    for _ in range(3):
        started = time.monotonic()
        assert await refusal(strict) is grpc.StatusCode.UNAVAILABLE
        assert 0.03 < time.monotonic() - started < 0.2
    await valkey.ping()  # answered when the pause is over
    assert (await strict.ask(subject=somebody())).admitted


async def test_a_valkey_that_lost_the_script_is_given_it_again(
    gateway: Gateway, valkey: Redis
) -> None:
    await gateway.ask(subject=somebody())
    await valkey.script_flush()
    assert (await gateway.ask(subject=somebody())).admitted


async def test_a_lost_connection_is_replaced_without_a_failed_call(
    gateway: Gateway, valkey: Redis
) -> None:
    await gateway.ask(subject=somebody())
    await valkey.client_kill_filter(_type="normal", skipme=True)
    assert (await gateway.ask(subject=somebody())).admitted


async def test_a_request_whose_answer_was_lost_is_not_charged_twice(short_folder: Path) -> None:
    charged = []

    async def lose_the_answer(reader: StreamReader, writer: StreamWriter) -> None:
        while b"EVALSHA" not in (sent := await reader.read(65536)) and sent:
            writer.write(b"+OK\r\n" * len(re.findall(rb"\*\d+\r\n", sent)))
        if sent:
            charged.append(sent)
        writer.close()

    path = short_folder / "forgetful.sock"
    settings = RateLimitSettings(redis_url=f"unix://{path}", runtime_dir=short_folder / "forgetful")
    async with (
        await asyncio.start_unix_server(lose_the_answer, path),
        running_limiter(settings, FakeClock()) as gateway,
    ):
        assert await refusal(gateway) is grpc.StatusCode.UNAVAILABLE
    assert len(charged) == 1


async def test_a_request_without_a_domain_is_a_mistake(gateway: Gateway) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.send([descriptor({"category": "read"})], domain="")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_request_without_a_descriptor_is_a_mistake(gateway: Gateway) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.send([])
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_everything_in_valkey_expires_by_itself(gateway: Gateway, valkey: Redis) -> None:
    await gateway.ask(subject=somebody(), limits="minute=9,month=9")
    await gateway.ask(address="192.0.2.9", category="login")
    lives = [await valkey.ttl(key) for key in await valkey.keys("*")]
    assert len(lives) == 3
    assert all(0 < life <= 17 * 86400 for life in lives)


async def test_a_count_is_kept_until_it_has_faded(
    gateway: Gateway, valkey: Redis, clock: FakeClock
) -> None:
    await gateway.ask(address="192.0.2.9", category="read")
    (key,) = await valkey.keys("*")
    # It is noon: what is charged in this hour counts, less and less, until two.
    assert 7190 <= await valkey.ttl(key) <= 7200
    await valkey.pexpire(key, 1000)
    await gateway.ask(address="192.0.2.9", category="read")
    assert await valkey.pttl(key) <= 1000  # in the same spans nothing is to be prolonged
    clock.advance(seconds=3600)
    await gateway.ask(address="192.0.2.9", category="read")
    assert 7190 <= await valkey.ttl(key) <= 7200


async def test_a_log_is_kept_as_long_as_its_last_charge_counts(
    gateway: Gateway, valkey: Redis, clock: FakeClock
) -> None:
    for _ in range(2):
        await gateway.ask(address="192.0.2.9", category="login")
        (key,) = await valkey.keys("*")
        assert 3590 <= await valkey.ttl(key) <= 3600
        await valkey.pexpire(key, 1000)
        clock.advance(seconds=1)


async def test_all_counts_of_a_caller_are_on_one_node_of_a_cluster(
    gateway: Gateway, valkey: Redis
) -> None:
    caller = somebody()
    for category in ("read", "write", "delete"):
        await gateway.ask(subject=caller, category=category, limits="minute=9")
    keys = await valkey.keys("*")
    assert len(keys) == 4
    assert len({key_slot(str(key).encode()) for key in keys}) == 1


async def test_a_small_limit_takes_little_room_whatever_is_asked(
    gateway: Gateway, valkey: Redis, clock: FakeClock
) -> None:
    for _ in range(40):
        await gateway.ask(address="192.0.2.9", category="login")
        clock.advance(seconds=13)
    (key,) = await valkey.keys("*")
    assert 0 < (await valkey.memory_usage(key) or 0) < 400  # bytes


async def test_what_others_have_put_under_the_key_of_a_caller_is_no_count(
    gateway: Gateway, valkey: Redis
) -> None:
    for value in (b"x", b"\x00", b"\x00\x05abc", b"\x00\xff", b"y" * 16):
        caller = somebody()
        await valkey.set(f"rl:{{subject:{caller}}}:read", value)
        assert (await gateway.ask(subject=caller)).left == {"burst": 9, "minute": 29, "hour": 499}


async def test_a_caller_whose_count_is_spoilt_costs_nobody_else_an_answer(
    gateway: Gateway, valkey: Redis
) -> None:
    spoilt = somebody()
    await valkey.set(f"rl:{{subject:{spoilt}}}:read", b"\x01" * 17 * 9000)
    callers = [spoilt, *(somebody() for _ in range(50))]
    answers = await asyncio.gather(
        *(gateway.ask(subject=caller) for caller in callers), return_exceptions=True
    )
    assert all(isinstance(answer, RateLimitResult) and answer.admitted for answer in answers[1:])


async def test_a_caller_takes_little_room(gateway: Gateway, valkey: Redis) -> None:
    for _ in range(20):
        await gateway.ask(subject="01980d1c-7a5b-7c3e-9f00-3a1b2c4d5e6f")
    (key,) = await valkey.keys("*")
    assert 0 < (await valkey.memory_usage(key) or 0) < 300  # bytes


async def test_a_clock_that_is_a_little_behind_charges_the_span_that_has_begun(
    gateway: Gateway, valkey: Redis, clock: FakeClock
) -> None:
    caller = somebody()
    await gateway.admitted(10, subject=caller)
    clock.advance(seconds=-0.005)  # another process, five milliseconds late, in the span before
    assert not (await gateway.ask(subject=caller)).admitted


async def test_a_clock_that_was_far_ahead_locks_nobody_out(
    gateway: Gateway, valkey: Redis, clock: FakeClock
) -> None:
    caller = somebody()
    clock.advance(seconds=86400)
    await gateway.admitted(10, subject=caller)
    clock.advance(seconds=-86400)
    assert (await gateway.ask(subject=caller)).admitted
