"""Writes: a change of a row, and a new row with its event; ours, and FastAPI's beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from bench.baselines.start import fastapi
from bench.load import Request
from bench.measure import Measurement, Service, Span, measure
from bench.population import Inhabitant
from bench.reads import answered, ours
from tests.stack import Stack

CHANGE = "PATCH users/me, token"
CREATION = "POST api-keys, token"
CONCURRENCIES = (1, 8, 32)
SPAN = Span(requests=2000, seconds=4)
# Each differs from the one before: what changes nothing writes nothing.
BIOS = ("Writes programs.", "Writes about programs.")


async def measure_writes(stack: Stack, people: Sequence[Inhabitant]) -> list[Measurement]:
    """Each kind of write at each concurrency: ours, then FastAPI's."""
    writes = loads(people)
    mine = ours(stack)
    found = await _measure(mine, writes)
    async with fastapi(stack, people[0].token) as service:
        await same_work(mine, service, writes)
        return found + await _measure(service, writes)


def loads(people: Sequence[Inhabitant]) -> dict[str, list[Request]]:
    """The requests of each kind of work; neighbours are different people's."""
    return {
        CHANGE: [_change(each, bio) for bio in BIOS for each in people],
        CREATION: [_creation(each) for each in people],
    }


async def same_work(one: Service, other: Service, writes: Mapping[str, list[Request]]) -> None:
    """Makes sure that both change what they are asked to.

    Raises:
        RuntimeError: if one of them answers something else.
    """
    for service in (one, other):
        for request, bio in zip(writes[CHANGE][:: len(writes[CHANGE]) // 2], BIOS, strict=True):
            if (data := await answered(service, request))["bio"] != bio:
                raise RuntimeError(f"{service.name} answers {data}, not {bio!r}")
        if "secret" not in (data := await answered(service, writes[CREATION][0])):
            raise RuntimeError(f"{service.name} answers {data} without a secret")


async def _measure(service: Service, writes: Mapping[str, list[Request]]) -> list[Measurement]:
    return [
        await measure(work, service, writes[work], SPAN, concurrency)
        for work in writes
        for concurrency in CONCURRENCIES
    ]


def _change(person: Inhabitant, bio: str) -> Request:
    body = {"displayName": "Ada", "bio": bio}
    return Request("/api/v1/users/me", _credential(person), "PATCH", json.dumps(body).encode())


def _creation(person: Inhabitant) -> Request:
    path = f"/api/v1/organizations/{person.organization_id}/api-keys"
    body = {"name": "bench", "scopes": ["organization:read"]}
    return Request(path, _credential(person), "POST", json.dumps(body).encode())


def _credential(person: Inhabitant) -> dict[str, str]:
    return {"authorization": f"Bearer {person.token}"}
