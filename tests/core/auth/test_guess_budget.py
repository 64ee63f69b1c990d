"""The budget of guesses by itself: what is checked, what waits, and what is remembered."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from portico_kit.errors import UnavailableError
from portico_kit.secrets import Secrets
from portico_kit.testing.clocks import FakeClock
from portico_kit.testing.ports import free_port
from portico_kit.testing.waiting import eventually
from server.common.guesses import Guess, GuessBudget, TooManyAttemptsError

EMAIL = "ada@example.com"
WINDOW = timedelta(minutes=15)
DAY = timedelta(days=1)


class Guesser:
    """Guesses at one account, and counts what was checked."""

    def __init__(self, budget: GuessBudget, clock: FakeClock) -> None:
        self.budget = budget
        self.clock = clock
        self.checks = 0
        self.used_up: list[bool] = []

    async def wrong(self, email: str = EMAIL, device: bytes | None = None) -> float:
        """The seconds to wait, or 0 if the guess was checked."""
        return await self._guess(email, device, right=False)

    async def right(self, email: str = EMAIL, device: bytes | None = None) -> float:
        """The same with what is right."""
        return await self._guess(email, device, right=True)

    async def fail(self, times: int, *, apart: timedelta = timedelta(seconds=20)) -> None:
        """So many failures; between them more time than any pause."""
        for _ in range(times):
            assert await self.wrong() == 0
            self.clock.advance(apart)

    async def is_let_in(self) -> bool:
        return await self.right() == 0

    async def is_asked_to_wait(self) -> bool:
        return await self.right() == 1

    async def _guess(self, email: str, device: bytes | None, *, right: bool) -> float:
        async def check() -> bool:
            self.checks += 1
            await asyncio.sleep(0)
            return right

        try:
            guess = await self.budget.guess(email, device, check)
        except TooManyAttemptsError as error:
            return (error.retry_after or timedelta()).total_seconds()
        assert guess.found is right
        self.used_up.append(guess.used_up)
        return 0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey_url) as client:
        yield client


@pytest.fixture
def budget(valkey: Redis, clock: FakeClock) -> GuessBudget:
    """One of its own: its keys follow from a secret that nothing else has."""
    return GuessBudget(valkey, Secrets(os.urandom(32)), clock)


@pytest.fixture
def guesser(budget: GuessBudget, clock: FakeClock) -> Guesser:
    return Guesser(budget, clock)


async def keys(valkey: Redis) -> set[bytes | str]:
    return set(await valkey.keys("guesses:*"))


async def test_five_failures_cost_nothing_and_each_further_one_twice_the_wait(
    guesser: Guesser, clock: FakeClock
) -> None:
    for _ in range(5):
        assert await guesser.wrong() == 0
    for seconds in (1, 2, 4, 8, 16):
        assert await guesser.wrong() == seconds
        clock.advance(seconds=seconds - 0.001)
        assert await guesser.wrong() == pytest.approx(0.001)
        clock.advance(seconds=0.001)
        assert await guesser.wrong() == 0
    assert guesser.checks == 10


async def test_the_eleventh_in_a_quarter_of_an_hour_waits_until_the_first_is_over(
    guesser: Guesser, clock: FakeClock
) -> None:
    await guesser.fail(10)
    assert await guesser.wrong() == (WINDOW - 10 * timedelta(seconds=20)).total_seconds()
    clock.advance(seconds=699.999)
    assert await guesser.right() == pytest.approx(0.001)
    clock.advance(seconds=0.001)
    assert await guesser.right() == 0


async def test_a_refused_attempt_is_none(guesser: Guesser, clock: FakeClock) -> None:
    await guesser.fail(10)
    for _ in range(50):
        assert await guesser.wrong() > 0
    clock.advance(WINDOW)
    await guesser.fail(10)


async def test_there_are_a_hundred_a_day(guesser: Guesser, clock: FakeClock) -> None:
    began = clock()
    for _ in range(10):
        await guesser.fail(10)
        clock.advance(WINDOW)
    assert guesser.checks == 100
    assert await guesser.wrong() == (began + DAY - clock()).total_seconds()
    clock.now = began + DAY
    assert await guesser.wrong() == 0
    assert await guesser.wrong() == pytest.approx(20)  # until the second one is a day old


async def test_what_is_right_is_given_back_and_clears_nothing(
    guesser: Guesser, clock: FakeClock
) -> None:
    await guesser.fail(9, apart=timedelta(seconds=20))
    for _ in range(20):
        assert await guesser.right() == 0
    assert await guesser.wrong() == 0
    assert await guesser.right() > 0


async def test_of_a_thousand_ten_are_checked_however_many_come_at_once(guesser: Guesser) -> None:
    waits: list[float] = []
    for _ in range(5):  # two hundred at once: a busy machine answers all of them in time
        waits += await asyncio.gather(*(guesser.wrong() for _ in range(200)))
    assert guesser.checks == 10
    assert sum(wait > 0 for wait in waits) == 990


async def test_ten_who_know_it_are_let_in_at_once(guesser: Guesser) -> None:
    assert await asyncio.gather(*(guesser.right() for _ in range(10))) == [0] * 10
    assert await guesser.wrong() == 0


async def ten_under_way(
    budget: GuessBudget, answer: asyncio.Event
) -> list[asyncio.Task[Guess[bool]]]:
    """Ten attempts, each right, whose checks last until the event."""
    begun = 0

    async def check() -> bool:
        nonlocal begun
        begun += 1
        return await answer.wait()

    pending = [asyncio.create_task(budget.guess(EMAIL, None, check)) for _ in range(10)]
    await eventually(lambda: begun == 10)
    return pending


async def test_what_is_being_checked_may_come_back_in_a_second(
    budget: GuessBudget, guesser: Guesser
) -> None:
    answer = asyncio.Event()
    pending = await ten_under_way(budget, answer)
    assert await guesser.right() == 1
    answer.set()
    await asyncio.gather(*pending)
    assert await guesser.right() == 0


async def test_what_could_not_be_checked_is_given_back(
    budget: GuessBudget, guesser: Guesser
) -> None:
    async def full() -> bool:
        raise UnavailableError

    for _ in range(20):
        with pytest.raises(UnavailableError):
            await budget.guess(EMAIL, None, full)
    assert await guesser.wrong() == 0


@pytest.mark.parametrize("leaves_after", [0, 0.0005, 0.02])
async def test_who_leaves_before_the_check_has_ended_has_not_guessed(
    budget: GuessBudget, guesser: Guesser, leaves_after: float
) -> None:
    async def slow() -> bool:
        await asyncio.sleep(60)
        return False

    for _ in range(12):
        attempt = asyncio.create_task(budget.guess(EMAIL, None, slow))
        await asyncio.sleep(leaves_after)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
    await eventually(guesser.is_let_in)


async def test_who_leaves_when_the_check_has_ended_has_guessed(
    budget: GuessBudget, guesser: Guesser
) -> None:
    async def check() -> bool:
        asyncio.get_running_loop().call_soon(attempt.cancel)
        return False

    for _ in range(5):
        attempt = asyncio.create_task(budget.guess(EMAIL, None, check))
        with pytest.raises(asyncio.CancelledError):
            await attempt
    await eventually(guesser.is_asked_to_wait)


async def test_a_check_whose_process_died_counts_as_a_failure_after_a_minute(
    budget: GuessBudget, guesser: Guesser, clock: FakeClock
) -> None:
    dying = await ten_under_way(budget, asyncio.Event())
    assert await guesser.right() == 1
    clock.advance(timedelta(seconds=61))
    assert await guesser.wrong() == (WINDOW - timedelta(seconds=61)).total_seconds()
    for attempt in dying:
        attempt.cancel()
    await asyncio.gather(*dying, return_exceptions=True)


async def test_a_device_has_a_budget_of_its_own(guesser: Guesser) -> None:
    await guesser.fail(10)
    assert await guesser.right() > 0
    assert await guesser.right(device=b"a device") == 0
    for _ in range(5):
        assert await guesser.wrong(device=b"a device") == 0
    assert await guesser.wrong(device=b"a device") == 1
    assert await guesser.right(device=b"another") == 0


@pytest.mark.parametrize("written", ["ADA@example.com", " ada@EXAMPLE.com ", "Ada@Example.Com"])
async def test_an_address_has_one_budget_however_it_is_written(
    guesser: Guesser, written: str
) -> None:
    await guesser.fail(10)
    assert await guesser.wrong(written) > 0


async def test_the_owner_is_to_be_told_once_in_a_window(guesser: Guesser, clock: FakeClock) -> None:
    await guesser.fail(10)
    assert guesser.used_up == [False] * 9 + [True]
    clock.advance(WINDOW - 10 * timedelta(seconds=20))
    await guesser.fail(1)  # the tenth in a quarter of an hour again
    assert guesser.used_up[10:] == [False]
    clock.advance(WINDOW)
    await guesser.fail(10)
    assert guesser.used_up[11:] == [False] * 9 + [True]


async def test_a_clock_that_was_wrong_locks_nobody_out(guesser: Guesser, clock: FakeClock) -> None:
    clock.advance(DAY * 365)
    await guesser.fail(10)
    clock.advance(-DAY * 365)
    assert await guesser.wrong() == 0


async def test_what_is_not_a_budget_is_none(valkey: Redis, guesser: Guesser) -> None:
    before = await keys(valkey)
    await guesser.wrong()
    (key,) = await keys(valkey) - before
    await valkey.set(key, b"junk")
    assert await guesser.wrong() == 0


async def test_a_budget_is_small_says_nothing_and_is_forgotten(
    valkey: Redis, guesser: Guesser, clock: FakeClock
) -> None:
    before = await keys(valkey)
    await guesser.wrong()
    (key,) = await keys(valkey) - before
    assert b"ada" not in bytes(key)  # type: ignore[arg-type]  # typed as text, too
    assert b"example" not in bytes(key)  # type: ignore[arg-type]
    assert 0 < (await valkey.memory_usage(key) or 0) <= 128
    assert DAY - timedelta(seconds=10) < timedelta(seconds=await valkey.ttl(key)) <= DAY
    for _ in range(10):
        clock.advance(WINDOW)
        await guesser.fail(9)
    assert await valkey.strlen(key) <= 6 + 7 * 100


async def test_what_nobody_can_count_is_not_checked(clock: FakeClock) -> None:
    async with Redis.from_url(f"redis://127.0.0.1:{free_port()}") as nobody:
        guesser = Guesser(GuessBudget(nobody, Secrets(os.urandom(32)), clock), clock)
        with pytest.raises(UnavailableError) as caught:
            await guesser.right()
        assert caught.value.retry_after
        assert guesser.checks == 0


async def test_a_store_that_hangs_is_not_waited_for(clock: FakeClock) -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Redis.from_url(f"redis://127.0.0.1:{port}") as silent:
        guesser = Guesser(GuessBudget(silent, Secrets(os.urandom(32)), clock), clock)
        async with asyncio.timeout(5):
            rush = (guesser.right() for _ in range(200))
            answers = await asyncio.gather(*rush, return_exceptions=True)
        assert {type(answer) for answer in answers} == {UnavailableError}
        assert guesser.checks == 0
