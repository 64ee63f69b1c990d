"""`make bench`: starts what it needs, measures, and writes results.md and results.svg."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import limiter
from bench.baselines.golang import build_hydra, build_ratelimit
from bench.chart import Bar, Group, write_chart
from bench.limiter import Decision, Load
from bench.measure import Measurement
from bench.oauth import measure_oauth
from bench.population import populate
from bench.reads import measure_reads
from bench.refreshes import measure_refreshes
from bench.report import Findings, write_report
from bench.sign_in import ROUNDS, measure_sign_in
from bench.streams import measure_streams
from bench.verification import measure_verification
from bench.webhooks import measure_webhooks
from bench.writes import measure_writes
from cli.run.watchdog import Watchdog
from tests.stack import Stack

# More than write at once: two who change the same row would wait for each other.
PEOPLE = 40
# So many at once are drawn; the table has all.
DRAWN_CONCURRENCY = 32
DECISIONS = 8000
HALF_LOAD = 1500  # decisions in a second
RESULTS = Path(__file__).parent / "results.md"
CHART = RESULTS.with_suffix(".svg")
VARIABLES = {"PORTICO_ADDRESS_RATE": "1000000", "PORTICO_BCRYPT_ROUNDS": str(ROUNDS)}


async def main() -> None:
    """Measures everything and writes the report."""
    binary, hydra = await build_ratelimit(), await build_hydra()
    decisions = await limiter.measure(decision_loads(), binary)
    with tempfile.TemporaryDirectory(prefix="portico-") as name, Watchdog() as watchdog:
        folder = Path(name)
        webhooks = await measure_webhooks(folder / "w", watchdog)
        stack = Stack(folder / "s", watchdog, VARIABLES)
        try:
            await stack.start()
            people = await populate(stack, PEOPLE)
            streams = await measure_streams(stack, people)
            found = Findings(
                reads=await measure_reads(stack, people, folder),
                writes=await measure_writes(stack, people),
                refreshes=await measure_refreshes(stack, people),
                verifications=await measure_verification(stack, people),
                oauth=await measure_oauth(stack, people, folder, hydra),
                decisions=decisions,
                sign_in=await measure_sign_in(stack, people),
                streams=streams,
                webhooks=webhooks,
            )
        finally:
            await stack.stop()
    write_report(RESULTS, found)
    write_chart(CHART, groups(found))
    sys.stdout.write(RESULTS.read_text())


def decision_loads() -> list[Load]:
    """More and more at once, for few callers and for very many, and at half load."""
    return [
        *(Load(DECISIONS, concurrency, 1000) for concurrency in (1, 16, 64, 256)),
        *(Load(DECISIONS, 64, subjects) for subjects in (10, 10_000, 100_000, 1_000_000)),
        Load(DECISIONS // 2, 16, 1000, rate=HALF_LOAD),
    ]


def groups(found: Findings) -> list[Group]:
    """What the picture shows."""
    measured = [*found.reads, *found.writes, *found.refreshes, *found.verifications]
    drawn = [_group(work, measured) for work in dict.fromkeys(one.work for one in measured)]
    load = decision_loads()[2]
    busy = [one for one in found.decisions if one.load == load]
    title = f"one limit decision over gRPC, {load.concurrency} at once"
    return [*drawn, Group(title, [_decision_bar(one) for one in busy])]


def _group(work: str, measured: Sequence[Measurement]) -> Group:
    """Each service at the concurrency that is drawn, or the only one that there is."""
    same = [one for one in measured if one.work == work]
    shown = [one for one in same if one.concurrency == DRAWN_CONCURRENCY] or same
    title = f"{work}, {shown[0].concurrency} at once"
    return Group(title, [Bar(one.service, one.microseconds) for one in shown])


def _decision_bar(one: Decision) -> Bar:
    micro, figures = 1e6 / one.load.requests, one.figures
    return Bar(
        one.service.removeprefix("envoyproxy/"),
        {"ratelimit": figures.service * micro, "valkey": figures.valkey * micro},
    )


if __name__ == "__main__":
    asyncio.run(main())
