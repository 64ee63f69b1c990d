"""Sign-ins of people who have an authenticator app: the password, and then its code."""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import psycopg

from bench.population import PASSWORD, Inhabitant
from bench.steady import TIMEOUT, Ask
from server.features.factors.totp import STEP_SECONDS, Totp
from tests.stack import Stack

# Each person signs in less often than this; an app shows a new code every 30 seconds.
FORGET_SECONDS = 0.3


async def enroll(http: aiohttp.ClientSession, people: Sequence[Inhabitant]) -> dict[str, Totp]:
    """Gives everybody who has just signed in an app, by address."""
    apps: dict[str, Totp] = {}
    for each in people:
        headers = {"authorization": f"Bearer {each.token}"}
        begun = await _post(http, "/users/me/factors/totp/begin", {}, headers)
        secret = begun["secret"]
        app = apps[each.email] = Totp(base64.b32decode(secret + "=" * (-len(secret) % 8)))
        await _post(http, "/users/me/factors/totp", {"code": _code(app)}, headers)
    return apps


def answerer(http: aiohttp.ClientSession, apps: dict[str, Totp]) -> Ask:
    """Signs in as each in turn, in two steps, from the device and network of before."""
    people = itertools.cycle(enumerate(apps.items()))
    devices: dict[str, str] = {}
    numbers = itertools.count(1)

    async def ask() -> int:
        place, (email, app) = next(people)
        number = next(numbers)
        headers = {"x-forwarded-for": f"10.{place & 255}.{number >> 8 & 255}.{number & 255}"}
        body = {"email": email, "password": PASSWORD, "deviceToken": devices.get(email, "")}
        begun = await _try(http, "/auth/login", body, headers)
        if begun is None:
            return HTTPStatus.SERVICE_UNAVAILABLE
        devices[email] = begun["deviceToken"]
        answer = {
            "challenge": begun["challenge"],
            "deviceToken": begun["deviceToken"],
            "method": "totp",
            "code": _code(app),
        }
        done = await _try(http, "/auth/challenges/complete", answer, headers)
        return HTTPStatus.OK if done else HTTPStatus.UNAUTHORIZED

    return ask


@asynccontextmanager
async def codes_good_again(stack: Stack) -> AsyncIterator[None]:
    """Forgets which codes were used, now and then: nobody has time to wait for the next one."""
    connection = await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True)

    async def forget() -> None:
        while True:
            await connection.execute("update totp_secrets set last_step = 0")
            await asyncio.sleep(FORGET_SECONDS)

    async with connection:
        forgetting = asyncio.create_task(forget())
        try:
            yield
        finally:
            forgetting.cancel()
            await asyncio.gather(forgetting, return_exceptions=True)


def _code(app: Totp) -> str:
    return app.code(int(time.time()) // STEP_SECONDS)


async def _post(
    http: aiohttp.ClientSession, path: str, body: dict[str, str], headers: dict[str, str]
) -> Any:
    found = await _try(http, path, body, headers)
    if found is None:
        raise RuntimeError(f"{path} was refused")
    return found


async def _try(
    http: aiohttp.ClientSession, path: str, body: dict[str, str], headers: dict[str, str]
) -> Any:
    """What an answer says, or None if the request was refused."""
    url = f"/api/v1{path}"
    async with http.post(url, json=body, headers=headers, timeout=TIMEOUT) as answer:
        found = await answer.json()
        return found["data"] if answer.ok else None
