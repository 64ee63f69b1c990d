"""Clients that ask at a steady pace, whatever the answers: each sees what a customer would."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp

from bench.population import PASSWORD

TIMEOUT = aiohttp.ClientTimeout(total=10)
NO_ANSWER = 0

Ask = Callable[[], Awaitable[int]]


@dataclass(frozen=True)
class Seen:
    """One answer: when it was asked for, how long it took, and its status (0: none came)."""

    at: float
    seconds: float
    status: int


@dataclass
class Client:
    """Somebody who asks so often a second until told to stop.

    Attributes:
        seen: the answers, in the order in which they came.
    """

    name: str
    ask: Ask
    rate: float
    seen: list[Seen] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        """Asks at the pace, also while earlier answers are still awaited."""
        async with asyncio.TaskGroup() as group:
            began = time.perf_counter()
            for number in itertools.count():
                await asyncio.sleep(began + number / self.rate - time.perf_counter())
                if stop.is_set():
                    return
                group.create_task(self._once())

    async def _once(self) -> None:
        at = time.perf_counter()
        try:
            status = await self.ask()
        except (aiohttp.ClientError, TimeoutError):
            status = NO_ANSWER
        self.seen.append(Seen(at, time.perf_counter() - at, status))


def reader(http: aiohttp.ClientSession, path: str, headers: dict[str, str]) -> Ask:
    """Reads `path`."""

    async def ask() -> int:
        async with http.get(path, headers=headers, timeout=TIMEOUT) as answer:
            await answer.read()
            return answer.status

    return ask


def signer(http: aiohttp.ClientSession, emails: list[str]) -> Ask:
    """Signs in as each in turn, from an address of its own: strangers share no limit.

    Each is a new device in a network where the person has been.
    """
    turns = itertools.cycle(emails)
    numbers = itertools.count(1)

    async def ask() -> int:
        status, _ = await _login(http, next(turns), f"172.16.{_host(next(numbers))}")
        return status

    return ask


def returner(http: aiohttp.ClientSession, emails: list[str]) -> Ask:
    """The same from the device and the network that each has signed in from before."""
    people = itertools.cycle(enumerate(emails))
    numbers = itertools.count(1)
    devices: dict[str, str] = {}

    async def ask() -> int:
        place, email = next(people)
        address = f"10.{place & 255}.{_host(next(numbers))}"
        status, device = await _login(http, email, address, devices.get(email, ""))
        if device:
            devices[email] = device
        return status

    return ask


async def _login(
    http: aiohttp.ClientSession, email: str, address: str, device: str = ""
) -> tuple[int, str]:
    """The status of a sign-in, and the token of the device if there is one."""
    body = {"email": email, "password": PASSWORD, "deviceToken": device}
    headers = {"x-forwarded-for": address}
    path = "/api/v1/auth/login"
    async with http.post(path, json=body, headers=headers, timeout=TIMEOUT) as answer:
        if answer.status != HTTPStatus.OK:
            await answer.read()
            return answer.status, ""
        return answer.status, (await answer.json())["data"]["deviceToken"]


def _host(number: int) -> str:
    """The second half of an IPv4 address."""
    return f"{number >> 8 & 255}.{number & 255}"
