"""Refreshing a session: a chain of tokens for each, ours and FastAPI's beside it.

`python -m bench.refreshes` measures this alone and prints it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from bench.baselines.start import fastapi, secrets_of
from bench.load import Request, Result, encode
from bench.measure import HOST, Measurement, Service, Span, account, on_own_loop
from bench.population import Inhabitant, populate
from bench.reads import ours
from bench.report import table_of
from cli.run.watchdog import Watchdog
from portico_kit.ids import new_id
from portico_kit.tokens import new_token
from tests.stack import Stack

WORK = "POST auth/refresh"
PATH = "/api/v1/auth/refresh"
CONCURRENCIES = (1, 8, 32)
SPAN = Span(requests=2000, seconds=6)
# Each may be refreshed sixty times in a minute.
SESSIONS = 480
PURPOSE = "refresh-token"
VARIABLES = {"PORTICO_ADDRESS_RATE": "1000000"}


@dataclass
class Chain:
    """A session, and its newest refresh token."""

    token: str


async def measure_refreshes(stack: Stack, people: Sequence[Inhabitant]) -> list[Measurement]:
    """Refreshes at each concurrency: ours, then FastAPI's."""
    mine = ours(stack)
    found = await _measure(mine, await _begin(stack, people))
    async with fastapi(stack, people[0].token) as service:
        return found + await _measure(service, await _begin(stack, people))


async def _measure(service: Service, chains: Sequence[Chain]) -> list[Measurement]:
    found = []
    for concurrency in CONCURRENCIES:

        def send(span: Span, concurrency: int = concurrency) -> Awaitable[Result]:
            return on_own_loop(_refresh(service.port, chains, span, concurrency))

        found.append(await account(WORK, service, send, SPAN, concurrency))
    return found


async def _refresh(port: int, chains: Sequence[Chain], span: Span, concurrency: int) -> Result:
    """Refreshes sessions in turn; each belongs to one connection, which stores its answers."""
    left = iter(range(span.requests))
    statuses: Counter[int] = Counter()
    began = time.perf_counter()

    async def client(own: Iterator[Chain]) -> list[float]:
        reader, writer = await asyncio.open_connection(HOST, port)
        latencies = []
        for chain, _ in zip(own, left, strict=False):
            body = json.dumps({"refreshToken": chain.token}).encode()
            message = encode(HOST, port, Request(PATH, {}, "POST", body))
            started = time.perf_counter()
            writer.write(message)
            status, answer = await _answer(reader)
            ended = time.perf_counter()
            statuses[status] += 1
            latencies.append(ended - started)
            if status == 200:
                chain.token = json.loads(answer)["data"]["refreshToken"]
            if ended - began > span.seconds:
                break
        writer.close()
        return latencies

    shares = [itertools.cycle(chains[number::concurrency]) for number in range(concurrency)]
    parts = await asyncio.gather(*map(client, shares))
    took = time.perf_counter() - began
    return Result(took, sorted(latency for part in parts for latency in part), statuses)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
    return int(head[9:12]), await reader.readexactly(int(fields[b"content-length"]))


async def _begin(stack: Stack, people: Sequence[Inhabitant]) -> list[Chain]:
    """Sessions with a first refresh token, where version 0.1 kept them: both services know it.

    To sign in for each would cost minutes of hashing.
    """
    secrets, now = secrets_of(stack), datetime.now(UTC)
    chains = [Chain(new_token()) for _ in range(SESSIONS)]
    end = now + timedelta(days=7)
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        for chain, person in zip(chains, itertools.cycle(people), strict=False):
            session_id = new_id()
            await connection.execute(
                "insert into sessions (id, user_id, organization_id, user_agent, ip_address,"
                " created_at, last_used_at, expires_at, absolute_expires_at)"
                " select %s, id, %s, '', '', %s, %s, %s, %s from users where email = %s",
                (session_id, person.organization_id, now, now, end, end, person.email),
            )
            token_hash = secrets.mac(PURPOSE, chain.token)
            await connection.execute(
                "insert into refresh_tokens (id, session_id, token_hash, created_at, expires_at)"
                " values (%s, %s, %s, %s, %s)",
                (new_id(), session_id, token_hash, now, end),
            )
        # Before the planner knows of the rows it reads all of them for each query.
        await connection.execute("analyze sessions, refresh_tokens")
    return chains


async def main() -> None:
    """Measures refreshes alone."""
    with tempfile.TemporaryDirectory(prefix="portico-") as name, Watchdog() as watchdog:
        stack = Stack(Path(name), watchdog, VARIABLES)
        try:
            await stack.start()
            found = await measure_refreshes(stack, await populate(stack, 8))
        finally:
            await stack.stop()
    sys.stdout.write(table_of(found) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
