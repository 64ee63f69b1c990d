"""Parts are killed while clients follow a stream: who misses an event, or gets one twice?

python -m bench.stream_failures [times]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
from redis.asyncio import Redis

from bench.population import Inhabitant, login, populate
from cli.run.plan import embedded_valkey
from cli.run.watchdog import Watchdog
from tests.platform.event_streams import Follower
from tests.stack import Stack

FOLLOWERS = 20
TIMES = 20
# The pause between two changes, and between two faults, in seconds.
PAUSE = 0.05
RESPITE = 1.0
PATIENCE = 60.0


@dataclass
class Changes:
    """Changes something again and again, whatever fails; counts what was acknowledged."""

    stack: Stack
    person: Inhabitant
    made: int = 0
    refused: int = 0

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        path = f"/api/v1/organizations/{self.person.organization_id}/projects"
        headers = {"authorization": f"Bearer {self.person.token}"}
        async with self.stack.rest() as http:
            number = 0
            while True:
                number += 1
                self.refused += 1
                with suppress(aiohttp.ClientError, TimeoutError):
                    body = {"name": f"Project {number}"}
                    async with http.post(path, json=body, headers=headers) as answer:
                        if answer.status == 201:
                            self.made, self.refused = self.made + 1, self.refused - 1
                await asyncio.sleep(PAUSE)


async def kill(stack: Stack, part: str) -> None:
    """Ends a part with SIGKILL and starts it again."""
    await stack.kill(part)
    await stack.start(part)


async def flush(stack: Stack, _part: str) -> None:
    """Empties Valkey."""
    async with Redis.from_url(embedded_valkey(stack.settings).url) as redis:
        await redis.flushall()


FAULTS: Mapping[str, Callable[[Stack, str], Awaitable[None]]] = {
    "stream": kill,
    "worker": kill,
    "core": kill,
    "valkey": kill,
    "valkey, emptied": flush,
    "postgres": kill,
}


async def measure(stack: Stack, person: Inhabitant, fault: str, times: int) -> list[str]:
    """Lets a fault happen so many times; a row of the table."""
    url = f"/api/v1/organizations/{person.organization_id}/events/stream"
    headers = {"authorization": f"Bearer {person.token}"}
    async with stack.rest() as http:
        followers = [Follower(http, url, headers) for _ in range(FOLLOWERS)]
        tasks = [asyncio.create_task(one.run()) for one in followers]
        for one in followers:
            await one.opened.wait()
        starts = [int(one.position) for one in followers]
        changes = Changes(stack, person)
        writer = asyncio.create_task(changes.run())
        for _ in range(times):
            await asyncio.sleep(RESPITE)
            await FAULTS[fault](stack, fault)
        await asyncio.sleep(RESPITE)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        last = await last_number(stack, person)
        began = time.monotonic()
        # Until the workers have been at all that was changed, and everybody has it.
        numbered = max(starts) + changes.made
        while min(last, *(int(one.position) for one in followers)) < max(last, numbered):
            if time.monotonic() > began + PATIENCE:
                break
            last = await last_number(stack, person)
            await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
    expected = [set(range(start + 1, last + 1)) for start in starts]
    lost = sum(len(want - set(one.seen)) for one, want in zip(followers, expected, strict=True))
    repeated = sum(len(one.seen) - len(set(one.seen)) for one in followers)
    disorder = sum(one.seen != sorted(one.seen) for one in followers)
    events = last - max(starts)
    return [
        *(fault, str(times), str(changes.made), str(events), str(FOLLOWERS)),
        *(str(lost), str(repeated), str(disorder), str(sum(one.resets for one in followers))),
    ]


async def last_number(stack: Stack, person: Inhabitant) -> int:
    """The number of the newest event."""
    path = f"/api/v1/organizations/{person.organization_id}/events?limit=1"
    headers = {"authorization": f"Bearer {person.token}"}
    async with stack.rest() as http, http.get(path, headers=headers) as answer:
        return int((await answer.json())["data"][0]["sequence"])


async def main(times: int) -> None:
    """Tries every fault."""
    columns = ["fault", "times", "changes", "events", "clients"]
    print("| " + " | ".join((*columns, "lost", "repeated", "out of order", "resets")) + " |")
    print("|" + " --- |" * 9)
    with tempfile.TemporaryDirectory(prefix="portico-") as name, Watchdog() as watchdog:
        variables = {"PORTICO_ADDRESS_RATE": "1000000", "PORTICO_BCRYPT_ROUNDS": "4"}
        stack = Stack(Path(name), watchdog, variables)
        try:
            await stack.start()
            (person,) = await populate(stack, 1)
            for fault in FAULTS:
                # A token lasts a quarter of an hour.
                async with stack.rest() as http:
                    person = replace(person, token=await login(http, person.email))
                row = await measure(stack, person, fault, times)
                print("| " + " | ".join(row) + " |", flush=True)
        finally:
            await stack.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else TIMES))
