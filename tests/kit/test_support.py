"""What tests wait with and tell the time by does what it says."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest

from portico_kit.testing.clocks import NOON, FakeClock, OffsetClock
from portico_kit.testing.ports import free_ports
from portico_kit.testing.waiting import eventually, wait_until
from tests.support.addresses import new_address


def test_a_fake_clock_stands_still_until_it_is_advanced() -> None:
    clock = FakeClock()
    assert clock() == clock() == NOON
    clock.advance(timedelta(minutes=1), seconds=1.5)
    assert clock() == NOON + timedelta(seconds=61.5)
    clock.advance(seconds=-61.5)
    assert clock() == NOON


def test_an_offset_clock_goes_on_and_comes_back_from_later() -> None:
    clock = OffsetClock()
    clock.advance(timedelta(hours=1))
    with clock.later(timedelta(days=1)):
        assert clock() - datetime.now(UTC) > timedelta(hours=24, minutes=59)
    assert timedelta(minutes=59) < clock() - datetime.now(UTC) < timedelta(minutes=61)


async def test_waiting_takes_functions_and_coroutines_and_says_how_long_it_took() -> None:
    answers = iter([False, None, 0, "yes"])
    assert 0 < await eventually(lambda: next(answers), every=0.001) < 1

    async def at_once() -> bool:
        return True

    assert await eventually(at_once, every=60) < 1


async def test_what_never_comes_is_a_failure_also_if_the_answer_hangs() -> None:
    with pytest.raises(TimeoutError):
        await eventually(lambda: False, within=0.02, every=0.001)

    async def hangs() -> bool:
        await eventually(lambda: False, within=60)
        return True

    with pytest.raises(TimeoutError):
        await eventually(hangs, within=0.02)
    with pytest.raises(TimeoutError):
        wait_until(lambda: False, within=0.02, every=0.001)


def test_ports_are_free_and_addresses_new() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()
    assert len({new_address() for _ in range(1000)}) == 1000
