"""`make bench`: starts what it needs, measures, and writes results.md."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from bench.load import Get
from bench.measure import Measurement, measure
from bench.population import Inhabitant, populate
from bench.report import write_report
from cli.run.watchdog import Watchdog
from tests.stack import Stack

# The parts that a request passes, in its order.
PARTS = ("gateway", "authorize", "ratelimit", "core", "postgres", "valkey")
PEOPLE = 100
REQUESTS = 4000
CONCURRENCIES = (1, 8, 32)
RESULTS = Path(__file__).parent / "results.md"


async def main() -> None:
    """Measures everything and writes the report."""
    with tempfile.TemporaryDirectory(prefix="portico-") as folder, Watchdog() as watchdog:
        stack = Stack(Path(folder) / "s", watchdog, {"PORTICO_ADDRESS_RATE": "1000000"})
        try:
            await stack.start()
            people = await populate(stack, PEOPLE)
            found = await measure_reads(stack, people)
        finally:
            await stack.stop()
    write_report(RESULTS, found)
    sys.stdout.write(RESULTS.read_text())


async def measure_reads(stack: Stack, people: list[Inhabitant]) -> list[Measurement]:
    """The authenticated, limited, database-backed read, with a token and with a key."""
    pids = {part: stack.pid(part) for part in PARTS}
    with_token = [
        Get("/api/v1/users/me", {"authorization": f"Bearer {each.token}"}) for each in people
    ]
    with_key = [
        Get(f"/api/v1/organizations/{each.organization_id}", {"x-api-key": each.api_key})
        for each in people
    ]
    found = []
    for name, gets in (("GET users/me, token", with_token), ("GET organization, key", with_key)):
        for concurrency in CONCURRENCIES:
            found.append(
                await measure(
                    name,
                    pids,
                    stack.settings.rest_port,
                    gets,
                    requests=REQUESTS,
                    concurrency=concurrency,
                )
            )
            # The limits slide over ten seconds; a load that is refused measures refusals.
            await asyncio.sleep(5)
    return found


if __name__ == "__main__":
    asyncio.run(main())
