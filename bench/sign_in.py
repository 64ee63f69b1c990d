"""Sign-in: its rate beside that of bcrypt alone, and what others notice of it meanwhile."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import bcrypt

from bench import cpu
from bench.population import PASSWORD, Inhabitant
from bench.reads import PARTS
from bench.steady import Client, Seen, reader, signer
from server.features.users.password_hashes import Bcrypt
from tests.stack import Stack

ROUNDS = Bcrypt().rounds
SECONDS = 6.0
SIGNING_IN = 8  # clients at once
READS_A_SECOND = 40.0
STRANGERS = 60


@dataclass(frozen=True)
class SignIn:
    """What was found.

    Attributes:
        hashes: a second, by bcrypt alone on all processors.
        logins: a second, by the platform.
        milliseconds: CPU time of a sign-in.
        errors: sign-ins that failed.
        idle: how long other requests took (p50, p99 in ms) while nobody signed in.
        meanwhile: the same while sign-ins filled the machine.
        behind_strangers: seconds of a good sign-in sent right after 60 wrong ones.
        beside_strangers: how long other requests took beside them.
    """

    hashes: float
    logins: float
    milliseconds: float
    errors: int
    idle: tuple[float, float]
    meanwhile: tuple[float, float]
    behind_strangers: float
    beside_strangers: tuple[float, float]


async def measure_sign_in(stack: Stack, people: Sequence[Inhabitant]) -> SignIn:
    """Bcrypt alone, sign-ins alone, reads alone, and reads beside sign-ins."""
    hashes = await _hash_rate(os.cpu_count() or 1)
    pids = {part: stack.pid(part) for part in PARTS}
    before = sum(cpu.snapshot(pids).values())
    statuses, took = await _sign_in(stack, people)
    spent = sum(cpu.snapshot(pids).values()) - before
    idle = await _read(stack, people)
    meanwhile, _ = await asyncio.gather(_read(stack, people), _sign_in(stack, people))
    beside, behind = await asyncio.gather(_read(stack, people), _strangers(stack, people[0].email))
    good = statuses.count(200)
    return SignIn(
        hashes,
        good / took,
        spent / len(statuses) * 1e3,
        len(statuses) - good,
        _points(idle),
        _points(meanwhile),
        behind,
        _points(beside),
    )


async def _hash_rate(threads: int) -> float:
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(ROUNDS))
    count, deadline = 0, time.perf_counter() + SECONDS / 2

    async def check() -> None:
        nonlocal count
        while time.perf_counter() < deadline:
            # It lets go of the interpreter while it hashes.
            await asyncio.to_thread(bcrypt.checkpw, PASSWORD.encode(), hashed)
            count += 1

    began = time.perf_counter()
    await asyncio.gather(*(check() for _ in range(threads)))
    return count / (time.perf_counter() - began)


async def _sign_in(stack: Stack, people: Sequence[Inhabitant]) -> tuple[list[int], float]:
    """The statuses of as many sign-ins as the platform can do, and how long they took."""
    statuses: list[int] = []
    async with stack.rest() as http:
        ask = signer(http, [each.email for each in people])
        began = time.perf_counter()

        async def client() -> None:
            while time.perf_counter() < began + SECONDS:
                statuses.append(await ask())

        await asyncio.gather(*(client() for _ in range(SIGNING_IN)))
        return statuses, time.perf_counter() - began


async def _strangers(stack: Stack, email: str) -> float:
    """How long a good sign-in takes right behind wrong ones from as many addresses."""
    async with stack.rest() as http:
        wrong = signer(http, [f"stranger.{each}@example.com" for each in range(STRANGERS)])
        rush = [asyncio.ensure_future(wrong()) for _ in range(STRANGERS)]
        await asyncio.sleep(0.1)
        began, good = time.perf_counter(), signer(http, [email])
        while await good() != HTTPStatus.OK:  # noqa: ASYNC110
            # There was no room: it comes back, as it is asked to.
            await asyncio.sleep(1)
        seconds = time.perf_counter() - began
        await asyncio.gather(*rush)
    return seconds


async def _read(stack: Stack, people: Sequence[Inhabitant]) -> list[Seen]:
    async with stack.rest() as http:
        headers = {"authorization": f"Bearer {people[0].token}"}
        client = Client("read", reader(http, "/api/v1/users/me", headers), READS_A_SECOND)
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(SECONDS, stop.set)
        await client.run(stop)
    return client.seen


def _points(seen: Sequence[Seen]) -> tuple[float, float]:
    latencies = sorted(each.seconds * 1e3 for each in seen)
    return latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
