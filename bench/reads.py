"""The authenticated, limited, database-backed read: ours, and what it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import aiohttp

from bench.baselines.start import bare_envoy, fastapi
from bench.load import Request
from bench.measure import HOST, Measurement, Service, Span, measure
from bench.population import Inhabitant
from tests.stack import Stack

# The parts that a request passes, in its order.
PARTS = ("gateway", "authorize", "ratelimit", "core", "postgres", "valkey")
WITH_TOKEN = "GET users/me, token"  # noqa: S105
WITH_KEY = "GET organization, key"
CONCURRENCIES = (1, 8, 32, 128)
SPAN = Span(requests=4000, seconds=4)


def ours(stack: Stack) -> Service:
    """The whole platform behind its gateway."""
    pids = {part: stack.pid(part) for part in PARTS}
    return Service("Portico", stack.settings.rest_port, pids)


def loads(people: Sequence[Inhabitant]) -> dict[str, list[Request]]:
    """The requests of each kind of work."""
    return {
        WITH_TOKEN: [
            Request("/api/v1/users/me", {"authorization": f"Bearer {each.token}"})
            for each in people
        ],
        WITH_KEY: [
            Request(f"/api/v1/organizations/{each.organization_id}", {"x-api-key": each.api_key})
            for each in people
        ],
    }


async def measure_reads(
    stack: Stack, people: Sequence[Inhabitant], folder: Path
) -> list[Measurement]:
    """Each kind of read at each concurrency: ours, then each baseline."""
    gets = loads(people)
    found = await _measure(ours(stack), gets)
    async with fastapi(stack, people[0].token) as service:
        await same_answers(ours(stack), service, gets)
        found += await _measure(service, gets)
    async with bare_envoy(folder) as service:
        found += await _measure(service, {WITH_TOKEN: gets[WITH_TOKEN]})
    return found


async def same_answers(one: Service, other: Service, gets: dict[str, list[Request]]) -> None:
    """Makes sure that both do the same work: a comparison of unlike things says nothing.

    Raises:
        RuntimeError: if the bodies differ in more than what is of the moment.
    """
    for work in gets:
        mine, theirs = [await answered(service, gets[work][0]) for service in (one, other)]
        if not theirs or not theirs.keys() <= mine.keys() or theirs["id"] != mine["id"]:
            raise RuntimeError(f"{work}: {other.name} answers {theirs}, {one.name} {mine}")


async def _measure(service: Service, gets: dict[str, list[Request]]) -> list[Measurement]:
    return [
        await measure(work, service, gets[work], SPAN, concurrency)
        for work in gets
        for concurrency in CONCURRENCIES
    ]


async def answered(service: Service, request: Request) -> dict[str, object]:
    """What a service answers one request with.

    Raises:
        RuntimeError: if it is not a success.
    """
    url = f"http://{HOST}:{service.port}{request.path}"
    headers = {**request.headers, "content-type": "application/json"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.request(request.method, url, data=request.body or None) as answer,
    ):
        if answer.status >= 400:
            raise RuntimeError(f"{service.name}: {answer.status} {await answer.text()}")
        data: dict[str, object] = (await answer.json())["data"]
        return data
