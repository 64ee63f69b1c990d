"""Hashes of passwords: slow for a thief, and for nobody else."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

import pytest

from portico_kit.threads import LOWEST_PRIORITY
from server.features.users.passwords import Passwords

PASSWORD = "correct horse battery"


async def test_a_hash_is_of_its_password_and_of_no_other() -> None:
    passwords = Passwords(4)
    stored = await passwords.hash(PASSWORD)
    assert await passwords.verify(PASSWORD, stored)
    assert not await passwords.verify(PASSWORD + "!", stored)
    assert not await passwords.verify("", stored)


async def test_the_same_password_has_another_hash_each_time() -> None:
    passwords = Passwords(4)
    assert await passwords.hash(PASSWORD) != await passwords.hash(PASSWORD)


@pytest.mark.parametrize("tail", ["", "x", "\0", "\0x"])
async def test_every_character_counts(tail: str) -> None:
    passwords = Passwords(4)
    stored = await passwords.hash("p" * 100 + tail)
    assert not await passwords.verify("p" * 100 + tail + "y", stored)
    assert await passwords.verify("p" * 100 + tail, stored)


async def test_another_cost_asks_for_a_new_hash() -> None:
    stored = await Passwords(4).hash(PASSWORD)
    assert not Passwords(4).needs_rehash(stored)
    assert Passwords(5).needs_rehash(stored)
    assert await Passwords(5).verify(PASSWORD, stored)


async def test_an_unknown_address_costs_the_time_of_a_wrong_password() -> None:
    passwords = Passwords(9)
    stored = await passwords.hash(PASSWORD)

    async def seconds(known: bool) -> float:
        started = time.perf_counter()
        if known:
            assert not await passwords.verify("wrong", stored)
        else:
            assert not await passwords.verify_nothing("wrong")
        return time.perf_counter() - started

    # The shortest of several is what the work itself takes on a busy machine.
    known = min([await seconds(known=True) for _ in range(7)])
    unknown = min([await seconds(known=False) for _ in range(7)])
    assert 0.5 < unknown / known < 2


async def test_nobody_else_waits_for_a_hash() -> None:
    hashing = asyncio.ensure_future(Passwords(10).hash(PASSWORD))
    ticks = 0
    while not hashing.done():
        await asyncio.sleep(0.001)
        ticks += 1
    assert await hashing
    assert ticks >= 5


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
async def test_hashing_steps_back_for_everything_else() -> None:
    passwords = Passwords(4)
    await passwords.hash(PASSWORD)
    hashing = [each for each in threading.enumerate() if each.name.startswith("passwords")]
    assert hashing
    niceness = [os.getpriority(os.PRIO_PROCESS, each.native_id or 0) for each in hashing]
    assert set(niceness) == {LOWEST_PRIORITY}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < LOWEST_PRIORITY
