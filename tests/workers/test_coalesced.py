"""Promises about jobs that many ask for at once."""

from __future__ import annotations

import asyncio

import pytest

from portico_kit.tasks.coalescing import CoalescingJob


async def test_many_requests_during_a_run_become_one_more_run() -> None:
    runs, gate = 0, asyncio.Event()

    async def job() -> None:
        nonlocal runs
        runs += 1
        await gate.wait()

    coalesced = CoalescingJob(job)
    first = asyncio.create_task(coalesced())
    await asyncio.sleep(0)
    await asyncio.gather(*(coalesced() for _ in range(20)))
    assert runs == 1
    gate.set()
    await first
    assert runs == 2


async def test_a_run_that_failed_does_not_stop_the_next() -> None:
    runs = 0

    async def job() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise OSError("away")

    coalesced = CoalescingJob(job)
    with pytest.raises(OSError, match="away"):
        await coalesced()
    await coalesced()
    assert runs == 2
