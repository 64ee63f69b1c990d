"""The queue of password hashes: nobody waits longer than two seconds, and nobody for nothing."""

from __future__ import annotations

import asyncio
import threading

import pytest

from portico_kit.errors import UnavailableError
from portico_kit.testing.waiting import eventually
from server.features.users.hashing_queue import Admission, HashingQueue, Kind

KIND = Kind("bcrypt 10", 0.055)
SLOW = Kind("bcrypt 14", 0.88)


def admitted(admission: Admission, kind: Kind = KIND, at_most: int = 1000) -> int:
    """How many more may wait."""
    for number in range(at_most):
        try:
            admission.enter(kind)
        except UnavailableError:
            return number
    return at_most


def test_as_many_wait_as_two_seconds_take() -> None:
    # 2 s of two threads, at 55 ms each.
    assert admitted(Admission(2)) == 73


def test_sixty_at_once_find_room_and_one_more_behind_them() -> None:
    admission = Admission(2)
    assert admitted(admission, at_most=60) == 60
    admission.enter(KIND)
    assert admission.expected_wait < 2


def test_how_long_work_takes_is_measured() -> None:
    admission = Admission(2)
    for _ in range(50):
        admission.enter(KIND)
        admission.leave(KIND, 0.5)
    assert admitted(admission) == 9


def test_each_kind_of_work_has_its_own_average() -> None:
    admission = Admission(2)
    admission.enter(SLOW)
    admission.leave(SLOW, 10.0)
    assert admitted(admission) == 73


def test_a_free_thread_is_never_refused_however_long_work_has_taken() -> None:
    admission = Admission(2)
    for _ in range(50):
        admission.enter(KIND)
        admission.leave(KIND, 60.0)
    assert admitted(admission) == 2


def test_the_refusal_says_when_there_is_room() -> None:
    admission = Admission(1)
    very_slow = Kind("bcrypt 16", 5.2)
    admission.enter(very_slow)
    with pytest.raises(UnavailableError) as caught:
        admission.enter(KIND)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after.total_seconds() == 4


def test_a_place_that_is_left_unused_does_not_count_as_quick_work() -> None:
    admission = Admission(2)
    for _ in range(50):
        admission.enter(KIND)
        admission.leave(KIND, None)
    assert admitted(admission) == 73


async def test_who_leaves_before_it_begins_gives_the_place_back() -> None:
    queue, go = HashingQueue(1), threading.Event()
    began = threading.Event()

    def work() -> bool:
        began.set()
        return go.wait(10)

    running = asyncio.ensure_future(queue.run(KIND, work))
    await asyncio.to_thread(began.wait)
    never = threading.Event()
    waiting = [asyncio.ensure_future(queue.run(SLOW, lambda: never.set())) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await queue.run(KIND, work)
    assert queue.admission.waiting == 3
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await eventually(lambda: queue.admission.waiting == 0)
    go.set()
    assert await running
    assert await queue.run(KIND, lambda: "next") == "next"
    assert not never.is_set()


async def test_who_leaves_meanwhile_keeps_the_place_until_the_thread_is_free() -> None:
    queue, go = HashingQueue(1), threading.Event()
    began = threading.Event()

    def work() -> bool:
        began.set()
        return go.wait(10)

    running = asyncio.ensure_future(queue.run(SLOW, work))
    await asyncio.to_thread(began.wait)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert queue.admission.expected_wait == pytest.approx(0.88)
    go.set()
    await eventually(lambda: queue.admission.expected_wait == 0)


async def test_an_error_gives_the_place_back() -> None:
    queue = HashingQueue(1)

    def work() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await queue.run(KIND, work)
    await eventually(lambda: queue.admission.expected_wait == 0)
