"""What clients see while a part of the platform is killed under load, and for how long.

    python -m bench.failures

Kills one part after the other with SIGKILL under a steady load of reads and
sign-ins, starts it again, and writes failures.md: the answers that each kind
of client got, and how long it took until all of them were good again.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.population import Inhabitant, populate
from bench.steady import NO_ANSWER, Client, Seen, reader, signer
from cli.run.watchdog import Watchdog
from tests.stack import Stack

PEOPLE = 8
PARTS = ("valkey", "ratelimit", "authorize", "core")
READS_A_SECOND, LOGINS_A_SECOND = 40.0, 5.0
BEFORE, DOWN, AFTER = 1.5, 3.0, 6.0  # seconds
RESULTS = Path(__file__).parent / "failures.md"
HEAD = f"""# What clients see when a part is killed

Each part is killed with SIGKILL under {READS_A_SECOND:.0f} reads a second with a token, as many
with an API key, and {LOGINS_A_SECOND:.0f} sign-ins; {DOWN:.0f} seconds later it is started again.
Nothing else is done. "Failed for" is from the first answer that was not a success to the last;
"good again" is how long after the start the last such request was sent. A status of
{NO_ANSWER} is no answer within ten seconds.

"""


@dataclass(frozen=True)
class Outage:
    """What one kind of client saw of one outage; times in seconds."""

    part: str
    client: str
    before: Counter[int]
    during: Counter[int]
    slowest: float
    failed_for: float
    good_again: float


@dataclass(frozen=True)
class Moments:
    """When a part was killed, and when its start began."""

    killed: float
    starting: float


async def main() -> None:
    """Has every part fail once and writes the table."""
    with tempfile.TemporaryDirectory(prefix="portico-") as name, Watchdog() as watchdog:
        stack = Stack(Path(name) / "s", watchdog, {"PORTICO_ADDRESS_RATE": "1000000"})
        try:
            await stack.start()
            people = await populate(stack, PEOPLE)
            found = [each for part in PARTS for each in await outage(stack, people, part)]
        finally:
            await stack.stop()
    RESULTS.write_text(HEAD + table(found))
    sys.stdout.write(RESULTS.read_text())


async def outage(stack: Stack, people: Sequence[Inhabitant], part: str) -> list[Outage]:
    """Kills a part under load and brings it back."""
    stop = asyncio.Event()
    async with AsyncExitStack() as sessions, asyncio.TaskGroup() as group:
        clients = await _clients(stack, people, sessions)
        running = [group.create_task(client.run(stop)) for client in clients]
        await asyncio.sleep(BEFORE)
        killed = time.perf_counter()
        await stack.kill(part)
        await asyncio.sleep(DOWN)
        starting = time.perf_counter()
        await stack.start(part)
        await asyncio.sleep(AFTER)
        stop.set()
        await asyncio.gather(*running)
    return [_outage(part, client, Moments(killed, starting)) for client in clients]


async def _clients(
    stack: Stack, people: Sequence[Inhabitant], sessions: AsyncExitStack
) -> list[Client]:
    http = await sessions.enter_async_context(stack.rest())
    person = people[0]
    with_token = {"authorization": f"Bearer {person.token}"}
    with_key = {"x-api-key": person.api_key}
    organization = f"/api/v1/organizations/{person.organization_id}"
    emails = [each.email for each in people]
    return [
        Client("read, token", reader(http, "/api/v1/users/me", with_token), READS_A_SECOND),
        Client("read, key", reader(http, organization, with_key), READS_A_SECOND),
        Client("sign-in", signer(http, emails), LOGINS_A_SECOND),
    ]


def _outage(part: str, client: Client, moments: Moments) -> Outage:
    seen = sorted(client.seen, key=lambda each: each.at)
    after = [each for each in seen if each.at >= moments.killed]
    bad = [each for each in after if each.status != 200]
    return Outage(
        part=part,
        client=client.name,
        before=_statuses([each for each in seen if each.at < moments.killed]),
        during=_statuses(after),
        slowest=max(each.seconds for each in after),
        failed_for=bad[-1].at + bad[-1].seconds - bad[0].at if bad else 0.0,
        good_again=max(0.0, bad[-1].at - moments.starting) if bad else 0.0,
    )


def _statuses(seen: Sequence[Seen]) -> Counter[int]:
    return Counter(each.status for each in seen)


def table(found: Sequence[Outage]) -> str:
    """The outages in Markdown."""
    columns = ["killed", "client", "before", "from the kill on", "slowest", "failed for"]
    columns.append("good again")
    rows = [columns, ["---"] * len(columns), *map(_row, found)]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _row(one: Outage) -> list[str]:
    return [
        one.part,
        one.client,
        _told(one.before),
        _told(one.during),
        f"{one.slowest * 1000:.0f} ms",
        f"{one.failed_for:.1f} s",
        f"{one.good_again:.1f} s",
    ]


def _told(statuses: Counter[int]) -> str:
    return ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))


if __name__ == "__main__":
    asyncio.run(main())
