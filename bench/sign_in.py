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
from bench.population import PASSWORD, Inhabitant, populate
from bench.reads import PARTS
from bench.second_factor import answerer, codes_good_again, enroll
from bench.steady import Ask, Client, Seen, reader, returner, signer
from server.features.users.password_hashes import Bcrypt
from tests.stack import Stack

ROUNDS = Bcrypt().rounds
SECONDS = 6.0
SIGNING_IN = 8  # clients at once
READS_A_SECOND = 40.0
STRANGERS = 60
PROTECTED = 24  # people with an app


# A sign-in from a new device is a mail, which the worker sends.
ALL_PARTS = (*PARTS, "worker")


@dataclass(frozen=True)
class Rate:
    """So many as the platform can do.

    Attributes:
        logins: a second.
        milliseconds: CPU time of one, over all parts.
        errors: those that failed.
    """

    logins: float
    milliseconds: float
    errors: int


@dataclass(frozen=True)
class SignIn:
    """What was found.

    Attributes:
        hashes: a second, by bcrypt alone on all processors.
        hash_milliseconds: CPU time of such a hash.
        returning: sign-ins from the device and network of before.
        arriving: sign-ins from a new device each time.
        with_factor: like `returning`, with the code of an app in a second request.
        idle: how long other requests took (p50, p99 in ms) while nobody signed in.
        meanwhile: the same while sign-ins filled the machine.
        behind_strangers: seconds of a good sign-in sent right after 60 wrong ones.
        beside_strangers: how long other requests took beside them.
    """

    hashes: float
    hash_milliseconds: float
    returning: Rate
    arriving: Rate
    with_factor: Rate
    idle: tuple[float, float]
    meanwhile: tuple[float, float]
    behind_strangers: float
    beside_strangers: tuple[float, float]


async def measure_sign_in(stack: Stack, people: Sequence[Inhabitant]) -> SignIn:
    """Bcrypt alone, sign-ins alone, reads alone, and reads beside sign-ins."""
    hashes, hash_milliseconds = await _hash_rate(os.cpu_count() or 1)
    emails = [each.email for each in people]
    async with stack.rest() as http:
        known = returner(http, emails)
        for _ in people:
            await known()
        returning = await _rate(stack, known)
        arriving = await _rate(stack, signer(http, emails))
    idle = await _read(stack, people)
    meanwhile, _ = await asyncio.gather(_read(stack, people), _sign_in(stack, people))
    beside, behind = await asyncio.gather(_read(stack, people), _strangers(stack, people[0].email))
    with_factor = await _with_factor(stack)
    return SignIn(
        hashes,
        hash_milliseconds,
        returning,
        arriving,
        with_factor,
        _points(idle),
        _points(meanwhile),
        behind,
        _points(beside),
    )


async def _with_factor(stack: Stack) -> Rate:
    """Of people who have an app; they are others, for the rest shall sign in as before."""
    people = await populate(stack, PROTECTED)
    async with stack.rest() as http:
        ask = answerer(http, await enroll(http, people))
        async with codes_good_again(stack):
            for _ in people:
                await ask()
            return await _rate(stack, ask)


async def _rate(stack: Stack, ask: Ask) -> Rate:
    pids = {part: stack.pid(part) for part in ALL_PARTS}
    before = sum(cpu.snapshot(pids).values())
    statuses, took = await _fill(ask)
    spent = sum(cpu.snapshot(pids).values()) - before
    good = statuses.count(HTTPStatus.OK)
    return Rate(good / took, spent / len(statuses) * 1e3, len(statuses) - good)


async def _hash_rate(threads: int) -> tuple[float, float]:
    """How many a second, and the CPU time of one in milliseconds."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(ROUNDS))
    count, deadline = 0, time.perf_counter() + SECONDS / 2

    async def check() -> None:
        nonlocal count
        while time.perf_counter() < deadline:
            # It lets go of the interpreter while it hashes.
            await asyncio.to_thread(bcrypt.checkpw, PASSWORD.encode(), hashed)
            count += 1

    began, spent = time.perf_counter(), time.process_time()
    await asyncio.gather(*(check() for _ in range(threads)))
    rate = count / (time.perf_counter() - began)
    return rate, (time.process_time() - spent) / count * 1e3


async def _sign_in(stack: Stack, people: Sequence[Inhabitant]) -> None:
    """As many sign-ins as the platform can do."""
    async with stack.rest() as http:
        await _fill(signer(http, [each.email for each in people]))


async def _fill(ask: Ask) -> tuple[list[int], float]:
    """The statuses of as many as there is room for, and how long they took in seconds."""
    statuses: list[int] = []
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
